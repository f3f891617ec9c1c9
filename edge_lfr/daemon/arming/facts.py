"""What is asked before anybody is compared in operation: facts that are judged, steps, and what came of them."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from edge_lfr.config.retention import RetentionProfile
from edge_lfr.errors import ArmingRefusedError, EdgeLfrError
from edge_lfr.governance.authority.judgement import VerifiedAuthority
from edge_lfr.governance.documents import Fault
from edge_lfr.governance.trust import TrustStore
from edge_lfr.governance.trusted_time import TimeVerdict
from edge_lfr.inference.calibrated_conditions import Conditions
from edge_lfr.inference.catalogue import PackEntry
from edge_lfr.terms import Category
from edge_lfr.watchlist.sealed.origin import Origin
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist


class ArmingStep(StrEnum):
    """What is asked, in this order."""

    INSTALLED = "installed"
    AUTHORITY = "authority"
    WINDOW = "window"
    CLOCK = "clock"
    WATCHLIST = "watchlist"
    PACK = "pack"
    CALIBRATION = "calibration"
    LICENCE = "licence"
    THRESHOLD = "threshold"
    LOCKS = "locks"
    RECORD = "record"


class ArmingRefusal(StrEnum):
    """Why nobody is compared, as status and ledger name it."""

    AUTHORITY_MISSING = "authority-missing"
    AUTHORITY_UNREADABLE = "authority-unreadable"
    AUTHORITY_REFUSED = "authority-refused"
    COUNTERSIGN_OVERDUE = "authority-countersign-overdue"
    NOT_YET = "authority-not-yet"
    ENDED = "authority-ended"
    REVOKED = "authority-revoked"
    CLOCK = "clock-untrusted"
    NO_WATCHLIST = "no-watchlist"
    WATCHLIST_SEALED = "watchlist-sealed"
    WATCHLIST_NOT_AUTHORISED = "watchlist-not-authorised"
    WATCHLIST_NOT_TRUSTED = "watchlist-issuer-not-trusted"
    WATCHLIST_ENDED = "watchlist-ended"
    WATCHLIST_STALE = "watchlist-stale"
    WATCHLIST_ENDS_LATE = "watchlist-ends-late"
    PACK = "pack-not-authorised"
    EXTRAPOLATED = "calibration-extrapolated"
    LICENCE = "licence-not-for-operation"
    THRESHOLD = "threshold-too-low"
    MEMORY_UNLOCKED = "memory-unlocked"
    CORE_DUMPS = "core-dumps"
    LEDGER = "ledger-refuses"
    RETENTION = "retention-not-authorised"
    NO_OFFICER = "protection-officer-missing"
    TRUST = "trust-refused"
    HELD = "trust-changed"
    """Somebody changed whom we trust, and nobody has said that it shall go on."""

    PAUSED = "paused"
    """Somebody paused it, and nobody has said that it shall go on."""


class Verdict(StrEnum):
    """What came of a step."""

    OK = "ok"
    REFUSED = "refused"
    NOT_REACHED = "not-reached"
    """What it asks about is not there, or is another process's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmingFacts:
    """Everything that is asked about; None: not known to whoever asks."""

    authority: VerifiedAuthority | EdgeLfrError
    """The installed one as of now, or why there is none that counts."""

    trust: TrustStore
    """Whose signatures count now: an issuer may have been distrusted since the list was loaded."""

    revoked: frozenset[str] = frozenset()
    """Ids of the authorities that were revoked here."""

    time: TimeVerdict
    watchlist: StoredWatchlist | EdgeLfrError | None
    categories: frozenset[Category] = frozenset()
    """Of everybody on the list."""

    searched: Origin | None = None
    """The list that is searched now, under the same authority: it may have turned old in use."""

    max_extract_age: timedelta
    """Of the force's policy."""

    entry: PackEntry
    conditions: Conditions
    retention: RetentionProfile
    """The one that is configured, as the purge obeys it."""

    unlocked_bytes: int | None = None
    dumps_cores: bool | None = None
    is_recorded: bool | None = None
    """Whether the ledger takes lines."""

    officer_fault: EdgeLfrError | None = None
    """Why nobody could say later who was on the list."""

    trust_fault: EdgeLfrError | None = None
    """Why the trust folder is not to be relied on."""


@dataclass(frozen=True, slots=True)
class StepFound:
    """One numbered step, for people."""

    number: int
    step: ArmingStep
    verdict: Verdict
    detail: str = ""
    refusal: ArmingRefusal | None = None
    fault: Fault | None = None

    def facts(self) -> dict[str, object]:
        """As JSON says it."""
        said: dict[str, object] = {"number": self.number, "step": self.step.value, "verdict": self.verdict.value}
        if self.fault is None:
            return {**said, "detail": self.detail}
        fault = {"field": self.fault.field, "problem": self.fault.problem, "remedy": self.fault.remedy}
        return {**said, "reason": self.refusal, **fault}


@dataclass(frozen=True, slots=True)
class Permission:
    """What a deployment may be run with."""

    authority: VerifiedAuthority
    threshold: float
    """The authority's; it is neither below the floor nor below what is configured."""


@dataclass(frozen=True, slots=True)
class ArmingJudgement:
    """Every step, and the permission where none was refused or left open."""

    steps: tuple[StepFound, ...]
    permission: Permission | None

    def require_none_refused(self) -> None:
        """
        Go on where nothing speaks against it so far; steps that were not reached do not.

        Raises:
            ArmingRefusedError: The first step that was refused.
        """
        for found in self.steps:
            if found.refusal is not None and found.fault is not None:
                raise refused(found, found.refusal, found.fault)

    def permitted(self) -> Permission:
        """
        Give the permission.

        Raises:
            ArmingRefusedError: The first step that was refused.
        """
        self.require_none_refused()
        if self.permission is None:
            message = "a step of the arming was not reached (a caller's mistake)"
            raise ValueError(message)
        return self.permission


def refused(found: StepFound, refusal: ArmingRefusal, fault: Fault) -> ArmingRefusedError:
    """The error of a step that was refused."""
    message = f"not armed: ({found.number}) {found.step}: {fault}"
    return ArmingRefusedError(message, step=found.step, reason=refusal, remedy=fault.remedy)
