"""Pictures in a terminal."""

import numpy as np
import pytest

from edge_lfr.console.thumbnail import MAX_SIDE_PX, UPPER_HALF, decode, thumbnail
from simulators.appliance import jpeg_of, noise
from simulators.pictures import JPEG_DISGUISES, disguised


def test_a_picture_is_decoded() -> None:
    """With the size that it announces, also behind fill bytes, of which there may be any number."""
    jpeg = jpeg_of(noise(30, 50))
    for each in (jpeg, jpeg[:2] + b"\xff" * 5 + jpeg[2:]):
        pixels = decode(each)
        assert pixels is not None
        assert (30, 50, 3) == pixels.shape


@pytest.mark.parametrize(
    "untrusted",
    [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\x00\x00", b"\xff\xd8\xff\xe0\x00\x01" * 9, b"\xff" * 99],
)
def test_what_announces_no_size_is_no_picture(untrusted: bytes) -> None:
    """Cut short or going in circles."""
    assert decode(untrusted) is None


def test_a_picture_that_announces_too_much_is_not_decoded() -> None:
    """A few bytes do not allocate a gigabyte."""
    jpeg = bytearray(jpeg_of(noise(30, 50)))
    place = jpeg.index(b"\xff\xc0")
    jpeg[place + 5 : place + 9] = b"\xff\xff\xff\xff"
    assert decode(bytes(jpeg)) is None


@pytest.mark.parametrize("disguise", JPEG_DISGUISES)
def test_the_size_is_the_one_that_the_decoder_will_find(disguise: bytes) -> None:
    """A small size that stands where only a careless reader looks does not get a large picture decoded."""
    large = jpeg_of(np.zeros((MAX_SIDE_PX + 8, MAX_SIDE_PX + 8, 3), np.uint8))
    assert decode(disguised(large, disguise)) is None


def test_a_thumbnail_shows_two_pixels_a_character() -> None:
    """Upper pixel as ink, lower as paper; the picture's shape is kept."""
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:20] = (0, 0, 255)
    pixels[20:] = (255, 0, 0)
    text = thumbnail(jpeg_of(pixels), columns=10, lines=9)
    lines = text.plain.split("\n")
    assert [UPPER_HALF * 10] * 5 == lines
    style = text.spans[0].style
    assert not isinstance(style, str)
    assert style.color is not None
    assert style.color.triplet is not None
    assert style.color.triplet.red > 200
    assert style.color.triplet.blue < 50


def test_words_stand_where_there_is_no_picture() -> None:
    """Absent and unreadable are told apart."""
    assert "(no picture)" == thumbnail(None, columns=10, lines=10).plain
    assert "(unreadable picture)" == thumbnail(b"x", columns=10, lines=10).plain
