"""Whom the appliance trusts is changed by one file at a time."""

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from edge_lfr.errors import TrustError
from edge_lfr.governance.trust import MAX_TRUST_FILE_BYTES, Role, SigningKey, TrustStore, create_key, shown_fingerprint
from edge_lfr.governance.trust_folder import OfferedTrust, TrustPermissionError, add_trust, find_trust, remove_trust
from simulators.clock import StoppedClock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "trust.d"


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return create_key(Role.ISSUE, tmp_path / "issuer.key", tmp_path / "issuer.toml", name="desk", clock=StoppedClock())


def test_what_was_added_is_trusted(tmp_path: Path, folder: Path, key: SigningKey) -> None:
    """The folder is made, the file is named after its key, and others may read and not change it."""
    added = add_trust(folder, OfferedTrust.read(tmp_path / "issuer.toml"))
    assert (key.fingerprint, Role.ISSUE) == (added.fingerprint, added.role)
    assert {key.fingerprint} == set(TrustStore.load(folder).keys)
    (path,) = folder.iterdir()
    assert (f"issue-{key.fingerprint[:32]}.toml", 0o644) == (path.name, path.stat().st_mode & 0o777)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_the_folder_is_for_everybody_to_read(tmp_path: Path, key: SigningKey) -> None:
    """Whatever the umask of whoever makes it, with what had to be made above it: the daemon must see it."""
    assert key.fingerprint
    folder = tmp_path / "etc" / "trust.d"
    add_trust(folder, OfferedTrust.read(tmp_path / "issuer.toml"))
    (file,) = folder.iterdir()
    modes = [path.stat().st_mode & 0o777 for path in (folder.parent, folder, file)]
    assert [0o755, 0o755, 0o644] == modes


