"""What a camera's decoder is asked for: a section of the configuration enters, an order leaves."""

from dataclasses import replace
from pathlib import Path

from edge_lfr.config.capture import CameraConfig, Playback
from edge_lfr.errors import ConfigError
from edge_lfr.pipeline.capture.protocol import Limits, Order


def order_for(config: CameraConfig, limits: Limits) -> Order:
    """All of an order that stays the same from one decoder to the next."""
    order = Order(
        source=config.source.get_secret_value(),
        kind=config.kind.value,
        parent_pid=0,
        every_frame=config.playback is Playback.EVERY_FRAME,
        pictures_per_second=config.pictures_per_second,
        open_timeout_s=config.open_timeout_s,
        read_timeout_s=config.read_timeout_s,
        slots=limits.slots,
        width=limits.size.width,
        height=limits.size.height,
        lent=tuple(range(limits.slots)),
        masks=config.privacy_mask,
    )
    if order.kind in {"file", "pictures"}:
        order = replace(order, source=str(Path(order.source).absolute()))  # a decoder's working folder is another
    try:
        order.to_line()
    except ValueError as error:
        raise ConfigError(f"cameras.{config.id}.privacy_mask: too many corners: {error}") from None
    return order
