"""
A clip enters, its frames leave: out of the daemon's own decoder process, every one of them, as fast as they are taken.

Each has the clip's own time beside the machine's, so that a slow machine can be shown what a fast one sees.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from edge_lfr.biometrics.outcomes import Discard
from edge_lfr.biometrics.samples import Frame
from edge_lfr.clock import SystemClock
from edge_lfr.config.capture import CameraConfig, Playback
from edge_lfr.evaluation.bench.ground import BenchError
from edge_lfr.pipeline.capture.camera import Camera
from edge_lfr.pipeline.capture.source import CameraState

WAIT_S: Final = 0.25
"""How often it is asked whether the clip has ended, while no frame comes."""

CAMERA: Final = "street"
"""Whose frames they are."""


def played(clip: Path, on_discard: Callable[[Discard], None] = lambda _: None) -> Iterator[Frame]:
    """
    Give every frame of *clip* in its order; each is the caller's to destroy.

    Args:
        clip: What the decoder reads.

        on_discard: Told of frames that are left out.

    Raises:
        BenchError: The decoder could not read it, or a frame did not arrive.
    """
    waiting = threading.Event()
    config = CameraConfig(id=CAMERA, source=SecretStr(str(clip)), playback=Playback.EVERY_FRAME)
    camera = Camera(config, on_frame=waiting.set, on_discard=on_discard, clock=SystemClock())
    camera.start()
    try:
        while True:
            waiting.clear()
            frame = camera.take_newest()
            if frame is not None:
                yield frame
            elif camera.status.state is CameraState.ENDED:
                break
            else:
                waiting.wait(WAIT_S)
        status = camera.status
        if status.error_code is not None:
            raise BenchError(f"the clip could not be decoded: {status.error_code}", remedy="name another clip")
        if status.frames_handed_over != status.frames_decoded:
            message = f"the clip was not seen whole: {status.frames_handed_over} of {status.frames_decoded} frames"
            raise BenchError(message)
    finally:
        camera.stop()
