"""Everything about the running appliance, for `edge-lfr status`: what a technician at the box may know."""

from dataclasses import asdict
from typing import Any, Final

from edge_lfr.daemon.arming.judgement import judge_arming
from edge_lfr.daemon.health import Health
from edge_lfr.governance.ledger.lines import read_time
from edge_lfr.pipeline.capture.source import CameraStatus
from edge_lfr.pipeline.reporting.link import MqttLink
from edge_lfr.pipeline.reporting.link_status import LinkState
from edge_lfr.terms import Category

STATUS_SCHEMA: Final = "lfr.local-status/1"


def local_status(health: Health) -> dict[str, Any]:
    """
    Gather it; the answer to the `status` verb, which bounds its length.

    Raises:
        OutboxError: The outbox cannot be read.
    """
    armament = health.armament
    floor = None if armament is None else armament.floor
    status = health.status().model_copy(
        update={"last_seq": health.outbox.last_seq, "outbox": health.outbox.counts()},
    )
    return {
        "schema": STATUS_SCHEMA,
        "status": status.model_dump(mode="json", by_alias=True),
        "in_words": health.in_words(),
        "watchlist": health.watchlist().model_dump(mode="json", by_alias=True),
        "floor": None if floor is None else floor.model_dump(mode="json"),
        "arming": _arming(health),
        "cameras": camera_facts(health),
        "broker": _link_facts(health.link),
        "ledger": _ledger_facts(health),
        "provider": {"detector": health.pack.detector.provider, "embedder": health.pack.embedder.provider},
        "latency": {part: asdict(spans) for part, spans in health.latency.summary().items()},
        "stages": {
            stage: {name: round(value, 3) for name, value in asdict(spans).items()}
            for stage, spans in health.times.summary().items()
        },
        "measures": health.measures(),
        "counters": health.all_counters(),
        "uptime_s": round(health.uptime_s, 1),
    }


def _arming(health: Health) -> list[dict[str, object]]:
    """Every step of the arming as of now; none in training, which asks nobody."""
    mandate, armament = health.mandate, health.armament
    if mandate is None or not mandate.is_needed:
        return []
    watchlist = None if armament is None else armament.watchlist
    categories = frozenset[Category]() if armament is None else armament.listed.categories
    facts = mandate.facts(health.pack.entry, watchlist=watchlist, categories=categories)
    return [found.facts() for found in judge_arming(facts).steps]


def camera_facts(health: Health) -> list[dict[str, Any]]:
    """All that each camera says of itself; its decoder's confinement and locks among it."""
    return [_facts(camera.status) for camera in health.cameras.values()]


def _facts(status: CameraStatus) -> dict[str, Any]:
    size = None if status.size is None else str(status.size)
    return {**asdict(status), "state": status.state.value, "size": size}


def _ledger_facts(health: Health) -> dict[str, Any]:
    """From memory: up to which line it is signed and since when, and what only memory holds."""
    recorder, head = health.recorder, health.recorder.signed
    at = None if head is None else read_time(head.content.at)
    return {
        "healthy": recorder.is_healthy,
        "failure": recorder.failure,
        "waiting": recorder.kept,
        "signed_lines": None if head is None else head.content.n,
        "signed_at": None if at is None else at.isoformat(),
        "head_age_s": None if at is None else round((health.clock.utc_now() - at).total_seconds(), 1),
    }


def _link_facts(link: MqttLink | None) -> dict[str, Any]:
    if link is None:
        return {"state": LinkState.STOPPED.value, "reason": None, "nobody_listening": False}
    status = link.status
    return {
        "state": status.state.value,
        "reason": status.reason,
        "since": status.since.isoformat(),
        "nobody_listening": status.nobody_listening,
        "in_flight": status.in_flight,
    }
