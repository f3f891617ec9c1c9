"""A bundle that is made with the commands of the page, by tools that are not ours, and opened the same way."""

import hashlib
import re
import subprocess
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_lfr.clock import SystemClock
from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.governance.trust import Role, SigningKey, TrustedKey, TrustStore
from edge_lfr.terms import Category, Mode
from edge_lfr.watchlist.bundle.reading import BundleReader
from edge_lfr.watchlist.bundle.rules import EntryReason
from edge_lfr.watchlist.enrolling.columns import COLUMN_EXPECTED, OPTIONAL, Column

PAGE = (Path(__file__).resolve().parents[4] / "watchlists" / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A key, an identity with its recipient, a picture, and the manifest of the page with that picture's digest."""
    openssl = ("openssl", "genpkey", "-algorithm", "ed25519", "-out", "issuer.key")
    subprocess.run(openssl, cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "issuer.key").chmod(0o600)
    subprocess.run(("age-keygen", "-o", "van-1.key"), cwd=tmp_path, check=True, capture_output=True)
    recipient = subprocess.run(("age-keygen", "-y", "van-1.key"), cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "van-1.age").write_bytes(recipient.stdout)
    (tmp_path / "pictures").mkdir()
    cv2.imwrite(str(tmp_path / "pictures" / "000001.jpg"), np.full((40, 30, 3), 9, np.uint8))
    picture = (tmp_path / "pictures" / "000001.jpg").read_bytes()
    (manifest,) = blocks("json")
    for placeholder, said in (
        ("SHA256", hashlib.sha256(picture).hexdigest()),
        ("BYTES", str(len(picture))),
        ("2026-06-01T08:30:00+01:00", SystemClock().utc_now().isoformat(timespec="seconds")),
    ):
        assert placeholder in manifest
        manifest = manifest.replace(placeholder, said)
    (tmp_path / "manifest.json").write_text(manifest)
    return tmp_path


def run(folder: Path, commands: str) -> str:
    done = subprocess.run(("bash", "-euo", "pipefail", "-c", commands), cwd=folder, check=False, capture_output=True)
    assert 0 == done.returncode, done.stderr
    return done.stdout.decode()


def test_the_commands_of_the_page_make_a_bundle_that_is_believed(folder: Path) -> None:
    """Signature, archive and encryption of other tools: the reader gives the entry and the picture."""
    _, make, open_it, _ = blocks("sh")
    assert hashlib.sha256((folder / "pictures" / "000001.jpg").read_bytes()).hexdigest() in run(folder, make)
    opened = run(folder, open_it)
    assert ["manifest.json", "manifest.sig", "pictures/000001.jpg"] == opened.splitlines()[:3]
    assert "Verified Successfully" in opened

    now = SystemClock().utc_now()
    day = timedelta(days=1)
    key = SigningKey.load(folder / "issuer.key")
    issuer = TrustedKey(key.fingerprint, Role.TRAIN, now - day, now + day, "desk", key.public)
    with (
        (folder / "market.lfrw").open("rb") as file,
        BundleReader(
            file,
            AgeIdentity.parse((folder / "van-1.key").read_text()),
            TrustStore({issuer.fingerprint: issuer}),
            mode=Mode.TRAINING,
            device="anytown/van-1",
            device_fingerprint="0" * 64,
            now=now,
        ) as reader,
    ):
        pictures = [picture.untrusted for picture in reader.pictures()]
        (entry,) = (entry.entry() for entry in reader.manifest.entries)
    assert [(folder / "pictures" / "000001.jpg").read_bytes()] == pictures
    assert ("EX-0004", Category.MISSING_AT_RISK, "Insp 2001") == (
        entry.reference_id,
        entry.category,
        entry.under_18_countersigned_by,
    )


def test_the_page_explains_every_column() -> None:
    """In one row each, with what is allowed for closed lists, and which must be there."""
    for column in Column:
        (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{column}` |"))
        assert ("| yes |" in row) is (column not in OPTIONAL)
        if COLUMN_EXPECTED[column].startswith("one of "):
            for term in COLUMN_EXPECTED[column].removeprefix("one of ").split(", "):
                assert f"`{term}`" in row


def test_the_page_explains_every_reason() -> None:
    """Whoever reads a code in a report finds it on the page."""
    for reason in EntryReason:
        assert f"`{reason}`" in PAGE
