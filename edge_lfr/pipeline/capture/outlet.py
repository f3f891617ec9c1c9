"""
The decoder's end of the hand-over: a picture goes in; it is fitted, masked and laid into a slot, at the source's pace.

Runs in the child. The slots that it may write are those that the parent lent; without one, a picture is dropped and
said so, or, where every frame counts, waited for.
"""

import math
import select
import socket
import time
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import PolygonXY, SizeWH
from edge_lfr.pipeline.capture.protocol import MAX_MEDIA_TIME_S, MAX_PICTURE_PIXELS, Fault, Message, MessageKind, Order

ALIVE_EVERY_S = 0.25
"""Pause between two signs of life while nothing is due; a sixteenth of the default time after which one is stale."""

MAX_GAP_S = 10.0
"""A longer pause between the time stamps of a file, or a step back, is a splice and not waited for. Chosen."""


class ParentGoneError(Exception):
    """Nobody holds the other end any more."""


class Picture(Protocol):
    """A decoded picture that has not been converted yet."""

    @property
    def size(self) -> SizeWH: ...

    @property
    def media_time_s(self) -> float | None: ...

    def draw_into(self, target: NDArray[np.uint8]) -> None:
        """Write it as BGR, scaled to the shape of *target*, uint8 (height, width, 3)."""
        ...


def fitted(size: SizeWH, limit: SizeWH) -> SizeWH:
    """The largest size of the same shape within *limit*; never larger than *size* itself."""
    factor = min(limit.width / size.width, limit.height / size.height, 1.0)
    return SizeWH(width=max(1, int(size.width * factor)), height=max(1, int(size.height * factor)))


class Outlet:
    """Where a decoder puts its pictures."""

    def __init__(self, control: socket.socket, memory: NDArray[np.uint8], order: Order) -> None:
        self._control = control
        self._memory = memory
        self._free = list(order.lent)
        self._limit = order.limits.size
        self._masks = tuple(PolygonXY(corners) for corners in order.masks)
        self._waits_for_slot = order.every_frame and not order.is_live
        self._keeps_pace = not order.every_frame and not order.is_live
        self._origin: tuple[float, float] | None = None
        self._previous_s = 0.0
        self.delivered = 0

    def opened(self, landlock_version: int) -> None:
        self._say(Message(kind=MessageKind.OPENED, number=landlock_version))

    def skipped(self) -> None:
        """Say that something could not be decoded."""
        self._say(Message(kind=MessageKind.SKIPPED))

    def ended(self, fault: Fault | None) -> None:
        """Say the last word, and wait until it was heard."""
        self._say(Message(kind=MessageKind.ENDED, fault=fault))
        while True:
            self._receive(math.inf)

    def deliver(self, picture: Picture) -> None:
        """
        Hand one picture over.

        Raises:
            ParentGoneError: Nobody is left to take it.
        """
        if not 0 < picture.size.width * picture.size.height <= MAX_PICTURE_PIXELS:
            self.skipped()
            return
        media_time_s = _sane(picture.media_time_s)
        if self._keeps_pace and media_time_s is not None:
            self._wait_until(self._due_at(media_time_s))
        self._receive(0.0)
        while self._waits_for_slot and not self._free:
            self._wait_until(time.monotonic() + ALIVE_EVERY_S, or_slot=True)
        self.delivered += 1
        if not self._free:
            self._say(Message(kind=MessageKind.NO_SLOT, arrived_ns=time.monotonic_ns()))
            return
        slot = self._free.pop(0)
        size = fitted(picture.size, self._limit)
        target = self._memory[slot][: size.width * size.height * 3].reshape(size.height, size.width, 3)
        picture.draw_into(target)
        for mask in self._masks:
            cv2.fillPoly(target, [mask.in_pixels(size)], (0, 0, 0))
        self._say(
            Message(
                kind=MessageKind.FRAME,
                number=slot,
                size=size,
                arrived_ns=time.monotonic_ns(),
                media_time_s=media_time_s,
            )
        )

    def _due_at(self, media_time_s: float) -> float:
        """When a picture of this time stamp is to be shown, in seconds of the monotonic clock."""
        if self._origin is None or not 0 <= media_time_s - self._previous_s <= MAX_GAP_S:
            self._origin = (time.monotonic(), media_time_s)
        self._previous_s = media_time_s
        started_at, started_s = self._origin
        return started_at + (media_time_s - started_s)

    def _wait_until(self, due_at: float, *, or_slot: bool = False) -> None:
        """Wait, and show signs of life; *or_slot*: no longer than until a slot comes back."""
        while (left_s := due_at - time.monotonic()) > 0:
            came_back = self._receive(min(left_s, ALIVE_EVERY_S))
            if came_back and or_slot:
                return
            if not came_back and left_s >= ALIVE_EVERY_S / 2:
                self._say(Message(kind=MessageKind.ALIVE))

    def _receive(self, timeout_s: float) -> bool:
        """Take back the slots that the parent returned; whether there was one within *timeout_s*."""
        came_back = False
        while select.select([self._control], [], [], None if math.isinf(timeout_s) else timeout_s)[0]:
            try:
                returned = self._control.recv(1)
            except ConnectionResetError:
                returned = b""
            if not returned:
                raise ParentGoneError
            self._free.append(returned[0])
            came_back = True
            timeout_s = 0.0
        return came_back

    def _say(self, message: Message) -> None:
        try:
            self._control.send(message.pack())
        except OSError as error:
            raise ParentGoneError from error


def _sane(media_time_s: float | None) -> float | None:
    """A time stamp that the parent will accept; a container may hold any number."""
    if media_time_s is None or not abs(media_time_s) <= MAX_MEDIA_TIME_S:
        return None
    return media_time_s
