"""Untrusted pictures: bounds first, decoding in a child, one small JPEG out."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.pictures.build_pictures import build, encoded, gradient, noise, pictures
from edge_lfr.biometrics.geometry import BoxXYXY, SizeWH
from edge_lfr.watchlist.enrolling import decoding
from edge_lfr.watchlist.enrolling.decoding import PictureDecoder
from edge_lfr.watchlist.enrolling.pictures import (
    MAX_FILE_BYTES,
    EncodedPicture,
    PictureReason,
    PictureRefusedError,
    PictureType,
    check_picture,
    header_size,
    picture_type,
    read_picture,
)
from edge_lfr.watchlist.enrolling.thumbnails import MAX_BYTES, thumbnail
from simulators.pictures import JPEG_DISGUISES, disguised

REFUSED = {
    "cut-at-the-end.bmp": PictureReason.BROKEN,
    "cut-at-the-end.jpg": PictureReason.BROKEN,
    "cut-at-the-end.png": PictureReason.BROKEN,
    "cut-at-the-end.webp": PictureReason.BROKEN,
    "cut-in-half.bmp": PictureReason.BROKEN,
    "cut-in-half.jpg": PictureReason.BROKEN,
    "cut-in-half.png": PictureReason.BROKEN,
    "cut-in-half.webp": PictureReason.BROKEN,
    "damaged-in-the-middle.png": PictureReason.BROKEN,
    "ends-in-the-middle.jpg": PictureReason.BROKEN,
    "empty.jpg": PictureReason.TYPE,
    "gif-named.jpg": PictureReason.TYPE,
    "huge-20000x20000.bmp": PictureReason.TOO_LARGE,
    "huge-20000x20000.jpg": PictureReason.TOO_LARGE,
    "huge-20000x20000.png": PictureReason.TOO_LARGE,
    "huge-20000x20000.webp": PictureReason.TOO_LARGE,
    "huge-4000000000x4000000000.png": PictureReason.TOO_LARGE,
    "huge-topdown-20000x20000.bmp": PictureReason.TOO_LARGE,
    "larger-than-its-rows.bmp": PictureReason.BROKEN,
    "long-12001x1.png": PictureReason.TOO_LARGE,
    "no-pixels.jpg": PictureReason.BROKEN,
    "no-pixels.png": PictureReason.BROKEN,
    "only-magic.bmp": PictureReason.BROKEN,
    "only-magic.jpg": PictureReason.BROKEN,
    "only-magic.png": PictureReason.BROKEN,
    "only-magic.webp": PictureReason.BROKEN,
    "pdf-named.jpg": PictureReason.TYPE,
    "png-named.bmp": PictureReason.MISNAMED,
    "png-named.jpg": PictureReason.MISNAMED,
    "png-named.webp": PictureReason.MISNAMED,
    "scan-before-frame.jpg": PictureReason.BROKEN,
    "segments-without-end.jpg": PictureReason.BROKEN,
    "text-named.jpg": PictureReason.TYPE,
}


SUFFIXES = (".jpg", ".png", ".webp", ".bmp")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures")
    build(path)
    return path


@pytest.fixture(scope="module")
def decoder() -> Iterator[PictureDecoder]:
    with PictureDecoder() as decoder:
        yield decoder


def reason(path: Path, decoder: PictureDecoder) -> PictureReason:
    with pytest.raises(PictureRefusedError) as caught:
        decoder.decode(read_picture(path))
    assert path.name not in caught.value.message
    return caught.value.reason


@pytest.mark.parametrize(("name", "expected"), REFUSED.items(), ids=REFUSED)
def test_a_defect_has_its_reason(folder: Path, decoder: PictureDecoder, name: str, expected: PictureReason) -> None:
    """Every defective file is refused with its own reason, and the decoder goes on to the next."""
    assert expected is reason(folder / name, decoder)


def test_every_asset_is_tested() -> None:
    """A file that the generator makes is either refused here or read below."""
    read = {name for name in pictures() if name.startswith("good")} | {"turned-by-exif.jpg"}

    assert set(pictures()) == read | set(REFUSED)


@pytest.mark.parametrize("name", [name for name in pictures() if name.startswith("good")])
def test_a_good_picture_is_decoded(folder: Path, decoder: PictureDecoder, name: str) -> None:
    """The pixels are those that OpenCV gives in this process, and the header had told their size."""
    picture = read_picture(folder / name)

    assert SizeWH(96, 64) == picture.size
    assert np.array_equal(np.asarray(cv2.imread(str(folder / name))), decoder.decode(picture))


@pytest.mark.parametrize("name", [name for name in pictures() if name.startswith("good")])
def test_a_picture_in_memory_is_checked_like_a_file(folder: Path, name: str) -> None:
    """The same type and size, and the type that somebody promised for it has to be the one that is found."""
    untrusted = (folder / name).read_bytes()
    found = check_picture(untrusted, None)

    assert read_picture(folder / name) == found == check_picture(untrusted, found.type)
    for promised in set(PictureType) - {found.type}:
        with pytest.raises(PictureRefusedError) as caught:
            check_picture(untrusted, promised)
        assert PictureReason.MISNAMED is caught.value.reason


def test_a_picture_in_memory_is_bounded() -> None:
    """One byte more than a file may have is refused before anything else of it is looked at."""
    largest = encoded(".jpg", gradient()).ljust(MAX_FILE_BYTES, b"\0")

    assert PictureType.JPEG is check_picture(largest, PictureType.JPEG).type
    with pytest.raises(PictureRefusedError) as caught:
        check_picture(largest + b"\0", PictureType.PNG)
    assert PictureReason.TOO_LARGE is caught.value.reason


def test_exif_orientation_is_respected(folder: Path, decoder: PictureDecoder) -> None:
    """A picture that says so is turned: the red corner is at the top right."""
    pixels = decoder.decode(read_picture(folder / "turned-by-exif.jpg"))

    assert (96, 64, 3) == pixels.shape
    assert [False, True] == [bool(pixels[8, column, 2] > 200) for column in (8, 56)]


def test_what_is_no_plain_file_is_missing(tmp_path: Path, decoder: PictureDecoder) -> None:
    """A missing file, a folder, a link put there later, and a pipe that nobody writes to: none makes the load wait."""
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "link.jpg").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe.jpg")

    for name in ("missing.jpg", "folder.jpg", "link.jpg", "pipe.jpg"):
        assert PictureReason.MISSING is reason(tmp_path / name, decoder)


def test_a_large_file_is_refused_without_reading_it_whole(tmp_path: Path, decoder: PictureDecoder) -> None:
    """A sparse file of a terabyte takes no memory and no time."""
    with (tmp_path / "large.jpg").open("wb") as file:
        file.truncate(1024**4)
    assert PictureReason.TOO_LARGE is reason(tmp_path / "large.jpg", decoder)

    (tmp_path / "good.jpg").write_bytes(encoded(".jpg", gradient()).ljust(MAX_FILE_BYTES + 1, b"\0"))
    assert PictureReason.TOO_LARGE is reason(tmp_path / "good.jpg", decoder)


def test_a_picture_that_takes_too_long_is_refused(folder: Path) -> None:
    """The child is killed, and the next picture gets another one."""
    with PictureDecoder(timeout_s=0.0, start_s=0.0) as hurried:
        assert PictureReason.BROKEN is reason(folder / "good.jpg", hurried)
        hurried._timeout_s = 20.0
        assert (64, 96, 3) == hurried.decode(read_picture(folder / "good.png")).shape


@pytest.mark.parametrize("name", ["good.jpg", "large.png"])
def test_a_child_that_hangs_hangs_nobody(folder: Path, name: str) -> None:
    """Whether it takes no more bytes or gives none: the picture is refused in time, and the next one is decoded."""
    if name == "large.png":
        noise = np.random.default_rng(1).integers(0, 256, (1_200, 1_600, 3), dtype=np.uint8)
        (folder / name).write_bytes(encoded(".png", noise))  # more than a pipe holds
    with PictureDecoder(timeout_s=0.5) as decoder:
        decoder.decode(read_picture(folder / "good.png"))
        hanging = decoder._child
        assert hanging is not None
        hanging.send_signal(signal.SIGSTOP)
        assert PictureReason.BROKEN is reason(folder / name, decoder)
        assert hanging.returncode is not None
        assert (64, 96, 3) == decoder.decode(read_picture(folder / "good.png")).shape


def test_a_child_may_take_its_time_to_start(folder: Path) -> None:
    """On a busy machine the first picture waits for its child, and is not refused for that."""
    with PictureDecoder(timeout_s=0.0, start_s=60.0) as patient:
        assert (64, 96, 3) == patient.decode(read_picture(folder / "good.png")).shape


def test_a_child_that_died_between_two_pictures_is_replaced(folder: Path) -> None:
    """The kernel may take it when memory is short: the next picture is as good as before."""
    picture = read_picture(folder / "good.jpg")
    with PictureDecoder() as decoder:
        before = decoder.decode(picture)
        child = decoder._child
        assert child is not None
        child.kill()
        child.wait()
        assert np.array_equal(before, decoder.decode(picture))


def test_a_child_that_dies_as_the_picture_comes_is_replaced_once(folder: Path) -> None:
    """Nobody has noticed yet that it died; a fresh child shows that the picture is good."""
    picture = read_picture(folder / "good.jpg")
    with PictureDecoder() as decoder:
        before = decoder.decode(picture)
        child = decoder._child
        assert child is not None
        assert child.stdin is not None
        nobody_reads, pipe = os.pipe()
        os.close(nobody_reads)
        os.dup2(pipe, child.stdin.fileno())
        os.close(pipe)
        assert np.array_equal(before, decoder.decode(picture))


def test_small_pipes_do_as_well(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one user's pipes may hold together is limited; beyond it, pictures pass in more turns."""
    monkeypatch.setattr(decoding, "PIPE_BYTES", -1)  # refused by the kernel, as a large pipe is beyond the limit
    with PictureDecoder() as decoder:
        assert decoder.decode(read_picture(folder / "good.jpg")).any()


