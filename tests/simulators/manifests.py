"""Manifests of bundles whose pictures are any bytes: numbered, sized and digested as an issuer would."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from edge_lfr.clock import SystemClock
from edge_lfr.terms import Mode
from edge_lfr.watchlist.bundle.manifest import (
    SCHEMA,
    BundleManifest,
    ManifestEntry,
    ManifestPicture,
    picture_name,
)
from edge_lfr.watchlist.enrolling.pictures import PictureType
from edge_lfr.watchlist.entries import WatchlistEntry
from simulators.watchlists import TAKEN_ON, made_entry


def made_picture(number: int, content: bytes, kind: PictureType = PictureType.JPEG) -> ManifestPicture:
    """What a manifest says about the bytes of picture *number*."""
    return ManifestPicture(
        name=picture_name(number, kind),
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        type=kind,
        source="custody suite",
        taken_on=TAKEN_ON,
    )


def made_manifest(
    contents: Sequence[Sequence[bytes]],
    *,
    entries: Sequence[WatchlistEntry] | None = None,
    extracted_at: datetime | None = None,
    **changes: Any,
) -> BundleManifest:
    """A manifest for entries whose pictures hold these bytes; fields of the manifest may be a test's own."""
    listed: list[ManifestEntry] = []
    number = 0
    for index, pictures in enumerate(contents):
        entry = made_entry(f"REF-{index:05}") if entries is None else entries[index]
        described = tuple(made_picture(number + place, content) for place, content in enumerate(pictures, start=1))
        number += len(pictures)
        listed.append(ManifestEntry.of(entry, described))
    fields: dict[str, Any] = {
        "mode": Mode.TRAINING,
        "issuer": "Watchlist office",
        "devices": ("anytown/van-1",),
        "list_id": "anytown-1",
        "extracted_at": SystemClock().utc_now() if extracted_at is None else extracted_at,
        "entries": tuple(listed),
    }
    return BundleManifest(schema=SCHEMA, **{**fields, **changes})
