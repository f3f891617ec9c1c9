"""
A process that writes the store and is killed at one chosen step: `python -m simulators.killed_writer FOLDER VERB`.

For step after step it forks a child that does VERB and dies, by SIGKILL, just before the step-th call that touches the
folders of lists or of their manifests (opening, renaming, removing, making); then it opens the store as the next
process would. One JSON line for each step says what it found. The last line is for the step that the child no longer
reached.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edge_lfr.errors import WatchlistMissingError, WatchlistWipedError
from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.governance.trust import SigningKey
from edge_lfr.watchlist.records.pseudonyms import FOLDER, ProtectionOfficer
from edge_lfr.watchlist.sealed.store import SealedStore
from simulators.watchlists import DIMENSION, PACK_DIGEST, entry, load, manifests_in, new_store, picture, templates

OLD, NEW = range(4), range(10, 16)

WATCHED = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "sqlite3.connect"})


def verbs() -> dict[str, Callable[[SealedStore], object]]:
    """What can be interrupted."""
    return {
        "load": lambda store: load(store, NEW),
        "remove": lambda store: store.remove({entry(1).reference_id}),
        "wipe": lambda store: store.wipe(),
        "wipe-beside-load": wipe_beside_load,
    }


def wipe_beside_load(store: SealedStore) -> None:
    """A wipe comes while a list is being made; whichever of the two is killed, the other's locks go with it."""
    with suppress(WatchlistWipedError), store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION) as new:
        new.add(entry(NEW[0]), templates(NEW[0]), picture(NEW[0]))
        store.wipe()
        new.activate()


def die_at(step: int, *directories: Path) -> None:
    """Kill this process before its *step*-th call that touches one of *directories*."""
    touched = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal touched
        if event in WATCHED and any(str(directory) in str(arguments[0]) for directory in directories):
            touched += 1
            if touched == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def found(store: SealedStore) -> dict[str, object]:
    """Open the store as the next process would, read all of it, and see what is left on the disk."""
    live = None
    try:
        with store.open() as stored:
            live = stored.list_id
            stored.vectors()
            for reference_id in stored.reference_ids:
                stored.entry(reference_id)
                stored.picture(reference_id)
            references: list[str] | None = list(stored.reference_ids)
    except WatchlistMissingError:
        references = None
    lists = store.directory / "lists"
    manifests = store.directory.parent / FOLDER
    return {
        "references": references,
        "is_in_a_manifest": live in {manifest.list_id for manifest in manifests_in(store.directory.parent)},
        "manifests": len(list(manifests.iterdir())),
        "folders": len(list(lists.iterdir())) if lists.is_dir() else 0,
        "partial": [path.name for path in store.directory.rglob("*.partial")],
    }


def main(directory: Path, verb: str) -> None:
    step = 0
    is_reached = True
    while is_reached:
        step += 1
        folder = directory / str(step)
        folder.mkdir(parents=True)
        officer = ProtectionOfficer(
            recipient=AgeIdentity.generate().recipient, device="anytown/van-1/training", signing=SigningKey.generate()
        )
        store = new_store(folder, officer)
        load(store, OLD)
        child = os.fork()
        if child == 0:
            die_at(step, store.directory, folder / FOLDER)
            verbs()[verb](store)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        is_reached = os.WIFSIGNALED(status)
        sys.stdout.write(json.dumps({"step": step, "status": status, **found(store)}) + "\n")
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
