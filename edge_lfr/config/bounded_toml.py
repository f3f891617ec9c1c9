"""TOML from outside: untrusted bytes enter, a tree leaves, and whatever is wrong with them is one kind of error."""

import tomllib
from typing import Any


def read_toml(untrusted: bytes) -> dict[str, Any]:
    """
    Read a TOML file; the caller has bounded the number of bytes.

    Raises:
        UnicodeDecodeError: It is not UTF-8.
        tomllib.TOMLDecodeError: It is no TOML, nests deeper than the parser's stack, or has a number with thousands of
            digits.
    """
    try:
        return tomllib.loads(untrusted.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise
    except RecursionError:
        message = "nested too deep"
        raise tomllib.TOMLDecodeError(message) from None
    except ValueError:  # the interpreter's own bound of a number's digits
        message = "a number with too many digits"
        raise tomllib.TOMLDecodeError(message) from None
