"""
The figures of the appliance in the words of Prometheus; read when somebody asks, kept nowhere.

Labels name cameras, stages, causes and threads; nothing here stands for a person or a watchlist's content.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

import edge_lfr
from edge_lfr.daemon.health import Health
from edge_lfr.daemon.process_use import process_use
from edge_lfr.errors import OutboxError
from edge_lfr.pipeline.capture.source import CameraState
from edge_lfr.pipeline.reporting.link_status import LinkState

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class Metrics:
    """One text for one scrape."""

    def __init__(self, health: Health) -> None:
        self._registry = CollectorRegistry(auto_describe=False)  # with none of the library's own metrics
        self._registry.register(_Figures(health))

    def text(self) -> bytes:
        return generate_latest(self._registry)


class _Figures(Collector):
    """Reads the parts of the running appliance."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def describe(self) -> Iterable[Metric]:
        """Nothing: only a scrape reads."""
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from self._state()
        yield from self._cameras()
        yield from self._counted()
        yield from self._times()
        yield from self._delivery()
        yield from self._watchlist()
        yield from self._process()

    def _state(self) -> Iterator[Metric]:
        health = self._health
        yield _gauge("build_info", "1; which program and pack", ("version", "pack")).one(
            1, edge_lfr.__version__, health.pack.entry.id
        )
        yield _gauge("uptime_seconds", "Since the daemon started").one(health.uptime_s)
        status = health.status()
        yield _gauge("state", "1; what the appliance is doing", ("state",)).one(1, status.state.value)
        reasons = _gauge("reason", "1 for everything that is wrong now", ("reason",))
        for reason in status.reasons:
            reasons.one(1, reason)
        yield reasons

    def _cameras(self) -> Iterator[Metric]:
        up = _gauge("camera_up", "1 while the camera gives pictures", ("camera",))
        restarts = _counter("camera_restarts", "Decoders started after the first", ("camera",))
        decoded = _counter("frames_decoded", "Pictures that were decoded", ("camera",))
        processed = _counter("frames_processed", "Frames that a pass took", ("camera",))
        waiting = _gauge("frame_waiting_seconds", "Age of the frame that waits for the path", ("camera",))
        waits = dict(self._health.waiting_frames())
        for camera_id, camera in self._health.cameras.items():
            status = camera.status
            up.one(status.state is CameraState.UP, camera_id)
            restarts.one(status.restarts, camera_id)
            decoded.one(status.frames_decoded, camera_id)
            processed.one(self._health.loop.frames_processed[camera_id], camera_id)
            waiting.one(waits.get(camera_id, 0.0), camera_id)
        yield from (up, restarts, decoded, processed, waiting)

    def _counted(self) -> Iterator[Metric]:
        """Every counter of the appliance; the name says where it belongs."""
        discards = _counter("discards", "Frames, looks and tracks that ended without an alert", ("reason", "camera"))
        faces = _counter("faces_seen", "Tracks of which a face was good enough to be compared", ("camera",))
        events = _counter("events", "Everything else that is counted", ("event",))
        for name, count in self._health.counters.snapshot().items():
            match name.split("."):
                case ["discard", reason, camera_id]:
                    discards.one(count, reason, camera_id)
                case ["faces-seen", camera_id]:
                    faces.one(count, camera_id)
                case ["discard", _] | ["faces-seen"]:
                    pass  # the sum of the above
                case _:
                    events.one(count, name)
        events.one(self._health.loop.failures, "path-failures")
        yield from (discards, faces, events)

    def _times(self) -> Iterator[Metric]:
        runs = _counter("stage_runs", "Runs of a stage; `pass` is a whole pass, `flush` lies between two", ("stage",))
        busy = _counter("stage_busy_seconds", "Time spent in a stage", ("stage",))
        stages = _gauge("stage_seconds", "Duration of a stage, latest runs", ("stage", "quantile"))
        for stage, spans in self._health.times.summary().items():
            runs.one(spans.count, stage)
            busy.one(spans.total_ms / 1e3, stage)
            stages.one(spans.p50_ms / 1e3, stage, "0.5")
            stages.one(spans.p99_ms / 1e3, stage, "0.99")
        counts = _counter("latency_observations", "Spans that were timed", ("part",))
        latency = _gauge("latency_seconds", "Parts of the way from a camera to the broker", ("part", "quantile"))
        for part, found in self._health.latency.summary().items():
            counts.one(found.count, part)
            if found.p50_ms is not None and found.p99_ms is not None:
                latency.one(found.p50_ms / 1e3, part, "0.5")
                latency.one(found.p99_ms / 1e3, part, "0.99")
        idle = _gauge("thread_idle_seconds", "Since a thread finished its last turn", ("thread",))
        for name, age_s in self._health.progress.ages_s().items():
            idle.one(age_s, name)
        yield from (runs, busy, stages, counts, latency, idle)

    def _delivery(self) -> Iterator[Metric]:
        link = self._health.link
        is_connected = link is not None and link.status.state is LinkState.CONNECTED
        yield _gauge("broker_connected", "1 while there is a connection").one(is_connected)
        try:
            counts, oldest_s = self._health.outbox.counts(), self._health.outbox.oldest_age_s()
        except OutboxError:
            return
        rows = _gauge("outbox_rows", "Alerts and sightings by what has become of them", ("state",))
        for state in ("stored", "accepted", "acknowledged", "spooled"):
            rows.one(getattr(counts, state), state)
        yield rows
        yield _counter("outbox_lost", "Expired before anybody acknowledged, or refused by disk and memory").one(
            counts.lost
        )
        yield _gauge("outbox_oldest_seconds", "Age of the oldest row that no broker took").one(oldest_s or 0.0)

    def _watchlist(self) -> Iterator[Metric]:
        message = self._health.watchlist()
        yield _gauge("watchlist_references", "References that are searched").one(message.references)
        yield _gauge("watchlist_templates", "Templates that are searched").one(message.templates)

    def _process(self) -> Iterator[Metric]:
        use = process_use()
        memory = _gauge("memory_bytes", "Memory; locked and unlocked are of our own buffers", ("kind",))
        memory.one(use.resident_bytes, "resident")
        memory.one(use.peak_bytes, "peak")
        memory.one(use.children_bytes, "children")
        memory.one(use.locked_bytes, "locked")
        memory.one(use.unlocked_bytes, "unlocked")
        yield memory
        yield _gauge("descriptors", "Open file descriptors").one(use.descriptors)
        yield _gauge("threads", "Threads of the daemon").one(use.threads)
        yield _gauge("children", "Child processes").one(use.children)


class _Gauge(GaugeMetricFamily):
    def one(self, value: float, *labels: str) -> "_Gauge":
        self.add_metric(labels, float(value))
        return self


class _Counter(CounterMetricFamily):
    def one(self, value: float, *labels: str) -> "_Counter":
        self.add_metric(labels, float(value))
        return self


def _gauge(name: str, meaning: str, labels: tuple[str, ...] = ()) -> _Gauge:
    return _Gauge(f"edge_lfr_{name}", meaning, labels=labels)


def _counter(name: str, meaning: str, labels: tuple[str, ...] = ()) -> _Counter:
    return _Counter(f"edge_lfr_{name}", meaning, labels=labels)
