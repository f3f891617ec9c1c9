"""Where a list came from is sealed with it, and stays when references are taken out."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from edge_lfr.watchlist.sealed.origin import Origin
from simulators.watchlists import DIMENSION, PACK_DIGEST, entry, load, new_store, picture, templates

ORIGIN = Origin(
    list_id="june-01",
    issuer_key="ab" * 32,
    extracted_at=datetime(2026, 6, 1, 6, 0, tzinfo=UTC),
    manifest_sha256="cd" * 32,
)


def test_a_list_knows_the_bundle_it_came_from(tmp_path: Path) -> None:
    """What the issuer signed about the bundle is read back as it was, by whoever can open the list."""
    store = new_store(tmp_path)
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION, origin=ORIGIN) as new:
        new.add(entry(0), templates(0), picture(0))
        new.activate()
    with store.open() as stored:
        assert ORIGIN == stored.origin


def test_a_list_from_a_folder_has_no_origin(tmp_path: Path) -> None:
    """Nobody signed it."""
    store = new_store(tmp_path)
    load(store, range(2))
    with store.open() as stored:
        assert stored.origin is None


def test_a_removal_keeps_the_origin(tmp_path: Path) -> None:
    """The list is the issuer's still, with fewer people."""
    store = new_store(tmp_path)
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION, origin=ORIGIN) as new:
        for number in range(2):
            new.add(entry(number), templates(number), picture(number))
        new.activate()
    assert 1 == store.remove({"REF-00001"})
    with store.open() as stored:
        assert ORIGIN == stored.origin


@pytest.mark.parametrize(
    "changes",
    [{"list_id": "../x"}, {"issuer_key": "AB" * 32}, {"extracted_at": datetime(2026, 6, 1)}, {"more": 1}],  # noqa: DTZ001 - without a zone, as it must not be
)
def test_an_origin_is_what_a_bundle_may_say(changes: dict[str, object]) -> None:
    """Names and digests have the form that an authority uses, and a time has a zone."""
    with pytest.raises(ValidationError):
        Origin.model_validate({**ORIGIN.model_dump(), **changes})
