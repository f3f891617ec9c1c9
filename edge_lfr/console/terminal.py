"""The control room's screen: alerts as they come, with both pictures; or one JSON object a line, without pictures."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TextIO

from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from edge_lfr.clock import Clock
from edge_lfr.config.reporting import BrokerConfig
from edge_lfr.console.control_room import ControlRoom, NotShownError
from edge_lfr.console.events import (
    Acknowledged,
    AlertSeen,
    ControlEvent,
    GapSeen,
    LinkChanged,
    MessageInvalid,
    SightingSeen,
    StateSeen,
    plain,
)
from edge_lfr.console.heads import HeadsFile
from edge_lfr.console.thumbnail import thumbnail
from edge_lfr.governance.trust import SigningKey, shown_fingerprint
from edge_lfr.pipeline.reporting.messages import AlertMessage, SightingMessage
from edge_lfr.pipeline.reporting.states import (
    CameraMessage,
    HealthMessage,
    LedgerHeadMessage,
    StatusMessage,
    TrustMessage,
)
from edge_lfr.pipeline.reporting.topics import Topics
from edge_lfr.terms import Mode

PICTURE_COLUMNS: Final = 32
PICTURE_LINES: Final = 18
SCHEMA: Final = "lfr.watch/1"
"""Of the JSON lines that are no messages."""

MODE_LINES: Final[dict[Mode, tuple[str, str]]] = {
    Mode.TRAINING: ("TRAINING: nobody who is shown here is sought", "bold black on yellow"),
    Mode.OPERATIONAL: ("OPERATIONAL: alerts are real", "bold white on red"),
}
"""What the screen says each time it is connected, and how."""

_PICTURES: Final[dict[str, Any]] = {"face_jpeg": True, "reference_jpeg": True, "runner_up": {"reference_jpeg": True}}


def watch(
    broker: BrokerConfig,
    topics: Topics,
    key: SigningKey | None,
    *,
    clock: Clock,
    stop: threading.Event,
    json_to: TextIO | None = None,
    screen: Console | None = None,
    name: str = "control-room",
    heads: Path | None = None,
) -> None:
    """
    Show what one appliance says until *stop* is set; alerts are acknowledged when there is a *key*.

    Args:
        broker: Where the appliance publishes.

        topics: Of the appliance.

        key: Signs acknowledgements.

        clock: For the validity of acknowledgements.

        stop: Ends the watch.

        json_to: One JSON object a line goes here instead of a screen.

        screen: Where to draw; the terminal by default.

        name: Who acknowledges.

        heads: Every signed head of the ledger is appended here, and on the disk before it is shown.

    Raises:
        NotShownError: Screen, stream or *heads* do not take what arrives; nothing is acknowledged from then on.
    """
    failures: list[NotShownError] = []

    def fail(error: NotShownError) -> None:
        failures.append(error)
        stop.set()

    show = json_lines(json_to) if json_to is not None else Screen(screen or Console(), topics.identity.mode).show
    if heads is not None:
        show = _keeping_heads(heads, show)
    room = ControlRoom(broker, topics, key, show, on_failure=fail, clock=clock, name=name)
    room.start()
    try:
        stop.wait()
    finally:
        room.stop()
    if failures and not isinstance(failures[0].__cause__, BrokenPipeError):  # a reader that goes away ends the watch
        raise failures[0]


def _keeping_heads(path: Path, show: Callable[[ControlEvent], None]) -> Callable[[ControlEvent], None]:
    """
    Keep first, then show: what was seen is on the disk.

    Raises:
        NotShownError: The file cannot be opened; later it is the watch that ends.
    """
    try:
        file = HeadsFile(path)
    except OSError as error:
        raise NotShownError(f"{path}: ledger heads cannot be kept: {error.strerror}") from error

    def keep_and_show(event: ControlEvent) -> None:
        if isinstance(event, StateSeen) and isinstance(event.message, LedgerHeadMessage):
            file.append(event.message)
        show(event)

    return keep_and_show


def json_lines(stream: TextIO) -> Callable[[ControlEvent], None]:
    """A listener that writes each event as one JSON object in one line."""

    def write(event: ControlEvent) -> None:
        stream.write(json.dumps(as_record(event), ensure_ascii=True) + "\n")
        stream.flush()

    return write


def as_record(event: ControlEvent) -> dict[str, Any]:
    """
    The event as JSON values.

    A message comes under its own schema, without pictures, and an alert or sighting only the first time; everything
    else under `SCHEMA`, named by `event`.
    """
    match event:
        case AlertSeen(message, is_repeat) | SightingSeen(message, is_repeat):
            if is_repeat:
                return _record("repeat", alert_id=message.alert_id, seq=message.seq)
            exclude = _PICTURES if isinstance(message, AlertMessage) else {"face_jpeg": True}
            return message.model_dump(mode="json", by_alias=True, exclude=exclude)
        case StateSeen(message):
            return message.model_dump(mode="json", by_alias=True)
        case _:
            return _as_fact(event)


def _as_fact(event: GapSeen | MessageInvalid | Acknowledged | LinkChanged) -> dict[str, Any]:
    match event:
        case GapSeen(boot_id, missing):
            return _record("gap", boot_id=boot_id, missing=list(missing))
        case MessageInvalid(topic, reason):
            return _record("invalid", topic=topic, reason=reason)
        case Acknowledged(alert_id, is_delivered):
            return _record("acknowledged", alert_id=alert_id, is_delivered=is_delivered)
        case LinkChanged(is_up, reason):
            return _record("link", is_up=is_up, reason=reason)


def _record(event: str, **values: object) -> dict[str, Any]:
    return {"schema": SCHEMA, "event": event, **values}


class Screen:
    """Draws events below one another; nothing that comes from the broker is taken for markup."""

    def __init__(self, console: Console, mode: Mode) -> None:
        self._console = console
        self._mode = mode
        self._said: dict[type[object], str] = {}

    def show(self, event: ControlEvent) -> None:
        match event:
            case AlertSeen(message, is_repeat):
                if not is_repeat:
                    self._console.print(alert_panel(message))
                    self._console.bell()
            case SightingSeen(message, is_repeat):
                if not is_repeat:
                    self._show_sighting(message)
            case StateSeen(message):
                self._show_state(message)
            case LinkChanged(is_up, reason):
                self._line("connected to the broker" if is_up else f"no broker: {reason}", "green" if is_up else "red")
                if is_up:
                    self._line(*MODE_LINES[self._mode])
            case GapSeen() | MessageInvalid() | Acknowledged():
                self._show_fault(event)

    def _show_sighting(self, sighting: SightingMessage) -> None:
        when = f"{sighting.captured_at:%H:%M:%S}"
        self._line(
            f"{when} seen again at {sighting.camera}, score {sighting.score:.3f}: alert {sighting.alert_id}", "yellow"
        )
        self._console.print(thumbnail(sighting.face_jpeg, columns=PICTURE_COLUMNS // 2, lines=PICTURE_LINES // 2))

    def _show_fault(self, event: GapSeen | MessageInvalid | Acknowledged) -> None:
        match event:
            case GapSeen(_, missing):
                self._line(f"{len(missing)} alerts or sightings have not arrived yet: numbers {_span(missing)}", "red")
            case MessageInvalid(topic, reason):
                self._line(f"not believed: {topic}: {reason}", "red")
            case Acknowledged(alert_id, is_delivered):
                if not is_delivered:
                    self._line(f"the appliance does not take acknowledgements just now: {alert_id}", "red")

    def _show_state(self, message: object) -> None:
        match message:
            case StatusMessage():
                words = f"appliance {message.state}"
                if message.reasons:
                    words += f" ({', '.join(message.reasons)})"
                if message.outbox.lost:
                    words += f", {message.outbox.lost} alerts lost"
                self._news(message, words, "bold")
            case CameraMessage():
                self._line(f"camera {message.camera}: {message.state}", "dim")
            case TrustMessage():
                self._news(message, _trust_words(message), "bold")
            case LedgerHeadMessage():
                self._news(message, _head_words(message), "dim")
            case HealthMessage() | _:
                pass

    def _news(self, message: object, words: str, style: str) -> None:
        """A line, unless the last message of this kind said the same."""
        if words != self._said.get(type(message)):
            self._said[type(message)] = words
            self._line(words, style)

    def _line(self, words: str, style: str) -> None:
        self._console.print(Text(plain(words), style=style))


def alert_panel(alert: AlertMessage) -> Panel:
    """Both pictures beside the numbers; an officer compares and decides."""
    marks = [alert.mode.upper()]
    marks += ["TEST"] if alert.is_test else []
    marks += ["AMBIGUOUS"] if alert.is_ambiguous else []
    pictures = [("seen now", alert.face_jpeg), ("enrolled", alert.reference_jpeg)]
    runner_up = alert.runner_up
    if runner_up is not None and runner_up.reference_jpeg is not None:
        pictures.append(("or this one", runner_up.reference_jpeg))
    table = Table.grid(padding=(0, 2))
    cells: list[RenderableType] = []
    for caption, jpeg in pictures:
        cell = Text(f"{caption}\n", style="bold")
        cells.append(cell.append(thumbnail(jpeg, columns=PICTURE_COLUMNS, lines=PICTURE_LINES)))
    table.add_row(*cells, _facts(alert))
    is_alarm = alert.mode is Mode.OPERATIONAL and not alert.is_test
    title = Text(" · ".join(marks), style="bold white on red" if is_alarm else "bold black on yellow")
    return Panel(table, title=title, border_style="red" if is_alarm else "yellow", expand=False)


def _facts(alert: AlertMessage) -> Table:
    facts = Table.grid(padding=(0, 1))
    rows = [
        ("label", alert.label),
        ("category", alert.category),
        ("response", alert.response_code),
        ("camera", alert.camera),
        ("seen at", f"{alert.captured_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("score", f"{alert.score:.3f}"),
        ("threshold", f"{alert.threshold:.3f} ({alert.threshold_evidence})"),
    ]
    if alert.runner_up is not None:
        words = f"{alert.runner_up.score:.3f} {alert.runner_up.reference_id}"
        if alert.runner_up.label is not None:
            words += f" {alert.runner_up.label}"
        rows.append(("runner-up", words))
    rows += [("looks", str(alert.looks)), ("reference", alert.reference_id), ("alert", alert.alert_id)]
    rows += [("list", alert.list_id)] if alert.list_id is not None else []
    rows += [("authority", alert.authority_id)] if alert.authority_id is not None else []
    for name, value in rows:
        facts.add_row(Text(name, style="dim"), Text(plain(value)))
    return facts


def _trust_words(message: TrustMessage) -> str:
    keys = [f"{key.role} {key.fingerprint} until {key.not_after:%Y-%m-%d}" for key in message.keys]
    return f"trusted keys: {', '.join(keys) if keys else 'none'}"


def _head_words(message: LedgerHeadMessage) -> str:
    content = message.head.content
    key = shown_fingerprint(message.head.signatures[0].key)
    return f"ledger {content.ledger}: line {content.n}, {content.digest[:16]}, {content.at}, key {key}"


def _span(numbers: tuple[int, ...]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
