"""Retention profiles: data that the program obeys, and refuses where they say what it does not do."""

from datetime import timedelta
from pathlib import Path

import pytest

from edge_lfr.config.load import load_config
from edge_lfr.config.retention import (
    LONGEST_S,
    MAX_DOCUMENT_BYTES,
    PROGRAM,
    Ending,
    RetentionConfig,
    in_words,
    load_profile,
)
from edge_lfr.errors import ConfigError
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
    assert set(PROGRAM) == set(profile.rules.by_kind())


def test_the_shorter_profile_is_the_default() -> None:
    """Who decides nothing keeps alerts for a day."""
    assert load_profile("alerts-24h") == RetentionConfig().chosen


def test_a_force_has_its_own_document(tmp_path: Path) -> None:
    """A relative path means the folder of the configuration, and the profile is read with it, once."""
    document(tmp_path, ('name = "alerts-24h"', 'name = "ours"'), ("period_s = 86_400", "period_s = 7_200"))
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
        ('until = "recording is off"', "period_s = 3_600", "period_s"),
        ('until = "the end of the deployment"', "", "until"),
        ("[profiles.rules.ledger]", "[profiles.rules.diary]", "rules.ledger"),
        ('version = "2"', 'version = ""', "version"),
        ('version = "2"', "", "version"),
        ("lfr.retention/1", "lfr.retention/2", "schema"),
        ('name = "alerts-31d"', 'name = "alerts-24h"', "found 2 times"),
        ('name = "alerts-24h"', 'name = "ours"', "alerts-31d, ours"),
        ("schema =", "schema", "not TOML"),
    ],
)
def test_a_broken_document_is_refused(tmp_path: Path, old: str, new: str, named: str) -> None:
    """The field and the file are named; no document promises what the program does not do."""
    assert named in refusal(document(tmp_path, (old, new)))


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
    """Also where nobody raised the version."""
    assert load_profile(NAME).digest == load_profile(NAME, document(tmp_path)).digest
    assert load_profile(NAME).digest != profile_of(tmp_path, 3600).digest


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