def test_the_child_has_nothing_to_lose(folder: Path) -> None:
    """No variable of ours, no open file of ours, and limits on what it may take."""
    with PictureDecoder() as decoder, (folder / "good.jpg").open("rb"):
        decoder.decode(read_picture(folder / "good.jpg"))
        assert decoder._child is not None
        proc = Path(f"/proc/{decoder._child.pid}")
        lines = (proc / "environ").read_bytes().split(b"\0")  # the C library cuts its own variable at the colons
        variables = {line.split(b"=")[0] for line in lines if line and not line.startswith(b"glibc.")}
        limits = (proc / "limits").read_text()
        opened = [str(link.readlink()) for link in (proc / "fd").iterdir()]

    assert {b"PATH", b"LC_ALL", b"GLIBC_TUNABLES", b"OPENBLAS_NUM_THREADS", b"OPENCV_IO_MAX_IMAGE_PIXELS"} == variables
    assert "Max open files            0                    0" in limits
    assert [] == [name for name in opened if not name.startswith(("pipe:", "/memfd:", "/dev/null", "/dev/urandom"))]


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=200), magic=st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF"]))
def test_any_header_gives_a_size_or_a_reason(content: bytes, magic: bytes) -> None:
    """The header readers end, and end in one of the two ways."""
    untrusted = magic + (b"1234WEBP" if magic == b"RIFF" else b"") + content

    try:
        size = header_size(untrusted, picture_type(untrusted))
    except PictureRefusedError:
        return
    assert min(size.width, size.height) >= 1


