"""
Every failure that an operator can meet: a stable code, an exit status, and what to do about it.

An expected outcome (no face, low quality, non-match, a dropped frame) is a value and is counted, never an error.
Messages say what, which one, what was expected and what was found; never a label, a vector, a picture or a camera URL.
Exit statuses are those of `sysexits.h`; 78 keeps systemd from restarting a daemon that cannot start. Whatever a restart
may heal has another one: a state folder that another process holds (75), an outbox that a full disk refuses (75), a
runtime that failed or a thread that ended (70).
"""

import os
from typing import ClassVar


class EdgeLfrError(Exception):
    """The root of the tree; never raised itself."""

    code: str = "error"
    exit_status: int = os.EX_SOFTWARE
    remedy: ClassVar[str] = ""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.advice = type(self).remedy if remedy is None else remedy

    def diagnostics(self) -> str:
        """Say what happened and what to do, for a person at a terminal."""
        return f"{self.message}\n  what to do: {self.advice}" if self.advice else self.message


# The configuration ------------------------------------------------------------------------------------------------


class ConfigError(EdgeLfrError):
    """A configuration file is missing, unreadable or says something impossible."""

    code = "config"
    exit_status = os.EX_CONFIG
    remedy = "correct the field and run `edge-lfr config check`"


# Model packs ------------------------------------------------------------------------------------------------------


class ModelError(EdgeLfrError):
    """A model pack cannot be used."""

    code = "model"
    exit_status = os.EX_CONFIG


class ModelMissingError(ModelError):
    """A file of the pack is not installed, or the catalogue does not know the pack."""

    code = "model.missing"
    remedy = "install the pack with `edge-lfr models install`"


class ModelDigestError(ModelError):
    """A file is not the one that the catalogue names."""

    code = "model.digest"
    remedy = "install the pack again from its publisher or from a trusted stick"


class ModelContractError(ModelError):
    """A net has other inputs, outputs, operators or values than its catalogue entry promises."""

    code = "model.contract"
    remedy = "use the file that the catalogue entry was written for"


class ModelSourceError(ModelError):
    """A folder, archive or address offers files that must not be installed."""

    code = "model.source"
    exit_status = os.EX_DATAERR


class SelftestError(ModelError):
    """The installed nets do not give the golden values on the fixed picture."""

    code = "model.selftest"
    remedy = "do not deploy: verify the pack and the provider with `edge-lfr models verify` and `edge-lfr doctor`"


class ProviderError(ModelError):
    """The execution provider that was asked for does not run the nets."""

    code = "model.provider"
    remedy = 'install the runtime and driver for this provider, or configure `models.provider = "cpu"`'


class InferenceError(EdgeLfrError):
    """The runtime failed on valid input."""

    code = "inference"
    exit_status = os.EX_SOFTWARE


# The watchlist ----------------------------------------------------------------------------------------------------


class WatchlistError(EdgeLfrError):
    """The watchlist cannot be used."""

    code = "watchlist"
    exit_status = os.EX_CONFIG


class WatchlistMissingError(WatchlistError):
    """No watchlist is loaded."""

    code = "watchlist.missing"
    remedy = "load one with `edge-lfr watchlist load FILE`"


class WatchlistFormatError(WatchlistError):
    """What was offered as a watchlist breaks its format or its bounds."""

    code = "watchlist.format"
    exit_status = os.EX_DATAERR


class BundleError(WatchlistFormatError):
    """A watchlist bundle is not believed; nothing of it was used."""

    code = "watchlist.bundle"


class WatchlistSealError(WatchlistError):
    """The sealed store does not open: a missing or wrong key, or changed bytes."""

    code = "watchlist.seal"
    remedy = "wipe the store and load the watchlist again"


class WatchlistModelError(WatchlistError):
    """The watchlist was enrolled with another model pack than the one configured."""

    code = "watchlist.model"
    remedy = "load the watchlist again: templates of one pack mean nothing to another"


class WatchlistReferenceError(WatchlistError):
    """A reference id that is not in the watchlist."""

    code = "watchlist.reference"
    exit_status = os.EX_DATAERR
    remedy = "list the loaded references with `edge-lfr watchlist show`"


class WatchlistReplacedError(WatchlistError):
    """Something was to be done to one list, and another one is live."""

    code = "watchlist.replaced"
    exit_status = os.EX_TEMPFAIL
    remedy = "ask again: it is done to the list that is live then"


class WatchlistStorageError(WatchlistError):
    """The sealed store could not be written; the list that was live before still is."""

    code = "watchlist.storage"
    exit_status = os.EX_IOERR
    remedy = "free disk space under the state folder and load the watchlist again"


class WatchlistWipedError(WatchlistError):
    """Somebody wiped the store while a list was being made; no list is live."""

    code = "watchlist.wiped"
    exit_status = os.EX_TEMPFAIL
    remedy = "load the watchlist again, if it is still wanted"


class WatchlistEndedError(WatchlistError):
    """The time has come after which the list must not exist: it is not opened any more, and wiped by the next look."""

    code = "watchlist.ended"
    remedy = "load a list for the next deployment; this one is wiped by itself"


class WatchlistClockError(WatchlistError):
    """The list has an end, and the clock that would tell it is not trusted: it stays sealed."""

    code = "watchlist.clock"
    exit_status = os.EX_TEMPFAIL
    remedy = (
        "see `edge-lfr clock show`: have the time synchronised, or set it and confirm it with `edge-lfr clock confirm`"
    )


