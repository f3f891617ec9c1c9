"""Model packs: list, install, verify, and prove that they compute here what they computed where they were recorded."""

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, new_app
from edge_lfr.cli.output import say, words, write_fields, write_json, write_table
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.load import load_config
from edge_lfr.errors import ModelError, ModelMissingError
from edge_lfr.inference.catalogue import PackEntry, load_catalogue
from edge_lfr.inference.installation import install as install_pack
from edge_lfr.inference.installed import verify as verify_pack
from edge_lfr.inference.packs import open_configured
from edge_lfr.pipeline.selftest import record_golden, run_selftest

app = new_app("List, install, verify and prove model packs.")

SHORT: Final = 12
"""Characters of a digest that a person compares."""

PackOption = Annotated[
    str | None, typer.Option("--pack", metavar="ID", help="Another pack than the one that is configured.")
]


def _chosen(config: ApplianceConfig, pack: str | None) -> PackEntry:
    catalogue = load_catalogue(config.models.catalogue)
    return catalogue.pack(config.models.pack if pack is None else pack)


def _state(entry: PackEntry, directory: Path) -> str:
    try:
        verify_pack(entry, directory)
    except ModelMissingError:
        return "absent"
    except ModelError:
        return "broken"
    return "installed"


@app.command("list", epilog="Example: edge-lfr models list --json")
def list_packs(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Show every pack of the catalogue: licence, whether it is installed, and how far it is calibrated."""
    loaded = load_config(config)
    packs = [
        {
            "id": entry.id,
            "title": entry.title,
            "state": _state(entry, loaded.models_directory),
            "configured": entry.id == loaded.models.pack,
            "licence": entry.licence,
            "training_only": entry.non_commercial,
            "provisional": entry.provisional,
            "calibrated_templates": max((row.templates for row in entry.calibration), default=0),
            "digest": entry.digest,
        }
        for entry in load_catalogue(loaded.models.catalogue).packs
    ]
    if json:
        write_json("models/1", {"packs": packs})
        return
    columns = ("id", "state", "configured", "licence", "training_only", "provisional", "calibrated_templates", "digest")
    write_table(
        columns,
        [[str(pack[name])[:SHORT] if name == "digest" else pack[name] for name in columns] for pack in packs],
        numbers=("calibrated_templates",),
    )


@app.command(epilog="Example: edge-lfr models install /media/stick")
def install(
    source: Annotated[
        Path | None, typer.Argument(metavar="[SOURCE]", help="Folder or archive; the catalogue's addresses without it.")
    ] = None,
    pack: PackOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Install a pack; files are taken by their digest, never by name.

    An interrupted installation leaves nothing half-installed. Without SOURCE this command, and only this one, uses the
    network.
    """
    loaded = load_config(config)
    entry = _chosen(loaded, pack)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = words()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        tasks = {spec.name: progress.add_task(spec.name, total=spec.bytes) for spec in entry.files}

        def report(name: str, done: int, total: int) -> None:
            if name in tasks:
                progress.update(tasks[name], completed=done, total=total)

        folder = install_pack(source, entry, loaded.models_directory, progress=report)
    if entry.non_commercial:
        say(f"{entry.id}: {entry.licence}: runs in training only")
    if json:
        write_json("models-install/1", {"id": entry.id, "folder": str(folder), "digest": entry.digest})
    else:
        say(f"{entry.id}: installed in {folder}; prove it with `edge-lfr models selftest`")


@app.command(epilog="Example: edge-lfr models verify")
def verify(pack: PackOption = None, config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Read every file of the pack and compare its digest with the catalogue's."""
    loaded = load_config(config)
    entry = _chosen(loaded, pack)
    verify_pack(entry, loaded.models_directory)
    if json:
        write_json("models-verify/1", {"id": entry.id, "digest": entry.digest, "files": [f.name for f in entry.files]})
    else:
        say(f"{entry.id}: all {len(entry.files)} files are the ones that the catalogue names")


@app.command(epilog="Example: edge-lfr models selftest")
def selftest(
    record: Annotated[
        bool,
        typer.Option("--record", help="Record the golden values of a provisional pack."),
    ] = False,
    pack: PackOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Run the pack's nets on a fixed picture and compare landmarks and vector with the golden values.

    --record first requires that a second implementation agrees, and that swapped colours do not.

    The daemon does the same at every start. Exit status 78 when they differ.
    """
    loaded = load_config(config)
    models = loaded.models if pack is None else loaded.models.model_copy(update={"pack": pack})
    opened = open_configured(models, loaded.models_directory)
    if record:
        record_golden(opened, loaded.models_directory)
        opened = open_configured(models, loaded.models_directory)
    result = run_selftest(opened)
    fields = {
        "id": opened.entry.id,
        "digest": opened.digest,
        "provider": opened.embedder.provider,
        "landmark_error_px": result.landmark_error_px,
        "cosine": result.cosine,
        "swapped_colour_cosine": result.swapped_colour_cosine,
    }
    if json:
        write_json("models-selftest/1", fields)
    else:
        write_fields(fields)
