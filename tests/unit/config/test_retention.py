"""Retention profiles: data that the program obeys, and refuses where they say what it does not do."""

from datetime import timedelta
from pathlib import Path

import pytest

from edge_lfr.config.load import load_config
from edge_lfr.config.retention import (
    BUILT_IN,
    LONGEST_S,
    MAX_DOCUMENT_BYTES,
    MAX_FAULTS,
    RetentionConfig,
    built_in,
    in_words,
    load_profile,
)
from edge_lfr.config.retention_kinds import PROGRAM, Ending
from edge_lfr.errors import ConfigError
from edge_lfr.governance.signed import MAX_LIFETIME
from edge_lfr.watchlist.bundle.admission import TRAINING_LIFE
from simulators.command import CONFIG
from simulators.retention import NAME, document, profile_of


def refusal(path: Path, name: str = NAME) -> str:
    with pytest.raises(ConfigError) as caught:
        load_profile(name, path)
    assert str(path) in caught.value.message
    return caught.value.diagnostics()


@pytest.mark.parametrize(("name", "hours"), [("alerts-24h", 24), ("alerts-31d", 31 * 24)])
def test_the_profiles_of_policy_come_with_the_program(name: str, hours: int) -> None:
    """As forces publish it: alerts for 24 hours or 31 days from capture; nothing is recorded in either."""
    profile = load_profile(name)
    assert timedelta(hours=hours) == profile.alert_lifetime == profile.sighting_lifetime
    assert profile.test_lifetime <= timedelta(hours=24)
    assert Ending.NOT_MADE is profile.rules.recording.ends
    assert set(PROGRAM) == set(type(profile.rules).model_fields)
    assert name in built_in()


def test_the_shorter_profile_is_the_default() -> None:
    """Who decides nothing keeps alerts for a day."""
    assert load_profile("alerts-24h") == RetentionConfig().chosen


def test_a_force_has_its_own_document(tmp_path: Path) -> None:
    """A relative path means the folder of the configuration, and the profile is read with it, once."""
    document(tmp_path, (NAME, "ours"), ("period_s = 86_400", "period_s = 7_200"))
    (tmp_path / "van.toml").write_text(CONFIG + '[retention]\nprofile = "ours"\ndocument = "retention.toml"\n')
    config = load_config(tmp_path / "van.toml", {})
    (tmp_path / "retention.toml").unlink()
    assert timedelta(hours=2) == config.retention.chosen.alert_lifetime


def test_a_variable_may_choose_the_profile(tmp_path: Path) -> None:
    """As of every field."""
    (tmp_path / "van.toml").write_text(CONFIG)
    config = load_config(tmp_path / "van.toml", {"EDGE_LFR__RETENTION__PROFILE": "alerts-31d"})
    assert timedelta(days=31) == config.retention.chosen.alert_lifetime


@pytest.mark.parametrize("period_s", [60, LONGEST_S])
def test_the_bounds_are_allowed(tmp_path: Path, period_s: int) -> None:
    """A minute, and 31 days."""
    assert timedelta(seconds=period_s) == profile_of(tmp_path, period_s).alert_lifetime


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("period_s = 86_400", "period_s = 59", "period_s"),
        ("period_s = 86_400", "period_s = 2_678_401", "period_s"),
        ("period_s = 86_400", "period_s = 86_400.5", "period_s"),
        ('ends = "purge"', 'ends = "kept"', "period_s"),
        ('ends = "wipe"', 'ends = "kept"', "watchlist: the program"),
        ('ends = "not-made"', 'ends = "kept"', "recording: the program"),
        ('starts = "load"', 'starts = "capture"', "watchlist: the program"),
        ('ends = "not-made"', 'ends = "not-made"\nperiod_s = 3_600', "period_s"),
        ('why = "R3:', 'why = "R3:\\n', "printable"),
        ('why = "R3:', 'why = "R3:\\u001b[2J', "printable"),
        ("[profiles.rules.ledger]", "[profiles.rules.diary]", "rules.ledger"),
        ('version = "3"', 'version = ""', "version"),
        ('version = "3"', "", "version"),
        ("lfr.retention/1", "lfr.retention/2", "schema"),
        ('name = "ours-31d"', f'name = "{NAME}"', "found 2 times"),
        (NAME, "theirs", "alerts-24h, alerts-31d, ours-31d, theirs"),
        ("schema =", "schema", "not TOML"),
    ],
)
def test_a_broken_document_is_refused(tmp_path: Path, old: str, new: str, named: str) -> None:
    """The field and the file are named; no document promises what the program does not do."""
    assert named in refusal(document(tmp_path, (old, new)))


