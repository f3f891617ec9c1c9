"""What the tree promises a newcomer: names that say something, files that fit on a page, vendors behind one door."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "edge_lfr"
MAX_LINES = 400

DOORS = {
    "onnxruntime": ("edge_lfr/inference/",),
    "av": ("edge_lfr/pipeline/capture/decoder.py",),
    "paho": ("edge_lfr/pipeline/reporting/mqtt.py", "edge_lfr/console/"),
    "typer": ("edge_lfr/cli/",),
    "click": ("edge_lfr/cli/",),
    "hnswlib": ("edge_lfr/watchlist/",),
    "sqlite3": ("edge_lfr/pipeline/reporting/row", "edge_lfr/watchlist/"),  # rows.py and row_schema.py
    "cryptography": ("edge_lfr/governance/",),
    "pyrage": ("edge_lfr/governance/age_files.py",),
    "prometheus_client": ("edge_lfr/daemon/metrics.py",),
    "skimage": (),
    "matplotlib": (),
    "pickle": (),
    "marshal": (),
    "shelve": (),
    "dill": (),
    "joblib": (),
}
"""Where a library may be imported; every other file reaches what it does through the file named here."""

FORBIDDEN_CALLS = {
    # A picture on the disk is one that somebody must find and delete; here of test subjects, in a folder that goes.
    "imwrite": ("edge_lfr/evaluation/bench/watchlist_source.py",),
    "tobytes": (
        "edge_lfr/evaluation/",  # made clips and portraits of test subjects, never a live picture
        "edge_lfr/inference/",  # digests of files and tensors of model files
        "edge_lfr/watchlist/sealed/store.py",  # templates on their way into the seal
        "edge_lfr/watchlist/wiping/fragments.py",  # a table of mixed words and keyed digests
        "edge_lfr/pipeline/reporting/",  # the two pictures of an alert, after the decision
    ),
}
"""Methods that turn buffers into what cannot be overwritten, and the files with a reason to."""


@dataclass(frozen=True)
class Source:
    """One parsed file."""

    path: str
    tree: ast.Module
    lines: int


@cache
def sources() -> tuple[Source, ...]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Source(path.relative_to(ROOT).as_posix(), ast.parse(text), text.count("\n")))
    return tuple(found)


def imported_roots(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield node.module.partition(".")[0]


def called_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node.func.id
            elif isinstance(node.func, ast.Attribute):
                yield node.func.attr


@pytest.mark.parametrize("library", DOORS)
def test_a_library_is_imported_behind_its_door_only(library: str) -> None:
    """Replacing a vendor means replacing the files named here, and nothing else."""
    importers = {source.path for source in sources() if library in imported_roots(source.tree)}
    assert set() == {path for path in importers if not path.startswith(DOORS[library] or ("nowhere",))}


def test_hnswlib_is_wrapped_once() -> None:
    """The index accepts wrong dimensions and NaN, so exactly one file talks to it and checks."""
    assert 1 == sum("hnswlib" in imported_roots(source.tree) for source in sources())


@pytest.mark.parametrize("name", FORBIDDEN_CALLS)
def test_biometric_buffers_do_not_become_immutable(name: str) -> None:
    """A vector or a crop never becomes a file or `bytes` before the decision."""
    callers = {source.path for source in sources() if name in called_names(source.tree)}
    assert set() == {path for path in callers if not path.startswith(FORBIDDEN_CALLS[name] or ("nowhere",))}


def test_only_commands_print() -> None:
    """A library that prints cannot be used by a program whose output is read by another."""
    callers = {
        source.path
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert set() == {path for path in callers if not path.startswith("edge_lfr/cli/")}


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    """A file over the limit is two things in one room."""
    assert {} == {source.path: source.lines for source in sources() if source.lines > MAX_LINES}


def test_names_say_what_is_inside() -> None:
    """A folder or file is named after the thing or the act, never after its being useful."""
    forbidden = {"utils", "util", "helpers", "helper", "common", "core", "base", "manager", "misc"}
    parts = {part for source in sources() for part in source.path.removesuffix(".py").split("/")}
    assert set() == parts & forbidden


def test_every_module_says_what_it_is() -> None:
    """Each file opens with a sentence for the reader."""
    assert [] == [source.path for source in sources() if not ast.get_docstring(source.tree)]


def test_errors_are_swallowed_whole_in_few_places() -> None:
    """`except Exception` that goes on hides what broke, so each file that does so is known here, with its reason."""
    known = {
        "edge_lfr/cli/main.py",  # a defect is one line for the person
        "edge_lfr/daemon/path_loop.py",  # one bad frame must not end the deployment
        "edge_lfr/daemon/operation.py",  # a camera that does not stop must not keep a wipe
        "edge_lfr/daemon/control/local_socket.py",  # nor may one request
        "edge_lfr/daemon/arming/oversight.py",  # a duty that fails must not keep another from being done
        "edge_lfr/daemon/metrics_server.py",  # nor one scrape
        "edge_lfr/console/control_room.py",  # whatever ends the watch, its owner is told
        "edge_lfr/pipeline/capture/camera.py",  # nor may one bad turn blind a camera
        "edge_lfr/watchlist/gallery/gallery.py",  # a trial that failed is reported, and exact search goes on
        "edge_lfr/inference/session.py",  # the runtime raises untyped errors; they become ours
        "edge_lfr/inference/inspection.py",  # the parser of foreign models likewise
        "edge_lfr/evaluation/fuzzing/campaign.py",  # to see what escapes is what it is for
    }
    broad = {"Exception", "BaseException"}
    swallowing = {
        source.path
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in broad))
        and not any(isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(node))
    }
    assert set() == swallowing - known


def test_every_test_states_its_law() -> None:
    """A test without a sentence cannot be told from an accident."""
    assert [] == [
        f"{path.relative_to(ROOT)}::{node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]


def test_no_machine_or_registry_is_named() -> None:
    """The project's own files name no path of one machine and no package registry."""
    suspects = [f"{ROOT.parent}/", "index" + "-url", "pypi" + ".org", "python" + "hosted"]
    if Path.home() != Path("/root"):  # which every machine has
        suspects.append(f"{Path.home()}/")
    tracked = [
        path
        for pattern in (
            *("*.md", "*.toml", "*.lock", ".ci/*", "models/*.*", "scripts/*", "systemd/**/*", "watchlists/*.*"),
            *("edge_lfr/**/*.py", "edge_lfr/**/*.json", "edge_lfr/**/*.toml", "tests/**/*.py"),
        )
        for path in ROOT.glob(pattern)
        if path.is_file() and path.suffix != ".onnx"
    ]
    named = {
        f"{path.relative_to(ROOT)}: {suspect}"
        for path in tracked
        for suspect in suspects
        if suspect in path.read_text(encoding="utf-8")
    }
    assert set() == named
