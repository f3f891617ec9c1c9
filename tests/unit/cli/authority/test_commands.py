"""Authorities as their officers and technicians meet them: words, files, exit statuses; in this process, for speed."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep

import pytest

from edge_lfr.cli.main import run_command
from edge_lfr.clock import SystemClock
from edge_lfr.config.retention import load_profile
from edge_lfr.governance.authority.content import Authority
from edge_lfr.governance.clock_note import SystemKernel
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.documents import Kind, new_document
from edge_lfr.governance.trust import Role, SigningKey, create_key
from edge_lfr.terms import Rank
from simulators.command import CONFIG, Finished
from simulators.packs import entry_0095
from simulators.retention import DAY, NAME, document

NOW = datetime.now(tz=UTC).replace(microsecond=0)
BEGINS, ENDS = NOW + timedelta(hours=1), NOW + timedelta(hours=6)
TEXTS = (
    *("--id", "T-14", "--officer", "101", "--rank", "superintendent", "--use-case", "crime-hotspot"),
    *("--place", "Market Square", "--polygon", "-1.5,53.8 -1.49,53.8 -1.49,53.81 -1.5,53.8"),
    *("--purpose", "To find people whom the courts want.", "--why-here", "Six arrests on warrant here in May."),
    *("--less-intrusive-means", "Patrols found nobody.", "--list-id", "june-01", "--max-entries", "1000"),
    *("--category", "wanted-by-courts", "--category", "witness", "--approve", "witness"),
    *("--data-protection", "DPIA-7@2", "--equality", "E-1@1", "--community", "C-1@1", "--policy-document", "A-1@3"),
    *("--silver", "201", "--operator", "301", "--engagement-officer", "401"),
    *("--begins", BEGINS.isoformat(), "--ends", ENDS.isoformat()),
    *("--notice-given", (NOW - timedelta(days=1)).isoformat()),
)


@dataclass(frozen=True)
class Terminal:
    """`edge-lfr` with one configuration, without a process of its own; nobody can be asked."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def __call__(self, *arguments: str, config: str = "edge-lfr.toml") -> Finished:
        self.monkeypatch.setenv("EDGE_LFR_CONFIG", config)
        status = run_command(arguments)
        out, err = self.capsys.readouterr()
        assert "a defect" not in err, err
        return Finished(status, out, err)


