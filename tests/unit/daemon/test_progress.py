"""Who goes on, and what follows for the watchdog."""

from dataclasses import dataclass
from pathlib import Path
from socket import AF_UNIX, MSG_DONTWAIT, SOCK_DGRAM, socket

from edge_lfr.config.capture import CameraConfig
from edge_lfr.daemon.heartbeat import Heartbeat
from edge_lfr.daemon.notify import Notifier
from edge_lfr.daemon.progress import Progress, camera_limit_s
from simulators.clock import StoppedClock

TENTH_S = 0.1


@dataclass
class Worker:
    """Turns when a test says so."""

    turns: int | None = 0


class Watch:
    """Progress under a clock that a test moves, looked at ten times a second."""

    def __init__(self) -> None:
        self.clock = StoppedClock()
        self.progress = Progress()
        self.worker = Worker()
        self.progress.watch("path", self.worker, limit_s=3.0)

    def after(self, seconds: float, step_s: float = TENTH_S) -> tuple[str, ...]:
        stalled: tuple[str, ...] = ()
        for _ in range(round(seconds / step_s)):
            self.clock.advance(step_s)
            stalled = self.progress.check(self.clock.monotonic_ns())
        return stalled


def test_who_finishes_no_turn_is_late() -> None:
    """Over the limit a thread is named; when it turns again it is not."""
    watch = Watch()
    assert () == watch.after(3.0)
    assert ("path",) == watch.after(0.5)
    assert 3.0 < watch.progress.ages_s()["path"]
    watch.worker.turns = 1
    assert () == watch.after(0.1)


def test_who_turns_in_vain_goes_on() -> None:
    """A turn that waited for a frame counts: cameras that are down are no reason to restart."""
    watch = Watch()
    for turn in range(50):
        watch.worker.turns = turn
        assert () == watch.after(2.0)


def test_who_has_nothing_to_wait_for_is_not_late() -> None:
    """A paused camera rests as long as it likes; when it wakes, its limit begins."""
    watch = Watch()
    watch.worker.turns = None
    assert () == watch.after(100.0)
    watch.worker.turns = 7
    assert () == watch.after(2.9)
    assert ("path",) == watch.after(1.0)


def test_a_machine_that_slept_makes_nobody_late() -> None:
    """Hours in which nobody ran, the watching thread included, are nobody's fault; nor is a clock that goes back."""
    watch = Watch()
    watch.after(0.5)
    watch.clock.advance(8 * 3600.0)
    assert () == watch.after(0.1)
    watch.clock.advance(-3600.0)
    assert () == watch.after(0.1)
    assert ("path",) == watch.after(3.0)


def test_a_long_turn_has_its_own_limit() -> None:
    """Taking a large list into use is legitimate for minutes, and not for ever."""
    watch = Watch()
    with watch.progress.span("request-reload", 60.0):
        watch.worker.turns = None
        assert () == watch.after(59.0)
        assert ("request-reload",) == watch.after(3.0)
    assert () == watch.after(0.1)
    assert {"path"} == set(watch.progress.ages_s())


def test_a_camera_may_wait_as_long_as_it_is_configured_to() -> None:
    """Its limit lies above every wait that its section allows."""
    camera = CameraConfig.model_validate(
        {"id": "north", "source": "rtsp://x/1", "open_timeout_s": 40.0, "backoff_s": [1.0, 300.0]}
    )
    assert camera_limit_s(camera) > 300.0


def test_the_watchdog_is_fed_a_third_of_its_limit_apart_and_only_while_all_go_on(tmp_path: Path) -> None:
    """Thirty seconds bear a feed every ten; a thread that stands ends them, and one that goes on again brings them."""
    watch = Watch()
    with socket(AF_UNIX, SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify.sock"))
        notifier = Notifier(str(tmp_path / "notify.sock"), watchdog_s=30.0)
        words = ["running"]
        heartbeat = Heartbeat(watch.progress, notifier, watch.clock, lambda: words[0])

        def heard_in(seconds: float, *, is_turning: bool) -> list[bytes]:
            heard = []
            for beat in range(round(seconds / TENTH_S)):
                watch.worker.turns = beat if is_turning else 0
                watch.clock.advance(TENTH_S)
                heartbeat.beat()
                try:
                    heard.append(manager.recv(4096, MSG_DONTWAIT))
                except BlockingIOError:
                    continue
            return heard

        heartbeat.ready()
        assert b"READY=1\nSTATUS=running" == manager.recv(4096)
        assert [b"WATCHDOG=1"] * 3 == heard_in(29.9, is_turning=True)
        assert 1 >= len(heard_in(3.0, is_turning=False))
        assert [] == heard_in(60.0, is_turning=False)
        assert ("path",) == heartbeat.stalled
        assert [b"WATCHDOG=1"] == heard_in(5.0, is_turning=True)
        words[0] = "degraded"
        assert b"STATUS=degraded" in heard_in(6.0, is_turning=True)


def test_spans_of_one_name_are_each_watched() -> None:
    """Two requests for the same thing at once: the end of one ends neither the other nor its watch."""
    watch = Watch()
    with watch.progress.span("request-wipe", 1.0):
        with watch.progress.span("request-wipe", 5.0):
            watch.after(0.1)
            assert {"path", "request-wipe", "request-wipe-2"} == watch.progress.ages_s().keys()
        watch.worker.turns = 1
        assert ("request-wipe",) == watch.after(1.5)
    assert {"path"} == watch.progress.ages_s().keys()
