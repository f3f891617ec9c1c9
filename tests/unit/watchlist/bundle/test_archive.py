"""Archives of hostile origin: what tar makes is read, and everything else is refused where it begins."""

import io
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_lfr.watchlist.bundle.archive import BLOCK_BYTES, MAX_PADDING_BYTES, PIECE_BYTES, ArchiveReader
from edge_lfr.watchlist.bundle.refusals import BundleRefusal, BundleRefusedError
from simulators.archives import END, archive, filled, head, member, put, tar, with_checksum

MEMBERS = {
    "manifest.json": b"{}" * 300,
    "manifest.sig": bytes(64),
    "pictures/000001.jpg": bytes(range(256)) * 400,
    "pictures/000002.jpg": b"x" * BLOCK_BYTES,
    "empty": b"",
}
MOST_BYTES = 1_000_000


class Dripping(io.BytesIO):
    """Gives fewer bytes than it is asked for, as a pipe may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(7, size) if size is not None else 7)


def read_all(stream: io.BytesIO) -> dict[str, bytes]:
    reader = ArchiveReader(stream)
    members = {}
    while (found := reader.next_member(most_bytes=MOST_BYTES)) is not None:
        members[found.name] = found.read_all()
        assert found.size == len(members[found.name])
    return members


def refusal_of(untrusted: bytes) -> BundleRefusal:
    with pytest.raises(BundleRefusedError) as caught:
        read_all(io.BytesIO(untrusted))
    return caught.value.refusal


@pytest.mark.parametrize(
    "arguments",
    [(), ("--format=ustar",), ("--format=gnu",), ("--blocking-factor=1",), ("--owner=somebody", "--numeric-owner")],
    ids=lambda arguments: " ".join(arguments) or "default",
)
def test_what_tar_makes_is_read(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """The distribution's tar, as it comes and in the formats that say the same."""
    put(MEMBERS, tmp_path)
    assert MEMBERS == read_all(io.BytesIO(tar(tmp_path, *arguments, *MEMBERS)))


def test_a_stream_may_come_in_drops() -> None:
    """However few bytes one read gives, the members are the same."""
    assert MEMBERS == read_all(Dripping(archive(MEMBERS)))


@pytest.mark.parametrize("zeros", range(0, MAX_PADDING_BYTES + 1, BLOCK_BYTES))
def test_an_archive_is_filled_up_to_a_record(zeros: int) -> None:
    """Zeros after the end, as many as fill a record of tar's default size."""
    assert MEMBERS == read_all(io.BytesIO(archive(MEMBERS) + bytes(zeros)))


@pytest.mark.parametrize("arguments", [("--format=pax",), ("--format=v7",)])
def test_other_formats_of_tar_are_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Extension headers change what follows them; the format of 1979 has no magic."""
    put(MEMBERS, tmp_path)
    os.utime(tmp_path / "manifest.json", ns=(1, 1))  # a fraction of a second, for which pax needs an extension
    assert refusal_of(tar(tmp_path, *arguments, *MEMBERS)) in {
        BundleRefusal.ARCHIVE_KIND,
        BundleRefusal.ARCHIVE_HEADER,
    }


def make_link(folder: Path) -> None:
    (folder / "a").symlink_to("/etc/passwd")


def make_hard_link(folder: Path) -> None:
    (folder / "0").write_bytes(b"x")
    os.link(folder / "0", folder / "a")


def make_folder(folder: Path) -> None:
    (folder / "a").mkdir()


def make_pipe(folder: Path) -> None:
    os.mkfifo(folder / "a")


def make_sparse(folder: Path) -> None:
    with (folder / "a").open("wb") as file:
        file.truncate(10_000_000)


@pytest.mark.parametrize("make", [make_link, make_hard_link, make_folder, make_pipe, make_sparse])
def test_only_regular_files_are_members(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Links, folders, pipes and files with holes, as tar itself packs them."""
    make(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert BundleRefusal.ARCHIVE_KIND == refusal_of(tar(tmp_path, "--sparse", *names))


@pytest.mark.parametrize("kind", [bytes([code]) for code in range(256) if code not in b"0\0"])
def test_no_other_kind_of_member_is_known(kind: bytes) -> None:
    """Whatever kind anybody ever invents: device, volume label, extension header, contiguous file."""
    assert BundleRefusal.ARCHIVE_KIND == refusal_of(head(b"a", 1, kind=kind) + filled(b"x") + END)


def test_a_long_name_is_refused(tmp_path: Path) -> None:
    """GNU tar writes it as a member of its own, ustar in two fields; a bundle needs neither."""
    name = "/".join(["d" * 60] * 3)
    put({name: b"x"}, tmp_path)
    assert BundleRefusal.ARCHIVE_KIND == refusal_of(tar(tmp_path, "--format=gnu", name))
    assert BundleRefusal.ARCHIVE_HEADER == refusal_of(tar(tmp_path, "--format=ustar", name))


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b"/etc/passwd",
        b"../a",
        b"a/../b",
        b"a/..",
        b"./a",
        b"a//b",
        b"a/",
        b".a",
        b"a/.b",
        b"a b",
        b"a\\b",
        b"a\nb",
        b"a\x1b[2J",
        "ä".encode(),
        b"a\0b",
        b"\0a",
    ],
)
def test_a_name_leads_nowhere_else(name: bytes) -> None:
    """No name is absolute, climbs, hides, or means something to a terminal."""
    assert BundleRefusal.ARCHIVE_NAME == refusal_of(head(name, 1) + filled(b"x") + END)


