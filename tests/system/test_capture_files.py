"""Files and folders through the real decoder: whole ones to the last frame, broken ones to a word that says why."""

import os
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from assets.video.make_clips import PERIOD, make_clip, make_defects, make_png_of_400_megapixels, number_in, picture_of
from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.biometrics.outcomes import DiscardReason
from edge_lfr.biometrics.samples import Frame
from edge_lfr.pipeline.capture.protocol import Fault
from edge_lfr.pipeline.capture.source import CameraState
from simulators.onlooker import Onlooker, decoder_pids


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    make_defects(folder)
    return folder


def number_of(frame: Frame) -> int:
    return number_in(frame.pixels)


def test_every_frame_of_a_file_arrives_once_and_in_order(videos: Path) -> None:
    """A hundred frames are decoded, a hundred are handed over, none is doubled, none is dropped."""
    with Onlooker(str(videos / "whole.mp4"), playback="every-frame") as onlooker:
        seen = onlooker.watch_to_the_end(lambda frame: (frame.sequence, number_of(frame)))
        status = onlooker.status
    assert [(number, number % PERIOD) for number in range(100)] == seen
    assert (100, 100, 0, 0) == (
        status.frames_decoded,
        status.frames_handed_over,
        status.frames_superseded,
        status.frames_no_slot,
    )
    assert [] == onlooker.discards


def test_a_slow_reader_loses_no_frame_where_every_frame_counts(videos: Path) -> None:
    """The decoder waits for the path, and its waiting is not taken for death."""
    with Onlooker(str(videos / "whole.mp4"), playback="every-frame", stale_after_s=0.5) as onlooker:
        onlooker.wait_until(lambda status: status.frames_decoded == 3)
        time.sleep(1.0)  # the law is about real time: twice the limit of silence
        seen = onlooker.watch_to_the_end(number_of)
    assert [number % PERIOD for number in range(100)] == seen


def test_a_file_plays_at_its_own_pace(videos: Path) -> None:
    """Four seconds of film take four seconds, and what the reader was too slow for is counted."""
    with Onlooker(str(videos / "whole.mp4"), playback="realtime") as onlooker:
        arrivals = onlooker.watch_to_the_end(lambda frame: frame.arrived_ns)
        status = onlooker.status
    assert 3.8 < (arrivals[-1] - arrivals[0]) / 1e9 < 8.0
    assert 100 == status.frames_decoded
    assert len(onlooker.discards) == 100 - status.frames_handed_over


@pytest.mark.parametrize(
    ("name", "fault", "at_least"),
    [
        ("empty.mp4", Fault.EMPTY, 0),
        ("garbage.mp4", Fault.BROKEN, 0),
        ("header-only.mp4", Fault.NO_VIDEO, 0),
        ("playlist-in-disguise.mp4", Fault.BROKEN, 0),
        ("truncated.mp4", Fault.TRUNCATED, 30),
        ("not-there.mp4", Fault.NOT_FOUND, 0),
    ],
)
def test_a_broken_file_ends_with_a_word(videos: Path, name: str, fault: Fault, at_least: int) -> None:
    """What could be decoded is used; then the source has ended, it says why, and it is not tried again."""
    with Onlooker(str(videos / name), playback="every-frame") as onlooker:
        seen = onlooker.watch_to_the_end(number_of)
        status = onlooker.status
    assert (fault.value, 0) == (status.error_code, status.restarts)
    assert at_least <= len(seen) < 100
    assert [number % PERIOD for number in range(len(seen))] == seen


def test_a_pipe_with_a_films_name_holds_nobody_up(tmp_path: Path) -> None:
    """What would block when it is opened is not opened."""
    os.mkfifo(tmp_path / "film.mp4")
    with Onlooker(str(tmp_path / "film.mp4")) as onlooker:
        status = onlooker.wait_for_state(CameraState.ENDED)
    assert Fault.BROKEN.value == status.error_code


def test_a_large_picture_is_scaled_down_in_the_decoder(videos: Path) -> None:
    """The path sees no more than the limit, in the picture's own shape."""
    with Onlooker(str(videos / "whole.mp4"), playback="every-frame", frame_limit=(160, 160)) as onlooker:
        sizes = set(onlooker.watch_to_the_end(lambda frame: frame.size))
    assert {SizeWH(160, 90)} == sizes


