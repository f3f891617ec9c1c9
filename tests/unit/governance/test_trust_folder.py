"""Whom the appliance trusts is changed by one file at a time."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from edge_lfr.errors import TrustError
from edge_lfr.governance.trust import Role, SigningKey, TrustStore, create_key, shown_fingerprint
from edge_lfr.governance.trust_folder import add_trust, remove_trust
from simulators.clock import StoppedClock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "trust.d"


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return create_key(Role.ISSUE, tmp_path / "issuer.key", tmp_path / "issuer.toml", name="desk", clock=StoppedClock())


def test_what_was_added_is_trusted(tmp_path: Path, folder: Path, key: SigningKey) -> None:
    """The folder is made, the file is named after its key, and others may read and not change it."""
    added = add_trust(folder, tmp_path / "issuer.toml")
    assert (key.fingerprint, Role.ISSUE) == (added.fingerprint, added.role)
    assert {key.fingerprint} == set(TrustStore.load(folder).keys)
    (path,) = folder.iterdir()
    assert (f"issue-{key.fingerprint[:32]}.toml", 0o644) == (path.name, path.stat().st_mode & 0o777)


def test_a_key_is_added_once(tmp_path: Path, folder: Path, key: SigningKey) -> None:
    """Under whatever name the file comes."""
    add_trust(folder, tmp_path / "issuer.toml")
    with pytest.raises(TrustError, match=shown_fingerprint(key.fingerprint)):
        add_trust(folder, tmp_path / "issuer.toml")


@pytest.mark.parametrize("content", [b"", b"role = 1", b"\xff", b"x" * 5_000])
def test_only_a_trust_file_is_added(tmp_path: Path, folder: Path, content: bytes) -> None:
    """Junk changes nothing, and the folder is not even made."""
    (tmp_path / "junk.toml").write_bytes(content)
    with pytest.raises(TrustError):
        add_trust(folder, tmp_path / "junk.toml")
    assert not folder.exists()


@pytest.mark.parametrize("form", ["shown", "digits", "whole", "upper"])
def test_what_was_removed_is_not_trusted(tmp_path: Path, folder: Path, key: SigningKey, form: str) -> None:
    """The fingerprint may be written in each of its forms."""
    add_trust(folder, tmp_path / "issuer.toml")
    shown = shown_fingerprint(key.fingerprint)
    forms = {"shown": shown, "digits": shown.replace("-", ""), "whole": key.fingerprint, "upper": shown.upper()}
    assert key.fingerprint == remove_trust(folder, forms[form]).fingerprint
    assert not TrustStore.load(folder).keys


@pytest.mark.parametrize("fingerprint", ["", "3f2a", "0" * 32, "0" * 64])
def test_a_part_of_a_fingerprint_removes_nobody(
    tmp_path: Path, folder: Path, key: SigningKey, fingerprint: str
) -> None:
    """What is too short, or nobody's, is an error."""
    add_trust(folder, tmp_path / "issuer.toml")
    with pytest.raises(TrustError, match="no trusted key"):
        remove_trust(folder, fingerprint)
    assert {key.fingerprint} == set(TrustStore.load(folder).keys)


@pytest.mark.root
def test_in_operation_the_folder_is_roots_alone(tmp_path: Path, folder: Path, key: SigningKey) -> None:
    """The daemon's own user could otherwise make itself an authorising officer."""
    add_trust(folder, tmp_path / "issuer.toml")
    assert {key.fingerprint} == set(TrustStore.load(folder, roots_alone=True).keys)
    (path,) = folder.iterdir()
    os.chown(path, 12345, -1)
    with pytest.raises(TrustError, match="others may change"):
        TrustStore.load(folder, roots_alone=True)


def test_a_key_counts_for_its_role_and_its_time(tmp_path: Path, folder: Path, key: SigningKey) -> None:
    """Not before it begins, not for another role, and no longer from its end on."""
    trusted = add_trust(folder, tmp_path / "issuer.toml")
    store = TrustStore.load(folder)
    instant = timedelta(microseconds=1)
    for at, is_valid in (
        (trusted.not_before - instant, False),
        (trusted.not_before, True),
        (trusted.not_after - instant, True),
        (trusted.not_after, False),
    ):
        assert ((key.fingerprint,) if is_valid else ()) == tuple(
            one.fingerprint for one in store.of_role(Role.ISSUE, at)
        )
        assert () == store.of_role(Role.TRAIN, at)
