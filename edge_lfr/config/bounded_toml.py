"""TOML from outside: untrusted bytes enter, a tree leaves, and whatever is wrong with them is one kind of error."""

import tomllib
from collections.abc import Iterable
from typing import Any, Final

MAX_DEPTH: Final = 32
"""A configuration nests six deep (chosen, not measured)."""


def read_toml(untrusted: bytes) -> dict[str, Any]:
    """
    Read a TOML file; the caller has bounded the number of bytes.

    Raises:
        UnicodeDecodeError: It is not UTF-8.
        tomllib.TOMLDecodeError: It is no TOML, nests more than `MAX_DEPTH` deep, or has an endless number.
    """
    try:
        tree = tomllib.loads(untrusted.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # the interpreter's own bound of a number's digits
        message = "a number with too many digits"
        raise tomllib.TOMLDecodeError(message) from None
    _require_flat(tree)
    return tree


def _require_flat(tree: object) -> None:
    """Dotted keys nest without the parser's stack noticing, and whoever walks the tree has one, too."""
    layer = [tree]
    for _ in range(MAX_DEPTH):
        layer = [inner for value in layer for inner in _inside(value)]
        if not layer:
            return
    raise _too_deep()


def _inside(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _too_deep() -> tomllib.TOMLDecodeError:
    return tomllib.TOMLDecodeError(f"nested more than {MAX_DEPTH} deep")
