"""
The ledger: who did what and when, one line each, chained by digests and vouched for by the device key.

A line that `append` returned from is on the disk. Daemon and commands append to the same file, in any order. What the
clock says is what a line says: where it went back, the line notes by how much, and the order is that of the numbers.
"""

import fcntl
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import edge_lfr
from edge_lfr.clock import Clock
from edge_lfr.durable_files import sync_folder, write_durably
from edge_lfr.errors import LedgerError
from edge_lfr.governance.ledger.chain import ITSELF, NewLines
from edge_lfr.governance.ledger.errors import LedgerDamagedError, LedgerExportError, LedgerOwnerError
from edge_lfr.governance.ledger.events import FACT_KINDS, Fact, LedgerEvent, is_weighty
from edge_lfr.governance.ledger.file import Tail, first_line, opened, read_tail, write_lines
from edge_lfr.governance.ledger.head import LedgerHead, public_text
from edge_lfr.governance.ledger.lines import Actor, LedgerLine
from edge_lfr.governance.trust import SigningKey, shown_fingerprint

COPY_BYTES: Final = 1 << 16
"""Of an export, at a time; chosen, not measured."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A copy, and the head that it ends with."""

    size: int
    head: LedgerHead


class Ledger:
    """One appliance's ledger in one mode; any thread may call, and any process may have it open."""

    def __init__(self, path: Path, signing: SigningKey, clock: Clock, first: LedgerLine, inode: int) -> None:
        self.path: Final = path
        self.id: Final = str(first.facts["ledger"])
        self._signing = signing
        self._clock = clock
        self._inode = inode
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path, signing: SigningKey, clock: Clock, *, device: str) -> Self:
        """
        Open the ledger, or begin it; an end that was torn is sealed off and noted.

        Args:
            path: `FILE_NAME` in the mode's state folder.

            signing: The device key.

            clock: What the time is.

            device: `<force>/<device>/<mode>`, for which it is begun.

        Raises:
            LedgerOwnerError: It was begun by another device, or with another key.
            LedgerDamagedError: It is no ledger.
            LedgerError: It cannot be read or written.
        """
        _begin_where_missing(path, signing, clock, device)
        with opened(path, clock, to_write=True) as descriptor:
            first = first_line(descriptor, path)
            if first.event != LedgerEvent.BEGUN or not FACT_KINDS["ledger"].is_one(first.facts.get("ledger", "")):
                raise LedgerDamagedError(f"{path}: its first line is not the beginning of a ledger")
            if first.facts.get("public_key") != public_text(signing.public):
                raise LedgerOwnerError(f"{path}: begun with the device key {first.facts.get('key')}, which is not ours")
            if first.facts.get("device") != device:
                raise LedgerOwnerError(f"{path}: begun by {first.facts.get('device')}, and this is {device}")
            ledger = cls(path, signing, clock, first, os.fstat(descriptor).st_ino)
            tail = read_tail(descriptor, path)
            if tail.torn is not None:
                ledger._write(descriptor, tail, ())
        return ledger

    def append(self, event: LedgerEvent, who: Actor, facts: Mapping[str, Fact]) -> LedgerHead | None:
        """
        Write one line; when this returns, it is on the disk.

        Returns:
            The signed head, to be published, where one was due.

        Raises:
            LedgerFactError: The facts are not those of the event.
            LedgerError: It was not written.
        """
        with self._opened() as descriptor:
            head, _ = self._write(descriptor, read_tail(descriptor, self.path), ((event, who, facts),))
        return head

    def head(self) -> bytes:
        """
        The signed head to be published every minute: a new one where lines have come since the last, else that one.

        Raises:
            LedgerError: It could not be read or written.
        """
        with self._opened() as descriptor:
            tail = read_tail(descriptor, self.path)
            if tail.line.event != LedgerEvent.HEAD or tail.torn is not None:
                head, _ = self._write(descriptor, tail, ((LedgerEvent.HEAD, ITSELF, {}),))
                if head is not None:
                    return head.document()
            return self._head_in(tail.line).document()

    def newest(self) -> datetime:
        """
        When the last line was written; the time may not be earlier than that.

        Raises:
            LedgerError: It could not be read.
        """
        with self._opened() as descriptor:
            return read_tail(descriptor, self.path).line.at

    def export(self, target: Path, who: Actor) -> Exported:
        """
        Copy the whole ledger, with the line that says so and a head behind it.

        Raises:
            LedgerExportError: *target* exists or cannot be written; nothing is left of it.
            LedgerError: The ledger could not be read, or the line not written.
        """
        try:
            copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerExportError(f"{target}: cannot be made: {error.strerror}") from error
        try:
            with self._opened() as descriptor:
                tail = read_tail(descriptor, self.path)
                facts = {"what": "ledger"}
                head, size = self._write(descriptor, tail, ((LedgerEvent.EXPORTED, who, facts),))
                source = os.dup(descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_UN)  # what is written stays as it is
            try:
                _copy(source, copy, size, target)
            finally:
                os.close(source)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        finally:
            os.close(copy)
        if head is None:
            raise LedgerError(f"{self.path}: an export without a head")
        return Exported(size, head)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        with self._lock, opened(self.path, self._clock, to_write=True) as descriptor:
            if os.fstat(descriptor).st_ino != self._inode:
                message = f"{self.path}: another file has taken the ledger's place"
                raise LedgerDamagedError(message, remedy="find out who did that, keep both files, and start again")
            yield descriptor

    def _write(
        self, descriptor: int, tail: Tail, events: tuple[tuple[LedgerEvent, Actor, Mapping[str, Fact]], ...]
    ) -> tuple[LedgerHead | None, int]:
        """
        Write the lines of *events* and every other that is due; gives the newest head, and the size of the file then.

        (1) what is torn is sealed off, (2) a line of weight that a power cut left without its head gets it, (3) the
        events, (4) a head behind each that has weight.
        """
        lines = NewLines(self.id, self._signing, self._clock, tail)
        # (1) what is torn
        begin = b""
        if tail.torn is not None:
            begin = b"" if tail.torn.is_ended else b"\n"
            lines.add(
                LedgerEvent.TORN,
                ITSELF,
                {"bytes": tail.torn.size, "sha256": tail.torn.sha256},
                previous=tail.torn.chained,
            )
        # (2) a line of weight without its head
        elif is_weighty(tail.line.event):
            lines.add_head()
        for event, who, facts in events:
            # (3) the events, (4) and their heads
            if event is not LedgerEvent.HEAD:
                lines.add(event, who, facts)
            elif lines.last_event != LedgerEvent.HEAD:
                lines.add_head()
        data = begin + b"".join(lines.written)
        if data:
            write_lines(descriptor, self.path, data, tail.size)
        return lines.head, tail.size + len(data)

    def _head_in(self, line: LedgerLine) -> LedgerHead:
        try:
            return LedgerHead.rebuilt(
                self._signing.public,
                str(line.facts["signature"]),
                ledger=self.id,
                n=line.n - 1,
                digest=line.previous,
                at=line.at,
            )
        except (KeyError, ValueError):
            raise LedgerDamagedError(f"{self.path}: line {line.n} is no head of this ledger") from None