@settings(max_examples=60, deadline=None)
@given(
    position=st.integers(0, 5000), value=st.integers(0, 255), suffix=st.sampled_from([".jpg", ".png", ".webp", ".bmp"])
)
def test_a_changed_byte_is_decoded_or_refused(decoder: PictureDecoder, position: int, value: int, suffix: str) -> None:
    """A file with one other byte never ends the load."""
    content = bytearray(pictures()[f"good{suffix}"])
    content[position % len(content)] = value
    untrusted = bytes(content)

    try:
        kind = picture_type(untrusted)
        size = header_size(untrusted, kind)
        if size.width * size.height > 1_000_000:
            return
        pixels = decoder.decode(EncodedPicture(untrusted, kind, size))
    except PictureRefusedError:
        return
    assert {size.width, size.height} == set(pixels.shape[:2])


@pytest.mark.parametrize("disguise", JPEG_DISGUISES)
def test_a_header_says_what_the_decoder_will_find(disguise: bytes) -> None:
    """Or nothing: a size that stands where only a careless reader looks is not believed."""
    large = encoded(".jpg", gradient())
    announced = header_size(large, PictureType.JPEG)
    try:
        size = header_size(disguised(large, disguise), PictureType.JPEG)
    except PictureRefusedError:
        return
    assert announced == size


def test_the_types_are_the_four() -> None:
    """Nothing else is ever given to the image library."""
    assert {"jpeg", "png", "webp", "bmp"} == set(PictureType)


def test_a_thumbnail_shows_the_face_with_its_surroundings() -> None:
    """The longest side is 240 pixels, the margin 40 % of the face, and what lies outside is left out."""
    pixels = np.repeat(np.repeat(gradient(), 10, axis=0), 10, axis=1)

    small = cv2.imdecode(np.frombuffer(thumbnail(pixels, BoxXYXY(0, 0, 160, 160)), np.uint8), cv2.IMREAD_COLOR)

    assert small is not None
    assert (224, 224, 3) == small.shape
    assert small[100, 100, 2] > 200 > small[200, 200, 2]


def test_a_thumbnail_keeps_its_bound() -> None:
    """Also of a picture that hardly compresses, and of one that is narrow as a thread."""
    rough = np.random.default_rng(1).integers(0, 256, (600, 600, 3), dtype=np.uint8)

    assert len(thumbnail(rough, BoxXYXY(100, 100, 500, 500))) <= MAX_BYTES
    assert len(thumbnail(noise()[:, :1], BoxXYXY(0, 0, 1, 200))) <= MAX_BYTES
