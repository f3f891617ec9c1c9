"""Installing from the publisher: encrypted all the way, by digest, address after address."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_lfr.errors import ModelSourceError
from edge_lfr.inference.catalogue import PackEntry
from edge_lfr.inference.packs import install, verify
from simulators.nets import embedder_like, entry_of, file_spec, yunet_like
from simulators.publisher import Answer, publisher, write_certificate

DETECTOR, EMBEDDER = yunet_like(), embedder_like()


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The publisher's certificate, trusted by this test."""
    made = write_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made[0]))
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return made


def entry_at(base: str, detector: Sequence[str], embedder: Sequence[str]) -> PackEntry:
    entry = entry_of(DETECTOR, EMBEDDER).model_dump()
    entry["detector"]["file"] = file_spec("detector.onnx", DETECTOR, [base + path for path in detector])
    entry["embedder"]["file"] = file_spec("embedder.onnx", EMBEDDER, [base + path for path in embedder])
    return PackEntry.model_validate(entry)


def test_pack_is_fetched_and_verified(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    """Every file from its first good address; broken, wrong and short answers lead to the next one."""
    answers: dict[str, Answer] = {
        "/wrong": (200, bytes(len(DETECTOR))),
        "/short": (200, DETECTOR[:-1]),
        "/moved": (302, b"/detector"),
        "/detector": (200, DETECTOR),
        "/embedder": (200, EMBEDDER),
        "/unused": (200, EMBEDDER),
    }
    with publisher(answers, certificate) as (base, asked):
        entry = entry_at(base, ["/absent", "/wrong", "/short", "/moved"], ["/embedder", "/unused"])
        install(None, entry, tmp_path / "models")
    verify(entry, tmp_path / "models")
    assert ["/absent", "/wrong", "/short", "/moved", "/detector", "/embedder"] == asked


def test_redirect_cannot_leave_encryption(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    """A publisher that sends us to plain http, or to a local file, is not followed."""
    answers: dict[str, Answer] = {
        "/http": (302, b"http://127.0.0.1:9/detector"),
        "/file": (302, b"file:///etc/passwd"),
    }
    with publisher(answers, certificate) as (base, _):
        entry = entry_at(base, ["/http", "/file"], ["/embedder"])
        with pytest.raises(ModelSourceError, match=r"detector.onnx: could not be fetched") as raised:
            install(None, entry, tmp_path / "models")
    assert "http" in raised.value.message
    assert not list((tmp_path / "models").iterdir())


def test_untrusted_publisher_is_refused(
    tmp_path: Path, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server without a certificate of a known authority gives nothing."""
    (tmp_path / "none.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    with (
        publisher({"/detector": (200, DETECTOR)}, certificate) as (base, asked),
        pytest.raises(ModelSourceError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        install(None, entry_at(base, ["/detector"], ["/embedder"]), tmp_path / "models")
    assert [] == asked


def test_pack_without_addresses_asks_for_a_stick(tmp_path: Path) -> None:
    """A file that nobody publishes is asked for by name, and nothing is fetched."""
    with pytest.raises(ModelSourceError, match="the catalogue has no address for it") as raised:
        install(None, entry_at("https://127.0.0.1:9", [], ["/embedder"]), tmp_path / "models")
    assert "edge-lfr models install SOURCE" in raised.value.advice
    assert not list((tmp_path / "models").iterdir())
