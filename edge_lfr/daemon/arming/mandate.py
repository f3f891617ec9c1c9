"""
What this appliance may rely on: whose keys count, what time it is, and what was authorised.

Kept up to date by the overseer, read by everybody else; each value is exchanged whole, so that any thread may read.
"""

import resource
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from edge_lfr.biometrics.locking import TALLY
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.arming.facts import ArmingFacts
from edge_lfr.errors import AuthorityMissingError, AuthorityStorageError, ConfigError, EdgeLfrError, TrustError
from edge_lfr.governance.authority.installed import installed_digest, load_installed
from edge_lfr.governance.authority.judgement import AuthorityRefusal, AuthorityRefusedError, VerifiedAuthority
from edge_lfr.governance.authority.revocation import Revocations, TakenRevocation, believe_revocation
from edge_lfr.governance.clock_note import TrustedTime
from edge_lfr.governance.trust import TrustStore
from edge_lfr.governance.trust_folder import folder_digest
from edge_lfr.governance.trusted_time import NOTED_STEP_NS, SECOND_NS, TimeVerdict
from edge_lfr.inference.calibrated_conditions import Conditions
from edge_lfr.inference.catalogue import PackEntry
from edge_lfr.terms import Category, Mode
from edge_lfr.watchlist.records.pseudonyms import require_officer
from edge_lfr.watchlist.sealed.origin import Origin
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist

log = structlog.get_logger()

NOTHING_READ: Final = "no deployment authority was looked for"


