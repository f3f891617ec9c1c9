"""The commands of the data protection officer: from the appliance's state folder to an answer after the wipe."""

import shutil
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_lfr.config.load import load_config
from edge_lfr.watchlist.records.pseudonyms import officer_of
from simulators.command import CONFIG, Command, Finished
from simulators.watchlists import entry, load, new_store

LISTED, REMOVED, ABSENT = (entry(number).reference_id for number in (0, 1, 9))
TODAY = f"{datetime.now(UTC):%Y-%m-%d}"


@dataclass
class Records:
    """An appliance whose list of three lost one and was wiped, and what the officer got of it."""

    command: Command
    key: Path
    folder: Path
    device_key: str
    """As the appliance itself shows it."""

    def ask(self, reference_id: str, *options: str, on: str = TODAY) -> Finished:
        """Away from the appliance: without its configuration."""
        arguments = ("watchlist", "was-listed", reference_id, "--on", on, "--key", str(self.key), *options)
        return self.command(*arguments, str(self.folder), environ={"EDGE_LFR_CONFIG": "/nonexistent"})

    def here(self, *arguments: str) -> Finished:
        return self.command("watchlist", *arguments, environ={"EDGE_LFR_CONFIG": str(self.command.config)})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Records:
    tmp_path = tmp_path_factory.mktemp("appliance")
    command = Command(tmp_path)
    key = tmp_path / "officer.age"
    subprocess.run(["age-keygen", "-o", key], check=True, capture_output=True)
    public = subprocess.run(["age-keygen", "-y", key], check=True, capture_output=True, text=True).stdout.strip()
    command.config.write_text(CONFIG + f'protection_officer = "{public}"\n')
    store = new_store(tmp_path / "state/training", officer_of(load_config(command.config, {})))
    load(store, range(3))
    shown = command("keys", "show", "--json", environ={"EDGE_LFR_CONFIG": str(command.config)})
    records = Records(command, key, tmp_path / "stick", shown.json["device"]["fingerprint"])
    assert 0 == records.here("remove", REMOVED, "--yes").status
    wiped = records.here("wipe", "--yes", "--json")
    assert (0, 1) == (wiped.status, wiped.json["lists"])
    copied = records.here("manifests", "--copy-to", str(records.folder), "--delete", "--json")
    assert (0, 3, 3) == (copied.status, copied.json["copied"], copied.json["deleted"]), copied.err
    return records


@pytest.fixture
def records(tmp_path: Path, made: Records) -> Records:
    """A copy that a test may spoil."""
    shutil.copytree(made.folder, tmp_path / "stick")
    shutil.copy(made.key, tmp_path / "officer.age")
    return replace(made, key=tmp_path / "officer.age", folder=tmp_path / "stick")


def test_the_answer_after_the_wipe(records: Records) -> None:
    """Yes for who stayed and for who was removed, from when and until when, and no for everybody else."""
    yes = records.ask(LISTED)
    assert 0 == yes.status, yes.err
    assert "yes: on a list" in yes.err
    assert 0 == records.ask(REMOVED).status
    no = records.ask(ABSENT)
    assert 1 == no.status
    assert "\nno: on none of the lists" in no.err
    told = records.ask(REMOVED, "--json")
    first, second = told.json["manifests"]
    assert (True, True, False) == (told.json["listed"], first["listed"], second["listed"])
    assert ("next-list", second["from"]) == (first["ended_by"], first["until"])
    assert "wipe-certificate" == second["ended_by"]
    assert "anytown/van-1/training" == first["device"]


def test_without_the_appliances_key_nothing_is_verified_and_that_is_said(records: Records) -> None:
    """With it, once or in a file, the same files are the appliance's word, and those of any other say nothing."""
    unverified = records.ask(LISTED, "--json")
    assert (False, True) == (unverified.json["verified"], unverified.json["listed"])
    assert "nothing was verified" in unverified.err
    keys = records.folder / "vans.txt"
    keys.write_text(f"# noted when they were set up\n\n{records.device_key}  van 1\n")
    for named in (records.device_key, str(keys)):
        for reference_id, status in ((LISTED, 0), (REMOVED, 0), (ABSENT, 1)):
            verified = records.ask(reference_id, "--device-key", named, "--json")
            assert (status, True) == (verified.status, verified.json["verified"]), verified.err
            assert "nothing was verified" not in verified.err
            assert {records.device_key} == {one["signed_by"] for one in verified.json["manifests"]}
            assert "wipe-certificate" == verified.json["manifests"][-1]["ended_by"]
    other = records.ask(LISTED, "--device-key", "-".join(["0123"] * 8), "--json")
    assert (65, None, []) == (other.status, other.json["listed"], other.json["manifests"])
    assert {"watchlist.manifest-key"} == {one["code"] for one in other.json["broken"]}
    assert "no answer" in other.err


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"van 1\n", b"0" * 70_000], ids=str)
def test_a_device_key_that_is_none_is_told(records: Records, content: bytes | None) -> None:
    """A slip of the pen must not turn into a verification of nothing."""
    path = records.folder / "vans.txt"
    if content is not None:
        path.write_bytes(content)
    answer = records.ask(LISTED, "--device-key", str(path))
    assert answer.status not in {0, 1}
    assert "keys show" in answer.err
    assert "yes" not in answer.err


