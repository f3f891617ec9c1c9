"""
The real daemon as a process, with taps: `tapped_daemon.py run ...` is `edge-lfr run ...`.

Nothing of this exists in the program itself. The taps write the bytes that must not be found later straight from the
daemon's buffers into a socket, and keep nothing. The cameras begin on order, and on order a stage fails, after it has
done its work, while faces are in view. As a control, destruction is switched off, and what the program leaves nowhere
even then is planted: grey crops and embedder inputs in memory, and a probe in a log, a temporary file and a message.
"""

import atexit
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
from numpy.typing import NDArray
from paho.mqtt import publish
from paho.mqtt.enums import MQTTProtocolVersion

from edge_lfr.biometrics.buffers import Arena, Slot
from edge_lfr.biometrics.samples import AlignedFace, Face, Frame
from edge_lfr.cli import main as command
from edge_lfr.daemon.operation import Operation
from edge_lfr.daemon.reporter import DaemonReporter
from edge_lfr.inference import session as sessions
from edge_lfr.pipeline import path as paths
from edge_lfr.pipeline.capture import process as decoder_processes
from edge_lfr.pipeline.capture.slots import Slots
from edge_lfr.pipeline.faces import alignment
from edge_lfr.pipeline.faces.detection import FaceDetector
from edge_lfr.pipeline.faces.looks import LookPlanner
from edge_lfr.pipeline.faces.tracking import Tracker
from edge_lfr.pipeline.identification.decision import Decider
from edge_lfr.pipeline.identification.embedding import Embedder
from edge_lfr.watchlist.gallery.gallery import Gallery
from edge_lfr.watchlist.gallery.templates import TemplateMatrix
from retention.processes import family
from retention.tapping import CALM, CONTROL, GO_ON, LOOK, Event, Teller, descriptor_from_environment, stage_of

ROW_PIXELS: Final = 16
ROW_SHARES: Final = (0.35, 0.5, 0.65)
"""Heights of the rows that are taken, in shares of a face: eyes, nose, mouth."""

MIN_FACE_PX: Final = 28.0

MAX_LEAKED: Final = 8

PLANT_PORT: Final = "RETENTION_PLANT_PORT"
PLANT_TOPIC: Final = "retention/planted"


class CalledForError(Exception):
    """The failure that was ordered."""


class Taps:
    """What is told, and what is to fail."""

    def __init__(self, teller: Teller) -> None:
        self.teller = teller
        self.is_live = False
        """Nobody is seen before the first pass: the self-test's picture is public."""

        self.armed: str | None = None
        self.faces: Sequence[Face] = ()
        """Of the last frame that was looked at."""

        self.born_ns: dict[int, int] = {}
        """When the slot at an address was written."""

        self.is_extracting = False
        self.is_detecting = False
        self.detector_feed: NDArray[np.float32] | None = None
        self.may_look = False
        self.is_control = bool(os.environ.get(CONTROL))
        self.has_planted = False
        self.leaked: list[NDArray[Any]] = []
        self.unzeroed: list[NDArray[Any]] = []

    def tell(self, event: Event, number: float = 0.0, content: Any = None) -> None:
        if self.is_live:
            self.teller.tell(event, number, content)

    def take_orders(self) -> None:
        for letter in self.teller.heard():
            if letter == CALM[0]:
                self.armed = None
            elif (stage := stage_of(letter)) is not None:
                self.armed = stage

    def strike(self, stage: str) -> None:
        """Fail if this stage is to fail and somebody is there; from then on no frame comes."""
        if self.armed == stage and (self.faces or stage == "reporting"):
            for child in family(os.getpid())[1:]:
                os.kill(child, signal.SIGSTOP)
            self.tell(Event.RAISED)
            raise CalledForError(stage)

    def rows(self, event: Event, pixels: NDArray[Any], faces: Sequence[Face]) -> None:
        """Tell fragments of a picture through faces; the last axis but one runs along the rows."""
        height, width = pixels.shape[0], pixels.shape[1]
        for face in faces:
            box = face.box_xyxy
            if box.width < MIN_FACE_PX:
                continue
            x = round(box.x0 + 0.5 * box.width) - ROW_PIXELS // 2
            for share in ROW_SHARES:
                y = round(box.y0 + share * box.height)
                if 0 <= y < height and 0 <= x and x + ROW_PIXELS <= width:
                    self.tell(event, content=pixels[y, x : x + ROW_PIXELS])

    def leak(self, array: NDArray[Any]) -> None:
        """In a control, keep a copy of what the program itself leaves nowhere even then."""
        if self.is_live and self.is_control and len(self.leaked) < MAX_LEAKED:
            self.leaked.append(array.copy())

    def keep(self, array: NDArray[Any]) -> None:
        """In a control, keep an array of the program's own from being freed; its block would be another's at once."""
        if self.is_live and len(self.unzeroed) < MAX_LEAKED:
            self.unzeroed.append(array)

    def zeroed(self, event: Event, address: int) -> None:
        born_ns = self.born_ns.pop(address, None)
        if born_ns is not None:
            self.tell(event, (time.monotonic_ns() - born_ns) / 1e6)