@dataclass(slots=True, eq=False, kw_only=True)
class Mandate:
    """Reads and verifies; decides nothing."""

    config: ApplianceConfig
    trust: TrustStore
    """Whose signatures count now; nobody's while the folder is not to be relied on."""

    trust_digest: str
    """Of the folder, taken before its keys were read: what changed in between is seen at the next look."""

    device_fingerprint: str | None
    """The appliance's own key, which authorises and revokes nothing."""

    watch: TrustedTime
    is_recorded: Callable[[], bool] = lambda: True
    """Whether the ledger takes lines."""

    trust_fault: TrustError | None = None
    searched: Origin | None = None
    """The list that is searched now, so that one which turned old in use is told from one that comes old."""

    time: TimeVerdict = field(init=False)
    """Of the latest look."""

    authority: VerifiedAuthority | EdgeLfrError = field(init=False)
    """As of the latest reading; always an error in training, which asks nobody."""

    revoked: frozenset[str] = field(default_factory=frozenset, init=False)
    """Ids of the authorities that were revoked here, as of the latest reading."""

    unkept: tuple[TakenRevocation, ...] = field(default=(), init=False)
    """Revocations that count and are not on the disk yet."""

    _is_refused: bool = field(default=False, init=False)
    """The disk refuses them."""

    _untold_steps_s: list[float] = field(default_factory=list, init=False)
    _looking: threading.Lock = field(default_factory=threading.Lock, init=False)
    _reading: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self.look_at_clock()
        self.authority = AuthorityMissingError(NOTHING_READ)
        self.read_authority()

    @property
    def device(self) -> str:
        """`<force>/<device>`, as documents name it."""
        return self.config.device_name

    @property
    def is_needed(self) -> bool:
        """Whether nobody is compared without an authority."""
        return self.config.mode is Mode.OPERATIONAL

    def look_at_clock(self) -> TimeVerdict:
        """What is to be thought of the time now."""
        with self._looking:
            self.time = self.watch.look()
            if abs(self.time.step_s) >= NOTED_STEP_NS / SECOND_NS:
                self._untold_steps_s.append(self.time.step_s)
            return self.time

    def take_steps_s(self) -> list[float]:
        """How far the time was set, each time since this was asked last."""
        with self._looking:
            steps_s, self._untold_steps_s = self._untold_steps_s, []
            return steps_s

    def confirm_clock(self) -> TimeVerdict:
        """
        Take a technician's word that the time is right.

        Raises:
            ClockError: It cannot be.
            ClockNoteError: It cannot be noted.
        """
        with self._looking:
            self.time = self.watch.confirm()
            return self.time

    def read_authority(self) -> None:
        """Verify the installed authority as of the latest look at the clock."""
        if not self.is_needed:
            return
        with self._reading:  # a reading that began before a revocation came does not end after the one that knows it
            self.authority = self._authority_read()

    def _authority_read(self) -> VerifiedAuthority | EdgeLfrError:
        unkept = [taken.revocation for taken in self.unkept]
        self.revoked |= Revocations().and_also(unkept).ended_for(self.device)  # whatever the disk says
        try:
            revocations = Revocations.load(self.config.state_directory).and_also(unkept)
            self.revoked = revocations.ended_for(self.device)
            return load_installed(
                self.config.mode_directory,
                trust=self.trust,
                device=self.device,
                device_fingerprint=self.device_fingerprint,
                now=self.time.now,
                policy=self.config.policy.authority,
                revocations=revocations,
            )
        except EdgeLfrError as error:
            return error

    def overdue_digest(self) -> str | None:
        """Of the authority that nobody countersigned in time, also where it has ended since; None: there is none."""
        why = self.authority
        if isinstance(why, AuthorityRefusedError) and why.refusal is AuthorityRefusal.COUNTERSIGN_OVERDUE:
            return installed_digest(self.config.mode_directory)
        return None

    def take_revocation(self, untrusted: bytes) -> TakenRevocation:
        """
        Believe a revocation, and see what it does to the authority; `keep_revocations` has it on the disk.

        Raises:
            DocumentRefusedError, RevocationError: As `governance.revocation`.
        """
        taken = believe_revocation(
            self.config.state_directory,
            untrusted,
            trust=self.trust,
            device=self.device,
            device_fingerprint=self.device_fingerprint,
            now=self.time.now,
        )
        known = {each.path for each in self.unkept}
        if taken.path in known:
            return replace(taken, is_new=False)
        self.unkept = (*self.unkept, taken)
        self.read_authority()
        return taken

    def keep_revocations(self) -> None:
        """Have on the disk what was taken; what it refuses counts all the same, and is tried at the next call."""
        for taken in self.unkept:
            try:
                taken.keep()
            except AuthorityStorageError as error:
                if not self._is_refused:
                    log.error("authority.revocation-not-kept", reason=error.message)
                self._is_refused = True
                return
            self.unkept = tuple(each for each in self.unkept if each is not taken)
        self._is_refused = False

    def read_trust(self) -> TrustStore:
        """Read the trust folder anew, and give what was trusted before; where it cannot be relied on, nobody is."""
        before, self.trust_digest = self.trust, folder_digest(self.config.trust.directory)
        try:
            self.trust, self.trust_fault = (
                TrustStore.load(self.config.trust.directory, roots_alone=self.is_needed),
                None,
            )
        except TrustError as error:
            self.trust, self.trust_fault = TrustStore(), error
        except OSError as error:
            fault = TrustError(f"{self.config.trust.directory}: cannot be read: {error.strerror}")
            self.trust, self.trust_fault = TrustStore(), fault
        self.read_authority()
        return before

    def facts(
        self,
        entry: PackEntry,
        *,
        watchlist: StoredWatchlist | EdgeLfrError | None = None,
        categories: frozenset[Category] = frozenset(),
    ) -> ArmingFacts:
        """
        Everything that arming asks about.

        Args:
            entry: The pack that runs.

            watchlist: The opened list, or why it does not open; None while nobody has tried.

            categories: Of everybody on it.
        """
        return ArmingFacts(
            authority=self.authority,
            trust=self.trust,
            revoked=self.revoked,
            time=self.time,
            watchlist=watchlist,
            categories=categories,
            searched=self.searched,
            max_extract_age=self.config.policy.watchlist.max_extract_age,
            entry=entry,
            conditions=Conditions.of(self.config),
            retention=self.config.retention.chosen,
            unlocked_bytes=TALLY.unlocked_bytes,
            dumps_cores=resource.getrlimit(resource.RLIMIT_CORE)[0] != 0,
            is_recorded=self.is_recorded(),
            officer_fault=officer_fault(self.config),
            trust_fault=self.trust_fault,
        )


def officer_fault(config: ApplianceConfig) -> ConfigError | None:
    """Why nobody could say later who was on a list; None where somebody can, or nobody has to."""
    try:
        require_officer(config)
    except ConfigError as error:
        return error
    return None