@pytest.mark.parametrize(
    "claim",
    [
        'until = "six years after the load, in the force\'s archive"',
        'until = "the end of the deployment"',
        'where = "nowhere"',
        'what = "a number, and no picture of anybody"',
        'title = "Nothing is kept"',
    ],
)
@pytest.mark.parametrize("place", ["[profiles.rules.watchlist]", "[profiles.rules.alert]", f'name = "{NAME}"'])
def test_no_document_says_what_data_is_where_it_lies_or_what_ends_it(tmp_path: Path, claim: str, place: str) -> None:
    """The program does, of what it does itself: nobody prints an end in a table that nobody brings about."""
    said = refusal(document(tmp_path, (place, f"{place}\n{claim}")))
    assert f"{claim.partition(' ')[0]}: no field of a document" in said
    assert claim.partition('"')[2] not in said


def test_the_program_has_its_own_words_for_every_end() -> None:
    """Behind "until" where no period ends it, and only there; the hours in them are those that the program counts."""
    assert {name: kind.ends.has_period for name, kind in PROGRAM.items()} == {
        name: kind.until is None for name, kind in PROGRAM.items()
    }
    assert all(kind.what and kind.where for kind in PROGRAM.values())
    assert in_words(round(MAX_LIFETIME.total_seconds())) in str(PROGRAM["acknowledgement"].until)
    assert in_words(round(TRAINING_LIFE.total_seconds())) in str(PROGRAM["watchlist"].until)


@pytest.mark.parametrize("name", ["alerts-24h", "alerts-31d"])
@pytest.mark.parametrize("asked", [NAME, "alerts-24h", "alerts-31d"])
def test_a_name_of_the_programs_means_nothing_else(tmp_path: Path, name: str, asked: str) -> None:
    """No document gives `alerts-24h` to 31 days, whichever profile is asked for; one besides it leaves it as it is."""
    taken = document(tmp_path, (f'name = "{name.replace("alerts", "ours")}"', f'name = "{name}"'))
    said = refusal(taken, asked)
    assert f"{name}: the name of a profile that came with the program" in said
    assert "a name of the force's own" in said
    assert load_profile(name) == load_profile(name, document(tmp_path))


def test_not_every_fault_is_told(tmp_path: Path) -> None:
    """A document from before, with words of its own in every rule, is refused on one screen."""
    path = document(tmp_path, ("starts =", 'where = "nowhere"\nwhat = "nothing"\nstarts ='))
    assert MAX_FAULTS == refusal(path).count("no field of a document")


def test_a_sighting_does_not_outlive_its_alert(tmp_path: Path) -> None:
    """Else the face stayed where the alert has gone."""
    path = document(tmp_path)
    head, alert, rest = path.read_text().partition("period_s = 86_400")
    path.write_text(head + "period_s = 3_600" + rest)
    assert alert
    assert "sighting" in refusal(path)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"#" * (MAX_DOCUMENT_BYTES + 1)])
def test_a_file_that_is_no_document_is_refused(tmp_path: Path, content: bytes) -> None:
    """Size before reading, encoding before parsing."""
    path = tmp_path / "retention.toml"
    path.write_bytes(content)
    refusal(path)


def test_a_document_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Nothing is put in its place."""
    assert "[retention] `document`" in refusal(tmp_path / "none.toml")


def test_a_change_shows_in_the_digest(tmp_path: Path) -> None:
    """Also where nobody raised the version, and where nothing but the reason is another."""
    profile = load_profile(NAME, document(tmp_path))
    assert profile.digest == load_profile(NAME, document(tmp_path)).digest
    assert profile.digest != profile_of(tmp_path, 3600).digest
    assert profile.digest != load_profile(NAME, document(tmp_path, ("R1: ", "R2: "))).digest
    assert profile.digest != load_profile("alerts-24h").digest


def test_a_title_says_the_period_that_counts(tmp_path: Path) -> None:
    """And no document another."""
    assert "Alerts end 24 hours after the capture" == load_profile("alerts-24h").title
    assert "Alerts end 31 days after the capture" == profile_of(tmp_path, LONGEST_S).title
    assert "title" not in BUILT_IN.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("period_s", "words"),
    [
        (60, "1 minute"),
        (90, "90 seconds"),
        (3600, "1 hour"),
        (5400, "90 minutes"),
        (86_400, "24 hours"),
        (172_800, "2 days"),
        (31 * 86_400, "31 days"),
    ],
)
def test_a_period_is_said_as_policies_say_it(period_s: int, words: str) -> None:
    """The same number that counts, in the largest unit that holds it whole."""
    assert words == in_words(period_s)
