"""
JSON that two readers cannot understand in two ways: untrusted bytes enter, a tree of plain values leaves.

Refused are a name that stands twice in one object, NaN and infinities, numbers that become one, deep nesting, and more
names or items than anything of ours has: whatever judges the tree may name each of them in an error.
"""

import json
import math
from typing import Final

MAX_NAMES: Final = 64
"""In one object. An authority has 24 (chosen, not measured)."""


class NotStrictJsonError(ValueError):
    """What was read; the message names a rule and repeats nothing."""


def read_strict_json(untrusted: bytes, *, max_depth: int, max_items: int | None = None) -> object:
    """
    Read one JSON value; the caller has bounded the number of bytes.

    Args:
        untrusted: What somebody wrote.

        max_depth: How deep objects and lists may nest.

        max_items: In one list; None where the caller's own form bounds every list.

    Raises:
        NotStrictJsonError: It is no JSON in UTF-8, or says something twice, without bound, or too deep.
    """
    try:
        tree: object = json.loads(
            untrusted.decode("utf-8"),
            object_pairs_hook=_without_doubles,
            parse_constant=_refuse_number,
            parse_float=_finite,
        )
    except NotStrictJsonError:
        raise
    except RecursionError:
        raise _too_deep(max_depth) from None
    except ValueError:  # also of bytes that are no UTF-8, and of whole numbers with thousands of digits
        message = "not JSON in UTF-8"
        raise NotStrictJsonError(message) from None
    if _is_deeper(tree, max_depth):
        raise _too_deep(max_depth)
    if max_items is not None and _is_longer(tree, max_items):
        raise NotStrictJsonError(f"more than {max_items} items in one list")
    return tree


def _too_deep(max_depth: int) -> NotStrictJsonError:
    return NotStrictJsonError(f"nested more than {max_depth} deep")


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(pairs) > MAX_NAMES:
        raise NotStrictJsonError(f"more than {MAX_NAMES} names in one object")
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "a name stands twice in one object"
        raise NotStrictJsonError(message)
    return found


def _refuse_number(_text: str) -> object:
    message = "a number that is not finite"
    raise NotStrictJsonError(message)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse_number(text)
    return number


def _is_deeper(tree: object, most: int) -> bool:
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else None
    return inner is not None and (most == 0 or any(_is_deeper(each, most - 1) for each in inner))


def _is_longer(tree: object, most: int) -> bool:
    """Whether any list has more items; after the depth was judged."""
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return (isinstance(tree, list) and len(tree) > most) or any(_is_longer(each, most) for each in inner)
