"""
How long everything is kept: one document that the purge, the expiry of messages and the printed table obey.

The document's periods are law for the program, and of the rest it may give reasons alone: what a kind of data is, where
it lies and what ends it the program says itself. No printed table promises an end that nobody brings about.
"""

import hashlib
import tomllib
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, ValidationError, model_validator
from pydantic_core import ErrorDetails

from edge_lfr.config.bounded_toml import read_toml
from edge_lfr.config.retention_kinds import PROGRAM, DataKind, Ending, Start
from edge_lfr.config.section import Identifier, Section
from edge_lfr.errors import ConfigError

BUILT_IN: Final = Path(__file__).with_name("retention_profiles.toml")

MAX_DOCUMENT_BYTES: Final = 256 * 1024
"""Ten times the built-in document; chosen, not measured."""

SHORTEST_S: Final = 60
"""Shorter than a passage of the zone, an alert could end before anybody looked; chosen, not measured."""

LONGEST_S: Final = 31 * 86_400
"""The longest period of a published policy; what is needed for longer is held, one by one."""

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400

MAX_FAULTS: Final = 20
"""That are told at once; nobody corrects more before asking again (chosen, not measured)."""


def _one_line(text: str) -> str:
    if not text.isprintable():
        message = "one line of printable characters"
        raise ValueError(message)
    return text


Reason = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_one_line)]
Period = Annotated[int, Field(ge=SHORTEST_S, le=LONGEST_S)]


class RetentionRule(Section):
    """What is decided of one kind of data; what the program does with it is in `PROGRAM`."""

    starts: Start
    """What begins the period."""

    period_s: Period | None = None
    """Seconds from the start to the end: 60 to 31 days; where the end is a purge or an expiry, and only there."""

    ends: Ending
    """What is done at the end."""

    why: Reason
    """The rule of policy that it follows, and whose it is."""

    @model_validator(mode="after")
    def _has_one_end(self) -> Self:
        if self.ends.has_period != (self.period_s is not None):
            message = "period_s: stands where the end is a purge or an expiry, and only there"
            raise ValueError(message)
        return self


class RetentionRules(Section):
    """A rule for every kind of data that there is: none has a default."""

    alert: RetentionRule
    sighting: RetentionRule
    test_alert: RetentionRule
    acknowledgement: RetentionRule
    watchlist: RetentionRule
    ledger: RetentionRule
    manifest: RetentionRule
    certificate: RetentionRule
    recording: RetentionRule
    health: RetentionRule

    def by_kind(self) -> dict[str, tuple[DataKind, RetentionRule]]:
        """What the program does with each kind, and what was decided of it."""
        return {name: (kind, getattr(self, name)) for name, kind in PROGRAM.items()}

    @model_validator(mode="after")
    def _say_what_is_done(self) -> Self:
        for name, (kind, rule) in self.by_kind().items():
            if (rule.starts, rule.ends) != (kind.starts, kind.ends):
                done = f"the program starts it with `{kind.starts}` and ends it with `{kind.ends}`"
                message = f"{name}: {done}, and nothing else"
                raise ValueError(message)
        if (self.sighting.period_s or 0) > (self.alert.period_s or 0):
            message = "sighting: period_s is longer than that of the alert which it belongs to"
            raise ValueError(message)
        return self


class RetentionProfile(Section):
    """A named set of rules, with a version, so that every record can say which one it was kept by."""

    name: Identifier
    """How a configuration and an authority name it."""

    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]{0,31}$")]
    """Changes whenever a rule does."""

    rules: RetentionRules

    @property
    def title(self) -> str:
        """What it comes to, in one line."""
        return f"Alerts end {self.alerts_kept} after the capture"

    @property
    def alerts_kept(self) -> str:
        """How long an alert is kept, in words."""
        return in_words(self.rules.alert.period_s or 0)

    @property
    def digest(self) -> str:
        """SHA-256 over all that it says: neither a version that nobody raised nor another's name hides a change."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def alert_lifetime(self) -> timedelta:
        """From capture to purge, of an alert and its pictures."""
        return timedelta(seconds=self.rules.alert.period_s or 0)

    @property
    def sighting_lifetime(self) -> timedelta:
        return timedelta(seconds=self.rules.sighting.period_s or 0)

    @property
    def test_lifetime(self) -> timedelta:
        return timedelta(seconds=self.rules.test_alert.period_s or 0)

    @property
    def manifest_lifetime(self) -> timedelta:
        """Of a list's pseudonymous manifest, on the appliance."""
        return timedelta(seconds=self.rules.manifest.period_s or 0)

    @property
    def certificate_lifetime(self) -> timedelta:
        """Of a wipe certificate or a load's receipt, likewise."""
        return timedelta(seconds=self.rules.certificate.period_s or 0)


