"""Look at the configuration: check it, show its schema and how long everything is kept, write an example."""

import json as json_text
from typing import Annotated, Final

import typer

from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, new_app
from edge_lfr.cli.output import say, write, write_json, write_table
from edge_lfr.config.example import example_config
from edge_lfr.config.load import load_config
from edge_lfr.config.retention import RetentionProfile, in_words
from edge_lfr.config.retention_kinds import Ending, Start
from edge_lfr.config.schema import json_schema

app = new_app("Check the configuration, show its schema or an example, and how long everything is kept.")

COLUMNS: Final = ("data", "what", "where", "from", "kept for", "at the end", "why")

STARTS: Final = {
    Start.CAPTURE: "the capture",
    Start.ISSUE: "its issue",
    Start.LOAD: "the load",
    Start.EVENT: "the event",
}

ENDINGS: Final = {
    Ending.PURGE: "data key destroyed, row deleted and overwritten",
    Ending.DELETE: "deleted",
    Ending.EXPIRE: "file deleted, or before, once it was copied",
    Ending.WIPE: "data key destroyed, files deleted, memory overwritten",
    Ending.KEPT: "not deleted by the appliance",
    Ending.NOT_MADE: "not made",
    Ending.EXIT: "gone with the process",
}

WHOSE_WORDS: Final = "Periods and reasons (why) are the profile's own; all the rest is what the appliance does."


@app.command(epilog="Example: edge-lfr config check --config ./edge-lfr.toml")
def check(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """
    Check every field of the file and of the variables over it.

    Exit status 78 with every broken field named. With --json, the whole configuration as it counts, without secrets.
    """
    loaded = load_config(config)
    if json:
        write_json("config-check/1", {"file": str(config.absolute()), "config": loaded.model_dump(mode="json")})
    else:
        cameras = ", ".join(camera.id for camera in loaded.cameras)
        say(f"{config}: correct: {loaded.mode.value}, {loaded.force}/{loaded.device}, cameras {cameras}")


@app.command(epilog="Example: edge-lfr config schema > edge-lfr.schema.json")
def schema() -> None:
    """Write the JSON Schema of the configuration."""
    write(json_text.dumps(json_schema(), indent=2, ensure_ascii=False))


@app.command(epilog="Example: edge-lfr config example > edge-lfr.toml")
def example() -> None:
    """Write a configuration to start from: every field, its default and what it does."""
    write(example_config())


@app.command(epilog="Example: edge-lfr config retention --markdown > retention.md")
def retention(
    markdown: Annotated[bool, typer.Option("--markdown", help="As a table for the impact assessment.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Say how long everything is kept, from the very document that the purge and the expiry of messages obey.

    Exit status 78 when the document breaks a rule, or says what the appliance does not do.
    """
    profile = load_config(config).retention.chosen
    if json:
        write_json("config-retention/1", _facts(profile))
    elif markdown:
        write(_markdown(profile))
    else:
        say(f"{profile.title}. {_origin(profile)} {WHOSE_WORDS}")
        write_table(COLUMNS, _rows(profile))


def _facts(profile: RetentionProfile) -> dict[str, object]:
    """For programs: what was decided, and what the appliance does."""
    rules = {
        name: {
            "what": kind.what,
            "where": kind.where,
            "starts": kind.starts,
            "period_s": rule.period_s,
            "until": kind.until,
            "ends": kind.ends,
            "why": rule.why,
        }
        for name, (kind, rule) in profile.rules.by_kind().items()
    }
    said = {"name": profile.name, "version": profile.version, "title": profile.title}
    return {**said, "rules": rules, "digest": profile.digest}


def _rows(profile: RetentionProfile) -> list[tuple[str, ...]]:
    return [
        (
            name.replace("_", " "),
            kind.what,
            kind.where,
            STARTS[kind.starts],
            f"until {kind.until}" if rule.period_s is None else in_words(rule.period_s),
            ENDINGS[kind.ends],
            rule.why,
        )
        for name, (kind, rule) in profile.rules.by_kind().items()
    ]


def _origin(profile: RetentionProfile) -> str:
    return f"Profile `{profile.name}`, version {profile.version}, SHA-256 {profile.digest}."


def _markdown(profile: RetentionProfile) -> str:
    """The table, and below it which document it was made from."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *_rows(profile)]
    lines = ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    held = "An alert that is on legal hold is kept until it is released, whatever its period (`edge-lfr alerts holds`)."
    return "\n".join((f"### {profile.title}", "", *lines, "", _origin(profile), WHOSE_WORDS, held))


def _cell(text: str) -> str:
    """As text alone: no reason begins a cell or a row of its own, or reads as markup."""
    for special in ("\\", "|", "<", "&", "[", "`"):
        text = text.replace(special, f"\\{special}")
    return text
