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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import edge_lfr
from edge_lfr.clock import Clock
from edge_lfr.durable_files import sync_folder, write_durably
from edge_lfr.errors import EdgeLfrError, LedgerError
from edge_lfr.governance.ledger.chain import NewLines
from edge_lfr.governance.ledger.errors import LedgerDamagedError, LedgerExportError, LedgerOwnerError
from edge_lfr.governance.ledger.events import FACT_KINDS, Fact, LedgerEvent, is_weighty
from edge_lfr.governance.ledger.file import Tail, first_line, opened, read_tail, write_lines
from edge_lfr.governance.ledger.head import LedgerHead, head_in, public_text
from edge_lfr.governance.ledger.lines import ITSELF, Actor, LedgerLine
from edge_lfr.governance.trust import SigningKey, shown_fingerprint

COPY_BYTES: Final = 1 << 16
"""Of an export, at a time; chosen, not measured."""

INTERRUPTED: Final = "interrupted"
"""The code of an export that somebody broke off."""


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
        Open the ledger, or begin it; an end that was torn, or that nobody signed, is sealed off and noted.

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
            if tail.torn is not None or ledger._found_unvouched(tail):
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
            head = self._head_in(tail.line) if tail.torn is None else None
            if head is None:
                head, _ = self._write(descriptor, tail, ((LedgerEvent.HEAD, ITSELF, {}),))
            if head is None:
                raise LedgerError(f"{self.path}: nothing was signed")
            return head.document()

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

        The line comes first, so that no copy is without one; where the copy then fails, another line takes it back.

        Raises:
            LedgerExportError: *target* exists or cannot be written; nothing is left of it.
            LedgerError: The ledger could not be read, or a line not written.
        """
        head: LedgerHead | None = None
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
        except BaseException as error:
            with suppress(OSError):  # a stick that was pulled
                target.unlink(missing_ok=True)
            if head is not None:
                self._take_back(head.content.n, who, error)
            raise
        finally:
            os.close(copy)
        if head is None:
            raise LedgerError(f"{self.path}: an export without a head")
        return Exported(size, head)

    def _take_back(self, line: int, who: Actor, failure: BaseException) -> None:
        """Say that the copy of which *line* speaks was not made."""
        code = failure.code if isinstance(failure, EdgeLfrError) else INTERRUPTED
        try:
            self.append(LedgerEvent.EXPORT_FAILED, who, {"what": "ledger", "line": line, "code": code})
        except LedgerError as error:
            message = f"the copy failed, and line {line}, which says that it was made, still stands: {error.message}"
            raise LedgerError(message, remedy=error.remedy) from failure

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

        (1) what is torn is sealed off, (2) a last line that nobody signed, and that is written with its signature, is
        named before anything is signed behind it, (3) the events, (4) a head behind each that has weight.
        """
        lines = NewLines(self.id, self._signing, self._clock, tail)
        unvouched = self._found_unvouched(tail)
        # (1) what is torn; in one line with (2), so that no torn write parts the two
        begin = b""
        if tail.torn is not None:
            begin = b"" if tail.torn.is_ended else b"\n"
            torn: dict[str, Fact] = {"bytes": tail.torn.size, "sha256": tail.torn.sha256}
            lines.add(LedgerEvent.TORN, ITSELF, {**torn, **unvouched}, previous=tail.torn.chained)
        # (2) a line without its head: a write was cut off just there, or somebody without the key added it
        elif unvouched:
            lines.add(LedgerEvent.UNVOUCHED, ITSELF, unvouched)
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

    def _head_in(self, line: LedgerLine) -> LedgerHead | None:
        """The head that the line is; None where this device did not sign it."""
        return head_in(line, self._signing.public, self.id)

    def _found_unvouched(self, tail: Tail) -> dict[str, Fact]:
        """Number and digest of the last line, where we would not have left it without a signature of ours."""
        is_head = tail.line.event == LedgerEvent.HEAD
        if not is_weighty(tail.line.event) and (not is_head or self._head_in(tail.line) is not None):
            return {}
        return {"line": tail.line.n, "line_sha256": tail.digest}


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
