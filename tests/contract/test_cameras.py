"""What the path may expect of anything that gives frames; the real camera and the simulator are held to the same."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from assets.video.make_clips import make_clip, number_in, picture_of
from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.biometrics.outcomes import Discard, DiscardReason
from edge_lfr.biometrics.samples import Frame
from edge_lfr.clock import SystemClock
from edge_lfr.config.capture import CameraConfig, Playback
from edge_lfr.pipeline.capture.camera import Camera
from edge_lfr.pipeline.capture.source import CameraState, FrameSource
from simulators.camera import SimulatedCamera

FRAMES = 20
WIDTH, HEIGHT = 320, 180


class Rig(ABC):
    """A source of twenty numbered pictures, and a way to make it go on."""

    source: FrameSource

    def __init__(self) -> None:
        self.has_frame = threading.Event()
        self.discards: list[Discard] = []

    @abstractmethod
    def go_on(self) -> None:
        """Let the next picture come, or the end."""

    def next_frame(self) -> Frame | None:
        """The next frame; None after the last."""
        for _ in range(200):
            frame = self.source.take_newest()
            if frame is not None:
                return frame
            if self.source.status.state is CameraState.ENDED:
                return None
            self.go_on()
        message = "neither a frame nor an end came"
        raise AssertionError(message)


class FileRig(Rig):
    """The real camera plays a file."""

    def __init__(self, clip: Path, playback: Playback) -> None:
        super().__init__()
        self.source = Camera(
            CameraConfig(id="camera-1", source=str(clip), playback=playback),
            on_frame=self.has_frame.set,
            on_discard=self.discards.append,
            clock=SystemClock(),
        )

    def go_on(self) -> None:
        self.has_frame.wait(0.2)
        self.has_frame.clear()


class SimulatedRig(Rig):
    """The simulator is pushed the same pictures."""

    def __init__(self, playback: Playback) -> None:
        super().__init__()
        self._next = 0
        self.simulated = SimulatedCamera(
            CameraConfig(id="camera-1", source="simulated.mp4", playback=playback),
            on_frame=self.has_frame.set,
            on_discard=self.discards.append,
            clock=SystemClock(),
        )
        self.source = self.simulated

    def go_on(self) -> None:
        if self._next == FRAMES:
            self.simulated.end()
        else:
            self.simulated.push(picture_of(self._next, WIDTH, HEIGHT), media_time_s=self._next / 25)
            self._next += 1


class FrameSourceContract:
    """Subclass it with a `rig` for a new kind of source."""

    def test_it_is_still_before_the_start(self, rig: Rig) -> None:
        """Making a camera opens nothing."""
        assert CameraState.STOPPED is rig.source.status.state
        assert rig.source.take_newest() is None

    def test_every_frame_comes_in_order(self, rig: Rig) -> None:
        """Where every frame counts, all of them come, once each, numbered from 0, with rising times."""
        rig.source.start()
        seen = []
        while (frame := rig.next_frame()) is not None:
            with frame:
                seen.append((frame.sequence, number_in(frame.pixels), frame.arrived_ns, frame.media_time_s))
        sequences, numbers, arrivals, media_times = zip(*seen, strict=True)
        assert tuple(range(FRAMES)) == sequences
        assert tuple(range(FRAMES)) == numbers
        assert sorted(arrivals) == list(arrivals)
        assert [pytest.approx(number / 25, abs=0.001) for number in range(FRAMES)] == list(media_times)

    def test_a_frame_says_where_it_comes_from(self, rig: Rig) -> None:
        """Camera, size and aware UTC of its capture."""
        rig.source.start()
        frame = rig.next_frame()
        assert frame is not None
        with frame:
            assert ("camera-1", SizeWH(WIDTH, HEIGHT)) == (frame.camera_id, frame.size)
            assert (HEIGHT, WIDTH, 3) == frame.pixels.shape
            assert timedelta(0) == frame.captured_at.utcoffset()
            assert abs(SystemClock().utc_now() - frame.captured_at) < timedelta(seconds=20)
            assert rig.has_frame.is_set() or rig.source.status.frames_decoded >= 1

    def test_a_destroyed_frame_is_zero(self, rig: Rig) -> None:
        """Leaving the `with` block zeroes the pixels where they lie; doing it twice harms nobody."""
        rig.source.start()
        frame = rig.next_frame()
        assert frame is not None
        pixels = frame.pixels
        assert pixels.any()
        rig.source.stop()  # so that no later picture lies in the same slot
        assert pixels.any()
        frame.destroy()
        assert not pixels.any()
        frame.destroy()

    def test_it_has_ended_when_the_last_frame_was_taken(self, rig: Rig) -> None:
        """A reader that stops at `ended` has missed nothing."""
        rig.source.start()
        while (frame := rig.next_frame()) is not None:
            assert CameraState.ENDED is not rig.source.status.state or frame.sequence == FRAMES - 1
            frame.destroy()
        assert (CameraState.ENDED, None) == (rig.source.status.state, rig.source.status.error_code)
        assert FRAMES == rig.source.status.frames_handed_over

    def test_a_pause_holds_no_frame(self, rig: Rig) -> None:
        """What waits at a pause is destroyed and counted; nothing comes until the pause ends."""
        rig.source.start()
        first = rig.next_frame()
        assert first is not None
        first.destroy()
        rig.go_on()
        rig.source.pause()
        assert CameraState.STOPPED is rig.source.status.state
        assert rig.source.take_newest() is None
        status = rig.source.status
        dropped = sum(discard.reason is DiscardReason.FRAME_PAUSED for discard in rig.discards)
        assert status.frames_decoded == status.frames_handed_over + dropped
        rig.source.resume()
        later = rig.next_frame()
        assert later is not None
        with later:
            assert 1 == later.sequence

    def test_stopping_is_final_and_may_be_repeated(self, rig: Rig) -> None:
        """After the end nothing waits."""
        rig.source.start()
        frame = rig.next_frame()
        assert frame is not None
        frame.destroy()
        rig.source.stop()
        rig.source.stop()
        assert CameraState.STOPPED is rig.source.status.state
        assert rig.source.take_newest() is None


class NewestFrameContract:
    """For sources that are played as a camera plays: the newest frame wins."""

    def test_a_frame_that_waited_is_superseded(self, newest_rig: Rig) -> None:
        """Of several frames that came, the newest is handed over; the others are destroyed and counted."""
        rig = newest_rig
        rig.source.start()
        for _ in range(200):
            if rig.source.status.frames_superseded >= 3:
                break
            rig.go_on()
        frame = rig.source.take_newest()
        assert frame is not None
        with frame:
            assert 0 == frame.sequence
            assert number_in(frame.pixels) >= 2
        rig.source.stop()
        status = rig.source.status
        counted = {reason: sum(d.reason is reason for d in rig.discards) for reason in DiscardReason}
        assert status.frames_superseded == counted[DiscardReason.FRAME_SUPERSEDED]
        assert status.frames_no_slot == counted[DiscardReason.FRAME_NO_SLOT]
        assert status.frames_decoded == status.frames_handed_over + sum(counted.values())


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "whole.mp4", frames=FRAMES, width=WIDTH, height=HEIGHT)


class TestCamera(FrameSourceContract, NewestFrameContract):
    """The real one, with a decoder of its own."""

    @pytest.fixture
    def rig(self, clip: Path) -> Iterator[Rig]:
        rig = FileRig(clip, Playback.EVERY_FRAME)
        yield rig
        rig.source.stop()

    @pytest.fixture
    def newest_rig(self, clip: Path) -> Iterator[Rig]:
        rig = FileRig(clip, Playback.REALTIME)
        yield rig
        rig.source.stop()


class TestSimulatedCamera(FrameSourceContract, NewestFrameContract):
    """The simulator, held to the real one's promises."""

    @pytest.fixture
    def rig(self) -> Rig:
        return SimulatedRig(Playback.EVERY_FRAME)

    @pytest.fixture
    def newest_rig(self) -> Rig:
        return SimulatedRig(Playback.REALTIME)