def test_a_privacy_mask_is_black_in_every_frame(videos: Path) -> None:
    """Nothing of the masked half reaches the path; the other half does."""
    mask = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    with Onlooker(str(videos / "whole.mp4"), playback="every-frame", privacy_mask=(mask,)) as onlooker:
        seen = onlooker.watch_to_the_end(lambda frame: (frame.pixels[:, :160].max(), frame.pixels[:, 170:].min() > 0))
    assert {(0, True)} == set(seen)


def test_a_folder_is_played_in_the_order_of_its_names(tmp_path: Path) -> None:
    """Readable pictures come in order; the unreadable and the gigantic are counted and passed over, at once."""
    for number, suffix in enumerate((".jpg", ".png", ".webp", ".bmp", ".jpeg")):
        cv2.imwrite(str(tmp_path / f"{number}{suffix}"), picture_of(number, 320, 180))
    (tmp_path / "5.jpg").write_bytes(b"not a picture")
    (tmp_path / "6.jpg").write_bytes(b"")
    (tmp_path / "7.jpg").mkdir()
    make_png_of_400_megapixels(tmp_path / "8.png")
    cv2.imwrite(str(tmp_path / "9.jpg"), picture_of(9, 320, 180))
    (tmp_path / "readme.txt").write_text("no picture, and not counted as one")
    started = time.monotonic()
    with Onlooker(f"{tmp_path}/", playback="every-frame") as onlooker:
        seen = onlooker.watch_to_the_end(lambda frame: (number_of(frame), frame.media_time_s))
        status = onlooker.status
    assert [(0, 0.0), (1, 0.2), (2, 0.4), (3, 0.6), (4, 0.8), (9, 1.8)] == seen
    assert 4 == onlooker.count(DiscardReason.FRAME_INVALID)
    assert status.error_code is None
    assert time.monotonic() - started < 10


def test_a_folder_without_pictures_says_so(tmp_path: Path) -> None:
    """An empty folder is no film of no length."""
    with Onlooker(f"{tmp_path}/") as onlooker:
        assert Fault.EMPTY.value == onlooker.wait_for_state(CameraState.ENDED).error_code


def test_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    """A mistyped name is not an empty folder."""
    with Onlooker(f"{tmp_path}/nowhere/") as onlooker:
        assert Fault.NOT_FOUND.value == onlooker.wait_for_state(CameraState.ENDED).error_code


def test_a_paused_file_goes_on_where_it_stopped(videos: Path) -> None:
    """No frame that was handed over comes twice, and none is missing after the pause."""
    with Onlooker(str(videos / "whole.mp4"), playback="every-frame") as onlooker:
        seen: list[int] = []
        while len(seen) < 30:
            frame = onlooker.camera.take_newest()
            if frame is not None:
                with frame:
                    seen.append(number_of(frame))
        onlooker.camera.pause()
        assert set() == decoder_pids()
        onlooker.camera.resume()
        seen += onlooker.watch_to_the_end(number_of)
    assert [number % PERIOD for number in range(100)] == seen


def test_starting_and_stopping_leaves_nothing_behind(tmp_path: Path) -> None:
    """After ten lives the process has the descriptors, threads and children that it had before."""
    clip = make_clip(tmp_path / "short.mp4", frames=5)

    def belongings() -> tuple[int, int, set[int], int]:
        mapped = Path("/proc/self/maps").read_text().count("edge-lfr-slots")
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), decoder_pids(), mapped

    onlooker = Onlooker(str(clip), playback="every-frame")
    before = belongings()
    for turn in range(10):
        onlooker.camera.start()
        if turn % 2:
            onlooker.wait_until(lambda status: status.frames_decoded > 0 and status.size is not None)
        onlooker.camera.stop()
    assert before == belongings()


def test_a_frame_outlives_a_stopped_camera(videos: Path) -> None:
    """The path may finish with a frame after its camera was stopped."""
    onlooker = Onlooker(str(videos / "whole.mp4"), playback="every-frame")
    with onlooker:
        onlooker.wait_until(lambda status: status.frames_decoded > 0)
        frame = onlooker.camera.take_newest()
    assert frame is not None
    copy = np.array(frame.pixels)
    with frame:
        assert copy.any()
        assert np.array_equal(copy, frame.pixels)
    assert not frame.pixels.any()
