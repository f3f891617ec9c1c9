"""The JSON Schema of the configuration, and what it says of one place: its fields, its range, whether it is secret."""

from functools import cache
from typing import Any, TypeAlias

from edge_lfr.config.appliance import ApplianceConfig

Place: TypeAlias = tuple[int | str, ...]
"""Names and list positions from the top: ("cameras", 0, "zone")."""

Node: TypeAlias = dict[str, Any]
"""One JSON Schema."""


@cache
def json_schema() -> Node:
    """The whole schema; the same that `edge-lfr config schema` prints."""
    return ApplianceConfig.model_json_schema()


def properties(place: Place) -> dict[str, Node]:
    """The fields of the section at *place*; empty when it is no section."""
    return {name: node for part in _parts(place) for name, node in part.get("properties", {}).items()}


def is_path(place: Place) -> bool:
    """Whether a value there names a file or folder."""
    return any(part.get("format") == "path" for part in _parts(place))


def is_secret(place: Place) -> bool:
    """Whether a value there must never be shown; true as well for a place that the schema does not know."""
    parts = _parts(place)
    return not parts or any(part.get("writeOnly", False) for part in parts)


def allowed(place: Place) -> str:
    """The range in words; empty when any value of the type will do."""
    return " or ".join(text for part in _parts(place) if (text := _range(part)))


def _range(node: Node) -> str:
    if "enum" in node:
        return ", ".join(str(value) for value in node["enum"])
    if "const" in node:
        return str(node["const"])
    if "pattern" in node:
        return f"text like {node['pattern']}"
    low = _bound(node, "minimum", "from {}") or _bound(node, "exclusiveMinimum", "above {}")
    high = _bound(node, "maximum", "to {}") or _bound(node, "exclusiveMaximum", "below {}")
    if "minItems" in node and node["minItems"] == node.get("maxItems"):
        return f"a list of {node['minItems']}"
    least = _bound(node, "minItems", "at least {} items")
    most = _bound(node, "maxItems", "at most {} items")
    return " ".join(text for text in (low, high, least, most) if text)


def _bound(node: Node, key: str, form: str) -> str:
    return form.format(node[key]) if key in node else ""


def _parts(place: Place) -> list[Node]:
    """The schemas that hold at *place*: one, or the members of a union; none for an unknown place."""
    nodes = [json_schema()]
    for step in place:
        nodes = [below for node in nodes for below in _below(node, step)]
    return nodes


def _below(node: Node, step: int | str) -> list[Node]:
    if isinstance(step, str):
        found = node.get("properties", {}).get(step)
    else:
        prefix = node.get("prefixItems", [])
        found = prefix[step] if step < len(prefix) else node.get("items")
    return [] if found is None else _alternatives(found)


def _alternatives(node: Node) -> list[Node]:
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[1]
        return _alternatives(json_schema()["$defs"][name])
    if "anyOf" in node:
        return [inner for member in node["anyOf"] for inner in _alternatives(member) if inner.get("type") != "null"]
    return [node]
