"""Why the ledger could not be written, read or copied, and what to do about it."""

import os

from edge_lfr.errors import LedgerError


class LedgerFactError(LedgerError):
    """A line would have said what the ledger may not say."""

    code = "ledger.fact"
    exit_status = os.EX_SOFTWARE
    remedy = "report it: a defect of this program"


class LedgerMissingError(LedgerError):
    """There is no ledger here."""

    code = "ledger.missing"
    exit_status = os.EX_NOINPUT
    remedy = "it begins when the appliance first runs; if there was one, restore it, and keep the disk as evidence"


class LedgerDamagedError(LedgerError):
    """The file is no ledger, or its end is none."""

    code = "ledger.damaged"
    exit_status = os.EX_CONFIG
    remedy = (
        "see what is wrong with `edge-lfr ledger verify`; keep the file as evidence, and move it away: another begins"
    )


class LedgerOwnerError(LedgerError):
    """The ledger is another appliance's, or was begun with another device key."""

    code = "ledger.owner"
    exit_status = os.EX_CONFIG
    remedy = "keep the file, and move it away: this appliance begins its own"


class LedgerExportError(LedgerError):
    """A copy of the ledger cannot be written."""

    code = "ledger.export"
    exit_status = os.EX_CANTCREAT
    remedy = "name a file that does not exist, in a folder with room for it"
