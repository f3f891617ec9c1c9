"""See what the cameras give: rate, light, faces and their size in numbers; no picture is shown or kept."""

import os
import statistics
import threading
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import typer

from edge_lfr.biometrics.samples import Frame
from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, new_app
from edge_lfr.cli.output import say, write_json, write_table
from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.load import load_config
from edge_lfr.inference.packs import open_configured
from edge_lfr.pipeline.capture.camera import Camera
from edge_lfr.pipeline.capture.source import CameraState
from edge_lfr.pipeline.faces.alignment import Aligner
from edge_lfr.pipeline.faces.detection import FaceDetector
from edge_lfr.pipeline.faces.quality import assess_geometry, assess_sample

app = new_app("See what the cameras give, without a picture.")

DEFAULT_SECONDS: Final = 10.0
"""A few people pass in this time; chosen, not measured."""

FRAME_WAIT_S: Final = 0.2
"""How often the end is looked for while no camera has a frame."""

LUMINANCE_BGR: Final = (0.114, 0.587, 0.299)
"""ITU-R BT.601."""


@dataclass(slots=True)
class Sightings:
    """Numbers of one camera's frames and faces, frame by frame; the same person counts in each."""

    frames: int = 0
    pictures_per_second: float | None = None
    """As last measured while the camera was up; a file may have ended since."""

    light: list[float] = field(default_factory=list)
    widths_px: list[float] = field(default_factory=list)
    sharpness: list[float] = field(default_factory=list)
    sufficient: int = 0


class Observer:
    """Runs detection and quality on frames and keeps numbers only."""

    def __init__(self, config: ApplianceConfig) -> None:
        pack = open_configured(config.models, config.models_directory)
        self.detector = FaceDetector(pack.detector, pack.entry.detector, config.detection)
        self._aligner = Aligner(pack.entry.embedder, slots=1)
        self._quality = config.quality
        self._zones = {camera.id: camera.zone_polygon for camera in config.cameras}

    def observe(self, frame: Frame, seen: Sightings) -> None:
        """Add one frame's numbers and destroy it."""
        with frame:
            seen.frames += 1
            means = frame.pixels.mean(axis=(0, 1))
            seen.light.append(float(means @ LUMINANCE_BGR))
            for face in self.detector.detect(frame.pixels):
                seen.widths_px.append(face.box_xyxy.width)
                quality = assess_geometry(face, frame.size, self._quality, self._zones[frame.camera_id])
                with self._aligner.align(frame.pixels, face, track_id=0) as sample:
                    quality = assess_sample(quality, sample.pixels, self._quality)
                if quality.sharpness is not None:
                    seen.sharpness.append(quality.sharpness)
                seen.sufficient += quality.is_sufficient


@app.command(epilog="Example: edge-lfr cameras check --seconds 30")
def check(
    seconds: Annotated[float, typer.Option(min=1.0, max=600.0, help="How long to look.")] = DEFAULT_SECONDS,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Open every camera and tell its rate, light, and the number, width and sharpness of the faces in its picture.

    Faces are counted frame by frame, so one person counts many times. Exit status 69 when a camera gives no picture.
    A USB camera that the running daemon holds cannot be opened twice: `edge-lfr stop` first.
    """
    loaded = load_config(config)
    observer = Observer(loaded)
    waits = threading.Event()
    clock = SystemClock()
    cameras = [Camera(camera, on_frame=waits.set, on_discard=lambda _: None, clock=clock) for camera in loaded.cameras]
    seen = {camera.id: Sightings() for camera in loaded.cameras}
    say(f"looking for {seconds:g} s; no picture is kept")
    try:
        for camera in cameras:
            camera.start()
        end_ns = clock.monotonic_ns() + int(seconds * 1e9)
        while clock.monotonic_ns() < end_ns and any(c.status.state is not CameraState.ENDED for c in cameras):
            waits.wait(FRAME_WAIT_S)
            waits.clear()
            for camera in cameras:
                frame = camera.take_newest()
                if frame is not None:
                    seen[frame.camera_id].pictures_per_second = camera.status.pictures_per_second
                    observer.observe(frame, seen[frame.camera_id])
        results = [_result(camera, seen[camera.status.camera_id], observer.detector) for camera in cameras]
    finally:
        for camera in cameras:
            camera.stop()
        observer.detector.destroy_buffers()
    if json:
        write_json("cameras-check/1", {"seconds": seconds, "cameras": results})
    else:
        _write_results(results)
    dark = [str(result["id"]) for result in results if not result["frames_decoded"]]
    if dark:
        say(f"edge-lfr: no picture from {', '.join(dark)}\n  what to do: check cable, power, address and credentials")
        raise typer.Exit(os.EX_UNAVAILABLE)


def _result(camera: Camera, seen: Sightings, detector: FaceDetector) -> dict[str, Any]:
    status = camera.status
    return {
        "id": status.camera_id,
        "state": status.state.value,
        "error_code": status.error_code,
        "size": None if status.size is None else str(status.size),
        "pictures_per_second": seen.pictures_per_second,
        "frames_decoded": status.frames_decoded,
        "frames_examined": seen.frames,
        "light": _median(seen.light),
        "smallest_findable_face_px": None if status.size is None else round(detector.smallest_face_px(status.size), 1),
        "faces": len(seen.widths_px),
        "faces_sufficient": seen.sufficient,
        "face_width_px": _spread(seen.widths_px),
        "face_sharpness": _median(seen.sharpness),
    }


def _median(values: list[float]) -> float | None:
    return round(statistics.median(values), 1) if values else None


def _spread(values: list[float]) -> dict[str, float] | None:
    """The smallest, the middle and the largest, and the tenths beside them; None without faces."""
    if not values:
        return None
    ordered = sorted(values)
    last = len(ordered) - 1
    places = {"min": 0.0, "p10": 0.1, "p50": 0.5, "p90": 0.9, "max": 1.0}
    return {name: round(ordered[round(share * last)], 1) for name, share in places.items()}


def _write_results(results: list[dict[str, Any]]) -> None:
    columns = (
        "camera",
        "state",
        "size",
        "pictures/s",
        "light",
        "faces",
        "good",
        "width px",
        "sharpness",
        "finds from px",
    )
    rows = []
    for result in results:
        width = result["face_width_px"]
        state = result["state"] if result["error_code"] is None else f"{result['state']} ({result['error_code']})"
        rows.append(
            (
                result["id"],
                state,
                result["size"],
                result["pictures_per_second"],
                result["light"],
                result["faces"],
                result["faces_sufficient"],
                None if width is None else f"{width['min']:.0f} / {width['p50']:.0f} / {width['max']:.0f}",
                result["face_sharpness"],
                result["smallest_findable_face_px"],
            )
        )
    write_table(columns, rows, numbers=columns[3:])