@pytest.fixture
def edge_lfr(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """An appliance that trusts two officers, an issuer and somebody who revokes."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edge-lfr.toml").write_text(CONFIG)
    keys = {"officer": Role.AUTHORISE, "second": Role.AUTHORISE, "issuer": Role.ISSUE, "revoker": Role.REVOKE}
    for name, role in keys.items():
        new_key(tmp_path, role, name, rank=Rank.SUPERINTENDENT if role is Role.AUTHORISE else None)
    capsys.readouterr()
    return Terminal(tmp_path, capsys, monkeypatch)


def new_key(folder: Path, role: Role, file: str, *, name: str | None = None, rank: Rank | None = None) -> SigningKey:
    """One that the appliance trusts; its holder is called as the file is."""
    path, trust = folder / f"{file}.key", folder / f"trust.d/{file}.toml"
    return create_key(role, path, trust, name=file if name is None else name, clock=SystemClock(), rank=rank)


def urgent(edge_lfr: Terminal) -> str:
    """The signed file of an inspector's authority that a second officer must sign."""
    return signed(edge_lfr, "--rank", "inspector", "--countersign-by", (ENDS - timedelta(hours=1)).isoformat())


def jump(edge_lfr: Terminal) -> None:
    """The box has noted a time three days from now: it does not believe its clock."""
    kernel, folder = SystemKernel(), edge_lfr.folder / "state/training"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    noted = {"boot_id": kernel.boot_id(), "boottime_ns": SystemClock().boottime_ns(), "wall": NOW.isoformat()}
    later = {"newest": (NOW + timedelta(days=3)).isoformat(), "doubt": "jumped"}
    (folder / "clock.json").write_text(json.dumps({**noted, **later}))
    assert edge_lfr("clock", "show", "--json").json["doubt"] is not None


def await_time(at: datetime) -> None:
    while datetime.now(tz=UTC) < at:
        sleep(0.01)


def drafted(edge_lfr: Terminal, *more: str, out: str = "draft.json") -> Finished:
    return edge_lfr("authority", "draft", out, *TEXTS, *more)


def signed(edge_lfr: Terminal, *more: str, name: str = "signed.json") -> str:
    assert 0 == drafted(edge_lfr, *more, out=f"{name}.draft").status
    done = edge_lfr("authority", "sign", f"{name}.draft", name, "--key", "officer.key", "--yes")
    assert 0 == done.status, done.err
    return name


def revoked(edge_lfr: Terminal, *more: str) -> str:
    call = ("authority", "revoke", "T-14", "stop.json", "--key", "revoker.key", "--reason", "mistake", "--yes", *more)
    done = edge_lfr(*call, "--police-force", "anytown")
    assert 0 == done.status, done.err
    return "stop.json"


def with_own_retention(edge_lfr: Terminal, *changes: tuple[str, str]) -> None:
    """A second configuration, `own.toml`: the same appliance with a retention document of the force's own."""
    document(edge_lfr.folder, *changes)
    own = f'[retention]\nprofile = "{NAME}"\ndocument = "retention.toml"\n'
    (edge_lfr.folder / "own.toml").write_text(CONFIG + own)


def retention_in(edge_lfr: Terminal, out: str, *more: str, config: str = "edge-lfr.toml") -> tuple[str, str]:
    """Name and digest of the profile in a new draft."""
    done = edge_lfr("authority", "draft", out, *more, config=config)
    assert 0 == done.status, done.err
    content = json.loads((edge_lfr.folder / out).read_text())["content"]
    return content["retention_profile"], content["retention_digest"]


class TestDraft:
    """What the appliance knows is filled in; what nobody knows yet is named."""

    def test_a_bare_draft_names_what_is_open(self, edge_lfr: Terminal) -> None:
        """Force, appliance, pack, issuer and retention come from the configuration."""
        done = edge_lfr("authority", "draft", "draft.json", "--json")
        assert {"purpose", "threshold", "authority_id"} <= set(done.json["open"])
        content = json.loads((edge_lfr.folder / "draft.json").read_text())["content"]
        assert ("anytown", ["van-1"], entry_0095().digest) == (
            content["force"],
            content["devices"],
            content["pack_digest"],
        )
        assert len(content["watchlist"]["issuer_key"]) == 64

    def test_the_threshold_is_the_floor(self, edge_lfr: Terminal) -> None:
        """For as many people as the list may have; a higher one is kept, a lower one refused with the floor."""
        assert 0 == drafted(edge_lfr).status
        content = json.loads((edge_lfr.folder / "draft.json").read_text())["content"]
        assert entry_0095().floor(1000).threshold == content["threshold"]
        assert 0 == drafted(edge_lfr, "--threshold", "0.8", out="high.json").status
        low = drafted(edge_lfr, "--threshold", "0.5", out="low.json")
        assert os.EX_DATAERR == low.status
        assert "0.695" in low.err
        assert not (edge_lfr.folder / "low.json").exists()

    def test_the_one_before_is_a_beginning(self, edge_lfr: Terminal) -> None:
        """Id, times, notice and list are asked for again."""
        done = edge_lfr("authority", "draft", "next.json", "--from", signed(edge_lfr), "--json")
        assert ["authority_id", "begins_at", "ends_at", "notice_given_at", "watchlist.list_id"] == sorted(
            done.json["open"]
        )

    def test_how_long_alerts_are_kept_comes_from_the_configuration(self, edge_lfr: Terminal) -> None:
        """Name and digest of the configured profile, also in place of what the one before says."""
        assert (DAY.name, DAY.digest) == retention_in(edge_lfr, "first.json")
        with_own_retention(edge_lfr)
        own = load_profile(NAME, edge_lfr.folder / "retention.toml")
        assert (NAME, own.digest) == retention_in(edge_lfr, "second.json", config="own.toml")
        before = ("--from", signed(edge_lfr))
        assert (DAY.name, DAY.digest) == retention_in(edge_lfr, "third.json", *before, config="")
        assert (NAME, own.digest) == retention_in(edge_lfr, "fourth.json", *before, config="own.toml")

    def test_a_named_profile_has_its_digest(self, edge_lfr: Terminal) -> None:
        """Of the program's, or of the configured document's; of one that nobody knows here it stays open."""
        longer = load_profile("alerts-31d")
        named, before = ("--retention", longer.name), ("--from", signed(edge_lfr))
        assert (longer.name, longer.digest) == retention_in(edge_lfr, "named.json", *named)
        assert (longer.name, longer.digest) == retention_in(edge_lfr, "again.json", *named, *before)
        assert (longer.name, longer.digest) == retention_in(edge_lfr, "bare.json", *named, *before, config="")
        with_own_retention(edge_lfr)
        own = load_profile(NAME, edge_lfr.folder / "retention.toml")
        assert (NAME, own.digest) == retention_in(edge_lfr, "own.json", "--retention", NAME, config="own.toml")
        name, digest = retention_in(edge_lfr, "unknown.json", "--retention", "theirs")
        assert ("theirs", True) == (name, digest.startswith("TODO"))

    @pytest.mark.parametrize(
        "wrong",
        [
            ("--begins", "2026-06-01T14:00"),
            ("--begins", "tomorrow"),
            ("--polygon", "nan,nan"),
            ("--threshold", "nan"),
            ("--equality", "E-1"),
            ("--issuer", "trust.d/officer.toml"),
        ],
    )
    def test_a_wrong_option_is_a_usage_error(self, edge_lfr: Terminal, wrong: tuple[str, str]) -> None:
        """Exit status 64 with the option; nothing is written."""
        done = drafted(edge_lfr, *wrong)
        assert os.EX_USAGE == done.status
        assert wrong[0] in done.err
        assert not (edge_lfr.folder / "draft.json").exists()

    def test_nothing_is_overwritten(self, edge_lfr: Terminal) -> None:
        """An officer's draft is work."""
        assert 0 == drafted(edge_lfr).status
        assert "exists already" in drafted(edge_lfr).err


class TestSign:
    """`sign` and `countersign`."""

    def test_what_is_signed_is_said(self, edge_lfr: Terminal) -> None:
        """In words, before it is asked; where nobody can be asked, nothing is signed."""
        drafted(edge_lfr)
        done = edge_lfr("authority", "sign", "draft.json", "signed.json", "--key", "officer.key")
        assert os.EX_USAGE == done.status
        for words in ("crime-hotspot (policy 2.3(a))", "Market Square", "5 h 00 min", "at most 1000 people"):
            assert words in done.err
        assert "53.80000 -1.50000; 53.80000 -1.49000; 53.81000 -1.49000" in done.err
        assert "when its extract is 24 h 00 min old, matching stops" in done.err
        (edge_lfr.folder / "strict.toml").write_text(f"{CONFIG}\n[policy.watchlist]\nmax_extract_age_h = 6.0\n")
        done = edge_lfr("authority", "sign", "draft.json", "signed.json", "--key", "officer.key", config="strict.toml")
        assert "when its extract is 6 h 00 min old, matching stops" in done.err
        assert not (edge_lfr.folder / "signed.json").exists()

    def test_how_long_alerts_are_kept_is_said(self, edge_lfr: Terminal) -> None:
        """In hours or days where name and digest are known here; a known name with another digest is told so."""
        with_own_retention(edge_lfr, ("period_s = 86_400", "period_s = 7_200"))
        own = load_profile(NAME, edge_lfr.folder / "retention.toml")
        for profile, config, words in (
            (DAY, "", f"alerts are kept for 24 hours after the capture (alerts-24h, digest {DAY.digest[:12]})"),
            (own, "own.toml", "alerts are kept for 2 hours after the capture"),
            (own, "", "this profile is not known here"),
            (own.model_copy(update={"name": DAY.name}), "", "NOT the profile of this name that is known here"),
            (DAY.model_copy(update={"name": NAME}), "own.toml", "NOT the profile of this name that is known here"),
        ):
            drafted(edge_lfr, out="draft.json")
            envelope = json.loads((edge_lfr.folder / "draft.json").read_text())
            envelope["content"] |= {"retention_profile": profile.name, "retention_digest": profile.digest}
            (edge_lfr.folder / "draft.json").write_text(json.dumps(envelope))
            done = edge_lfr("authority", "sign", "draft.json", "no.json", "--key", "officer.key", config=config)
            assert words in " ".join(done.err.split())
            assert profile.digest[:12] in done.err
            (edge_lfr.folder / "draft.json").unlink()

    def test_open_fields_are_named(self, edge_lfr: Terminal) -> None:
        """Exit status 65, every one."""
        edge_lfr("authority", "draft", "draft.json")
        done = edge_lfr("authority", "sign", "draft.json", "signed.json", "--key", "officer.key", "--yes")
        assert os.EX_DATAERR == done.status
        assert {"purpose: still to be written", "staff.operators.0: still to be written"} <= set(done.err.splitlines())

    def test_the_forces_own_policy_holds(self, edge_lfr: Terminal) -> None:
        """An officer does not sign what every appliance of the force will refuse."""
        drafted(edge_lfr)
        (edge_lfr.folder / "strict.toml").write_text(f"{CONFIG}\n[policy.authority]\nnotice_before_h = 48.0\n")
        call = ("authority", "sign", "draft.json", "signed.json", "--key", "officer.key", "--yes")
        done = edge_lfr(*call, config="strict.toml")
        assert (os.EX_DATAERR, True) == (done.status, "notice_given_at" in done.err)
        assert 0 == edge_lfr(*call).status

    def test_an_urgent_one_is_countersigned(self, edge_lfr: Terminal) -> None:
        """By another key than the first."""
        call = ("authority", "countersign", urgent(edge_lfr), "both.json", "--yes", "--key")
        assert "doubled-key" in edge_lfr(*call, "officer.key").err
        assert "lfr.authority-countersign/1" == edge_lfr(*call, "second.key", "--json").json["schema"]
        assert 2 == len(json.loads((edge_lfr.folder / "both.json").read_text())["signatures"])
        shown = edge_lfr("authority", "install", "both.json", "--json").json
        assert ("officer", "second") == (shown["signer"]["name"], shown["countersigner"]["name"])

    @pytest.mark.parametrize(
        ("name", "rank", "said", "remedy"),
        [
            ("OFFICER", Rank.SUPERINTENDENT, "of the same name", "another officer"),
            ("103", None, "carries no rank", "--rank"),
            ("103", Rank.INSPECTOR, "inspector, below superintendent", "superintendent or above"),
        ],
    )
    def test_what_will_not_count_is_not_signed(
        self, edge_lfr: Terminal, name: str, rank: Rank | None, said: str, remedy: str
    ) -> None:
        """An officer is told before the deadline has passed, wherever the trust folder is at hand."""
        new_key(edge_lfr.folder, Role.AUTHORISE, "other", name=name, rank=rank)
        call = ("authority", "countersign", urgent(edge_lfr), "both.json", "--yes", "--key", "other.key")
        for options in ((), ("--trust", "trust.d")):
            done = edge_lfr(*call, *options)
            assert (os.EX_DATAERR, True, True) == (done.status, said in done.err, remedy in done.err), done.err
            assert not (edge_lfr.folder / "both.json").exists()
        (edge_lfr.folder / "trust.d/other.toml").rename(edge_lfr.folder / "other.toml")
        done = edge_lfr(*call)
        assert (0, True) == (done.status, "whether it counts cannot be told" in done.err)
        (edge_lfr.folder / "other.toml").rename(edge_lfr.folder / "trust.d/other.toml")
        shown = edge_lfr("authority", "verify", "both.json").out
        assert "6 countersignature ok          due before" in shown
        assert f"{said}" in shown
        assert "does not count" in shown
        assert remedy in shown


class TestVerify:
    """Every numbered step with its outcome."""

    def test_a_good_one(self, edge_lfr: Terminal) -> None:
        """Nine steps, the last two against the pack of this appliance and what is installed on it."""
        done = edge_lfr("authority", "verify", signed(edge_lfr), "--json")
        assert (0, list(range(1, 10)), {"ok"}) == (
            done.status,
            [step["number"] for step in done.json["steps"]],
            {step["verdict"] for step in done.json["steps"]},
        )
        assert "not-yet" == done.json["verified"]["state"]

    def test_a_clock_in_doubt_is_told(self, edge_lfr: Terminal) -> None:
        """What `install` would refuse is refused here: nobody can say when an authority begins and ends."""
        name = signed(edge_lfr)
        jump(edge_lfr)
        done = edge_lfr("authority", "verify", name)
        assert (os.EX_DATAERR, True) == (done.status, "9 installation     refused" in done.out)
        assert "edge-lfr clock confirm" in done.out

    def test_a_countersignature_that_comes_too_late_is_told(self, edge_lfr: Terminal) -> None:
        """What `install` would refuse is refused here, by a step of its own: it was not here before the deadline."""
        content = json.loads((edge_lfr.folder / f"{signed(edge_lfr)}.draft").read_text())["content"]
        hours_ago = {"issued_at": 4, "begins_at": 3, "countersign_by": 1}
        times = {name: (NOW - timedelta(hours=hours)).isoformat() for name, hours in hours_ago.items()}
        officer = {**content["authorising_officer"], "rank": "inspector"}
        urgent = {**content, **times, "is_urgent": True, "authorising_officer": officer}
        document = new_document(Kind.AUTHORITY, Authority.model_validate_json(json.dumps(urgent)))
        for name in ("officer", "second"):
            document = document.with_signature(SigningKey.load(edge_lfr.folder / f"{name}.key"))
        (edge_lfr.folder / "late.json").write_bytes(document.wire())
        done = edge_lfr("authority", "verify", "late.json", "--json")
        assert (os.EX_DATAERR, ["ok"] * 8) == (done.status, [step["verdict"] for step in done.json["steps"][:8]])
        assert ("installation", "refused") == (done.json["steps"][8]["step"], done.json["steps"][8]["verdict"])
        assert "countersign_by" in edge_lfr("authority", "verify", "late.json").out
        assert os.EX_DATAERR == edge_lfr("authority", "install", "late.json").status

    def test_a_threshold_below_the_floor_is_refused_here(self, edge_lfr: Terminal) -> None:
        """Also where it was drafted without the appliance's configuration."""
        name = signed(edge_lfr)
        folder = edge_lfr.folder
        draft = json.loads((folder / f"{name}.draft").read_text())
        draft["content"]["threshold"] = 0.3
        (folder / "low.draft").write_text(json.dumps(draft))
        assert 0 == edge_lfr("authority", "sign", "low.draft", "low.json", "--key", "officer.key", "--yes").status
        done = edge_lfr("authority", "install", "low.json")
        assert (os.EX_DATAERR, True) == (done.status, "threshold" in done.err)
        assert os.EX_CONFIG == edge_lfr("authority", "show").status
        done = edge_lfr("authority", "verify", "low.json")
        assert os.EX_DATAERR == done.status
        assert "8 pack             refused" in done.out
        assert "what to do: raise it to the floor" in done.out

    def test_a_stranger_is_refused_with_what_to_do(self, edge_lfr: Terminal) -> None:
        """The steps behind it are still shown."""
        name = signed(edge_lfr)
        (edge_lfr.folder / "trust.d" / "officer.toml").unlink()
        done = edge_lfr("authority", "verify", name)
        assert os.EX_DATAERR == done.status
        assert "2 signature        refused     unknown-key" in done.out
        assert "4 device           ok" in done.out

    def test_without_a_configuration(self, edge_lfr: Terminal) -> None:
        """In an office, with a trust folder and the appliance's name."""
        name = signed(edge_lfr)
        there = ("authority", "verify", name, "--trust", "trust.d", "--device")
        assert 0 == edge_lfr(*there, "anytown/van-1", config="nowhere.toml").status
        assert os.EX_DATAERR == edge_lfr(*there, "anytown/van-9", config="nowhere.toml").status
        assert os.EX_USAGE == edge_lfr(*there[:-1], config="nowhere.toml").status

    def test_the_appliance_itself_is_nobody(self, edge_lfr: Terminal) -> None:
        """Its key authorises nothing, also where it lies in the trust folder."""
        keys = DeviceKeys.load(edge_lfr.folder / "state" / "device", create=True)
        (edge_lfr.folder / "device.key").touch(0o600)
        (edge_lfr.folder / "device.key").write_bytes(keys.signing.pem())
        drafted(edge_lfr)
        assert 0 == edge_lfr("authority", "sign", "draft.json", "own.json", "--key", "device.key", "--yes").status
        assert "refused     device-key" in edge_lfr("authority", "verify", "own.json").out

    @pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"[" * 300_000])
    def test_any_other_file_is_refused(self, edge_lfr: Terminal, content: bytes) -> None:
        """Exit status 65, from each command that takes one."""
        (edge_lfr.folder / "file").write_bytes(content)
        for call in (
            ("verify", "file"),
            ("install", "file"),
            ("sign", "file", "out", "--key", "officer.key"),
            ("countersign", "file", "out", "--key", "officer.key"),
            ("draft", "out", "--from", "file"),
            ("take-revocation", "file"),
        ):
            assert os.EX_DATAERR == edge_lfr("authority", *call).status, call


