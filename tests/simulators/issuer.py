"""An issuer of lists for training: what makes an appliance in a folder trust it, and bundles as `build` makes them."""

from datetime import datetime, timedelta
from pathlib import Path

from edge_lfr.clock import SystemClock
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.trust import Role, SigningKey, create_key
from edge_lfr.terms import Mode
from edge_lfr.watchlist.bundle.building import plan_bundle
from edge_lfr.watchlist.bundle.manifest import SCHEMA, BundleHead
from edge_lfr.watchlist.bundle.writing import SUFFIX, write_bundle
from edge_lfr.watchlist.enrolling.folder import read_source


def trainer_of(appliance: Path) -> SigningKey:
    """The key that the appliance in this folder trusts for training, in a file of its `trust.d`; made once."""
    key = appliance / "trainer.key"
    if key.exists():
        return SigningKey.load(key)
    trust = appliance / "trust.d" / "trainer.toml"
    return create_key(Role.TRAIN, key, trust, name="trainer", clock=SystemClock())


def bundle_of(
    source: Path,
    appliance: Path,
    *,
    device: str = "anytown/van-1",
    list_id: str = "list-1",
    judged_at: datetime | None = None,
    extracted_at: datetime | None = None,
) -> Path:
    """
    Make a bundle of a watchlist folder, as `watchlist build --training` does, and give its path beside the folder.

    Args:
        source: The folder; every row of it must be lawful and have its picture.

        appliance: A folder with `state` and `trust.d`.

        device: As the appliance's configuration says it.

        list_id: Of the list.

        judged_at: When the issuer looked at the rows; some may have expired since.

        extracted_at: When they were drawn; an hour ago.
    """
    now = SystemClock().utc_now()
    plan = plan_bundle(read_source(source), now if judged_at is None else judged_at)
    assert [] == plan.refused
    head = BundleHead(
        schema=SCHEMA,
        mode=Mode.TRAINING,
        issuer="training desk",
        devices=(device,),
        list_id=list_id,
        extracted_at=now - timedelta(hours=1) if extracted_at is None else extracted_at,
    )
    out = source.with_suffix(SUFFIX)
    recipient = DeviceKeys.load(appliance / "state" / "device", create=True).receiving.recipient
    write_bundle(
        out,
        head.with_entries(plan.entries),
        plan.pictures,
        issuer=trainer_of(appliance),
        recipients=[recipient],
        may_replace=True,
    )
    return out
