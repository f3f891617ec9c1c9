"""Authenticated encryption: what was sealed for a place opens there and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_lfr.errors import SealBrokenError
from edge_lfr.governance.seal import KEY_BYTES, NONCE_BYTES, TAG_BYTES, Seal, new_key

KEY = bytes(range(KEY_BYTES))


@given(plain=st.binary(max_size=300), context=st.text(max_size=30))
def test_what_is_sealed_opens_in_its_place(plain: bytes, context: str) -> None:
    """Sealing and opening with the same key and context give the bytes back."""
    seal = Seal(KEY)

    assert plain == seal.open(seal.seal(plain, context=context), context=context)


@given(plain=st.binary(max_size=100), position=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_changed_bit_breaks_the_seal(plain: bytes, position: int, bit: int) -> None:
    """Nonce, content and tag are all covered."""
    seal = Seal(KEY)
    changed = bytearray(seal.seal(plain, context="here"))
    changed[position % len(changed)] ^= 1 << bit

    with pytest.raises(SealBrokenError):
        seal.open(bytes(changed), context="here")


@given(context=st.text(max_size=30).filter(lambda text: text != "here"))
def test_another_place_breaks_the_seal(context: str) -> None:
    """A row cannot be moved to where another row is expected."""
    seal = Seal(KEY)

    with pytest.raises(SealBrokenError):
        seal.open(seal.seal(b"content", context="here"), context=context)


def test_another_key_breaks_the_seal() -> None:
    """Nothing opens without the key."""
    with pytest.raises(SealBrokenError):
        Seal(new_key()).open(Seal(KEY).seal(b"content", context="here"), context="here")


@pytest.mark.parametrize("size", [0, 1, NONCE_BYTES, NONCE_BYTES + TAG_BYTES - 1])
def test_bytes_too_short_to_be_sealed_are_told(size: int) -> None:
    """A cut file is a broken seal, not an index error."""
    with pytest.raises(SealBrokenError, match="too short"):
        Seal(KEY).open(bytes(size), context="here")


def test_the_same_content_is_sealed_differently_each_time() -> None:
    """The nonce is random: equal rows cannot be told to be equal."""
    seal = Seal(KEY)

    assert seal.seal(b"content", context="here") != seal.seal(b"content", context="here")


def test_a_buffer_is_sealed_without_becoming_bytes() -> None:
    """A view of memory that its owner will zero can be sealed as it is."""
    seal = Seal(KEY)

    assert b"content" == seal.open(seal.seal(memoryview(bytearray(b"content")), context="here"), context="here")


@given(plain=st.binary(min_size=1, max_size=300), context=st.text(max_size=30))
def test_what_is_sealed_opens_in_the_callers_memory(plain: bytes, context: str) -> None:
    """The same bytes as in an object of their own, and nothing beside them is touched."""
    seal, memory = Seal(KEY), bytearray(b"<" + bytes(len(plain)) + b">")

    seal.open_into(seal.seal(plain, context=context), memoryview(memory)[1:-1], context=context)

    assert b"<" + plain + b">" == memory


@given(plain=st.binary(max_size=100), position=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_changed_bit_does_not_open_in_the_callers_memory(plain: bytes, position: int, bit: int) -> None:
    """Nonce, content and tag are all covered there, too."""
    seal = Seal(KEY)
    changed = bytearray(seal.seal(plain, context="here"))
    changed[position % len(changed)] ^= 1 << bit

    with pytest.raises(SealBrokenError, match="do not open"):
        seal.open_into(bytes(changed), memoryview(bytearray(len(plain))), context="here")


@pytest.mark.parametrize("length", [0, 6, 8])
def test_another_length_than_was_sealed_is_told(length: int) -> None:
    """Bytes that would not fill the caller's memory, or run over it, are a broken seal."""
    seal = Seal(KEY)

    with pytest.raises(SealBrokenError, match=f"expected {length + 28} sealed bytes, found 35"):
        seal.open_into(seal.seal(b"content", context="here"), memoryview(bytearray(length)), context="here")
