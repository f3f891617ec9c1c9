"""
How long everything is kept: one document that the purge, the expiry of messages and the printed table obey.

The document's periods are law for the program; what it says of the rest must be what the program does, or it is
refused: no printed table promises an end that nobody brings about.
"""

import hashlib
import tomllib
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from edge_lfr.config.bounded_toml import read_toml
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

Text = Annotated[str, Field(min_length=1, max_length=300)]
Period = Annotated[int, Field(ge=SHORTEST_S, le=LONGEST_S)]


class Start(StrEnum):
    """What begins a period."""

    CAPTURE = "capture"
    """The instant the frame was taken; for a test alert, the instant it was written."""

    ISSUE = "issue"
    """The instant that a signed message names as its own."""

    LOAD = "load"
    EVENT = "event"


class Ending(StrEnum):
    """What is done at the end."""

    PURGE = "purge"
    """Data key destroyed and row deleted, overwritten in the file and in its log."""

    DELETE = "delete"
    """Row deleted; there was nothing to seal."""

    EXPIRE = "expire"
    """File deleted: at the end of the period, or before it by whoever copied it; there was nothing to seal."""

    WIPE = "wipe"
    """Data key destroyed, files deleted, memory overwritten."""

    KEPT = "kept"
    """The program never deletes it; the force does, by its own schedule."""

    NOT_MADE = "not-made"
    EXIT = "exit"
    """It is in memory only."""


PROGRAM: Final[dict[str, tuple[Start, Ending]]] = {
    "alert": (Start.CAPTURE, Ending.PURGE),
    "sighting": (Start.CAPTURE, Ending.PURGE),
    "test_alert": (Start.CAPTURE, Ending.PURGE),
    "acknowledgement": (Start.ISSUE, Ending.DELETE),
    "watchlist": (Start.LOAD, Ending.WIPE),
    "ledger": (Start.EVENT, Ending.KEPT),
    "manifest": (Start.LOAD, Ending.EXPIRE),
    "certificate": (Start.EVENT, Ending.EXPIRE),
    "recording": (Start.CAPTURE, Ending.NOT_MADE),
    "health": (Start.EVENT, Ending.EXIT),
}
"""What the program does with each kind of data; a document may say nothing else."""


class RetentionRule(Section):
    """One kind of data, from its beginning to its end."""

    what: Text
    """What it is, for whoever reads the impact assessment."""

    where: Text
    """Where it lies meanwhile."""

    starts: Start
    """What begins the period."""

    period_s: Period | None = None
    """Seconds from the start to the end: 60 to 31 days; where the end is a purge or an expiry, and only there."""

    until: Text | None = None
    """What ends it otherwise, in words."""

    ends: Ending
    """What is done at the end."""

    why: Text
    """The rule of policy that it follows, and whose it is."""

    @property
    def kept_for(self) -> str:
        """The period in words, or what ends it."""
        return f"until {self.until}" if self.period_s is None else in_words(self.period_s)

    @model_validator(mode="after")
    def _has_one_end(self) -> Self:
        if (self.ends in {Ending.PURGE, Ending.EXPIRE}) != (self.period_s is not None):
            message = "period_s: stands where the end is a purge or an expiry, and only there"
            raise ValueError(message)
        if (self.period_s is None) != (self.until is not None):
            message = "until: stands where there is no period_s, and only there"
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

    def by_kind(self) -> dict[str, RetentionRule]:
        """All rules in the document's order of kinds."""
        return {kind: getattr(self, kind) for kind in type(self).model_fields}

    @model_validator(mode="after")
    def _say_what_is_done(self) -> Self:
        for kind, rule in self.by_kind().items():
            starts, ends = PROGRAM[kind]
            if (rule.starts, rule.ends) != (starts, ends):
                message = f"{kind}: the program starts it with `{starts}` and ends it with `{ends}`, and nothing else"
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

    title: Text
    rules: RetentionRules

    @property
    def digest(self) -> str:
        """SHA-256 over all that it says: a version that nobody raised does not hide a change."""
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
    """A force's own file of profiles, instead of the one that came with the program."""

    _chosen: RetentionProfile = PrivateAttr()

    @property
    def chosen(self) -> RetentionProfile:
        """The profile itself, as it was when the configuration was read: a running daemon keeps to that."""
        return self._chosen

    @model_validator(mode="after")
    def _is_there(self) -> Self:
        self._chosen = load_profile(self.profile, self.document)
        return self


def load_profile(name: str, document: Path | None = None) -> RetentionProfile:
    """
    Read the profile *name* out of *document*, or of the one that came with the program.

    Raises:
        ConfigError: The file cannot be read, breaks a rule, or has no such profile.
    """
    path = BUILT_IN if document is None else document
    profiles = _read(path).profiles
    found = [profile for profile in profiles if profile.name == name]
    if len(found) != 1:
        known = ", ".join(sorted({profile.name for profile in profiles}))
        message = f"{path}: profile {name}: expected once, found {len(found)} times; the file has {known}"
        raise ConfigError(message, remedy="name one of these in [retention] `profile`")
    return found[0]


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
        lines = [
            f"{path}: {'.'.join(str(part) for part in detail['loc'])}: {detail['msg'].removeprefix('Value error, ')}"
            for detail in error.errors(include_url=False, include_input=False)
        ]
        remedy = "correct the field and run `edge-lfr config retention`"
        raise ConfigError("\n".join(lines), remedy=remedy) from None