def test_a_refused_name_is_not_repeated() -> None:
    """A file's name may be a person's."""
    with pytest.raises(BundleRefusedError) as caught:
        read_all(io.BytesIO(head(b"Jane Doe.jpg", 1) + filled(b"x") + END))
    assert "Jane" not in caught.value.diagnostics()


def test_a_name_may_fill_its_field() -> None:
    """One hundred letters leave no room for a zero, and need none."""
    assert {"a" * 100: b"x"} == read_all(io.BytesIO(member("a" * 100, b"x") + END))


@pytest.mark.parametrize(
    "size_field",
    [
        b"\x80" + bytes(10) + b"\x01",
        b"\xff" * 12,
        b"00000000001x",
        b"0000000000a\0",
        b"         1 \0",
        b"-0000000001\0",
        b"000000000001",
        b"1\0" + bytes(10),
        bytes(12),
    ],
    ids=repr,
)
def test_sizes_are_octal(size_field: bytes) -> None:
    """No base 256, no sign, no spaces in front, no other number of digits."""
    untrusted = head(b"a", 1, size_field=size_field) + filled(b"x") + END
    assert BundleRefusal.ARCHIVE_SIZE == refusal_of(untrusted)


@pytest.mark.parametrize("size", [MOST_BYTES + 1, 8**11 - 1])
def test_a_size_above_the_bound_is_not_believed(size: int) -> None:
    """It is refused before a byte of it is read."""
    assert BundleRefusal.ARCHIVE_SIZE == refusal_of(head(b"a", size))


def test_a_claimed_size_takes_no_memory() -> None:
    """A bound of 64 MiB is not allocated for a member that has only its head."""
    tracemalloc.start()
    member_of_nothing = ArchiveReader(io.BytesIO(head(b"a", 1 << 26))).next_member(most_bytes=1 << 26)
    assert member_of_nothing is not None
    with pytest.raises(BundleRefusedError, match="archive-cut"):
        member_of_nothing.read_all()
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 4 * PIECE_BYTES


@pytest.mark.parametrize("place", range(0, BLOCK_BYTES, 3))
def test_every_byte_of_a_head_counts(place: int) -> None:
    """A changed byte is told by the checksum, or by what it stands for."""
    changed = bytearray(archive(MEMBERS))
    changed[place] ^= 0x04
    assert refusal_of(bytes(changed)).startswith("archive-")


