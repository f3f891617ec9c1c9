"""Topics."""

from edge_lfr.pipeline.reporting.topics import Identity, Topics


def test_training_has_its_own_prefix() -> None:
    """Up is the device's, down is control's, and both carry the mode."""
    topics = Topics(Identity(force="testshire", device="van-1"))
    assert "lfr/v1/testshire/van-1/training/up/alert" == topics.alert
    assert "lfr/v1/testshire/van-1/training/up/camera/north" == topics.camera("north")
    assert "lfr/v1/testshire/van-1/training/down/ack" == topics.ack
    assert "testshire/van-1/training" == topics.identity.addressee
