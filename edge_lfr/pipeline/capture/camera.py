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
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import structlog
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.biometrics.outcomes import Discard, DiscardReason
from edge_lfr.biometrics.samples import Frame
from edge_lfr.clock import Clock
from edge_lfr.config.capture import CameraConfig
from edge_lfr.errors import FrameFormatError
from edge_lfr.pipeline.capture.backoff import Backoff
from edge_lfr.pipeline.capture.handover import Handover
from edge_lfr.pipeline.capture.listening import Patience, listen
from edge_lfr.pipeline.capture.ordering import order_for
from edge_lfr.pipeline.capture.process import DecoderProcess
from edge_lfr.pipeline.capture.protocol import Fault, Limits, Message, MessageKind
from edge_lfr.pipeline.capture.slots import SLOTS, Slots
from edge_lfr.pipeline.capture.source import CameraState, CameraStatus

START_ALLOWANCE_S = 5.0
"""A decoder's own start, before its time-out for opening begins; 0.4 s on an idle machine of two cores."""

LOOK_S = 0.1
"""How often `pause` looks whether the thread that it waits for still lives. Chosen, not measured."""

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

    Its verbs may be called from any thread but its own; one that is under way ends before the next begins.

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
        self._order = order_for(config, self._limits)
        self._is_live = self._order.is_live
        self._handover = Handover(every_frame=self._order.every_frame)
        self._patience = Patience(
            to_open_s=START_ALLOWANCE_S + config.open_timeout_s,
            between_frames_s=config.stale_after_s,
            is_live=self._is_live,
        )
        self._backoff = Backoff(*config.backoff_s)
        self._one_verb_at_a_time = threading.Lock()  # never taken by the camera's thread, which the verbs wait for
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
        self.turns: int | None = None
        """Waits that its thread has ended, with a frame or without; None while it has nothing to wait for."""

        self._landlock_version: int | None = None

    def start(self) -> None:
        """Begin; nothing happens to a camera that has begun."""
        with self._one_verb_at_a_time:
            if self._thread is not None:
                return
            self._slots = Slots(self._limits)
            self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._is_stopping = False
            self._has_ended = False
            self._handover.last_media_time_s = None
            self._state = CameraState.STARTING
            self._thread = threading.Thread(
                target=self._run, args=(self._slots,), name=f"camera-{self._config.id}", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End the decoder and the thread; everything that no frame holds is zeroed. Safe to call again."""
        with self._one_verb_at_a_time:
            if self._thread is None or self._slots is None:
                return
            self._is_stopping = True
            os.eventfd_write(self._wake, 1)
            self._thread.join()
            self._thread = None
            self.turns = None
            os.close(self._wake)
            self._slots.close()
            self._slots = None
            self._state = CameraState.STOPPED

    def pause(self) -> None:
        """Stop decoding and hold no frame; returns when that is so. A file goes on from here at `resume`."""
        with self._one_verb_at_a_time:
            if self._thread is None:
                return
            self._is_parked.clear()
            self._is_paused = True
            os.eventfd_write(self._wake, 1)
            while not self._is_parked.wait(LOOK_S) and self._thread.is_alive():
                pass  # a dead thread holds nothing either

    def resume(self) -> None:
        """Decode again after `pause`; nothing happens to a camera that is not paused."""
        with self._one_verb_at_a_time:
            was_paused, self._is_paused = self._is_paused, False
            if was_paused and self._thread is not None:
                os.eventfd_write(self._wake, 1)

    @property
    def is_alive(self) -> bool:
        """Whether the camera's thread runs, as it does from `start` to `stop`, paused, down or ended."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def take_newest(self) -> Frame | None:
        """
        Hand the newest frame over to its new owner; None when nothing waits.

        Under `every-frame` it is the oldest one that waits, so that none is left out and their order is kept.
        """
        return self._handover.take()

    @property
    def waits_since_ns(self) -> int | None:
        """CLOCK_MONOTONIC of the arrival of the frame that has waited longest for the path; None when none waits."""
        return self._handover.waits_since_ns

    @property
    def status(self) -> CameraStatus:
        counts = self._handover
        slots, state, fault = self._slots, self._state, self._fault  # other threads change them meanwhile
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
            error_code=None if fault is None else fault.value,
            restarts=max(0, self._starts - 1),
            landlock_version=self._landlock_version,
            is_memory_locked=None if slots is None else slots.is_locked,
        )

    # The camera's thread ------------------------------------------------------------------------------------------

    def _run(self, slots: Slots) -> None:
        """Whatever happens, nobody waits for this thread in vain, and no exception is printed with its text."""
        try:
            self._live(slots)
        except BaseException as error:  # noqa: BLE001  # the thread's last word; the daemon looks at `is_alive`
            self._fault = Fault.CAMERA_FAILED
            self._state = CameraState.DOWN
            self._say(log.error, "camera.thread-ended", error=type(error).__name__)
        finally:
            try:
                self._drop_waiting()
            finally:
                self._is_parked.set()

    def _live(self, slots: Slots) -> None:
        while not self._is_stopping:
            try:
                self._turn()
                if self._is_paused or self._has_ended:
                    self._park()
                else:
                    self._settle(self._watch_decoder(slots))
            except Exception as error:  # noqa: BLE001  # the camera's loop: one bad turn must not blind the camera
                if self._fault is not Fault.CAMERA_FAILED:
                    self._say(log.error, "camera.failed", error=type(error).__name__)
                self._settle(_Ending(Fault.CAMERA_FAILED))

    def _turn(self) -> bool:
        """Say that the thread goes on, also when it waited in vain; whether somebody interrupts it."""
        self.turns = (self.turns or 0) + 1
        return self._is_interrupted()

    def _settle(self, ending: _Ending) -> None:
        if ending.was_interrupted:
            return
        if self._is_live:
            self._go_down(ending)
        else:
            self._end(ending.fault)

    def _park(self) -> None:
        """Wait with nothing running, and after a pause with nothing held, until something is asked for."""
        if self._is_paused:
            self._drop_waiting()
            if not self._has_ended:
                self._state = CameraState.STOPPED
            self._is_parked.set()
        self.turns = None
        self._sleep(None)
        if not self._is_paused and not self._has_ended:
            self._state = CameraState.STARTING

    def _go_down(self, ending: _Ending) -> None:
        self._fault = ending.fault
        self._state = CameraState.DOWN
        wait_s = self._backoff.next_wait_s(ending.was_up_s)
        if not self._is_known_down:
            self._is_known_down = True
            self._say(log.warning, "camera.unavailable", code=ending.fault, retry_in_s=round(wait_s, 1))
        if not self._is_interrupted():  # its wake-up may have been read by whatever failed
            self._sleep(wait_s)

    def _is_interrupted(self) -> bool:
        return self._is_stopping or self._is_paused

    def _end(self, fault: Fault | None) -> None:
        self._fault = fault
        self._has_ended = True
        self._state = CameraState.ENDED
        if fault is None:
            self._say(log.info, "camera.ended")
        else:
            self._say(log.warning, "camera.ended", code=fault)
        self._on_frame()

    def _come_up(self) -> None:
        if self._state is CameraState.UP:
            return
        self._state = CameraState.UP
        self._fault = None
        self._is_known_down = False
        self._say(log.info, "camera.available")

    def _drop_waiting(self) -> None:
        dropped = self._handover.drop_all()
        for frame in dropped:
            frame.destroy()
        for _ in dropped:
            self._discard(DiscardReason.FRAME_PAUSED)

    def _sleep(self, seconds: float | None) -> None:
        """Wait until woken; *seconds* at most. A wake-up that came before is not lost."""
        if select.select([self._wake], [], [], seconds)[0]:
            os.eventfd_read(self._wake)

    def _say(self, write: Callable[..., object], event: str, **words: object) -> None:
        """One line of the log. Where it cannot be written it is lost: a full disk blinds no camera."""
        with suppress(Exception):
            write(event, camera=self._config.id, **words)

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
        first_frame_ns: int | None = None
        fault: Fault | None = None
        was_interrupted = True
        try:
            self._starts += 1
            slots.return_to(decoder.return_slot)
            for message in listen(
                decoder,
                self._limits,
                self._patience,
                wake=self._wake,
                is_interrupted=self._turn,
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
