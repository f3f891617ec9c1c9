"""`edge-lfr status` for a person at the box."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_lfr.cli.reasons import ADVICE, NAMED, UNKNOWN, WHY_THIS_INDEX, advice_on
from edge_lfr.cli.status_page import status_page
from edge_lfr.daemon.arming.facts import ArmingRefusal
from edge_lfr.daemon.arming.standing import Notice
from edge_lfr.daemon.health import Health
from edge_lfr.daemon.latency import LatencyPart
from edge_lfr.daemon.local_status import local_status
from edge_lfr.pipeline.reporting import down, link
from edge_lfr.pipeline.reporting.link_status import LinkState
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.pipeline.reporting.row_room import Fill
from edge_lfr.watchlist.gallery.index_report import IndexReason
from simulators.clock import StoppedClock
from simulators.vitals import health_of


def texts_in(node: ast.AST) -> Iterator[str]:
    """Strings in *node*; what is filled in stands as a star."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(part.value if isinstance(part, ast.Constant) else NAMED for part in parts)  # type: ignore[misc]
        case _:
            for child in ast.iter_child_nodes(node):
                yield from texts_in(child)


def codes_of_health() -> set[str]:
    """What `Health.reasons` can add to its list."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(Health.reasons)))
    added: set[str] = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {"append", "extend"}
        ):
            added.update(texts_in(node))
    return added


def codes_of_outbox() -> set[str]:
    """What stored alerts give as a reason: each text that looks like one in the two properties that say them."""
    sources = (inspect.getsource(vars(owner)["complaints"].fget) for owner in (Outbox, Fill))
    texts = {text for source in sources for text in texts_in(ast.parse(textwrap.dedent(source)))}
    return {text for text in texts if re.fullmatch(r"[a-z]+(-[a-z]+)+", text)}


def codes_of_link() -> set[str]:
    """What the link complains of."""
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(link))) if isinstance(node, ast.Call)]
    places = {"_complain": 0, "_put_off": 1}
    return {
        text
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr in places
        for text in texts_in(call.args[places[call.func.attr]])
    }


def test_every_reason_has_a_remedy() -> None:
    """Whatever the daemon says is wrong, a person at the box is told what to do; and no remedy is for nothing."""
    brokers = {f"broker-{state}" for state in LinkState if state is not LinkState.CONNECTED}
    assert "broker-*" in codes_of_health()
    assert {"camera-*-down", "stalled-*", "no-watchlist"} <= codes_of_health()
    assert {"alert.refused", "outbox.unsealable"} <= codes_of_link()
    assert {"disk-refuses", "outbox-full"} <= codes_of_outbox()
    refusals = {down.ACK_REFUSED, down.REVOCATION_REFUSED}
    deployment = {each.value for each in (*ArmingRefusal, *Notice)}
    own = (codes_of_health() - {"broker-*"}) | codes_of_outbox() | codes_of_link()
    assert own | refusals | brokers | deployment == set(ADVICE)
    assert all(advice.meaning and advice.remedy for advice in ADVICE.values())


@pytest.mark.parametrize(
    ("code", "meant"), [("camera-north-2-down", "camera-*-down"), ("stalled-camera-north", "stalled-*")]
)
def test_a_name_in_a_code_is_passed_over(code: str, meant: str) -> None:
    """One advice serves all cameras, and one all threads."""
    assert ADVICE[meant] == advice_on(code)


def test_a_code_of_another_release_is_admitted() -> None:
    """It is not taken for one that is known."""
    assert UNKNOWN == advice_on("camera-north-melting")


def test_a_page_tells_what_matters_first(tmp_path: Path) -> None:
    """How it is, each reason with what to do, and then one line for each thing."""
    health = health_of(tmp_path, StoppedClock(), ["north", "south"])
    for part in LatencyPart:
        health.latency.add(part, 0, 80_000_000)
    answer = local_status(health)
    health.outbox.close()
    lines = list(status_page(answer))
    assert answer["in_words"] == lines[0]
    first = lines.index("  no-watchlist: no watchlist is loaded: nobody is compared")
    assert "    what to do: edge-lfr watchlist load FILE" == lines[first + 1]
    names = [line[:16].strip() for line in lines[lines.index("") + 1 :]]
    assert [
        "mode",
        "camera north",
        "camera south",
        "watchlist",
        "index",
        "broker",
        "outbox",
        "ledger",
        "latency",
        "memory",
    ] == names
    assert any("frame to broker p50 80 ms, p99 80 ms; first good" in line for line in lines)


def test_a_watchlist_is_told_with_its_bound() -> None:
    """Length, threshold, what it rests on, and how many false alerts it may bring."""
    watchlist = {"references": 3, "templates": 7, "threshold": 0.59, "threshold_evidence": "extrapolated"}
    lines = list(status_page({"watchlist": watchlist, "floor": {"upper_per_1000": 0.95, "false_alerts_per_1000": 0.5}}))
    told = "3 references, 7 templates; threshold 0.59, extrapolated: at most 0.95 false alerts in 1,000 passages (95 %)"
    assert [f"{'watchlist':<16} {told}"] == [line for line in lines if line.startswith("watchlist")]


def index_line(**watchlist: object) -> str:
    """What a page says of the index."""
    (line,) = (line for line in status_page({"watchlist": watchlist}) if line.startswith("index"))
    return line.removeprefix(f"{'index':<16} ")


def test_an_index_is_told_with_its_reason() -> None:
    """In words for every reason there is; no numbers where none were measured, and a newer code as it stands."""
    assert set(IndexReason) == set(WHY_THIS_INDEX)
    assert "none" == index_line()
    small = index_line(index="exact", index_reason="too-few-templates", index_recall=None, index_exact_ms=None)
    assert "exact search: no graph pays for so few templates" == small
    assert "sorted: by-name" == index_line(index="sorted", index_reason="by-name")


def test_an_index_that_was_tried_is_told_with_its_numbers() -> None:
    """Recall, the times of both for one probe and for eight, and how long the graph was built."""
    told = index_line(
        index="hnsw",
        index_reason="graph-faster",
        index_recall=0.99954,
        index_exact_ms=[2.345, 9.0],
        index_graph_ms=[0.5, 3.25],
        index_build_s=41.26,
    )
    assert (
        "graph: it finds whom exact search finds, and is clearly faster; recall 0.9995; "
        "one probe 0.5 ms by graph, 2.35 ms exactly; eight 3.25 ms, 9 ms; graph built in 41.3 s"
    ) == told


def test_an_empty_answer_is_a_page() -> None:
    """A daemon of another release may leave anything out."""
    assert "-" == next(status_page({}))
