"""What is said about the appliance itself: retained or repeated messages, with no word about a subject."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field

from edge_lfr.governance.ledger.head import HeadContent
from edge_lfr.governance.trust import MAX_TRUST_FILES, Role, TrustStore, shown_fingerprint
from edge_lfr.pipeline.reporting.messages import (
    AuthorisedMessage,
    Count,
    Digest,
    Evidence,
    Name,
    Part,
    UpMessage,
)
from edge_lfr.terms import Mode

Measure = Annotated[float, Field(allow_inf_nan=False)]
Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class DeviceState(StrEnum):
    """What the appliance is doing."""

    STARTING = "starting"
    RUNNING = "running"
    DEGRADED = "degraded"
    PAUSED = "paused"
    DISARMED = "disarmed"
    STOPPED = "stopped"
    OFFLINE = "offline"
    """Said by the broker in the appliance's stead: its last will."""


class OutboxCounts(Part):
    """Rows by what has become of them."""

    stored: Count = 0
    """Waiting for the broker or for a listener."""

    accepted: Count = 0
    """With the broker, and nobody has acknowledged."""

    acknowledged: Count = 0
    spooled: Count = 0
    """In memory only, because the disk refuses them: lost if the power goes now."""

    lost: Count = 0
    """Since this run began: expired before anybody acknowledged, or refused because disk and memory were full."""


class StatusMessage(AuthorisedMessage):
    """The appliance in one line; retained."""

    file_name = "status"

    schema_version: Literal["lfr.status/1"] = Field("lfr.status/1", alias="schema")
    state: DeviceState
    boot_id: Name
    since: AwareDatetime
    """When this state began."""

    reasons: Annotated[tuple[Name, ...], Field(max_length=64)] = ()
    """Codes of what is wrong; empty while all is well."""

    nobody_listening: bool = False
    """The broker has no subscriber for alerts: they wait in the outbox."""

    last_seq: Count = 0
    """Newest number given to an alert or sighting, so that a gap at the end shows too."""

    outbox: OutboxCounts = OutboxCounts()
    software: Name = ""
    window_ends_at: AwareDatetime | None = None
    """When the authority's window ends; None without an authority."""

    clock: Name | None = None
    """How far this appliance trusts its clock, as a code; None where it has not said."""


class CameraMessage(UpMessage):
    """One camera; retained."""

    file_name = "camera"

    schema_version: Literal["lfr.camera/1"] = Field("lfr.camera/1", alias="schema")
    camera: Name
    state: Name
    size_wh: tuple[Count, Count] | None = None
    error_code: Name | None = None
    restarts: Count = 0


class Spans(Part):
    """How long something takes: percentiles over its latest runs; None before the first."""

    count: Count = 0
    """Since the daemon started."""

    p50_ms: Measure | None = None
    p99_ms: Measure | None = None


class StageSpans(Spans):
    """How long a stage of the path takes: likewise, and in all."""

    total_ms: Milliseconds | None = None
    """Since the daemon started."""


class HealthMessage(UpMessage):
    """Numbers of the moment; sent at an interval, not retained."""

    file_name = "health"

    schema_version: Literal["lfr.health/1"] = Field("lfr.health/1", alias="schema")
    boot_id: Name
    at: AwareDatetime
    uptime_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    counters: Annotated[dict[Name, Count], Field(max_length=2_000)] = Field(default_factory=dict)
    """Since the daemon started; `discard.REASON.CAMERA` are the drops by cause."""

    measures: Annotated[dict[Name, Measure], Field(max_length=500)] = Field(default_factory=dict)
    """Values of the moment, the unit in the name: memory, and the ages of what waits and of threads' turns."""

    stages: Annotated[dict[Name, StageSpans], Field(max_length=64)] = Field(default_factory=dict)
    """Each stage of a pass, `pass` for a whole one, and `flush` for what lies between two."""

    latency: Annotated[dict[Name, Spans], Field(max_length=64)] = Field(default_factory=dict)
    """Parts of an alert's way from the camera to the broker."""


class WatchlistMessage(UpMessage):
    """Which watchlist is searched; retained."""

    file_name = "watchlist"

    schema_version: Literal["lfr.watchlist/1"] = Field("lfr.watchlist/1", alias="schema")
    digest: Digest | None
    """None while no watchlist is loaded."""

    list_id: Name | None = None
    """As its issuer calls it; None where it has no such name."""

    references: Count = 0
    templates: Count = 0
    created_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    pack_id: Name
    pack_digest: Digest
    threshold: Annotated[float, Field(ge=-1, le=1)] | None = None
    threshold_evidence: Evidence | None = None
    index: Name | None = None
    """What serves: `exact` or `hnsw`."""

    index_reason: Name | None = None
    """Why, as a code."""

    index_recall: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of perturbed templates for which the graph named the same first reference as exact search."""

    index_exact_ms: tuple[Milliseconds, Milliseconds] | None = None
    """Median computing time of one probe, and of eight at once, in runs that took turns with those of the graph."""

    index_graph_ms: tuple[Milliseconds, Milliseconds] | None = None
    index_build_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class TrustedKeyState(Part):
    """One key whose signatures count."""

    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{4}(-[0-9a-f]{4}){7}$")]
    """As it is shown everywhere: the first 128 bits in groups of four."""

    role: Role
    not_after: AwareDatetime


class TrustMessage(UpMessage):
    """Whose signatures count here; retained, so that a key that nobody expected is seen elsewhere."""

    file_name = "trust"

    schema_version: Literal["lfr.trust/1"] = Field("lfr.trust/1", alias="schema")
    keys: Annotated[tuple[TrustedKeyState, ...], Field(max_length=MAX_TRUST_FILES)]
    """In the order of role and fingerprint."""

    @classmethod
    def of(cls, trust: TrustStore, mode: Mode) -> Self:
        """What is loaded; names of keys stay here."""
        keys = sorted(trust.keys.values(), key=lambda key: (key.role, key.fingerprint))
        return cls(
            mode=mode,
            keys=tuple(
                TrustedKeyState(fingerprint=shown_fingerprint(key.fingerprint), role=key.role, not_after=key.not_after)
                for key in keys
            ),
        )


class HeadSignature(Part):
    """Whose it claims to be; nothing here has verified it."""

    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    signature: Annotated[str, Field(max_length=88)]


class SignedHead(Part):
    """The signed document as the ledger made it; a reader who wants to believe it verifies it."""

    schema_version: Literal["lfr.document/1"] = Field(alias="schema")
    kind: Literal["ledger-head"]
    content: HeadContent
    signatures: Annotated[tuple[HeadSignature, ...], Field(min_length=1, max_length=1)]


class LedgerHeadMessage(UpMessage):
    """How far the ledger is, signed by this appliance; retained: the copy elsewhere that shows a ledger cut short."""

    file_name = "ledger-head"

    schema_version: Literal["lfr.ledger-head/1"] = Field("lfr.ledger-head/1", alias="schema")
    head: SignedHead

    @classmethod
    def of(cls, document: bytes, mode: Mode) -> Self:
        """What the ledger gave: `Ledger.head`."""
        return cls(mode=mode, head=SignedHead.model_validate_json(document))
