"""Bundles made through the commands, as an issuer does: without a configuration, without a net."""

import hashlib
import json
import os
import shlex
import shutil
import stat
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from simulators.command import CONFIG, ENTRY_POINT, Finished
from simulators.watchlists import CSV_HEADER, csv_row

NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass
class Issuer:
    """A folder with a key, a recipient and a list of four people; no appliance is anywhere."""

    folder: Path

    def run(self, *arguments: str) -> Finished:
        done = subprocess.run(
            [str(ENTRY_POINT), "watchlist", *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "COLUMNS": "120"},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Finished(done.returncode, done.stdout, done.stderr)

    def build(self, *more: str, extracted_at: datetime = NOW, key: str = "issuer.key") -> Finished:
        return self.run(
            "build", "list", "market.lfrw", "--key", key, "--to-file", "van-1.age",
            "--device", "anytown/van-1", "--list-id", "market-0601", "--issuer", "Intelligence desk",
            "--extracted-at", extracted_at.isoformat(), *more,
        )  # fmt: skip

    @property
    def bundle(self) -> Path:
        return self.folder / "market.lfrw"

    def rows(self, *more: str) -> None:
        rows = [CSV_HEADER, *(csv_row(f"S-{number}", f"{number}.png", label="Hush") for number in range(4)), *more]
        (self.folder / "list" / "watchlist.csv").write_text("\n".join(rows))


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    made = Issuer(tmp_path)
    source = tmp_path / "list"
    source.mkdir()
    for number in range(4):
        cv2.imwrite(str(source / f"{number}.png"), np.full((40, 30, 3), number, np.uint8))
    made.rows()
    keys = [str(ENTRY_POINT), "keys", "new", "issue", "issuer.key", "issuer.toml"]
    subprocess.run(keys, cwd=tmp_path, check=True, capture_output=True)
    subprocess.run(["age-keygen", "-o", "van-1.key"], cwd=tmp_path, check=True, capture_output=True)
    recipient = subprocess.run(
        ["age-keygen", "-y", "van-1.key"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    (tmp_path / "van-1.age").write_text(f"# anytown/van-1\n\n{recipient.stdout}")
    return made


def test_a_list_becomes_a_bundle(issuer: Issuer) -> None:
    """Exit status 0; the digest, the counts, the signer and the composition are told, and no label."""
    done = issuer.build("--json")
    told = done.json
    assert (0, "lfr.watchlist-build/1", [], []) == (done.status, told["schema"], told["refused"], told["left_out"])
    assert (4, 4, issuer.bundle.stat().st_size) == tuple(
        told["bundle"][name] for name in ("entries", "pictures", "bytes")
    )
    assert 39 == len(told["bundle"]["signer"])
    assert (4, 4) == (told["composition"]["categories"]["suspect"], told["composition"]["age_bands"]["25-39"])
    plain = subprocess.run(
        ["age", "-d", "-i", "van-1.key", "market.lfrw"], cwd=issuer.folder, check=True, capture_output=True
    ).stdout
    manifest = subprocess.run(["tar", "-xO", "manifest.json"], input=plain, check=True, capture_output=True).stdout
    assert hashlib.sha256(manifest).hexdigest() == told["bundle"]["manifest_digest"]
    said = json.loads(manifest)
    assert ("operational", ["anytown/van-1"], "market-0601") == (said["mode"], said["devices"], said["list_id"])
    assert "Hush" not in done.out + done.err
    in_words = issuer.build("--force", "--training")
    assert 0 == in_words.status
    for words in ("signer: ", "suspect: 4", "oldest_pictures: ", "25-39: 4"):
        assert words in in_words.out
    assert "Hush" not in in_words.out + in_words.err


def test_refused_rows_are_told_by_line_and_reason(issuer: Issuer) -> None:
    """Exit status 65 and nothing written; with --leave-out-refused the others are in the bundle."""
    (issuer.folder / "list" / "text.jpg").write_text("no picture")
    issuer.rows(
        csv_row("S-3", "absent.png", label="Hush"),
        csv_row("S-90", "0.png", label="Hush", born_on=(NOW - timedelta(days=15 * 365)).date()),
        csv_row("S-91", "text.jpg", label="Hush"),
    )
    reasons = {
        6: ["picture-missing"],
        7: ["under-18-necessity", "under-18-countersign"],
        8: ["picture-type"],
    }
    done = issuer.build("--json")
    assert (os.EX_DATAERR, None) == (done.status, done.json["bundle"])
    assert not issuer.bundle.exists()
    assert reasons == {row["line"]: row["reasons"] for row in done.json["refused"]}
    assert ["S-90", "S-91"] == done.json["left_out"]
    in_words = issuer.build()
    assert os.EX_DATAERR == in_words.status
    assert "under-18-necessity, under-18-countersign" in in_words.out
    assert "--leave-out-refused" in in_words.err

    partial = issuer.build("--json", "--leave-out-refused")
    assert (0, 4, 4) == (partial.status, *(partial.json["bundle"][name] for name in ("entries", "pictures")))
    assert "2 references are left out" in partial.err
    assert "Hush" not in f"{done}{in_words}{partial}"


def test_the_forces_own_policy_is_asked(issuer: Issuer) -> None:
    """An issuer who has the configuration of an appliance makes no bundle that all of them refuse."""
    (issuer.folder / "van.toml").write_text(f"{CONFIG}\n[policy.watchlist]\nlongest_life_days = 0.001\n")
    done = issuer.build("--config", "van.toml", "--json")
    assert [["expires-too-late"]] * 4 == [row["reasons"] for row in done.json["refused"]]
    (issuer.folder / "van.toml").write_text(f"{CONFIG}\n[policy.watchlist]\nmax_extract_age_h = 1\n")
    drawn = NOW - timedelta(hours=2)
    assert "extract-too-old" in issuer.build("--config", "van.toml", extracted_at=drawn).err
    assert os.EX_OK == issuer.build(extracted_at=drawn).status


def test_a_list_of_refused_rows_alone_is_no_bundle(issuer: Issuer) -> None:
    """Also with --leave-out-refused: exit status 65."""
    for number in range(4):
        (issuer.folder / "list" / f"{number}.png").unlink()
    done = issuer.build("--leave-out-refused")
    assert os.EX_DATAERR == done.status
    assert not issuer.bundle.exists()


def test_nothing_is_replaced_without_a_word(issuer: Issuer) -> None:
    """Exit status 73; --force replaces; the file is its owner's alone, and nothing lies beside it."""
    assert 0 == issuer.build().status
    before = issuer.bundle.read_bytes()
    again = issuer.build()
    assert (os.EX_CANTCREAT, before) == (again.status, issuer.bundle.read_bytes())
    assert "--force" in again.err
    assert 0 == issuer.build("--force").status
    assert before != issuer.bundle.read_bytes()
    assert 0o600 == stat.S_IMODE(issuer.bundle.stat().st_mode)
    assert [] == list(issuer.folder.glob(".*"))


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (("--device", "van-1"), 64, "--device: expected 1 to 32 appliances"),
        (("--list-id", "a b"), 64, "--list-id: expected 1 to 64"),
        (("--issuer", " "), 64, "--issuer: expected"),
        (("--extracted-at", "yesterday"), 64, "--extracted-at: expected a time with its zone"),
        (("--extracted-at", (NOW - timedelta(hours=25)).isoformat()), 65, "extract-too-old"),
        (("--extracted-at", (NOW + timedelta(hours=1)).isoformat()), 65, "extract-in-future"),
        (("--to", "age1nobody"), 65, "expected an age recipient"),
        (("--to-file", "absent.age"), 65, "cannot be read as a file of recipients"),
        (("--to-file", "list/0.png"), 65, "cannot be read as a file of recipients"),
        (("--key", "absent.key"), 78, "cannot be read"),
        (("--key", "van-1.age"), 78, "others may read"),
        (("--key", "van-1.key"), 78, "expected an unencrypted PEM private key"),
    ],
)
def test_a_wrong_option_is_told_before_the_work(
    issuer: Issuer, options: tuple[str, str], status: int, words: str
) -> None:
    """Which one and what it should be; a stale extract can be issued by nobody."""
    done = issuer.build(*options)
    assert (status, "") == (done.status, done.out)
    assert words in " ".join(done.err.split())
    assert not issuer.bundle.exists()


def test_nobody_to_read_it_is_a_mistake(issuer: Issuer) -> None:
    """Exit status 64: an empty file of recipients is none."""
    (issuer.folder / "van-1.age").write_text("# nobody\n")
    done = issuer.build()
    assert os.EX_USAGE == done.status
    assert "expected 1 to 32 recipients" in done.err


def test_the_template_is_a_header_that_the_reader_takes(issuer: Issuer) -> None:
    """To stdout goes the one line alone, to the terminal a word on each column; --json and --columns tell the same."""
    done = issuer.run("template")
    assert (0, f"{CSV_HEADER}\n") == (done.status, done.out)
    columns = done.out.strip().split(",")
    for column in columns:
        assert f"# {column}: " in done.err
    assert columns == [one["name"] for one in issuer.run("template", "--json").json["columns"]]
    table = issuer.run("template", "--columns").out
    assert all(column in table for column in columns)
    shutil.copy(issuer.folder / "list" / "watchlist.csv", issuer.folder / "rows")
    lines = (issuer.folder / "rows").read_text().split("\n", 1)
    (issuer.folder / "list" / "watchlist.csv").write_text(done.out + lines[1])
    assert 0 == issuer.build().status


def test_the_help_shows_an_example_that_works(issuer: Issuer) -> None:
    """With the names of files of this test, and a time of now."""
    text = issuer.run("build", "--help").out.replace("\\\n", " ")
    example = text.split("Example: edge-lfr watchlist ", 1)[1]
    shutil.move(issuer.folder / "list", issuer.folder / "my-list")
    done = issuer.run(*shlex.split(example.replace("2026-06-01T08:30+01:00", NOW.isoformat())))
    assert (0, "") == (done.status, done.err)