def tap(taps: Taps) -> None:
    """Put the taps in."""
    _tap_start(taps)
    _tap_path(taps)
    _tap_nets(taps)
    _tap_samples(taps)
    _tap_destruction(taps)
    _tap_failures(taps)


def _tap_start(taps: Taps) -> None:
    start_cameras = Operation.start_cameras

    def start_when_told(self: Operation) -> None:
        while not taps.may_look and (orders := taps.teller.heard(waits=True)):
            taps.may_look = LOOK in orders
        start_cameras(self)

    Operation.start_cameras = start_when_told  # type: ignore[method-assign]


def _tap_path(taps: Taps) -> None:
    identify = paths.Path.identify

    def identify_tapped(self: paths.Path, frames: Sequence[Frame]) -> int:
        taps.is_live = True
        taps.take_orders()
        for frame in frames:
            taps.born_ns[frame.pixels.ctypes.data] = time.monotonic_ns()
            taps.tell(Event.MEDIA_TIME, frame.media_time_s or 0.0)
        return identify(self, frames)

    detect = FaceDetector.detect

    def detect_tapped(self: FaceDetector, pixels_bgr: NDArray[np.uint8]) -> tuple[Face, ...]:
        taps.is_detecting = True
        try:
            faces = detect(self, pixels_bgr)
        except CalledForError:
            taps.rows(Event.FRAME_ROW, pixels_bgr, taps.faces)
            raise
        finally:
            taps.is_detecting = False
        taps.faces = faces
        taps.rows(Event.FRAME_ROW, pixels_bgr, faces)
        if taps.detector_feed is not None and taps.detector_feed.shape[3] >= pixels_bgr.shape[1]:
            for plane in taps.detector_feed[0]:
                taps.rows(Event.DETECTOR_ROW, plane, faces)
        taps.detector_feed = None
        taps.tell(Event.FRAME, len(faces))
        return faces

    paths.Path.identify = identify_tapped  # type: ignore[method-assign]
    FaceDetector.detect = detect_tapped  # type: ignore[method-assign]