class TestOnTheAppliance:
    """`install`, `show`, `revoke`, `take-revocation`."""

    def test_none_is_told(self, edge_lfr: Terminal) -> None:
        """Exit status 78, and the command that installs one."""
        done = edge_lfr("authority", "show")
        assert os.EX_CONFIG == done.status
        assert "edge-lfr authority install" in done.err

    def test_what_was_installed_is_shown(self, edge_lfr: Terminal) -> None:
        """Who, where, when, how long, by whose key; training is told that it needs none."""
        done = edge_lfr("authority", "install", signed(edge_lfr))
        assert 0 == done.status
        assert "set to training" in done.err
        shown = edge_lfr("authority", "show").out
        for words in ("101, superintendent", "Market Square", "approved by the officer: witness", "not yet: begins in"):
            assert words in shown
        facts = edge_lfr("authority", "show", "--json").json
        assert ("T-14", False, "officer") == (facts["authority_id"], facts["lets_run"], facts["signer"]["name"])
        assert ENDS == datetime.fromisoformat(facts["runs_until"])

    def test_another_appliances_is_refused(self, edge_lfr: Terminal) -> None:
        """Nothing is installed."""
        done = edge_lfr("authority", "install", signed(edge_lfr, "--device", "van-9"))
        assert os.EX_DATAERR == done.status
        assert "wrong-device: devices: van-1 is not among them" in done.err
        assert os.EX_CONFIG == edge_lfr("authority", "show").status

    def test_a_clock_in_doubt_installs_nothing(self, edge_lfr: Terminal) -> None:
        """Until it is confirmed; whoever set it cannot choose which authority is in force."""
        name = signed(edge_lfr)
        jump(edge_lfr)
        done = edge_lfr("authority", "install", name)
        assert (os.EX_TEMPFAIL, True) == (done.status, "edge-lfr clock confirm" in done.err)
        assert os.EX_CONFIG == edge_lfr("authority", "show").status
        assert 0 == edge_lfr("clock", "confirm", "--yes").status
        assert 0 == edge_lfr("authority", "install", name).status

    def test_a_clock_in_doubt_keeps_no_revocation_away(self, edge_lfr: Terminal) -> None:
        """To stop is never wrong: what was signed while its key was valid counts, whatever this clock says."""
        edge_lfr("authority", "install", signed(edge_lfr))
        trust = edge_lfr.folder / "trust.d/revoker.toml"
        stop = revoked(edge_lfr)
        said = trust.read_text()
        end = datetime.now(tz=UTC) + timedelta(seconds=0.2)
        lines = [f"not_after = {end.isoformat()}" if line[:9] == "not_after" else line for line in said.splitlines()]
        trust.write_text("\n".join(lines))
        await_time(end)
        jump(edge_lfr)
        assert 0 == edge_lfr("authority", "take-revocation", stop).status
        assert "revoked: mistake" in edge_lfr("authority", "show").out

    @pytest.mark.root
    def test_todays_deployment_is_not_ended_by_tomorrows_without_a_word(self, edge_lfr: Terminal) -> None:
        """It is asked for; the countersigned copy of the same, and whatever goes on at once, are not."""
        edge_lfr.monkeypatch.setenv("EDGE_LFR__MODE", "operational")
        begins = datetime.now(tz=UTC).replace(microsecond=0) + timedelta(seconds=2)
        today = signed(edge_lfr, "--begins", begins.isoformat(), name="today.json")
        tomorrow = signed(edge_lfr, "--id", "T-15", name="tomorrow.json")
        assert 0 == edge_lfr("authority", "install", tomorrow).status
        await_time(begins)
        assert 0 == edge_lfr("authority", "install", today).status
        assert 0 == edge_lfr("authority", "install", today).status
        asked = edge_lfr("authority", "install", tomorrow)
        assert (os.EX_USAGE, True) == (asked.status, "--yes" in asked.err)
        assert "T-14" in edge_lfr("authority", "show").out
        assert 0 == edge_lfr("authority", "install", tomorrow, "--yes").status
        assert "T-15" in edge_lfr("authority", "show").out

    def test_a_revocation_is_for_ever(self, edge_lfr: Terminal) -> None:
        """It is shown, and neither the same file nor a copy of it is installed again."""
        name = signed(edge_lfr)
        edge_lfr("authority", "install", name)
        assert 0 == edge_lfr("authority", "take-revocation", revoked(edge_lfr)).status
        assert "revoked: mistake" in edge_lfr("authority", "show").out
        assert os.EX_DATAERR == edge_lfr("authority", "verify", name).status
        assert os.EX_DATAERR == edge_lfr("authority", "install", name).status

    def test_a_revocation_that_was_taken_in_training_binds_operation(self, edge_lfr: Terminal) -> None:
        """There is one box, whatever it was set to on that day."""
        name = signed(edge_lfr)
        assert 0 == edge_lfr("authority", "take-revocation", revoked(edge_lfr)).status
        operational = CONFIG.replace('mode = "training"', 'mode = "operational"')
        (edge_lfr.folder / "operational.toml").write_text(operational)
        shown = edge_lfr("authority", "verify", name, config="operational.toml")
        assert os.EX_DATAERR == shown.status
        assert "revoked: mistake" in shown.out

    def test_a_revocation_for_another_appliance_is_refused(self, edge_lfr: Terminal) -> None:
        """Whoever brought it must know."""
        done = edge_lfr("authority", "take-revocation", revoked(edge_lfr, "--device", "van-9"))
        assert os.EX_DATAERR == done.status
        assert "not for anytown/van-1" in done.err

    def test_a_mistyped_revocation_does_not_pass_for_one(self, edge_lfr: Terminal) -> None:
        """It is kept, and whoever brought it is told that what is installed goes on, by an exit status of its own."""
        edge_lfr("authority", "install", signed(edge_lfr))
        call = ("--key", "revoker.key", "--reason", "mistake", "--police-force", "anytown", "--yes")
        assert 0 == edge_lfr("authority", "revoke", "T-41", "typo.json", *call).status
        done = edge_lfr("authority", "take-revocation", "typo.json")
        assert os.EX_NOUSER == done.status
        assert "installed is T-14, which this does not end" in done.err
        told = edge_lfr("authority", "take-revocation", "typo.json", "--json")
        assert (os.EX_NOUSER, ["T-14"], None) == (told.status, told.json["going_on"], told.json["wiped"])
        assert "not yet" in edge_lfr("authority", "show").out
        right = edge_lfr("authority", "take-revocation", revoked(edge_lfr), "--json")
        assert (0, []) == (right.status, right.json["going_on"])

    def test_what_is_revoked_may_be_named_by_itself(self, edge_lfr: Terminal) -> None:
        """Then no letter can be wrong: another id, force or appliance than its own is refused, and nothing signed."""
        name = signed(edge_lfr)
        call = ("--of", name, "--key", "revoker.key", "--reason", "mistake", "--yes")
        for wrong in (
            ("T-41",),
            ("T-14", "--police-force", "otherforce"),
            ("T-14", "--device", "van-9"),
        ):
            refused = edge_lfr("authority", "revoke", wrong[0], "stop.json", *call, *wrong[1:])
            assert (os.EX_DATAERR, False) == (refused.status, (edge_lfr.folder / "stop.json").exists()), wrong
        assert 0 == edge_lfr("authority", "revoke", "T-14", "stop.json", *call).status
        edge_lfr("authority", "install", name)
        assert 0 == edge_lfr("authority", "take-revocation", "stop.json").status
        nobody = edge_lfr("authority", "revoke", "T-14", "more.json", *call[2:])
        assert (os.EX_USAGE, True) == (nobody.status, "--of" in nobody.err)

    def test_a_revocation_of_nothing_is_named(self, edge_lfr: Terminal) -> None:
        """An id that no authority can have."""
        call = ("--key", "revoker.key", "--reason", "mistake", "--police-force", "anytown", "--yes")
        done = edge_lfr("authority", "revoke", "../T", "stop.json", *call)
        assert os.EX_DATAERR == done.status
        assert "authority_id" in done.err
