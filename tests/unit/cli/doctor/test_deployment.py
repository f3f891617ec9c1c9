"""What the doctor says about a threshold, a credential and the data protection officer."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_lfr.cli.doctor.check import Check, Verdict
from edge_lfr.cli.doctor.deployment import check_credential, check_officer, check_threshold
from edge_lfr.config.faces import LooksConfig
from edge_lfr.config.identification import DecisionConfig
from edge_lfr.config.load import load_config
from edge_lfr.errors import ConfigError, ModelContractError
from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.inference.calibrated_conditions import Conditions
from edge_lfr.inference.catalogue import CalibrationRow, PackEntry
from edge_lfr.watchlist.records.pseudonyms import officer_of
from simulators.command import CONFIG
from simulators.nets import embedder_like, entry_of, yunet_like
from simulators.watchlists import load, new_store


@pytest.fixture
def entry() -> PackEntry:
    """Measured for 100 templates, extrapolated for 1,000, and not even bounded for 10,000."""
    rows = (
        CalibrationRow(
            templates=100,
            threshold=0.5,
            false_alerts_per_1000=0.4,
            upper_per_1000=0.9,
            worst_group="east",
            evidence="measured",
        ),
        CalibrationRow(
            templates=1000,
            threshold=0.6,
            false_alerts_per_1000=0.3,
            upper_per_1000=0.8,
            worst_group="east",
            evidence="extrapolated",
        ),
        CalibrationRow(templates=10000, threshold=0.7, false_alerts_per_1000=1.0, evidence="extrapolated"),
    )
    return entry_of(yunet_like(), embedder_like(), calibration=rows)


@pytest.mark.parametrize(
    ("templates", "verdict", "words"),
    [
        (7, Verdict.OK, "0.5 for 7 templates; measured: at most 0.9 false alerts in 1,000 passages (95 %)"),
        (101, Verdict.WARN, "extrapolated: at most 0.8 false alerts in 1,000 passages (95 %)"),
        (9999, Verdict.WARN, "extrapolated: about 1 false alerts in 1,000 passages, not bounded"),
    ],
)
def test_the_doctor_says_what_a_floor_rests_on(entry: PackEntry, templates: int, verdict: Verdict, words: str) -> None:
    """A floor that was extrapolated is a warning, and the rate is the bound where there is one."""
    (found,) = check_threshold(Conditions(), entry, templates)
    assert verdict is found.verdict
    assert words in found.found


def test_a_raised_threshold_is_shown_beside_the_floor(entry: PackEntry) -> None:
    """The evidence is that of the floor: nobody has measured the raised one either."""
    (found,) = check_threshold(Conditions(decision=DecisionConfig(threshold=0.65)), entry, 1000)
    assert Verdict.WARN is found.verdict
    assert found.found.startswith("0.65 for 1000 templates, above the floor 0.6; extrapolated: ")


def test_laxer_conditions_are_named(entry: PackEntry) -> None:
    """A measured floor is none where one hit suffices or there are more looks, and the doctor says which it is."""
    laxer = Conditions(decision=DecisionConfig(required_hits=1), looks=LooksConfig(max_looks=11))
    (found,) = check_threshold(laxer, entry, 7)
    assert Verdict.WARN is found.verdict
    assert (
        "0.5 for 7 templates; extrapolated: laxer than calibrated is decision.required_hits, looks.max_looks, not"
        in found.found
    )


def test_what_no_floor_allows_is_an_error(entry: PackEntry) -> None:
    """A threshold below the floor, and a list longer than the calibration, stop a deployment."""
    with pytest.raises(ConfigError):
        list(check_threshold(Conditions(decision=DecisionConfig(threshold=0.4)), entry, 100))
    with pytest.raises(ModelContractError):
        list(check_threshold(Conditions(), entry, 10001))


def test_a_credential_without_a_tpm_is_a_warning() -> None:
    """Where no TPM can have sealed it, its key lies on the disk that it protects."""
    assert Verdict.OK is check_credential(has_tpm=True).verdict
    found = check_credential(has_tpm=False)
    assert Verdict.WARN is found.verdict
    assert "the key lies on the same disk" in found.found


def officer_checks(folder: Path, text: str) -> list[Check]:
    (folder / "van.toml").write_text(text)
    return list(check_officer(load_config(folder / "van.toml", {})))


def test_the_doctor_says_who_will_know_who_was_on_a_list(tmp_path: Path) -> None:
    """Nobody, in training; the officer; and the officer for whom manifests wait, with the day on which they end."""
    key = AgeIdentity.generate().recipient
    text = CONFIG + f'protection_officer = "{key.text}"\n'
    assert [Verdict.WARN] == [one.verdict for one in officer_checks(tmp_path, CONFIG)]
    assert [Verdict.OK] == [one.verdict for one in officer_checks(tmp_path, text)]
    load(new_store(tmp_path / "state/training", officer_of(load_config(tmp_path / "van.toml", {}))), range(2))
    (waiting,) = officer_checks(tmp_path, text)
    assert Verdict.WARN == waiting.verdict
    assert f"{datetime.now(UTC) + timedelta(days=31):%Y-%m-%d}" in waiting.found


def test_operation_without_an_officer_is_a_failure(tmp_path: Path) -> None:
    """It names the field."""
    with pytest.raises(ConfigError, match=r"trust\.protection_officer"):
        officer_checks(tmp_path, CONFIG.replace('mode = "training"', 'mode = "operational"'))
