"""Look at the configuration: check it, show its schema, write an example."""

import json as json_text

from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, new_app
from edge_lfr.cli.output import say, write, write_json
from edge_lfr.config.example import example_config
from edge_lfr.config.load import load_config
from edge_lfr.config.schema import json_schema

app = new_app("Check the configuration, show its schema or an example.")


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