def _begin_where_missing(path: Path, signing: SigningKey, clock: Clock, device: str) -> None:
    """Have the first line and its head on the disk before the file has its name; of several processes one does it."""
    try:
        if path.exists():
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if not path.exists():
                write_durably(path, _beginning(signing, clock, device))
        finally:
            os.close(folder)
    except OSError as error:
        raise LedgerError(f"{path}: the ledger cannot be begun: {error.strerror}") from error


def _beginning(signing: SigningKey, clock: Clock, device: str) -> bytes:
    ledger_id = secrets.token_hex(16)
    lines = NewLines(ledger_id, signing, clock, None)
    facts = {
        "device": device,
        "key": shown_fingerprint(signing.fingerprint),
        "ledger": ledger_id,
        "public_key": public_text(signing.public),
        "version": edge_lfr.__version__,
    }
    lines.add(LedgerEvent.BEGUN, ITSELF, facts)
    return b"".join(lines.written)


def _copy(source: int, copy: int, size: int, target: Path) -> None:
    done = 0
    try:
        while done < size:
            data = os.pread(source, min(COPY_BYTES, size - done), done)
            if not data:
                raise LedgerError(f"the ledger ended after {done} of {size} bytes")
            view = memoryview(data)
            while view:
                view = view[os.write(copy, view) :]
            done += len(data)
        os.fsync(copy)
        sync_folder(target.parent)
    except OSError as error:
        raise LedgerExportError(f"{target}: cannot be written: {error.strerror}") from error