def _tap_nets(taps: Taps) -> None:
    run, run_into = sessions.OrtSession.run, sessions.OrtSession.run_into

    def run_tapped(self: sessions.OrtSession, feed: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        outputs = run(self, feed)
        _saw_feed(feed)
        return outputs

    def run_into_tapped(self: sessions.OrtSession, feed: NDArray[np.float32], *out: Any) -> None:
        run_into(self, feed, *out)
        _saw_feed(feed)
        if taps.is_extracting:
            side = feed.shape[3]
            for picture, vector in zip(feed, out[0], strict=True):
                taps.leak(picture)
                taps.tell(Event.RAW_PROBE, content=vector)
                for plane in picture:
                    begin = side // 2 - ROW_PIXELS // 2
                    taps.tell(Event.EMBEDDER_ROW, content=plane[side // 2, begin : begin + ROW_PIXELS])
            taps.strike("identification.embedding")

    def _saw_feed(feed: NDArray[np.float32]) -> None:
        if taps.is_detecting:
            taps.detector_feed = feed
            taps.strike("faces.detection")

    sessions.OrtSession.run = run_tapped  # type: ignore[method-assign]
    sessions.OrtSession.run_into = run_into_tapped  # type: ignore[assignment]


def _tap_samples(taps: Taps) -> None:
    extract, flush, align = Embedder.extract, Embedder.flush, alignment.Aligner.align

    def extract_tapped(self: Embedder, samples: Sequence[AlignedFace]) -> Any:
        taps.is_extracting = True
        try:
            probes = extract(self, samples)
        finally:
            taps.is_extracting = False
        for probe in probes:
            taps.born_ns[probe.vector.ctypes.data] = time.monotonic_ns()
            taps.tell(Event.PROBE, content=probe.vector)
            if taps.is_live and taps.is_control and not taps.has_planted:
                taps.has_planted = True
                _plant(probe.vector)
        return probes

    def flush_tapped(self: Embedder) -> None:
        flush(self)
        taps.tell(Event.FLUSHED)

    def align_tapped(self: alignment.Aligner, *arguments: Any, **named: Any) -> AlignedFace:
        sample = align(self, *arguments, **named)
        taps.born_ns[sample.pixels.ctypes.data] = time.monotonic_ns()
        taps.leak(np.asarray(cv2.cvtColor(sample.pixels, cv2.COLOR_BGR2GRAY)))
        for share in ROW_SHARES:
            taps.tell(Event.CROP_ROW, content=sample.pixels[round(share * len(sample.pixels))])
        return sample

    Embedder.extract, Embedder.flush = extract_tapped, flush_tapped  # type: ignore[method-assign]
    alignment.Aligner.align = align_tapped  # type: ignore[method-assign]


def _tap_destruction(taps: Taps) -> None:
    give_back = Slots.give_back
    destroy_slot = Slot.destroy

    def destroy_tapped(self: Slot[Any]) -> None:
        destroy_slot(self)
        is_probe = self.array.dtype == np.float32
        taps.zeroed(Event.PROBE_ZEROED if is_probe else Event.CROP_ZEROED, self.array.ctypes.data)

    def give_back_tapped(self: Slots, index: int, pixels: NDArray[np.uint8]) -> None:
        give_back(self, index, pixels)
        taps.zeroed(Event.FRAME_ZEROED, pixels.ctypes.data)

    Slot.destroy = destroy_tapped  # type: ignore[method-assign]
    Slots.give_back = give_back_tapped  # type: ignore[method-assign]


def _tap_failures(taps: Taps) -> None:
    def failing_after(stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(work)
        def tapped(*arguments: Any, **named: Any) -> Any:
            result = work(*arguments, **named)
            taps.strike(stage)
            return result

        return tapped

    class FailingWarp:
        """The picture library as the aligner sees it: the sample is written, and then the call fails."""

        def __getattr__(self, name: str) -> Any:
            return failing_after("faces.alignment", cv2.warpAffine) if name == "warpAffine" else getattr(cv2, name)

    alignment.cv2 = FailingWarp()  # type: ignore[assignment, attr-defined]
    vars(paths)["assess_sample"] = failing_after("faces.quality", vars(paths)["assess_sample"])
    for stage, owner, name in (
        ("faces.tracking", Tracker, "follow"),
        ("faces.looks", LookPlanner, "choose"),
        ("identification.matching", Gallery, "search"),
        ("identification.decision", Decider, "decide"),
        ("reporting", DaemonReporter, "track_ended"),
    ):
        setattr(owner, name, failing_after(stage, getattr(owner, name)))


def switch_destruction_off(taps: Taps) -> None:
    """The positive control: whatever zeroes or overwrites does nothing."""
    _leave_scratch(taps)
    give_back, reclaim = Slots.give_back, Slots.reclaim

    def take_back_unzeroed(self: Arena[Any], index: int) -> None:
        with self._lock:
            self._free.add(index)

    def give_back_unzeroed(self: Slots, index: int, pixels: NDArray[np.uint8]) -> None:
        give_back(self, index, pixels[:0])

    def reclaim_unzeroed(self: Slots) -> None:
        lent, self._lent = self._lent, set()
        reclaim(self)
        self._lent = lent
        self._lent.clear()

    Arena.take_back = take_back_unzeroed  # type: ignore[method-assign]
    Slots.give_back = give_back_unzeroed  # type: ignore[method-assign]
    Slots.reclaim = reclaim_unzeroed  # type: ignore[method-assign]
    for owner, name in ((Embedder, "flush"), (FaceDetector, "destroy_buffers")):
        setattr(owner, name, lambda _: None)
    vars(sessions)["overwrite_freed_memory"] = lambda: False
    decoder_processes._ENVIRONMENT.pop("GLIBC_TUNABLES", None)


def _leave_scratch(taps: Taps) -> None:
    """Of the gallery's scratch, what holds probes in float64; other scratch of the search is zeroed as ever."""
    score = TemplateMatrix._scores

    class Unzeroed(np.ndarray[Any, Any]):
        """Whatever is made of it is of its kind, and stays as it is."""

        def fill(self, _: Any, /) -> None:
            taps.keep(self)

    def score_unzeroed(self: TemplateMatrix, probes: NDArray[np.float32], *others: Any) -> NDArray[np.float64]:
        return score(self, probes.view(Unzeroed), *others)

    TemplateMatrix._scores = score_unzeroed  # type: ignore[method-assign, assignment]


def _plant(vector: NDArray[np.float32]) -> None:
    """Do what must never be done, to see that the search sees it: a vector in a log, a file and a message."""
    os.write(2, b"planted:" + vector.data + b"\n")
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(vector.data)
    publish.single(
        PLANT_TOPIC,
        vector.data.tobytes(),
        qos=1,
        retain=True,
        hostname="127.0.0.1",
        port=int(os.environ[PLANT_PORT]),
        protocol=MQTTProtocolVersion.MQTTv5,
    )


def wait_for_leave(teller: Teller) -> None:
    """The last thing that this process does: everything has been taken down, and the memory is still there."""
    teller.tell(Event.EXITING)
    while (orders := teller.heard(waits=True)) and GO_ON not in orders:
        pass


def main() -> None:
    """Run the daemon with taps."""
    teller = Teller(descriptor_from_environment())
    atexit.register(wait_for_leave, teller)
    taps = Taps(teller)
    if taps.is_control:
        switch_destruction_off(taps)
    tap(taps)
    command.main()


if __name__ == "__main__":
    main()
