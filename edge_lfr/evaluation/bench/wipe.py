"""
How soon a list of full size is gone, and whether anything of it is left: made templates enter, the certificate leaves.

The daemon searches the list in a process of its own, with a camera, a broker and a control room. Then the technician's
command destroys it. The control is the same search over a list that nobody destroyed: it has to find it.
"""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from edge_lfr.config.appliance import WATCHLIST_FOLDER
from edge_lfr.evaluation.bench.gallery_start import ListSize, seal_made_list, started
from edge_lfr.evaluation.bench.ground import PACK, Ground, prepared_ground
from edge_lfr.evaluation.bench.report import Report, Row, Witness
from edge_lfr.evaluation.processes import RehearsalError, broker_program
from edge_lfr.evaluation.rehearsal import Rehearsal, Scenario, rehearsal
from edge_lfr.evaluation.walkby.script import walkby_script
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.inference.catalogue import PackEntry, load_catalogue
from edge_lfr.watchlist.sealed.store import LISTS, SealedStore
from edge_lfr.watchlist.wiping.proof import BeforeWipe, prove

FULL: Final = ListSize(people=20_000, pictures=3)
QUICK: Final = ListSize(people=1_000, pictures=1)

DESTROYED_S: Final = 2.0
ANSWERING_S: Final = 5.0
PROOF_S: Final = 10.0

START_S: Final = 120.0
"""For the daemon to take the list into use; some seconds, chosen with room."""

LOOK_EVERY_S: Final = 0.2


def measure_wipe(shared: Path, witness: Witness, *, is_quick: bool) -> Report:
    """
    Load, search, wipe, and look for what is left.

    Raises:
        BenchError: There are no weights.
        BrokerUnavailableError: There is no Mosquitto, or it does not listen.
        RehearsalError: A process did not do its work.
    """
    size = QUICK if is_quick else FULL
    broker_program()  # before anything is made
    pack = load_catalogue().pack(PACK)
    with prepared_ground(shared) as ground, rehearsal(ground.folder) as staged:
        witness.stage("making a clip")
        clip = ground.folder / "street.mp4"
        staged.script(
            walkby_script(),
            *("--out", str(clip), "--watchlist-out", str(ground.folder / "unused")),
            *("--data", str(ground.shared / "data"), "--quick", "--size", "640x360", "--faces", "24x100"),
        )
        staged.configure(Scenario(pack=PACK, models_directory=ground.models_directory, cameras=(str(clip),)))
        witness.stage(f"sealing a list of {size.templates} templates")
        mode_directory = ground.folder / "state" / "training"
        kek = KeyEncryptingKey.load(mode_directory, create=True)
        store = SealedStore(mode_directory / WATCHLIST_FOLDER, kek)
        seal_made_list(store, pack.digest, size, pack.embedder.dimension, witness)
        witness.stage("searching it, and destroying it")
        told = _wiped_while_searched(staged)
        witness.stage("looking for a list that nobody destroyed")
        return Report.of([*wipe_rows(told), *_control(ground, pack, witness)])


def _wiped_while_searched(staged: Rehearsal) -> dict[str, Any]:
    daemon = staged.start_daemon(is_once=False)
    deadline_s = time.monotonic() + START_S
    while _templates(staged) == 0:
        if daemon.process.poll() is not None or time.monotonic() > deadline_s:
            raise RehearsalError(f"the daemon does not search the list:\n{daemon.last_words()}")
        time.sleep(LOOK_EVERY_S)
    told: dict[str, Any] = json.loads(staged.command("watchlist", "wipe", "--yes", "--json"))
    staged.has_watchlist = False
    return told


def _templates(staged: Rehearsal) -> int:
    try:
        return int(json.loads(staged.command("status", "--json"))["watchlist"]["templates"] or 0)
    except RehearsalError:
        return 0


def wipe_rows(told: Mapping[str, Any]) -> Iterator[Row]:
    """What a certificate, as `edge-lfr watchlist wipe --json` writes it, is worth."""
    proof = told["proof"] or {}
    yield Row.shown("templates destroyed", told["templates"], "templates")
    yield Row.at_most("asked for to destroyed", told["destroyed_in_s"], DESTROYED_S, "s")
    yield Row.at_most("asked for to the new process answering", told["answering_in_s"], ANSWERING_S, "s")
    yield Row.at_most("proof", proof.get("seconds"), PROOF_S, "s")
    yield Row.at_least("fragments looked for", proof.get("fragments"), 1, "fragments")
    yield Row.shown("memory searched", round(proof.get("memory_bytes", 0) / 1e6), "MB")
    yield Row.shown("files searched", round(proof.get("file_bytes", 0) / 1e6), "MB")
    for name, unit in (
        ("memory_hits", "fragments"),
        ("file_hits", "fragments"),
        ("paths_left", "paths"),
        ("deleted_files_open", "files"),
        ("keys_that_open", "keys"),
        ("files_unread", "files"),
        ("processes_unread", "processes"),
    ):
        yield Row.exactly(name.replace("_", " "), proof.get(name), 0, unit)


def _control(ground: Ground, pack: PackEntry, witness: Witness) -> Iterator[Row]:
    """The same search over a small list in use in this process, and still on the disk."""
    dimension = pack.embedder.dimension
    probe = np.zeros((1, dimension), dtype=np.float32)
    probe[0, 0] = 1.0
    folder = ground.folder / "control"
    folder.mkdir()
    kek = KeyEncryptingKey.load(folder, create=True)
    store = SealedStore(folder / "watchlist", kek)
    seal_made_list(store, pack.digest, QUICK, dimension, witness)
    with started(QUICK, pack, probe, witness) as in_use, store.open() as watchlist:
        before = BeforeWipe.of(watchlist, in_use.gallery)
        proof = prove(before, lists=store.directory / LISTS, folder=folder, kek=kek)
    yield Row.at_least("control: memory hits", proof.memory_hits, 1, "fragments")
    yield Row.at_least("control: paths left", proof.paths_left, 1, "paths")
    yield Row.exactly("control: keys that open", proof.keys_that_open, 1, "keys")
