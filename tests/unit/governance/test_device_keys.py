"""The keys of a box: made once, sealed, and lost rather than guessed."""

import io
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge_lfr.durable_files import write_durably
from edge_lfr.errors import KeyUnavailableError
from edge_lfr.governance.age_files import AgeReader, encrypt
from edge_lfr.governance.device_keys import FILE_NAME, DeviceKeys
from edge_lfr.governance.keys import CREDENTIAL_NAME
from edge_lfr.governance.seal import new_key


def test_keys_are_made_once_and_stay(tmp_path: Path) -> None:
    """A second start finds the same signing key and the same identity."""
    made = DeviceKeys.load(tmp_path, create=True)
    again = DeviceKeys.load(tmp_path, create=True)
    assert (made.fingerprint, made.receiving.recipient) == (again.fingerprint, again.receiving.recipient)
    again.signing.public.verify(made.signing.sign(b"x"), b"x")
    encrypted = io.BytesIO()
    encrypt(io.BytesIO(b"for this box"), encrypted, [made.receiving.recipient])
    encrypted.seek(0)
    with AgeReader(encrypted, again.receiving) as reader:
        assert b"for this box" == reader.read(100)


def test_two_processes_that_find_none_make_one(tmp_path: Path) -> None:
    """Whoever comes second takes the keys of the first."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: DeviceKeys.load(tmp_path, create=True).fingerprint, range(8)))
    assert 1 == len(set(made))


def test_a_credential_needs_no_folder_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed box makes its keys in a folder that no key file has made before."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / CREDENTIAL_NAME).write_bytes(new_key())
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    made = DeviceKeys.load(tmp_path / "state" / "device", create=True)
    assert made.fingerprint == DeviceKeys.load(tmp_path / "state" / "device").fingerprint


def test_without_keys_the_remedy_is_named(tmp_path: Path) -> None:
    """Nobody but `keys init` and the daemon makes them."""
    with pytest.raises(KeyUnavailableError) as caught:
        DeviceKeys.load(tmp_path)
    assert "edge-lfr keys init" in caught.value.advice


def test_no_secret_lies_in_clear(tmp_path: Path) -> None:
    """The file is its owner's, and shows neither private half."""
    made = DeviceKeys.load(tmp_path, create=True)
    path = tmp_path / FILE_NAME
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    for secret in (made.receiving.secret().encode(), made.signing.raw(), made.signing.raw().hex().encode()):
        assert secret not in path.read_bytes()
    assert "SECRET" not in repr(made)


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 500, b"x" * 10_000])
def test_a_changed_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever stands there, it is the keys or an error."""
    DeviceKeys.load(tmp_path, create=True)
    write_durably(tmp_path / FILE_NAME, content)
    with pytest.raises(KeyUnavailableError):
        DeviceKeys.load(tmp_path)


def test_another_key_encrypting_key_opens_nothing(tmp_path: Path) -> None:
    """A copied file is worth nothing without the key that it was sealed with."""
    DeviceKeys.load(tmp_path / "one", create=True)
    DeviceKeys.load(tmp_path / "two", create=True)
    (tmp_path / "two" / FILE_NAME).write_bytes((tmp_path / "one" / FILE_NAME).read_bytes())
    with pytest.raises(KeyUnavailableError, match="do not open"):
        DeviceKeys.load(tmp_path / "two")
