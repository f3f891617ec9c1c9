"""Look at the configuration: check it, show its schema and how long everything is kept, write an example."""

import json as json_text
from typing import Annotated, Final

import typer

from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, new_app
from edge_lfr.cli.output import say, write, write_json, write_table
from edge_lfr.config.example import example_config
from edge_lfr.config.load import load_config
from edge_lfr.config.retention import Ending, RetentionProfile, Start
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
        said = {**profile.model_dump(mode="json"), "digest": profile.digest}
        write_json("config-retention/1", said)
    elif markdown:
        write(_markdown(profile))
    else:
        say(f"{profile.name}, version {profile.version}: {profile.title}")
        write_table(COLUMNS, _rows(profile))


def _rows(profile: RetentionProfile) -> list[tuple[str, ...]]:
    return [
        (
            kind.replace("_", " "),
            rule.what,
            rule.where,
            STARTS[rule.starts],
            rule.kept_for,
            ENDINGS[rule.ends],
            rule.why,
        )
        for kind, rule in profile.rules.by_kind().items()
    ]


def _markdown(profile: RetentionProfile) -> str:
    """The table, and below it which document it was made from."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *_rows(profile)]
    lines = ["| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in row) + " |" for row in rows]
    origin = f"Profile `{profile.name}`, version {profile.version}, SHA-256 {profile.digest}."
    held = "An alert that is on legal hold is kept until it is released, whatever its period (`edge-lfr alerts holds`)."
    return "\n".join((f"### {profile.title}", "", *lines, "", origin, held))