def test_in_operation_only_root_changes_it(
    tmp_path: Path, folder: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of anybody else's would let nobody be trusted; it is refused before it lies there."""
    offered = OfferedTrust.read(tmp_path / "issuer.toml")
    add_trust(folder, offered)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    found = find_trust(folder, key.fingerprint)
    with pytest.raises(TrustPermissionError):
        add_trust(tmp_path / "other", offered, roots_alone=True)
    with pytest.raises(TrustPermissionError) as caught:
        remove_trust(folder, found, roots_alone=True)
    assert (os.EX_NOPERM, "trust.permission") == (caught.value.exit_status, caught.value.code)
    assert "root" in caught.value.advice
    assert (1, False) == (len(list(folder.iterdir())), (tmp_path / "other").exists())


@pytest.mark.root
def test_what_would_not_be_trusted_is_not_called_trusted(tmp_path: Path, folder: Path, key: SigningKey) -> None:
    """In a folder that is somebody else's a new file makes nobody trusted; root is told instead."""
    assert key.fingerprint
    folder.mkdir()
    os.chown(folder, 12345, -1)
    with pytest.raises(TrustError, match="others may change"):
        add_trust(folder, OfferedTrust.read(tmp_path / "issuer.toml"), roots_alone=True)
    assert [] == list(folder.iterdir())


def test_a_key_is_added_once(tmp_path: Path, folder: Path, key: SigningKey) -> None:
    """Under whatever name the file comes."""
    add_trust(folder, OfferedTrust.read(tmp_path / "issuer.toml"))
    with pytest.raises(TrustError, match=shown_fingerprint(key.fingerprint)):
        add_trust(folder, OfferedTrust.read(tmp_path / "issuer.toml"))


@pytest.mark.parametrize("content", [b"", b"role = 1", b"\xff", b"x" * 5_000])
def test_only_a_trust_file_is_added(tmp_path: Path, folder: Path, content: bytes) -> None:
    """Junk changes nothing, and the folder is not even made."""
    (tmp_path / "junk.toml").write_bytes(content)
    with pytest.raises(TrustError):
        add_trust(folder, OfferedTrust.read(tmp_path / "junk.toml"))
    assert not folder.exists()


@pytest.mark.parametrize("form", ["shown", "digits", "whole", "upper"])
def test_what_was_removed_is_not_trusted(tmp_path: Path, folder: Path, key: SigningKey, form: str) -> None:
    """The fingerprint may be written in each of its forms."""
    add_trust(folder, OfferedTrust.read(tmp_path / "issuer.toml"))
    shown = shown_fingerprint(key.fingerprint)
    forms = {"shown": shown, "digits": shown.replace("-", ""), "whole": key.fingerprint, "upper": shown.upper()}
    assert key.fingerprint == remove_trust(folder, find_trust(folder, forms[form])).fingerprint
    assert not TrustStore.load(folder).keys


@pytest.mark.parametrize("fingerprint", ["", "3f2a", "0" * 32, "0" * 64])
def test_a_part_of_a_fingerprint_removes_nobody(
    tmp_path: Path, folder: Path, key: SigningKey, fingerprint: str
) -> None:
    """What is too short, or nobody's, is an error."""
    add_trust(folder, OfferedTrust.read(tmp_path / "issuer.toml"))
    with pytest.raises(TrustError, match="no trusted key"):
        find_trust(folder, fingerprint)
    assert {key.fingerprint} == set(TrustStore.load(folder).keys)


@pytest.mark.root
def test_in_operation_the_folder_is_roots_alone(tmp_path: Path, folder: Path, key: SigningKey) -> None:
    """The daemon's own user could otherwise make itself an authorising officer."""
    add_trust(folder, OfferedTrust.read(tmp_path / "issuer.toml"))
    assert {key.fingerprint} == set(TrustStore.load(folder, roots_alone=True).keys)
    (path,) = folder.iterdir()
    os.chown(path, 12345, -1)
    with pytest.raises(TrustError, match="others may change"):
        TrustStore.load(folder, roots_alone=True)


def test_a_key_counts_for_its_role_and_its_time(tmp_path: Path, folder: Path, key: SigningKey) -> None:
    """Not before it begins, not for another role, and no longer from its end on."""
    trusted = add_trust(folder, OfferedTrust.read(tmp_path / "issuer.toml"))
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


def test_what_was_asked_about_is_what_is_kept(tmp_path: Path, folder: Path, key: SigningKey) -> None:
    """The file is read once: whoever changes it between the question and the answer changes nothing."""
    offered = OfferedTrust.read(tmp_path / "issuer.toml")
    create_key(Role.AUTHORISE, tmp_path / "other.key", tmp_path / "other.toml", name="desk", clock=StoppedClock())
    (tmp_path / "other.toml").replace(tmp_path / "issuer.toml")
    add_trust(folder, offered)
    assert {key.fingerprint: Role.ISSUE} == {print_: one.role for print_, one in TrustStore.load(folder).keys.items()}


@pytest.mark.parametrize("broken", ["junk", "link", "long"])
def test_a_broken_file_keeps_nobody_trusted(tmp_path: Path, folder: Path, key: SigningKey, broken: str) -> None:
    """In an emergency a key can be taken out beside a file that lets nothing be loaded; the file is told."""
    add_trust(folder, OfferedTrust.read(tmp_path / "issuer.toml"))
    bad = folder / "a.toml"
    if broken == "link":
        bad.symlink_to(tmp_path / "absent")
    else:
        bad.write_text("x" * (1 if broken == "junk" else MAX_TRUST_FILE_BYTES + 1))
    with pytest.raises(TrustError, match=r"a\.toml"):
        TrustStore.load(folder)
    with pytest.raises(TrustError, match=r"a\.toml"):
        find_trust(folder, "0" * 32)
    found = find_trust(folder, key.fingerprint)
    assert ["a.toml" in error.message for error in found.unreadable] == [True]
    remove_trust(folder, found)
    assert [bad] == list(folder.iterdir())


def test_a_key_that_stands_twice_is_taken_out_twice(tmp_path: Path, folder: Path, key: SigningKey) -> None:
    """Else the copy that stays would be trusted at once."""
    add_trust(folder, OfferedTrust.read(tmp_path / "issuer.toml"))
    shutil.copy(tmp_path / "issuer.toml", folder / "copy.toml")
    remove_trust(folder, find_trust(folder, key.fingerprint))
    assert not TrustStore.load(folder).keys
