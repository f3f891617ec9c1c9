"""
A camera: its decoder is started, watched, killed and started again; its frames come in slots, the newest first.

Enters: a source. Leaves: frames, each owned by who takes it. Destroyed here: frames that nobody took, and whatever a
dead decoder left behind. One thread per camera; a source is named in no log line, only the camera and a word for what
happened.
"""

import os
import select
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.biometrics.outcomes import Discard, DiscardReason
from edge_lfr.biometrics.samples import Frame
from edge_lfr.clock import Clock
from edge_lfr.config.capture import CameraConfig, Playback
from edge_lfr.errors import ConfigError, FrameFormatError
from edge_lfr.pipeline.capture.backoff import Backoff
from edge_lfr.pipeline.capture.handover import Handover
from edge_lfr.pipeline.capture.listening import Patience, listen
from edge_lfr.pipeline.capture.process import DecoderProcess
from edge_lfr.pipeline.capture.protocol import Fault, Limits, Message, MessageKind, Order
from edge_lfr.pipeline.capture.slots import SLOTS, Slots
from edge_lfr.pipeline.capture.source import CameraState, CameraStatus

START_ALLOWANCE_S = 5.0
"""A decoder's own start, before its time-out for opening begins; 0.4 s on an idle machine of two cores."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Ending:
    """How the life of one decoder ended."""

    fault: Fault | None
    was_interrupted: bool = False
    """By pause or stop: neither an end nor a failure of the source."""

    was_up_s: float = 0.0


class Camera:
    """
    One camera, live or file; satisfies `source.FrameSource`.

    Args:
        config: Its section of the configuration.

        on_frame: Called from the camera's thread when a frame waits, and once when a file has ended; must not block.

        on_discard: Called from the camera's thread for every picture that ends here; must not block.

        clock: The machine's: the decoder stamps frames with CLOCK_MONOTONIC.

    Raises:
        ConfigError: More privacy masks than an order for a decoder holds.
    """

    def __init__(
        self,
        config: CameraConfig,
        *,
        on_frame: Callable[[], None],
        on_discard: Callable[[Discard], None],
        clock: Clock,
    ) -> None:
        self._config = config
        self._on_frame = on_frame
        self._on_discard = on_discard
        self._clock = clock
        width, height = config.frame_limit
        self._limits = Limits(slots=SLOTS, size=SizeWH(width=width, height=height))
        self._order = _order_for(config, self._limits)
        self._is_live = self._order.is_live
        self._handover = Handover(every_frame=self._order.every_frame)
        self._patience = Patience(
            to_open_s=START_ALLOWANCE_S + config.open_timeout_s,
            between_frames_s=config.stale_after_s,
            is_live=self._is_live,
        )
        self._backoff = Backoff(*config.backoff_s)
        self._slots: Slots | None = None
        self._thread: threading.Thread | None = None
        self._wake = -1
        self._is_stopping = False
        self._is_paused = False
        self._is_parked = threading.Event()
        self._state = CameraState.STOPPED
        self._has_ended = False
        self._is_known_down = False
        self._fault: Fault | None = None
        self._starts = 0
        self._landlock_version: int | None = None

    def start(self) -> None:
        """Begin; nothing happens to a camera that has begun."""
        if self._thread is not None:
            return
        self._slots = Slots(self._limits)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._is_stopping = False
        self._has_ended = False
        self._handover.last_media_time_s = None
        self._state = CameraState.STARTING
        self._thread = threading.Thread(
            target=self._live, args=(self._slots,), name=f"camera-{self._config.id}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the decoder and the thread; everything that no frame holds is zeroed. Safe to call again."""
        if self._thread is None or self._slots is None:
            return
        self._is_stopping = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        self._thread = None
        os.close(self._wake)
        self._slots.close()
        self._slots = None
        self._state = CameraState.STOPPED

    def pause(self) -> None:
        """Stop decoding and hold no frame; returns when that is so. A file goes on from here at `resume`."""
        if self._thread is None:
            return
        self._is_parked.clear()
        self._is_paused = True
        os.eventfd_write(self._wake, 1)
        self._is_parked.wait()

    def resume(self) -> None:
        """Decode again after `pause`."""
        if self._thread is None:
            return
        self._is_paused = False
        os.eventfd_write(self._wake, 1)

    def take_newest(self) -> Frame | None:
        """
        Hand the newest frame over to its new owner; None when nothing waits.

        Under `every-frame` it is the oldest one that waits, so that none is left out and their order is kept.
        """
        return self._handover.take()

    @property
    def status(self) -> CameraStatus:
        counts = self._handover
        state = self._state
        if state is CameraState.ENDED and counts.waiting:
            state = CameraState.UP
        return CameraStatus(
            camera_id=self._config.id,
            state=state,
            frames_decoded=counts.decoded,
            frames_handed_over=counts.handed_over,
            frames_superseded=counts.superseded,
            frames_no_slot=counts.no_slot,
            size=counts.size,
            pictures_per_second=counts.pictures_per_second if state is CameraState.UP else None,
            last_frame_ns=counts.last_frame_ns,
            error_code=None if self._fault is None else self._fault.value,
            restarts=max(0, self._starts - 1),
            landlock_version=self._landlock_version,
            is_memory_locked=None if self._slots is None else self._slots.is_locked,
        )

    # The camera's thread ------------------------------------------------------------------------------------------

    def _live(self, slots: Slots) -> None:
        try:
            while not self._is_stopping:
                if self._is_paused or self._has_ended:
                    self._park()
                    continue
                ending = self._watch_decoder(slots)
                if ending.was_interrupted:
                    continue
                if self._is_live:
                    self._go_down(ending)
                else:
                    self._end(ending.fault)
        finally:
            self._drop_waiting()
            self._is_parked.set()

    def _park(self) -> None:
        """Wait with nothing running, and after a pause with nothing held, until something is asked for."""
        if self._is_paused:
            self._drop_waiting()
            if not self._has_ended:
                self._state = CameraState.STOPPED
            self._is_parked.set()
        self._sleep(None)
        if not self._is_paused and not self._has_ended:
            self._state = CameraState.STARTING

    def _go_down(self, ending: _Ending) -> None:
        self._fault = ending.fault
        self._state = CameraState.DOWN
        wait_s = self._backoff.next_wait_s(ending.was_up_s)
        if not self._is_known_down:
            self._is_known_down = True
            log.warning("camera.unavailable", camera=self._config.id, code=ending.fault, retry_in_s=round(wait_s, 1))
        self._sleep(wait_s)

    def _end(self, fault: Fault | None) -> None:
        self._fault = fault
        self._has_ended = True
        self._state = CameraState.ENDED
        if fault is None:
            log.info("camera.ended", camera=self._config.id)
        else:
            log.warning("camera.ended", camera=self._config.id, code=fault)
        self._on_frame()

    def _come_up(self) -> None:
        if self._state is CameraState.UP:
            return
        self._state = CameraState.UP
        self._fault = None
        self._is_known_down = False
        log.info("camera.available", camera=self._config.id)

    def _drop_waiting(self) -> None:
        for frame in self._handover.drop_all():
            frame.destroy()
            self._discard(DiscardReason.FRAME_PAUSED)

    def _sleep(self, seconds: float | None) -> None:
        """Wait until woken; *seconds* at most. A wake-up that came before is not lost."""
        if select.select([self._wake], [], [], seconds)[0]:
            os.eventfd_read(self._wake)

    # One decoder --------------------------------------------------------------------------------------------------

    def _watch_decoder(self, slots: Slots) -> _Ending:
        """Run one decoder to its end."""
        self._handover.forget_rate()
        order = replace(
            self._order,
            lent=slots.lend_all(),
            parent_pid=os.getpid(),
            after_s=None if self._is_live else self._handover.last_media_time_s,
        )
        try:
            decoder = DecoderProcess(order, slots.descriptor)
        except OSError:  # no process or descriptor left on this machine
            return _Ending(Fault.DECODER_FAILED)
        self._starts += 1
        slots.return_to(decoder.return_slot)
        first_frame_ns: int | None = None
        fault: Fault | None = None
        was_interrupted = True
        try:
            for message in listen(
                decoder,
                self._limits,
                self._patience,
                wake=self._wake,
                is_interrupted=lambda: self._is_stopping or self._is_paused,
                clock=self._clock,
            ):
                if message.kind is MessageKind.ENDED or not self._take_in(message, slots):
                    fault = message.fault if message.kind is MessageKind.ENDED else Fault.DECODER_LIED
                    was_interrupted = False
                    break
                if message.kind is MessageKind.FRAME and first_frame_ns is None:
                    first_frame_ns = message.arrived_ns
        finally:
            decoder.kill()
            slots.reclaim()
        if fault is Fault.DECODER_LIED:
            self._discard(DiscardReason.FRAME_INVALID)
        was_up_ns = 0 if first_frame_ns is None else self._clock.monotonic_ns() - first_frame_ns
        return _Ending(fault, was_interrupted, was_up_ns / 1e9)

    def _take_in(self, message: Message, slots: Slots) -> bool:
        """Act on one checked message; False when it claims a slot that the decoder does not have."""
        if message.kind is MessageKind.OPENED:
            self._landlock_version = message.number
        elif message.kind is MessageKind.NO_SLOT:
            self._handover.missed(self._clock.monotonic_ns())
            self._discard(DiscardReason.FRAME_NO_SLOT)
        elif message.kind is MessageKind.SKIPPED:
            self._discard(DiscardReason.FRAME_INVALID)
        elif message.kind is MessageKind.FRAME and message.size is not None:
            try:
                pixels = slots.accept(message.number, message.size)
            except FrameFormatError:
                return False
            self._offer(self._frame_of(message, slots, pixels))
        return True

    def _frame_of(self, message: Message, slots: Slots, pixels: NDArray[np.uint8]) -> Frame:
        age_s = (self._clock.monotonic_ns() - message.arrived_ns) / 1e9
        return Frame(
            camera_id=self._config.id,
            sequence=-1,  # numbered when it is handed over
            arrived_ns=message.arrived_ns,
            captured_at=self._clock.utc_now() - timedelta(seconds=age_s),
            media_time_s=message.media_time_s,
            pixels=pixels,
            on_destroy=lambda: slots.give_back(message.number, pixels),
        )

    def _offer(self, frame: Frame) -> None:
        superseded = self._handover.offer(frame)
        if superseded is not None:
            superseded.destroy()
            self._discard(DiscardReason.FRAME_SUPERSEDED)
        self._come_up()
        self._on_frame()

    def _discard(self, reason: DiscardReason) -> None:
        self._on_discard(Discard(reason=reason, camera_id=self._config.id))


def _order_for(config: CameraConfig, limits: Limits) -> Order:
    """All of an order that stays the same from one decoder to the next."""
    order = Order(
        source=config.source.get_secret_value(),
        kind=config.kind.value,
        parent_pid=0,
        every_frame=config.playback is Playback.EVERY_FRAME,
        pictures_per_second=config.pictures_per_second,
        open_timeout_s=config.open_timeout_s,
        read_timeout_s=config.read_timeout_s,
        slots=limits.slots,
        width=limits.size.width,
        height=limits.size.height,
        lent=tuple(range(limits.slots)),
        masks=config.privacy_mask,
    )
    if order.kind in {"file", "pictures"}:
        order = replace(order, source=str(Path(order.source).absolute()))  # a decoder's working folder is another
    try:
        order.to_line()
    except ValueError as error:
        raise ConfigError(f"cameras.{config.id}.privacy_mask: too many corners: {error}") from None
    return order
