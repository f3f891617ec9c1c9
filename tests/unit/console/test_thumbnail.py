"""Pictures in a terminal."""

import numpy as np
import pytest

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.console.thumbnail import UPPER_HALF, decode, jpeg_size, thumbnail
from simulators.appliance import jpeg_of, noise


def test_the_announced_size_is_read_without_decoding() -> None:
    """It is the size that the picture then has."""
    jpeg = jpeg_of(noise(30, 50))
    assert SizeWH(50, 30) == jpeg_size(jpeg)
    pixels = decode(jpeg)
    assert pixels is not None
    assert (30, 50, 3) == pixels.shape


@pytest.mark.parametrize("untrusted", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\x00\x00", b"\xff\xd8\xff\xe0\x00\x01" * 9])
def test_what_announces_no_size_is_no_picture(untrusted: bytes) -> None:
    """Cut short or going in circles."""
    assert jpeg_size(untrusted) is None
    assert decode(untrusted) is None


def test_a_picture_that_announces_too_much_is_not_decoded() -> None:
    """A few bytes do not allocate a gigabyte."""
    jpeg = bytearray(jpeg_of(noise(30, 50)))
    place = jpeg.index(b"\xff\xc0")
    jpeg[place + 5 : place + 9] = b"\xff\xff\xff\xff"
    assert SizeWH(65_535, 65_535) == jpeg_size(bytes(jpeg))
    assert decode(bytes(jpeg)) is None


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
