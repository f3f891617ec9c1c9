"""Age files: what others encrypt we read, and what was changed, cut or blown up ends in one clear error."""

import errno
import io
import subprocess
from pathlib import Path

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lfr.errors import AgeFileError
from edge_lfr.governance.age_files import MAX_HEADER_BYTES, AgeIdentity, AgeReader, AgeRecipient, encrypt

IDENTITY = AgeIdentity.generate()
PLAIN = bytes(range(256)) * 1024
"""Four chunks of the format."""


def encrypted(plain: bytes = PLAIN) -> bytes:
    out = io.BytesIO()
    encrypt(io.BytesIO(plain), out, [AgeIdentity.generate().recipient, IDENTITY.recipient])
    return out.getvalue()


ENCRYPTED = encrypted()


def read_all(untrusted: bytes, identity: AgeIdentity = IDENTITY) -> bytes:
    pieces = []
    with AgeReader(io.BytesIO(untrusted), identity) as reader:
        while piece := reader.read(10_000):
            pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("length", [0, 1, 65_536, len(PLAIN)])
def test_what_was_encrypted_comes_back(length: int) -> None:
    """Each recipient reads exactly the bytes that were written, none of them included."""
    assert PLAIN[:length] == read_all(encrypted(PLAIN[:length]))


@pytest.mark.parametrize(
    "length",
    [100, 1_000, len(ENCRYPTED) // 2, len(ENCRYPTED) - 1],
    ids=["header", "first-chunk", "half", "last-byte"],
)
def test_a_cut_file_never_reaches_its_end(length: int) -> None:
    """However many of its bytes came out: the read that would say "that was all" raises."""
    with pytest.raises(AgeFileError):
        read_all(ENCRYPTED[:length])


@given(st.integers(0, len(ENCRYPTED) - 1), st.integers(0, 7))
@settings(max_examples=100, deadline=None)
def test_no_bit_can_be_changed(place: int, bit: int) -> None:
    """A changed file is refused, wherever the change is."""
    changed = bytearray(ENCRYPTED)
    changed[place] ^= 1 << bit
    with pytest.raises(AgeFileError):
        read_all(bytes(changed))


class Failing(io.BytesIO):
    """A disk that is full, or a stick that is pulled, after so many bytes."""

    def __init__(self, after: int) -> None:
        super().__init__(PLAIN)
        self._after = after

    def read(self, most: int | None = -1, /) -> bytes:
        self._spend()
        return super().read(most)

    def write(self, piece: object, /) -> int:
        self._spend()
        return len(memoryview(piece))  # type: ignore[arg-type]

    def _spend(self) -> None:
        self._after -= 1
        if self._after < 0:
            raise OSError(errno.ENOSPC, "no space")


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_what_cannot_be_written_or_read_is_an_error(after: int) -> None:
    """From the first byte to the last: the library alone passes over its last write, and says no more than words."""
    for length in (0, 5, len(PLAIN)):
        whole = Counting()
        encrypt(io.BytesIO(PLAIN[:length]), whole, [IDENTITY.recipient])
        if after < whole.writes:
            with pytest.raises(OSError, match="no space"):
                encrypt(io.BytesIO(PLAIN[:length]), Failing(after), [IDENTITY.recipient])
    with pytest.raises(OSError, match="no space"):
        encrypt(Failing(after), io.BytesIO(), [IDENTITY.recipient])


class Counting(io.BytesIO):
    """How often it was written to."""

    writes = 0

    def write(self, piece: object, /) -> int:
        self.writes += 1
        return super().write(piece)  # type: ignore[arg-type]


def test_nobody_else_reads_it() -> None:
    """Another identity gets an error and no byte."""
    with pytest.raises(AgeFileError), AgeReader(io.BytesIO(ENCRYPTED), AgeIdentity.generate()) as reader:
        assert reader.read(1) == b""


@pytest.mark.parametrize(
    "untrusted",
    [
        b"",
        b"junk",
        b"age-encryption.org/v1\n-> X25519 " + b"A" * 10_000_000,
        b"age-encryption.org/v1\n" + b"-> ssh-ed25519 AAAA BBBB\nQUJD\n" * 300_000 + b"--- AAAA\n",
    ],
    ids=["empty", "junk", "one-long-line", "many-recipients"],
)
def test_a_header_is_bounded_before_it_is_parsed(untrusted: bytes) -> None:
    """The library would parse for minutes what no honest file has."""
    with pytest.raises(AgeFileError, match="header"):
        AgeReader(io.BytesIO(untrusted), IDENTITY)


def test_thirty_two_recipients_stay_below_the_bound() -> None:
    """The largest honest file is not refused."""
    out = io.BytesIO()
    encrypt(io.BytesIO(b"x"), out, [AgeIdentity.generate().recipient for _ in range(31)] + [IDENTITY.recipient])
    assert MAX_HEADER_BYTES / 2 > out.getvalue().index(b"\n--- ")
    assert b"x" == read_all(out.getvalue())


def test_a_reader_that_is_closed_early_ends_its_thread() -> None:
    """Nobody has to read a bundle to its end to get rid of it."""
    reader = AgeReader(io.BytesIO(ENCRYPTED), IDENTITY)
    assert PLAIN[:1] == reader.read(1)
    reader.close()
    assert not reader._thread.is_alive()


def test_a_stick_that_fails_is_no_forgery() -> None:
    """The error says that it could not be read, and why."""

    class Pulled(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= MAX_HEADER_BYTES:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with (
        AgeReader(Pulled(ENCRYPTED), IDENTITY) as reader,
        pytest.raises(AgeFileError, match="cannot be read: Input/output error"),
    ):
        for _ in iter(lambda: reader.read(10_000), b""):
            pass


@pytest.mark.parametrize("text", ["", "age2", "AGE-SECRET-KEY-1", "age1" + "q" * 58, "two\nlines"])
def test_what_is_no_key_is_refused_and_not_repeated(text: str) -> None:
    """Neither half is taken from other text, and a secret never stands in an error."""
    for parse in (AgeRecipient.parse, AgeIdentity.parse):
        with pytest.raises(AgeFileError) as caught:
            parse(text)
        assert not text or text not in str(caught.value)


def test_the_distributions_age_reads_and_writes_the_same_files(tmp_path: Path) -> None:
    """`age` opens what we encrypt, and we open what `age` encrypts, with a key of `age-keygen`."""
    key = tmp_path / "key"
    subprocess.run(["age-keygen", "-o", key], check=True, capture_output=True)
    identity = AgeIdentity.parse(key.read_text())
    ours = tmp_path / "ours.age"
    with ours.open("wb") as out:
        encrypt(io.BytesIO(PLAIN), out, [identity.recipient])
    opened = subprocess.run(["age", "-d", "-i", key, ours], check=True, capture_output=True)
    theirs = subprocess.run(["age", "-r", identity.recipient.text], input=PLAIN, check=True, capture_output=True)
    assert PLAIN == opened.stdout
    assert PLAIN == read_all(theirs.stdout, identity)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_only_the_library_itself_says_that_the_end_is_genuine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that breaks off in a way that nobody knows of has verified nothing, though every byte has come."""

    def broken(_source: object, out: io.RawIOBase, _identities: object) -> None:
        out.write(PLAIN)
        raise ArithmeticError

    monkeypatch.setattr(pyrage, "decrypt_io", broken)
    with AgeReader(io.BytesIO(ENCRYPTED), IDENTITY) as reader:
        left = len(PLAIN)
        while left:
            left -= len(reader.read(left))
        with pytest.raises(AgeFileError):
            reader.read(1)
