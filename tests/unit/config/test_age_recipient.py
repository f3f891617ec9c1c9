"""The officer's public key in the configuration: what `age-keygen` prints is taken, what was mistyped is not."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_lfr.config.age_recipient import ALPHABET, has_right_checksum
from edge_lfr.config.load import load_config
from edge_lfr.errors import AgeFileError, ConfigError
from edge_lfr.governance.age_files import AgeIdentity, AgeRecipient
from simulators.command import CONFIG

RECIPIENT = AgeIdentity.generate().recipient.text


def configured(folder: Path, recipient: str) -> str | None:
    path = folder / "edge-lfr.toml"
    path.write_text(CONFIG + f'protection_officer = "{recipient}"\n')
    return load_config(path, {}).trust.protection_officer


def test_nobody_is_told_by_default(tmp_path: Path) -> None:
    """Training needs no officer."""
    (tmp_path / "edge-lfr.toml").write_text(CONFIG)
    assert None is load_config(tmp_path / "edge-lfr.toml", {}).trust.protection_officer


def test_the_key_of_the_distribution_is_taken(tmp_path: Path) -> None:
    """As `age-keygen` makes it, for an officer who has no appliance."""
    subprocess.run(["age-keygen", "-o", tmp_path / "officer.age"], check=True, capture_output=True)
    made = subprocess.run(
        ["age-keygen", "-y", tmp_path / "officer.age"], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert made == configured(tmp_path, made)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "age1",
        RECIPIENT.upper(),
        RECIPIENT[:-1],
        f" {RECIPIENT}",
        f"{RECIPIENT} ",
        AgeIdentity.generate().secret(),
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG",
    ],
    ids=["empty", "begun", "upper", "cut", "space-before", "space-behind", "secret", "ssh"],
)
def test_what_is_no_recipient_is_refused_by_field(tmp_path: Path, wrong: str) -> None:
    """Also a private key in its place; the field is named, and what stood there is not repeated."""
    with pytest.raises(ConfigError, match=r"trust\.protection_officer") as caught:
        configured(tmp_path, wrong)
    assert "AGE-SECRET" not in caught.value.diagnostics()


@given(at=st.integers(4, 61), letter=st.sampled_from(ALPHABET))
def test_one_wrong_letter_is_found(at: int, letter: str) -> None:
    """By the checksum, exactly where the library that encrypts finds it, too."""
    changed = RECIPIENT[:at] + letter + RECIPIENT[at + 1 :]
    assert (changed == RECIPIENT) == has_right_checksum(changed)
    if changed != RECIPIENT:
        with pytest.raises(AgeFileError):
            AgeRecipient.parse(changed)


def test_a_mistyped_key_is_refused_when_the_configuration_is_read(tmp_path: Path) -> None:
    """Two letters that changed their places: nobody would ever read what is encrypted to that."""
    at = next(at for at in range(4, 60) if RECIPIENT[at] != RECIPIENT[at + 1])
    swapped = RECIPIENT[:at] + RECIPIENT[at + 1] + RECIPIENT[at] + RECIPIENT[at + 2 :]
    with pytest.raises(ConfigError, match=r"trust\.protection_officer.*checksum"):
        configured(tmp_path, swapped)
