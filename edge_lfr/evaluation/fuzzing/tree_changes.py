"""Changes by somebody who knows that it is JSON or TOML: one value of the tree becomes another that readers dislike."""

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any, Final, TypeAlias

Path: TypeAlias = tuple[str | int, ...]

DEEP: Final = 60
"""Deeper than any document of ours may be nested; chosen."""

TIMES: Final = (
    "0001-01-01T00:00:00+23:59",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999-23:59",
    "9999-12-31T23:59:59Z",
    "1970-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-06-01T12:00:00",
    "2026-06-01T24:00:00Z",
    "2026-06-01T23:59:60Z",
    "2026-06-01T12:00:00+00:00:00.000001",
    "0001-01-01",
    "9999-12-31",
    "20260601T120000Z",
    "2026-W23-1",
)
"""Where calendars end, and forms that one reader takes and another does not."""

TEXTS: Final = (
    "",
    " ",
    "\0",
    "a\nb",
    "\x1b[2J",
    "\u202eabc",
    "\ud800",
    "\uffff",
    "\u0660\u0661",
    "e\u0301",
    "../../etc/passwd",
    "/dev/zero",
    "TODO",
    "unknown",
    "true",
    "null",
    "NaN",
    "%s%n{0}",
    "a" * 65,
    "a" * 5_000,
    "=" * 88,
    "0" * 64,
    "Zg" * 44,
)
"""What readers of text stumble over."""

NUMBERS: Final = (
    0,
    -1,
    1,
    0.5,
    -0.0,
    1e-320,
    1e308,
    -1e308,
    float("inf"),
    float("nan"),
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    -(2**63) - 1,
    10**300,
    10**400,
    True,
    False,
)
"""Where the widths of numbers end, and what is none."""


def paths_of(tree: Any, above: Path = ()) -> Iterator[Path]:  # noqa: ANN401 - any JSON value
    """Every place of a tree, the root first."""
    yield above
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from paths_of(value, (*above, key))


def value_at(tree: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON value
    """What stands there."""
    for step in path:
        tree = tree[step]
    return tree


def hostile_value(drawn: Random, before: object) -> Any:  # noqa: ANN401 - any JSON value
    """Another value than *before*, mostly of a kind that could stand there."""
    if isinstance(before, str) and before[:2] in {"20", "19"} and drawn.random() < 1 / 2:
        return drawn.choice(TIMES)
    if isinstance(before, int | float) and drawn.random() < 1 / 2:
        return drawn.choice(NUMBERS)
    if isinstance(before, str) and before and drawn.random() < 1 / 4:
        place = drawn.randrange(len(before))
        return before[:place] + drawn.choice(TEXTS) + before[place + 1 :]
    nested: Any = drawn.choice(([], {}, 0, "a"))
    for _ in range(drawn.choice((0, 1, 3, DEEP))):
        nested = [nested] if drawn.random() < 1 / 2 else {"a": nested}
    return drawn.choice((None, nested, drawn.choice(TEXTS), drawn.choice(TIMES), drawn.choice(NUMBERS)))


def changed_tree(drawn: Random, tree: Any) -> tuple[Any, str]:  # noqa: ANN401 - any JSON value
    """A copy with one place changed, and the name of the change."""
    made = copy.deepcopy(tree)
    path = drawn.choice([path for path in paths_of(made) if path] or [()])
    key: Any
    if not path:
        return hostile_value(drawn, made), "root"
    above, key = value_at(made, path[:-1]), path[-1]
    name = drawn.choice(("replace", "replace", "replace", "remove", "double", "rename", "add", "exchange"))
    match name:
        case "remove":
            del above[key]
        case "double" if isinstance(above, list):
            above[key : key + 1] = [above[key]] * drawn.choice((2, 2, 40, 3_000))
        case "rename" if isinstance(above, dict):
            above[drawn.choice(TEXTS)] = above.pop(key)
        case "add" if isinstance(above, dict):
            above[drawn.choice((*TEXTS, "schema", "kind"))] = hostile_value(drawn, None)
        case "exchange":
            other = value_at(made, drawn.choice(list(paths_of(tree))))
            above[key] = copy.deepcopy(other)
        case _:
            above[key] = hostile_value(drawn, above[key])
    return made, name


def json_bytes(drawn: Random, tree: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """As JSON, also with what JSON does not know; now and then with a name that stands twice."""
    text = json.dumps(
        tree, ensure_ascii=drawn.random() < 1 / 2 or _has_surrogates(tree), indent=drawn.choice((None, 1))
    )
    if drawn.random() < 1 / 20 and isinstance(tree, dict) and tree:
        name = drawn.choice(list(tree))
        text = f"{{{json.dumps(name)}: {json.dumps(hostile_value(drawn, tree[name]))}, {text[1:]}"
    return text.encode("utf-8")


def _has_surrogates(tree: object) -> bool:
    try:
        json.dumps(tree, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


TOML_VALUES: Final = (
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999-23:59",
    "2026-06-01T12:00:00",
    "2026-06-01",
    "12:00:00",
    "2026-02-30T00:00:00Z",
    "nan",
    "-inf",
    "1e400",
    str(10**400),
    "9" * 4_000,
    "9" * 5_000,
    "0x" + "f" * 300,
    "true",
    '""',
    '"\\u0000"',
    '"\\ud800"',
    '"\\u202e"',
    '"\\u001b[2J"',
    "'''\na\n'''",
    "{}",
    "[]",
    "[" * 1_000,
    "[" * 1_000 + "]" * 1_000,
    "{a=" * 600 + "1" + "}" * 600,
    ".".join("a" * 1_000) + " = 1",
)
"""What readers of TOML stumble over."""


def changed_toml(drawn: Random, specimen: bytes) -> tuple[bytes, str]:
    """One line of a TOML file changed, and the name of the change."""
    lines = specimen.decode("utf-8").splitlines()
    places = [place for place, line in enumerate(lines) if "=" in line]
    place = drawn.choice(places)
    key, _, before = lines[place].partition("=")
    name = drawn.choice(("value", "value", "value", "text", "remove", "double", "key", "table"))
    match name:
        case "text":
            lines[place] = f"{key}= {json.dumps(drawn.choice((*TEXTS, *TIMES)))}"
        case "remove":
            del lines[place]
        case "double":
            lines.insert(place, lines[drawn.choice(places)])
        case "key":
            lines[place] = f"{drawn.choice(('a.b', 'a' * 300, '.'.join('a' * 900), chr(34) * 2))} ={before}"
        case "table":
            lines.insert(place, drawn.choice(("[a]", "[[a]]", "[profiles]", "[" + ".".join("a" * 900) + "]")))
        case _:
            lines[place] = f"{key}= {drawn.choice(TOML_VALUES)}"
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass"), name
