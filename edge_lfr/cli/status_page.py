"""The daemon's status for a person: how it is, what is wrong and what to do, cameras, list, index, delivery."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from edge_lfr.cli.reasons import WHY_THIS_INDEX, advice_on
from edge_lfr.config.identification import IndexChoice
from edge_lfr.daemon.latency import LatencyPart

Facts = Mapping[str, Any]

INDEXES: Final[Mapping[str, str]] = {IndexChoice.EXACT: "exact search", IndexChoice.HNSW: "graph"}

LATENCIES: Final[Mapping[str, str]] = {
    LatencyPart.FRAME_TO_PUBACK: "frame to broker",
    LatencyPart.FIRST_GOOD_FACE_TO_PUBACK: "first good face to broker",
}
"""The two that a person waits for; the others are for finding out why."""


def status_page(answer: Facts) -> Iterator[str]:
    """
    One line after the other.

    Args:
        answer: What the daemon said; what a daemon of another release leaves out is shown as a hyphen, or not at all.
    """
    status: Facts = answer.get("status") or {}
    yield str(answer.get("in_words") or status.get("state", "-"))
    for code in status.get("reasons", ()):
        advice = advice_on(code)
        yield f"  {code}: {advice.meaning}"
        yield f"    what to do: {advice.remedy}"
    yield ""
    yield _line("mode", _mode(status))
    for camera in answer.get("cameras", ()):
        yield _line(f"camera {camera.get('camera_id', '-')}", _camera(camera))
    yield _line("watchlist", _watchlist(answer.get("watchlist") or {}, answer.get("floor") or {}))
    yield _line("index", _index(answer.get("watchlist") or {}))
    yield _line("broker", _broker(answer.get("broker") or {}))
    yield _line("outbox", _outbox(status.get("outbox") or {}))
    yield _line("ledger", _ledger(answer.get("ledger") or {}))
    yield _line("latency", _latency(answer.get("latency") or {}))
    yield _line("memory", _memory(answer.get("measures") or {}))


def _line(name: str, value: str) -> str:
    return f"{name:<16} {value}"


def _mode(status: Facts) -> str:
    words = str(status.get("mode", "-"))
    words += f", authority {status['authority_id']}" if status.get("authority_id") else ""
    words += f" until {status['window_ends_at']}" if status.get("window_ends_at") else ""
    return words + (f", clock {status['clock']}" if status.get("clock") else "")


def _camera(camera: Facts) -> str:
    rate = camera.get("pictures_per_second")
    parts = (
        camera.get("state", "-"),
        camera.get("size"),
        None if rate is None else f"{rate:.3g} pictures/s",
        camera.get("error_code"),
        f"{camera['restarts']} restarts" if camera.get("restarts") else None,
    )
    return ", ".join(str(part) for part in parts if part is not None)


def _watchlist(watchlist: Facts, floor: Facts) -> str:
    if not watchlist.get("references"):
        return "none"
    long = f"{watchlist['references']} references, {watchlist.get('templates', '-')} templates"
    long += f", until {watchlist['expires_at']}" if watchlist.get("expires_at") else ""
    if watchlist.get("threshold") is None:
        return long
    evidence = watchlist.get("threshold_evidence", "-")
    return f"{long}; threshold {watchlist['threshold']:g}, {evidence}: {_false_alerts(floor)}"


def _false_alerts(floor: Facts) -> str:
    upper, expected = floor.get("upper_per_1000"), floor.get("false_alerts_per_1000")
    if upper is not None:
        return f"at most {upper:g} false alerts in 1,000 passages (95 %)"
    return "false alerts not bounded" if expected is None else f"about {expected:g} in 1,000 passages, not bounded"


def _index(watchlist: Facts) -> str:
    """What serves and why, and the numbers of the trial where there was one."""
    if watchlist.get("index") is None:
        return "none"
    serving, reason = str(watchlist["index"]), str(watchlist.get("index_reason") or "-")
    found = [f"{INDEXES.get(serving, serving)}: {WHY_THIS_INDEX.get(reason, reason)}"]
    if watchlist.get("index_recall") is not None:
        found.append(f"recall {watchlist['index_recall']:.4f}")
    graph_ms, exact_ms = watchlist.get("index_graph_ms"), watchlist.get("index_exact_ms")
    if graph_ms and exact_ms:
        found.append(f"one probe {graph_ms[0]:.3g} ms by graph, {exact_ms[0]:.3g} ms exactly")
        found.append(f"eight {graph_ms[1]:.3g} ms, {exact_ms[1]:.3g} ms")
    if watchlist.get("index_build_s") is not None:
        found.append(f"graph built in {watchlist['index_build_s']:.3g} s")
    return "; ".join(found)


def _broker(broker: Facts) -> str:
    parts = [str(broker.get("state", "-"))]
    if broker.get("reason"):
        parts.append(str(broker["reason"]))
    if broker.get("nobody_listening"):
        parts.append("nobody listens")
    return ", ".join(parts)


def _outbox(outbox: Facts) -> str:
    waiting, accepted, done = (outbox.get(name, "-") for name in ("stored", "accepted", "acknowledged"))
    found = f"{waiting} waiting, {accepted} with the broker, {done} acknowledged"
    found += f", {outbox['spooled']} in memory only" if outbox.get("spooled") else ""
    return found + (f", {outbox['lost']} lost" if outbox.get("lost") else "")


def _ledger(ledger: Facts) -> str:
    if ledger.get("signed_lines") is None:
        return "not signed yet"
    found = f"{ledger['signed_lines']} lines, signed {ledger.get('head_age_s', 0):.0f} s ago"
    return found + (f", {ledger['waiting']} events in memory only" if ledger.get("waiting") else "")


def _latency(latency: Facts) -> str:
    known = [(words, latency[part]) for part, words in LATENCIES.items() if latency.get(part, {}).get("count")]
    spans = [f"{words} p50 {_ms(it.get('p50_ms'))}, p99 {_ms(it.get('p99_ms'))}" for words, it in known]
    return "; ".join(spans) or "no alert yet"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _memory(measures: Facts) -> str:
    parts = (
        ("memory_resident_mb", ""),
        ("memory_children_mb", " in decoders"),
        ("memory_locked_mb", " locked"),
        ("memory_unlocked_mb", " NOT locked"),
    )
    known = [(measures[name], words) for name, words in parts if measures.get(name)]
    return ", ".join(f"{value:.0f} MB{words}" for value, words in known) or "-"