class EnrolmentError(EdgeLfrError):
    """A watchlist picture cannot be enrolled; in a load this becomes the row's reason code."""

    code = "enrolment"
    exit_status = os.EX_DATAERR


class PictureError(EnrolmentError):
    """A file is no picture, is broken, or is larger than the bounds."""

    code = "enrolment.picture"


# Cameras ----------------------------------------------------------------------------------------------------------


class CaptureError(EdgeLfrError):
    """A camera or video cannot be read."""

    code = "capture"
    exit_status = os.EX_UNAVAILABLE


class FrameFormatError(CaptureError):
    """The decoder announced a frame that cannot be."""

    code = "capture.frame"


# Delivery ---------------------------------------------------------------------------------------------------------


class ReportingError(EdgeLfrError):
    """An alert could not be stored or delivered."""

    code = "reporting"
    exit_status = os.EX_TEMPFAIL


class BrokerUnavailableError(ReportingError):
    """The broker is absent or refuses this client."""

    code = "reporting.broker"
    remedy = "check the address, the certificates and the broker's own log; alerts stay stored until it answers"


class NotAcknowledgedError(ReportingError):
    """No control room acknowledged in time."""

    code = "reporting.unacknowledged"
    remedy = "check that the control room's terminal is running and that its key is trusted here"


class OutboxError(ReportingError):
    """The outbox cannot be read or written."""

    code = "reporting.outbox"
    remedy = "free disk space under the state folder; matching goes on, and alerts are kept in memory meanwhile"


class HoldError(ReportingError):
    """A legal hold cannot be placed or released as asked."""

    code = "reporting.hold"
    exit_status = os.EX_DATAERR
    remedy = "take the alert's id from the control room's record, as it stands in the alert"


# Time -------------------------------------------------------------------------------------------------------------


class ClockError(EdgeLfrError):
    """The wall time cannot be right, whoever says so."""

    code = "clock"
    exit_status = os.EX_DATAERR
    remedy = "set the time of the machine (UTC), then confirm it"


# Trust and control ------------------------------------------------------------------------------------------------


class TrustError(EdgeLfrError):
    """A key or a signed message is not to be trusted."""

    code = "trust"
    exit_status = os.EX_CONFIG


class KeyUnavailableError(TrustError):
    """A key that is needed to open or sign something cannot be read."""

    code = "trust.key"
    exit_status = os.EX_CONFIG


class SealBrokenError(TrustError):
    """Sealed bytes do not open: another key, another place, or changed bytes."""

    code = "trust.seal"
    exit_status = os.EX_CONFIG


class AgeFileError(TrustError):
    """An age file, recipient or identity cannot be used."""

    code = "trust.age"
    exit_status = os.EX_DATAERR
    remedy = "ask for it anew, encrypted to the recipient that `edge-lfr keys show` prints"


class AuthorityError(EdgeLfrError):
    """A deployment authority, or a revocation of one, cannot be used."""

    code = "authority"
    exit_status = os.EX_DATAERR


class AuthorityMissingError(AuthorityError):
    """The mode is operational, and no deployment authority is in force."""

    code = "authority.missing"
    exit_status = os.EX_CONFIG
    remedy = 'install a signed one with `edge-lfr authority install FILE`, or set `mode = "training"`'


class AuthorityDraftError(AuthorityError):
    """A draft cannot be signed yet: fields are open, or say what policy does not allow."""

    code = "authority.draft"
    remedy = "write what is missing into the draft and sign it again"


class AuthorityStorageError(AuthorityError):
    """An authority or a revocation cannot be read from the state folder, or not written there."""

    code = "authority.storage"
    exit_status = os.EX_IOERR
    remedy = "check the disk and the owner of the state folder"


class RevocationError(AuthorityError):
    """What revocations say cannot be relied on; nothing is armed then."""

    code = "authority.revocation"
    remedy = "take the revocation again with `edge-lfr authority take-revocation FILE`, then remove the broken file"


class ArmingRefusedError(AuthorityError):
    """Nobody is compared: a step of the arming was refused."""

    code = "arming"
    exit_status = os.EX_CONFIG

    def __init__(self, message: str, *, step: str, reason: str, remedy: str) -> None:
        super().__init__(message, remedy=remedy)
        self.code = f"arming.{step}"
        self.reason = reason
        """As the status names it."""


class ControlError(EdgeLfrError):
    """The daemon refused a request."""

    code = "control"
    exit_status = os.EX_UNAVAILABLE


class DaemonAbsentError(ControlError):
    """No daemon answers at the control socket."""

    code = "control.absent"
    remedy = "start it with `edge-lfr run --config FILE`"


class DaemonBusyError(ControlError):
    """Another process holds the state folder."""

    code = "control.busy"
    exit_status = os.EX_TEMPFAIL
    remedy = "wait until it has finished, or talk to it: `edge-lfr status`"


class PermissionRefusedError(ControlError):
    """The peer is not allowed to ask for this."""

    code = "control.permission"
    exit_status = os.EX_NOPERM
    remedy = "join the group `edge-lfr-technician`"


# The ledger -------------------------------------------------------------------------------------------------------


class LedgerError(EdgeLfrError):
    """The ledger cannot be written or read; whoever wanted a line decides what that means."""

    code = "ledger"
    exit_status = os.EX_IOERR
    remedy = "free disk space under the state folder, and check the disk and the folder's owner"
