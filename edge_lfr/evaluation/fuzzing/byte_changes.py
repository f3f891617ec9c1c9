"""Changes by somebody who knows nothing of the form: bytes turned, put in, taken out, repeated, exchanged, cut."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final

MOST_CHANGES: Final = 4
"""Of one specimen; more make noise that the first check refuses. Chosen, not measured."""

MOST_BYTES: Final = 64 * 1024
"""Of what a change puts in; chosen, not measured."""

TOKENS: Final = (
    b"\0",
    b"\xff",
    b'"',
    b"\\",
    b"[",
    b"{",
    b"}",
    b"]",
    b",",
    b"\n",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"null",
    b"NaN",
    b"1e999",
    b"-0",
    b"\\ud800",
    b"\\u0000",
    b"\xe2\x80\xae",
    b"../",
    b"9" * 400,
    b"[" * 300,
    b'{"a":' * 300,
)
"""What readers of text stumble over."""

BOUNDARIES: Final = tuple(
    number + away
    for bits in (0, 7, 8, 15, 16, 31, 32, 53, 63, 64, 200)
    for number in (1 << bits,)
    for away in (-1, 0, 1)
)
"""Where the width of a number ends."""

Change = Callable[[Random, bytes, Sequence[bytes]], bytes]


def changed_bytes(drawn: Random, specimens: Sequence[bytes]) -> tuple[bytes, str]:
    """One specimen with one to four changes, and their names."""
    before = drawn.choice(specimens)
    names = [drawn.choice(tuple(CHANGES)) for _ in range(drawn.randint(1, MOST_CHANGES))]
    for name in names:
        before = CHANGES[name](drawn, before, specimens)
    return before, "+".join(names)


def _place(drawn: Random, content: bytes) -> int:
    return drawn.randrange(len(content) + 1)


def _span(drawn: Random, content: bytes) -> tuple[int, int]:
    """Short ones mostly; the whole now and then."""
    start = _place(drawn, content)
    longest = max(1, len(content) >> drawn.randint(0, 10))
    return start, min(len(content), start + drawn.randint(1, longest))


def _flip(drawn: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    if not content:
        return content
    place = drawn.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << drawn.randrange(8)]) + content[place + 1 :]


def _overwrite(drawn: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(drawn, content)
    return content[:start] + drawn.randbytes(end - start) + content[end:]


def _insert(drawn: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    place = _place(drawn, content)
    token = drawn.choice(TOKENS) if drawn.random() < 1 / 2 else drawn.randbytes(drawn.randint(1, 40))
    return content[:place] + token + content[place:]


def _delete(drawn: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(drawn, content)
    return content[:start] + content[end:]


def _repeat(drawn: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(drawn, content)
    times = drawn.choice((1, 1, 2, 40))
    return content[:end] + (content[start:end] * times)[:MOST_BYTES] + content[end:]


def _swap(drawn: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    places = sorted(_place(drawn, content) for _ in range(4))
    first, second, third, fourth = places
    return content[:first] + content[third:fourth] + content[second:third] + content[first:second] + content[fourth:]


def _cut(drawn: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    return content[: _place(drawn, content)]


def _splice(drawn: Random, content: bytes, specimens: Sequence[bytes]) -> bytes:
    other = drawn.choice(specimens)
    return content[: _place(drawn, content)] + other[_place(drawn, other) :]


def _number(drawn: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """Another number in place of one that stands there, in digits or in bytes."""
    place = _place(drawn, content)
    number = drawn.choice(BOUNDARIES)
    begin = next((at for at in range(place, len(content)) if content[at : at + 1].isdigit()), None)
    if begin is None or drawn.random() < 1 / 4:
        width = drawn.choice((1, 2, 4, 8))
        raw = (number % (1 << 8 * width)).to_bytes(width, drawn.choice(("big", "little")))
        return content[:place] + raw + content[place + width :]
    end = next((at for at in range(begin, len(content)) if not content[at : at + 1].isdigit()), len(content))
    sign = drawn.choice((b"", b"", b"-"))
    return content[:begin] + sign + str(number).encode() + content[end:]


CHANGES: Final[Mapping[str, Change]] = {
    "flip": _flip,
    "overwrite": _overwrite,
    "insert": _insert,
    "delete": _delete,
    "repeat": _repeat,
    "swap": _swap,
    "cut": _cut,
    "splice": _splice,
    "number": _number,
}
