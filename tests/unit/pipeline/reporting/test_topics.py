"""Topics."""

from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub
from pydantic import TypeAdapter, ValidationError

from edge_lfr.config.section import RESERVED, PartyName
from edge_lfr.pipeline.reporting.topics import Identity, Topics
from edge_lfr.terms import Mode

names = st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True) | st.sampled_from(sorted(RESERVED))
"""Also those that the configuration refuses: the topics keep apart without its help."""


def all_of(topics: Topics) -> tuple[str, ...]:
    return (
        topics.alert,
        topics.sighting,
        topics.status,
        topics.camera("up"),
        topics.health,
        topics.watchlist,
        topics.ledger_head,
        topics.trust,
        topics.ack,
        topics.revocation,
    )


def test_training_has_its_own_prefix() -> None:
    """Up is the device's, down is control's, and all carry the mode."""
    topics = Topics(Identity(force="testshire", device="van-1", mode=Mode.TRAINING))
    assert "lfr/v1/testshire/van-1/training/up/alert" == topics.alert
    assert "lfr/v1/testshire/van-1/training/up/camera/north" == topics.camera("north")
    assert "lfr/v1/testshire/van-1/training/up/ledger/head" == topics.ledger_head
    assert "lfr/v1/testshire/van-1/training/down/ack" == topics.ack
    assert "lfr/v1/testshire/van-1/training/down/revocation" == topics.revocation
    assert "testshire/van-1/training" == topics.identity.addressee


def test_operational_topics_have_no_level_for_the_mode() -> None:
    """The short ones are the real ones; the addressee of a signed message names the mode all the same."""
    topics = Topics(Identity(force="testshire", device="van-1", mode=Mode.OPERATIONAL))
    assert "lfr/v1/testshire/van-1/up/alert" == topics.alert
    assert "lfr/v1/testshire/van-1/down/revocation" == topics.revocation
    assert "testshire/van-1/operational" == topics.identity.addressee


@given(names, names, names, names)
def test_the_topics_of_the_two_modes_never_coincide(force: str, device: str, other_force: str, other: str) -> None:
    """Whatever parties are called, no topic is of both modes, and no control room of one hears the other."""
    training = Topics(Identity(force=force, device=device, mode=Mode.TRAINING))
    operational = Topics(Identity(force=other_force, device=other, mode=Mode.OPERATIONAL))
    assert set() == set(all_of(training)) & set(all_of(operational))
    assert not any(topic_matches_sub(training.everything_up, topic) for topic in all_of(operational))
    assert not any(topic_matches_sub(operational.everything_up, topic) for topic in all_of(training))
    assert not any(topic_matches_sub(f"lfr/v1/{other_force}/+/up/#", topic) for topic in all_of(training))
    assert not any(topic_matches_sub(f"lfr/v1/{force}/+/training/up/#", topic) for topic in all_of(operational))


@given(names)
def test_no_party_is_called_like_a_level(name: str) -> None:
    """A van named `training` would be harmless to the program, and not to who reads its topics."""
    try:
        TypeAdapter(PartyName).validate_python(name)
    except ValidationError:
        assert name in RESERVED
    else:
        assert name not in RESERVED