def test_where_there_was_nothing_to_ask_the_answer_is_not_no(records: Records) -> None:
    """An empty folder: exit status 66; one with nothing but junk: 65. Neither says that nobody was listed."""
    for path in records.folder.glob("*.age"):
        path.unlink()
    answer = records.ask(LISTED, "--json")
    assert (66, None) == (answer.status, answer.json["listed"])
    assert answer.err.startswith("no answer")
    (records.folder / "junk.age").write_bytes(b"junk")
    answer = records.ask(LISTED, "--json")
    assert (65, None) == (answer.status, answer.json["listed"])


@pytest.mark.parametrize("reference_id", ["", " ", "SUSP 1", f"{LISTED} ", f"{LISTED}\n", "a" * 65, "-"])
def test_an_id_that_no_list_has_is_a_slip_and_not_a_no(records: Records, reference_id: str) -> None:
    """A space too many from the clipboard: the answer would be no for everybody."""
    answer = records.command(
        *("watchlist", "was-listed", "--on", TODAY, "--key", str(records.key), "--", reference_id),
        str(records.folder),
    )
    assert 64 == answer.status, answer.err
    assert "REFERENCE_ID" in answer.err


def test_a_day_without_a_list_is_told_as_such(records: Records) -> None:
    """The day before."""
    before = f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}"
    answer = records.ask(LISTED, on=before)
    assert 1 == answer.status
    assert "no list was searched" in answer.err


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_nobody_else_is_in_any_output(records: Records, options: tuple[str, ...]) -> None:
    """Neither an id, nor a pseudonym that could be compared with one from elsewhere, nor the salt."""
    for asked, others in ((ABSENT, (LISTED, REMOVED)), (LISTED, (ABSENT, REMOVED))):
        answer = records.ask(asked, *options)
        assert not [other for other in others if other in answer.out + answer.err]
    path = next(records.folder.glob("*.age"))
    plain = subprocess.run(["age", "-d", "-i", records.key, path], check=True, capture_output=True, text=True).stdout
    for secret in [word for word in plain.split('"') if len(word) == 64][1:]:  # the first is the list's digest
        assert secret not in records.ask(LISTED, *options).out


def test_a_file_that_cannot_be_read_makes_no_whole_answer(records: Records) -> None:
    """Whatever the others say."""
    (records.folder / "junk.age").write_bytes(b"junk")
    answer = records.ask(LISTED)
    assert 65 == answer.status
    assert "junk.age" in answer.err
    assert [True] == [answer.json["listed"] for answer in [records.ask(LISTED, "--json")]]


def test_another_key_opens_nothing(records: Records) -> None:
    """Also a file that is no key is told in one sentence."""
    subprocess.run(["age-keygen", "-o", records.folder / "own.key"], check=True, capture_output=True)
    records.key = records.folder / "own.key"
    assert 65 == records.ask(LISTED).status
    records.key.write_bytes(b"\xff\xfe")
    assert 65 == records.ask(LISTED).status
    records.key.unlink()
    assert 65 == records.ask(LISTED).status


def test_what_left_the_appliance_is_in_its_ledger(made: Records) -> None:
    """And what was deleted here after that."""
    shown = made.command("ledger", "show", "--json", environ={"EDGE_LFR_CONFIG": str(made.command.config)})
    told = {line["event"]: line["facts"] for line in shown.json["lines"]}
    assert "records" == told["exported"]["what"]
    assert ("records", 3) == (told["purged"]["what"], told["purged"]["found"])


def test_deleting_without_a_copy_is_refused(records: Records) -> None:
    """A word too few must not cost the answer."""
    assert 64 == records.here("manifests", "--delete").status
    assert 0 == records.here("manifests").status