@pytest.mark.parametrize(
    ("untrusted_head", "refusal"),
    [
        (head(b"a", 1, prefix=b"pictures"), BundleRefusal.ARCHIVE_HEADER),
        (head(b"a", 1, rest=b"x"), BundleRefusal.ARCHIVE_HEADER),
        (head(b"a", 1, link=b"b"), BundleRefusal.ARCHIVE_KIND),
        (head(b"a", 1, magic=b"ustar\x0001"), BundleRefusal.ARCHIVE_HEADER),
        (head(b"a", 1, magic=b"GNUtar  "), BundleRefusal.ARCHIVE_HEADER),
        (head(b"a", 1, magic=bytes(8)), BundleRefusal.ARCHIVE_HEADER),
        (b"PK\3\4" + bytes(508), BundleRefusal.ARCHIVE_HEADER),
    ],
    ids=["prefix", "reserved", "linked", "version", "other-magic", "no-magic", "zip"],
)
def test_a_head_has_no_other_fields(untrusted_head: bytes, refusal: BundleRefusal) -> None:
    """Also where its checksum is right."""
    assert refusal == refusal_of(untrusted_head + filled(b"x") + END)


def test_a_signed_checksum_is_refused() -> None:
    """Old tars summed signed characters; with bytes over 127 that is another sum."""
    block = bytearray(head(b"a", 1))
    block[265] = 0xC3  # in the owner's name, which nobody reads
    total = sum(block[:148]) + 8 * ord(" ") + sum(block[156:])
    block[148:156] = f"{total - 256:06o}\0 ".encode()
    assert BundleRefusal.ARCHIVE_HEADER == refusal_of(bytes(block) + filled(b"x") + END)
    assert {"a": b"x"} == read_all(io.BytesIO(with_checksum(bytes(block)) + filled(b"x") + END))


@pytest.mark.parametrize("place", [1, 255, 511])
def test_padding_is_zeros(place: int) -> None:
    """Nothing hides between a member's end and the next head."""
    block = bytearray(filled(b"x"))
    block[place] = 1
    assert BundleRefusal.ARCHIVE_PADDING == refusal_of(head(b"a", 1) + bytes(block) + END)


def test_a_cut_archive_never_ends() -> None:
    """At whatever byte it is cut, also between two members or between the two blocks of the end."""
    whole = archive(MEMBERS)
    few = [*range(0, 2_000, 7), *range(0, len(whole), BLOCK_BYTES), *range(len(whole) - 2_000, len(whole), 7)]
    for length in few:
        assert BundleRefusal.ARCHIVE_CUT == refusal_of(whole[:length]), length


@pytest.mark.parametrize(
    "trailing",
    [
        b"x",
        bytes(BLOCK_BYTES - 1) + b"x",
        archive(MEMBERS),
        bytes(MAX_PADDING_BYTES) + b"x",
        bytes(MAX_PADDING_BYTES + 512),
    ],
    ids=["a-byte", "late-byte", "second-archive", "after-the-record", "too-many-zeros"],
)
def test_nothing_follows_the_end(trailing: bytes) -> None:
    """No byte but padding, and of that no more than a record."""
    assert BundleRefusal.ARCHIVE_TRAILING == refusal_of(archive(MEMBERS) + trailing)


def test_padding_comes_in_blocks() -> None:
    """A part of a block is a cut archive."""
    assert BundleRefusal.ARCHIVE_CUT == refusal_of(archive(MEMBERS) + bytes(100))


def test_one_block_of_zeros_is_no_end() -> None:
    """A member after it would be read by some tools and not by others."""
    assert BundleRefusal.ARCHIVE_TRAILING == refusal_of(bytes(BLOCK_BYTES) + archive(MEMBERS))


def test_a_member_is_read_before_the_next() -> None:
    """To go on without reading is a caller's mistake, not the bundle's."""
    reader = ArchiveReader(io.BytesIO(archive(MEMBERS)))
    reader.next_member(most_bytes=MOST_BYTES)
    with pytest.raises(RuntimeError, match="not read"):
        reader.next_member(most_bytes=MOST_BYTES)


def test_the_end_stays_the_end() -> None:
    """Who asks again is told the same."""
    reader = ArchiveReader(io.BytesIO(END))
    assert reader.next_member(most_bytes=1) is None
    assert reader.next_member(most_bytes=1) is None
