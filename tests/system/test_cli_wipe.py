"""`edge-lfr watchlist wipe` where no daemon runs: nothing keeps the list alive, and what was done is told."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from edge_lfr.config.load import load_config
from edge_lfr.daemon.ending.housekeeping import keep_house
from edge_lfr.daemon.lock import hold_state
from edge_lfr.daemon.noting.recorder import open_recorder
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.documents import Kind, read_document
from edge_lfr.terms import Mode
from edge_lfr.watchlist.sealed.store import SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCertificate
from simulators.appliance import eventually
from simulators.clock import StoppedClock
from simulators.command import Command
from simulators.watchlists import load, new_store


@pytest.fixture
def edge_lfr(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def store(edge_lfr: Command) -> SealedStore:
    """With a list."""
    folder = edge_lfr.folder / "state" / "training"
    folder.mkdir(parents=True)
    store = new_store(folder)
    load(store, range(20))
    return store


def pending(store: SealedStore) -> list[Path]:
    return sorted(store.directory.parent.glob("certificates/pending-*.json"))


def certificates(store: SealedStore) -> list[Path]:
    return sorted(store.directory.parent.glob("certificates/wipe-*.json"))


def noted(edge_lfr: Command, event: str) -> list[dict[str, Any]]:
    """The lines of the ledger with that event."""
    lines = edge_lfr("ledger", "show", "--event", event, "--json").json["lines"]
    assert isinstance(lines, list)
    return lines


def test_a_wipe_without_a_daemon_is_in_the_ledger(edge_lfr: Command, store: SealedStore) -> None:
    """In the name of whoever asked, with the certificate's digest; no note is left to be certified."""
    done = edge_lfr("watchlist", "wipe", "--yes", "--json")
    assert (0, True) == (done.status, done.json["is_clean"]), done.err
    (path,) = certificates(store)
    (wiped,) = noted(edge_lfr, "watchlist-wiped")
    (proved,) = noted(edge_lfr, "wipe-proved")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (1, 1, 20, "command", digest) == tuple(
        wiped["facts"][name] for name in ("lists", "keys", "references", "code", "certificate_sha256")
    )
    assert {"uid": os.getuid()} == wiped["who"]
    assert (0, digest) == (proved["facts"]["found"], proved["facts"]["certificate_sha256"])
    assert [] == pending(store)


def test_a_wipe_without_a_device_key_is_certified_later(edge_lfr: Command, store: SealedStore) -> None:
    """The list is gone, the command says that it could not be certified, and the daemon does that at its start."""
    device = edge_lfr.folder / "state" / "device"
    DeviceKeys.load(device, create=True)
    kept = {path: path.read_bytes() for path in device.iterdir()}
    for path in kept:
        path.write_bytes(b"torn")
    done = edge_lfr("watchlist", "wipe", "--yes")
    assert 0 != done.status
    assert store.is_empty()
    assert ([], 1) == (certificates(store), len(pending(store)))
    for path, content in kept.items():
        path.write_bytes(content)
    config, clock = load_config(edge_lfr.config, {}), StoppedClock()
    keys = DeviceKeys.load(device)
    recorder = open_recorder(config, keys.signing, clock)
    keep_house(config, recorder, clock)
    recorder.stop()
    (path,) = certificates(store)
    said = read_document(path.read_bytes(), Kind.WIPE_CERTIFICATE, WipeCertificate).content
    assert (1, 1, "command", f"uid {os.getuid()}") == (said.lists, said.keys, said.cause, said.by)
    assert 1 == len(noted(edge_lfr, "watchlist-wiped"))
    assert [] == pending(store)


def test_whoever_holds_the_state_folder_keeps_no_list_alive(edge_lfr: Command, store: SealedStore) -> None:
    """It is destroyed beside the timer, or a daemon that does not answer yet; the command then waits for that."""
    with ThreadPoolExecutor(1) as threads:
        with hold_state(store.directory.parent):
            wipe = threads.submit(edge_lfr, "watchlist", "wipe", "--yes", "--json")
            assert eventually(store.is_empty)
        assert (0, 1) == (wipe.result().status, wipe.result().json["keys"])


def test_a_list_of_the_other_mode_is_not_forgotten(edge_lfr: Command, store: SealedStore) -> None:
    """It was loaded while another mode was configured; also where the present mode has none, or its wipe fails."""
    folder = edge_lfr.folder / "state" / "operational"
    folder.mkdir()
    other = new_store(folder, mode=Mode.OPERATIONAL)
    load(other, range(3))
    done = edge_lfr("watchlist", "wipe", "--yes", "--json")
    assert (0, True, True) == (done.status, store.is_empty(), other.is_empty()), done.err
    assert ("training", {"operational": {"lists": 1, "keys": 1}}) == (
        done.json["device"].rpartition("/")[2],
        done.json["other_modes"],
    )
    assert 1 == len(pending(other))  # certified by the timer
    assert 0 == edge_lfr("watchlist", "wipe", "--if-due").status
    assert (0, 1) == (len(pending(other)), len(certificates(other)))

    load(other, range(3))
    done = edge_lfr("watchlist", "wipe", "--yes")
    assert "of the mode operational: 1 lists" in done.err
    assert (0, True) == (done.status, other.is_empty())

    load(other, range(3))
    load(store, range(3))
    edge_lfr.config.write_text(edge_lfr.config.read_text().replace('"run"', f'"{"x" * 300}"'))
    done = edge_lfr("watchlist", "wipe", "--yes")
    assert other.is_empty(), done.err


def test_what_could_not_be_looked_at_is_not_called_found(edge_lfr: Command, store: SealedStore) -> None:
    """A state folder that is too large to be searched whole: exit status 70, and other words than for a find."""
    with (store.directory.parent / "large").open("wb") as file:
        file.truncate(1_100_000_000)
    done = edge_lfr("watchlist", "wipe", "--yes")
    assert os.EX_SOFTWARE == done.status
    assert "could not be looked at" in done.err
    assert "switch the box off" not in done.err
