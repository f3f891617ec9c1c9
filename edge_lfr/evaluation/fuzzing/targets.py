"""Every target, and how many cases of a campaign are its own."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from edge_lfr.evaluation.bench.report import Row, Witness
from edge_lfr.evaluation.fuzzing.authorities import Authorities
from edge_lfr.evaluation.fuzzing.bundles import Bundles
from edge_lfr.evaluation.fuzzing.campaign import Campaign
from edge_lfr.evaluation.fuzzing.case import MakeTarget
from edge_lfr.evaluation.fuzzing.control_lines import ControlLines
from edge_lfr.evaluation.fuzzing.drafts import Drafts
from edge_lfr.evaluation.fuzzing.folders import Folders
from edge_lfr.evaluation.fuzzing.ledgers import Ledgers
from edge_lfr.evaluation.fuzzing.listed_manifests import ListedManifests
from edge_lfr.evaluation.fuzzing.messages import SignedMessages
from edge_lfr.evaluation.fuzzing.notes import ClockNotes, ListEnds
from edge_lfr.evaluation.fuzzing.pictures import Pictures
from edge_lfr.evaluation.fuzzing.published_heads import PublishedHeads
from edge_lfr.evaluation.fuzzing.retention_documents import RetentionDocuments
from edge_lfr.evaluation.fuzzing.revocations import RevocationFiles
from edge_lfr.evaluation.fuzzing.trust_files import TrustFiles

TARGETS: Final[Mapping[str, tuple[MakeTarget, int]]] = {
    "bundle": (Bundles, 4),
    "authority": (Authorities, 3),
    "draft": (Drafts, 1),
    "revocation": (RevocationFiles, 2),
    "trust file": (TrustFiles, 2),
    "ledger": (Ledgers, 2),
    "published heads": (PublishedHeads, 1),
    "signed message": (SignedMessages, 3),
    "control line": (ControlLines, 2),
    "watchlist folder": (Folders, 2),
    "picture": (Pictures, 1),
    "retention document": (RetentionDocuments, 1),
    "end of a list": (ListEnds, 1),
    "note of the clock": (ClockNotes, 1),
    "manifest of an ended list": (ListedManifests, 1),
}
"""By name, with the share of each: what is larger, or comes from further away, has more. Chosen."""


def shares_of(cases: int, targets: Mapping[str, tuple[MakeTarget, int]] = TARGETS) -> dict[str, int]:
    """How many of *cases* each target has; not fewer in all."""
    total = sum(share for _, share in targets.values())
    return {name: -(-cases * share // total) for name, (_, share) in targets.items()}


def attacked(campaign: Campaign, targets: Iterable[tuple[MakeTarget, int]], witness: Witness) -> Iterator[Row]:
    """Attack one target after the other, each with its number of cases; its rows as it ends."""
    cases = 0
    for make, share in targets:
        target = make()
        try:
            witness.stage(f"{target.name}: {share} cases")
            tally = campaign.attack(target, share, witness)
        finally:
            target.close()
        cases += tally.cases
        yield from tally.rows()
    yield Row.shown("all targets: cases", cases, "cases")
