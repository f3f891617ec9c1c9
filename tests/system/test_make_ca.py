"""The script that makes the control van's certificate authority."""

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from simulators.control_van import make_ca, make_certificates


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_keys_are_their_owners(tmp_path: Path) -> None:
    """Every key is 0600, also the authority's, and the folder is nobody else's."""
    folder = make_certificates(tmp_path / "ca")
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.key")}
    assert 7 == len(list(folder.glob("*.key")))
    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    assert [] == [path.name for path in folder.iterdir() if path.suffix not in {".pem", ".key"}]


def test_a_certificate_is_for_one_purpose(tmp_path: Path) -> None:
    """A client's cannot serve, the server's cannot be a client, and neither can sign others."""
    folder = make_certificates(tmp_path / "ca")
    for name, purpose in (("control.van", ExtendedKeyUsageOID.SERVER_AUTH), ("van-1", ExtendedKeyUsageOID.CLIENT_AUTH)):
        extensions = read(folder / f"{name}.pem").extensions
        assert [purpose] == list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_certificates_end(tmp_path: Path) -> None:
    """They are valid from now on, for the days that were asked for."""
    assert 0 == make_ca(tmp_path / "ca", "--device", "van-1", "--days", "30").returncode
    made = read(tmp_path / "ca" / "van-1.pem")
    assert timedelta(days=30) == made.not_valid_after_utc - made.not_valid_before_utc
    assert abs(made.not_valid_before_utc - datetime.now(tz=UTC)) < timedelta(minutes=1)


def test_a_client_is_added_later(tmp_path: Path) -> None:
    """The same authority signs; what is there stays as it is."""
    folder = tmp_path / "ca"
    assert 0 == make_ca(folder, "--device", "van-1").returncode
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert 0 == make_ca(folder, "--device", "van-2").returncode
    assert before == {path: path.read_bytes() for path in before}
    read(folder / "van-2.pem").verify_directly_issued_by(read(folder / "ca.pem"))


@pytest.mark.parametrize("there", ["van-2.pem", "van-2.key"])
def test_nothing_is_written_over(tmp_path: Path, there: str) -> None:
    """A file that exists refuses the whole call, before anything is made."""
    folder = tmp_path / "ca"
    folder.mkdir()
    (folder / there).write_text("mine")
    done = make_ca(folder, "--device", "van-1", "--device", "van-2")
    assert os.EX_CANTCREAT == done.returncode
    assert "exists" in done.stderr
    assert [there] == [path.name for path in folder.iterdir()]
    assert "mine" == (folder / there).read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--device", "../van"), id="a path"),
        pytest.param(("--device", "van/CN=control-1"), id="a second name"),
        pytest.param(("--device", "van 1"), id="a space"),
        pytest.param(("--device", "ca"), id="the authority's own"),
        pytest.param(("--device", "one", "--control", "one"), id="one name in two roles"),
        pytest.param(("--days", "0"), id="no time at all"),
        pytest.param(("--days",), id="no number"),
        pytest.param(("--unknown",), id="no such option"),
    ],
)
def test_a_doubtful_name_is_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """What stands in a certificate decides what its holder may do: it is plain, and it is one name."""
    done = make_ca(tmp_path / "ca", *arguments)
    assert os.EX_USAGE == done.returncode
    assert not (tmp_path / "ca").exists()


def test_an_authority_without_its_key_signs_nothing(tmp_path: Path) -> None:
    """On the van the authority's key is absent: the script says so, and makes no second authority."""
    assert 0 == make_ca(tmp_path / "ca").returncode
    (tmp_path / "ca" / "ca.key").unlink()
    done = make_ca(tmp_path / "ca", "--device", "van-1")
    assert os.EX_NOINPUT == done.returncode
    assert "ca.key is missing" in done.stderr
