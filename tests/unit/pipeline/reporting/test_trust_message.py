"""What an appliance says about whose signatures count there."""

from datetime import timedelta
from pathlib import Path

from edge_lfr.governance.trust import MAX_TRUST_FILES, Role, TrustedKey, TrustStore, create_key, shown_fingerprint
from edge_lfr.pipeline.reporting.messages import MESSAGE_BYTES, parse
from edge_lfr.pipeline.reporting.states import TrustMessage
from edge_lfr.terms import Mode
from simulators.clock import StoppedClock


def test_every_trusted_key_is_told_in_the_one_form(tmp_path: Path) -> None:
    """Fingerprint, role and end; whose it is stays here."""
    clock = StoppedClock()
    folder = tmp_path / "trust.d"
    control, revoke = (
        create_key(role, tmp_path / f"{role}.key", folder / f"{role}.toml", name="a name", clock=clock, valid_days=7)
        for role in (Role.CONTROL, Role.REVOKE)
    )
    message = TrustMessage.of(TrustStore.load(folder), Mode.TRAINING)
    assert [
        (shown_fingerprint(control.fingerprint), Role.CONTROL, clock.now + timedelta(days=7)),
        (shown_fingerprint(revoke.fingerprint), Role.REVOKE, clock.now + timedelta(days=7)),
    ] == [(key.fingerprint, key.role, key.not_after) for key in message.keys]
    assert b"a name" not in message.to_json()
    assert message == parse(TrustMessage, message.to_json())


def test_the_largest_trust_folder_fits(tmp_path: Path) -> None:
    """As many keys as the folder may hold."""
    clock = StoppedClock()
    public = create_key(Role.ISSUE, tmp_path / "k", tmp_path / "t.toml", name="n", clock=clock).public
    keys = {
        fingerprint: TrustedKey(fingerprint, Role.AUTHORISE, clock.now, clock.now, "n", public)
        for fingerprint in (f"{number:064x}" for number in range(MAX_TRUST_FILES))
    }
    assert len(TrustMessage.of(TrustStore(keys), Mode.OPERATIONAL).to_json()) < MESSAGE_BYTES / 2
