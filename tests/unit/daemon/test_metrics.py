"""What a monitor on the machine reads, over a real connection."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_lfr.biometrics.outcomes import Discard, DiscardReason
from edge_lfr.clock import SystemClock
from edge_lfr.daemon.health import Health
from edge_lfr.daemon.latency import LatencyPart
from edge_lfr.daemon.metrics import CONTENT_TYPE, Metrics
from edge_lfr.daemon.metrics_server import MAX_REQUEST_BYTES, MetricsServer
from simulators.appliance import frame_of
from simulators.vitals import health_of

LIMIT_S = 10.0


@pytest.fixture
def health(tmp_path: Path) -> Iterator[Health]:
    health = health_of(tmp_path, SystemClock(), ("north", "south"))
    yield health
    health.outbox.close()


@pytest.fixture
def server(health: Health) -> Iterator[MetricsServer]:
    server = MetricsServer(0, CONTENT_TYPE, Metrics(health).text)
    assert server.start()
    yield server
    server.stop()


def scraped(server: MetricsServer, path: str = "/metrics") -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=LIMIT_S) as answer:
        assert CONTENT_TYPE == answer.headers["Content-Type"]
        return str(answer.read().decode()).splitlines()


def test_a_scrape_tells_counters_times_ages_and_memory(health: Health, server: MetricsServer) -> None:
    """What was counted and timed stands there, drops by cause and camera."""
    health.counters.discard(Discard(reason=DiscardReason.FRAME_SUPERSEDED, camera_id="north"))
    health.counters.count("alerts", 2)
    health.times.add("faces.detection", 20_000_000)
    health.times.add("faces.detection", 10_000_000)
    health.latency.add(LatencyPart.FRAME_TO_PUBACK, 0, 80_000_000)
    lines = scraped(server)
    for line in (
        'edge_lfr_discards_total{camera="north",reason="frame-superseded"} 1.0',
        'edge_lfr_events_total{event="alerts"} 2.0',
        'edge_lfr_stage_runs_total{stage="faces.detection"} 2.0',
        'edge_lfr_stage_busy_seconds_total{stage="faces.detection"} 0.03',
        'edge_lfr_stage_seconds{quantile="0.5",stage="faces.detection"} 0.01',
        'edge_lfr_stage_seconds{quantile="0.99",stage="faces.detection"} 0.02',
        'edge_lfr_latency_seconds{part="frame_to_puback",quantile="0.5"} 0.08',
        'edge_lfr_camera_up{camera="south"} 0.0',
        'edge_lfr_reason{reason="no-watchlist"} 1.0',
        "edge_lfr_outbox_oldest_seconds 0.0",
    ):
        assert line in lines
    resident = next(line for line in lines if line.startswith('edge_lfr_memory_bytes{kind="resident"}'))
    assert float(resident.split()[1]) > 1e7


def test_a_scrape_tells_how_long_a_frame_waits(health: Health, server: MetricsServer) -> None:
    """The age of the frame that the path has not taken yet, by camera; zero where none waits."""
    frame = frame_of(health.clock)
    frame.arrived_ns -= 1_500_000_000
    health.cameras["north"]._handover.offer(frame)
    waits = {line.split()[0]: float(line.split()[1]) for line in scraped(server) if "frame_waiting_seconds{" in line}
    frame.destroy()
    assert 1.5 <= waits['edge_lfr_frame_waiting_seconds{camera="north"}'] < 1.5 + LIMIT_S
    assert 0.0 == waits['edge_lfr_frame_waiting_seconds{camera="south"}']


def test_labels_name_parts_of_the_appliance_only(server: MetricsServer) -> None:
    """No label has room for a person: their names are these, and every metric is ours."""
    found = {
        pair.split("=")[0]
        for line in scraped(server)
        if "{" in line and not line.startswith("#")
        for pair in line[line.index("{") + 1 : line.index("}")].split(",")
    }
    allowed = {"version", "pack", "state", "reason", "camera", "stage", "quantile", "part", "thread", "event", "kind"}
    assert set() == found - allowed
    assert [] == [line for line in scraped(server) if not line.startswith(("edge_lfr_", "# "))]


def test_there_is_nothing_else_to_be_had(server: MetricsServer) -> None:
    """Another path, another method and nonsense each get their refusal."""
    with pytest.raises(urllib.error.HTTPError, match="404") as refused:
        scraped(server, "/")
    refused.value.close()
    for request, status in ((b"POST /metrics HTTP/1.1\r\n\r\n", b"405"), (b"\x16\x03\x01\r\n\r\n", b"400")):
        with socket.create_connection(("127.0.0.1", server.port or 0), LIMIT_S) as peer:
            peer.sendall(request)
            assert status in peer.recv(100)


def test_only_this_machine_is_answered(server: MetricsServer) -> None:
    """The socket listens on the loopback interface and on no other."""
    assert server._listener is not None
    assert "127.0.0.1" == server._listener.getsockname()[0]


def test_silent_endless_and_broken_peers_do_not_keep_a_monitor_out(server: MetricsServer) -> None:
    """Peers that say nothing, too much or go away cost the next scrape some seconds at most, and no thread each."""
    address = ("127.0.0.1", server.port or 0)
    with socket.create_connection(address, LIMIT_S), socket.create_connection(address, LIMIT_S) as endless:
        endless.sendall(b"GET /" + b"x" * MAX_REQUEST_BYTES)
        socket.create_connection(address, LIMIT_S).close()
        assert scraped(server)


def test_a_port_that_is_taken_is_said_and_ends_nothing(server: MetricsServer) -> None:
    """Two appliances on one machine: the second one looks all the same."""
    second = MetricsServer(server.port or 0, CONTENT_TYPE, lambda: b"")
    assert not second.start()
    second.stop()
