"""Whatever is wrong with a TOML file is one kind of error, also where the parser's own is another."""

import tomllib

import pytest

from edge_lfr.config.bounded_toml import read_toml


def test_toml_is_read() -> None:
    """Any value that TOML knows."""
    assert {"a": {"b": [1, 2.5, "x"]}} == read_toml(b'[a]\nb = [1, 2.5, "x"]\n')


@pytest.mark.parametrize(
    "untrusted",
    [
        b"a = " + b"[" * 1_000,
        b"a = " + b"[" * 1_000 + b"]" * 1_000,
        b"a = " + b"{a=" * 1_000 + b"1" + b"}" * 1_000,
        b".".join([b"a"] * 900) + b" = 1",
        b"[" + b".".join([b"a"] * 33) + b"]",
        b"a = " + b"[" * 33 + b"]" * 33,
        b"a = " + b"9" * 5_000,
        b"a = 2026-02-30T00:00:00Z",
        b"a = 1\na = 2",
        b"a",
    ],
)
def test_what_cannot_be_read_is_no_toml(untrusted: bytes) -> None:
    """What is nested deeper than a stack and numbers of thousands of digits end in no other error than a typo."""
    with pytest.raises(tomllib.TOMLDecodeError):
        read_toml(untrusted)


def test_what_nests_within_the_bound_is_read() -> None:
    """The bound counts tables, lists and the values in them."""
    assert read_toml(b"a = " + b"[" * 30 + b"1" + b"]" * 30)


def test_other_encodings_are_told_apart() -> None:
    """Who saved it wrongly is told so."""
    with pytest.raises(UnicodeDecodeError):
        read_toml(b"a = '\xff'")
