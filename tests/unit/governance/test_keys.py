"""The key-encrypting key: where it comes from and who may read it."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge_lfr.errors import KeyUnavailableError, SealBrokenError
from edge_lfr.governance.keys import CREDENTIAL_NAME, FILE_NAME, KeyEncryptingKey, KeyOrigin
from edge_lfr.governance.seal import KEY_BYTES, new_key


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def test_a_wrapped_key_is_given_back_in_its_place(tmp_path: Path) -> None:
    """Also by the same key loaded a second time."""
    data_key = new_key()
    wrapped = KeyEncryptingKey.load(tmp_path, create=True).wrap(data_key, context="list")

    assert data_key == KeyEncryptingKey.load(tmp_path).unwrap(wrapped, context="list")
    assert data_key not in wrapped


def test_a_wrapped_key_does_not_open_elsewhere(tmp_path: Path) -> None:
    """A key wrapped for one list opens no other."""
    kek = KeyEncryptingKey.load(tmp_path, create=True)

    with pytest.raises(SealBrokenError):
        kek.unwrap(kek.wrap(new_key(), context="one"), context="other")


def test_the_key_file_is_for_the_owner_alone(tmp_path: Path) -> None:
    """It is made 0600 in a folder of 0700."""
    kek = KeyEncryptingKey.load(tmp_path / "state", create=True)

    assert KeyOrigin.FILE == kek.origin
    assert 0o600 == stat.S_IMODE((tmp_path / "state" / FILE_NAME).stat().st_mode)
    assert 0o700 == stat.S_IMODE((tmp_path / "state").stat().st_mode)


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """The remedy names the mode."""
    KeyEncryptingKey.load(tmp_path, create=True)
    (tmp_path / FILE_NAME).chmod(0o640)

    with pytest.raises(KeyUnavailableError) as caught:
        KeyEncryptingKey.load(tmp_path)

    assert "chmod 600" in caught.value.advice


def test_a_missing_key_is_made_only_on_request(tmp_path: Path) -> None:
    """A reader never makes a key that would open nothing."""
    with pytest.raises(KeyUnavailableError, match="cannot be read"):
        KeyEncryptingKey.load(tmp_path)

    assert [] == list(tmp_path.iterdir())


def test_an_existing_key_is_never_replaced(tmp_path: Path) -> None:
    """`create` leaves a key that is there alone, since lists depend on it."""
    KeyEncryptingKey.load(tmp_path, create=True)
    before = (tmp_path / FILE_NAME).read_bytes()
    KeyEncryptingKey.load(tmp_path, create=True)

    assert before == (tmp_path / FILE_NAME).read_bytes()


def test_an_interrupted_creation_is_repeated(tmp_path: Path) -> None:
    """A partial file of a killed process is no obstacle and no key."""
    (tmp_path / "kek.key.partial").write_bytes(b"half")

    KeyEncryptingKey.load(tmp_path, create=True)

    assert [FILE_NAME] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("size", [0, KEY_BYTES - 1, KEY_BYTES + 1])
def test_a_key_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    """Cut or foreign files are told by their size."""
    (tmp_path / FILE_NAME).write_bytes(bytes(size))
    (tmp_path / FILE_NAME).chmod(0o600)

    with pytest.raises(KeyUnavailableError, match=f"found {size}"):
        KeyEncryptingKey.load(tmp_path)


def test_the_credential_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where systemd gives a key, the file is not looked at."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / CREDENTIAL_NAME).write_bytes(new_key())
    from_file = KeyEncryptingKey.load(tmp_path, create=True)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))

    kek = KeyEncryptingKey.load(tmp_path, create=True)

    assert KeyOrigin.CREDENTIAL == kek.origin
    with pytest.raises(SealBrokenError):
        kek.unwrap(from_file.wrap(new_key(), context="list"), context="list")


def test_a_key_does_not_show_itself(tmp_path: Path) -> None:
    """Neither key nor seal stands in the representation."""
    assert "KeyEncryptingKey(origin=<KeyOrigin.FILE: 'file'>)" == repr(KeyEncryptingKey.load(tmp_path, create=True))


def test_two_processes_that_make_the_key_make_one(tmp_path: Path) -> None:
    """Whoever comes second takes the first one's: what one of them wraps, the other opens."""
    with ThreadPoolExecutor(8) as threads:
        keys = list(threads.map(lambda _: KeyEncryptingKey.load(tmp_path, create=True), range(16)))

    wrapped = keys[0].wrap(b"data", context="list")
    assert {b"data"} == {key.unwrap(wrapped, context="list") for key in keys}
    assert [FILE_NAME] == [path.name for path in tmp_path.iterdir()]


def test_a_key_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """An error with a remedy, as for one that cannot be read."""
    (tmp_path / "state").write_bytes(b"")

    with pytest.raises(KeyUnavailableError, match="cannot be written"):
        KeyEncryptingKey.load(tmp_path / "state", create=True)