class _Document(Section):
    """One file with profiles."""

    form: Annotated[Literal["lfr.retention/1"], Field(alias="schema")]
    profiles: Annotated[tuple[RetentionProfile, ...], Field(min_length=1, max_length=32)]


class RetentionConfig(Section):
    """How long everything is kept; `edge-lfr config retention` prints it."""

    profile: Identifier = "alerts-24h"
    """`alerts-24h` or `alerts-31d`, or a profile of `document`; the default is the shorter one."""

    document: Path | None = None
    """A force's own file of profiles, under names of its own, beside those that came with the program."""

    _chosen: RetentionProfile = PrivateAttr()

    @property
    def chosen(self) -> RetentionProfile:
        """The profile itself, as it was when the configuration was read: a running daemon keeps to that."""
        return self._chosen

    @model_validator(mode="after")
    def _is_there(self) -> Self:
        self._chosen = load_profile(self.profile, self.document)
        return self


@cache
def built_in() -> Mapping[str, RetentionProfile]:
    """The profiles that came with the program, by their names, which mean nothing else anywhere."""
    return {profile.name: profile for profile in _read(BUILT_IN).profiles}


def load_profile(name: str, document: Path | None = None) -> RetentionProfile:
    """
    Find the profile *name* in *document* or among those that came with the program.

    Raises:
        ConfigError: The file cannot be read, breaks a rule or gives a name of the program's to a profile of its own, or
            nobody has such a profile.
    """
    profiles = dict(built_in())
    if document is not None:
        own = _read(document).profiles
        for taken, count in Counter(profile.name for profile in own).items():
            if taken in profiles:
                message = f"{document}: profile {taken}: the name of a profile that came with the program"
                remedy = "give it a name of the force's own, and name that in [retention] `profile`"
                raise ConfigError(message, remedy=remedy)
            if count > 1:
                message = f"{document}: profile {taken}: expected once, found {count} times"
                raise ConfigError(message, remedy="give each profile a name of its own")
        profiles |= {profile.name: profile for profile in own}
    if name not in profiles:
        where = "the program" if document is None else f"{document} and the program"
        message = f"retention profile {name}: there is none of this name; {where} have {', '.join(sorted(profiles))}"
        raise ConfigError(message, remedy="name one of these in [retention] `profile`")
    return profiles[name]


def in_words(period_s: int) -> str:
    """A period as a person says it: days only where there is more than one, since a policy says 24 hours."""
    for unit_s, unit in ((DAY_S, "day"), (HOUR_S, "hour"), (MINUTE_S, "minute")):
        count, rest_s = divmod(period_s, unit_s)
        if rest_s == 0 and count >= (2 if unit_s == DAY_S else 1):
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"{period_s} seconds"


def _read(path: Path) -> _Document:
    try:
        with path.open("rb") as file:
            untrusted_bytes = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        remedy = "check the path in [retention] `document`, and that the daemon's user may read it"
        raise ConfigError(f"{path}: the retention document cannot be read: {error.strerror}", remedy=remedy) from None
    if len(untrusted_bytes) > MAX_DOCUMENT_BYTES:
        remedy = "name a retention document in [retention] `document`"
        raise ConfigError(f"{path}: larger than {MAX_DOCUMENT_BYTES} bytes", remedy=remedy)
    try:
        return _Document.model_validate(read_toml(untrusted_bytes))
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8", remedy="save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}", remedy="correct this line") from None
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        if len(details) > 1:  # a list is said to be too short because an item of it was refused
            details = [detail for detail in details if detail["type"] != "too_short"][:MAX_FAULTS]
        lines = [f"{path}: {'.'.join(str(part) for part in detail['loc'])}: {_problem(detail)}" for detail in details]
        remedy = "correct the field and run `edge-lfr config retention`"
        raise ConfigError("\n".join(lines), remedy=remedy) from None


def _problem(detail: ErrorDetails) -> str:
    if detail["type"] == "extra_forbidden":
        return "no field of a document: what data is, where it lies and what ends it the program says itself"
    return detail["msg"].removeprefix("Value error, ")
