"""Load a bundle as `edge-lfr watchlist load` does, beside the bare nets, and look for lookalikes among 20,000."""

import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edge_lfr.clock import SystemClock
from edge_lfr.evaluation.bench.bare_nets import BareNets
from edge_lfr.evaluation.bench.ground import Ground, prepared_ground
from edge_lfr.evaluation.bench.report import Report, Row, Witness
from edge_lfr.evaluation.bench.spent import Spent, Stopwatch, children_cpu_s
from edge_lfr.evaluation.bench.watchlist_source import write_list, write_source
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.trust import Role, TrustStore, create_key
from edge_lfr.pipeline.enrolment import EnrolmentStages, enrol, lane_count
from edge_lfr.watchlist.bundle.admission import LoadTerms, admit
from edge_lfr.watchlist.bundle.writing import SUFFIX
from edge_lfr.watchlist.enrolling.lookalikes import near_pairs
from edge_lfr.watchlist.sealed.store import SealedStore

DESIGN_PICTURES: Final = 20_000
MAX_SECONDS: Final = 720.0
MAX_RATIO: Final = 1.25
MAX_MEMORY_MB: Final = 1500.0

QUICK_PICTURES: Final = 300

BLOCKS: Final = 40
"""So many times the load stands still, and the bare nets run; less often where there are few pictures."""

LEAST_BLOCKS: Final = 3
"""A load of so many pictures or more stands still at least once, with pictures left for every lane if it can be."""

REPEATED_PICTURES: Final = 60
"""Run again at each stop, at most."""

DIMENSION: Final = 256
SEARCHED_SCORE: Final = 0.5
"""About where thresholds less their margin lie."""


def measure_watchlist(shared: Path, witness: Witness, *, pictures: int, is_quick: bool) -> Report:
    """
    Load *pictures* made entries with a picture each, and fewer when it must be quick.

    Raises:
        BenchError: No weights or no portraits.
        EdgeLfrError: As in `enrol`.
    """
    count = min(pictures, QUICK_PICTURES) if is_quick else pictures
    with prepared_ground(shared) as ground:
        witness.stage(f"making {count} pictures")
        folder = write_source(ground.shared, ground.folder / "source", count)
        witness.stage("making a bundle of them")
        bundle = issued(ground, folder)
        witness.stage("loading it, beside the bare nets")
        load = loaded(ground, bundle, count, witness)
        witness.stage(f"looking for lookalikes among {DESIGN_PICTURES}")
        return Report.of(load.rows(_lookalikes_s(DESIGN_PICTURES)))


def issued(ground: Ground, folder: Path) -> Path:
    """Make a bundle of *folder* for the appliance of *ground*, by an issuer that it trusts for training."""
    config = ground.config()
    trust = config.trust.directory / "issuer.toml"
    key = create_key(Role.TRAIN, ground.folder / "issuer.key", trust, name="bench", clock=SystemClock())
    keys = DeviceKeys.load(config.device_directory, create=True)
    out = ground.folder / f"source{SUFFIX}"
    return write_list(folder, out, device=config.device_name, key=key, recipient=keys.receiving.recipient)


def block_of(pictures: int) -> int:
    """After how many pictures a load of *pictures* stands still."""
    return max(1, min(max(pictures // BLOCKS, 2 * REPEATED_PICTURES // 3), pictures // LEAST_BLOCKS))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFigures:
    """What one load came to, without the stops."""

    pictures: int
    spent: Spent
    bare: Spent | None
    """Of the nets alone, for the same calls; None where they were never run alone."""

    children_s: float
    peak_mb: float
    lanes: int
    noted: int
    repeated: int
    skipped: int
    sealed: int
    enrolled: int
    rejected: int
    lookalike_pairs: int

    def rows(self, lookalikes_s: float) -> list[Row]:
        """Give the table; *lookalikes_s*: what the search for lookalikes takes among 20,000 templates."""
        wall_s, processor_s, pictures = self.spent.wall_s, self.spent.processor_s, self.pictures
        is_whole = pictures >= DESIGN_PICTURES
        projected_s = wall_s * DESIGN_PICTURES / pictures + (0.0 if is_whole else lookalikes_s)
        title = f"{DESIGN_PICTURES} pictures" + ("" if is_whole else ", projected")
        bare = self.bare
        return [
            Row.at_most(title, round(projected_s, 1), MAX_SECONDS, "s"),
            Row.at_most(
                "load / bare nets, by the clock", None if bare is None else round(wall_s / bare.wall_s, 3), MAX_RATIO
            ),
            Row.at_most("peak memory, children included", round(self.peak_mb), MAX_MEMORY_MB, "MB"),
            Row.exactly("templates enrolled and not sealed", self.enrolled - self.sealed, 0, "templates"),
            Row.shown(
                "load / bare nets, processor time",
                None if bare is None else round(processor_s / bare.processor_s, 3),
            ),
            Row.shown("templates sealed", self.sealed, "templates"),
            Row.shown("pictures loaded", pictures, "pictures"),
            Row.shown("pictures a second", round(pictures / wall_s, 1), "1/s"),
            Row.shown("load", round(wall_s, 1), "s"),
            Row.shown("bare nets, same calls and threads", None if bare is None else round(bare.wall_s, 1), "s"),
            Row.shown("processor time a picture", round(1e3 * processor_s / pictures, 2), "ms"),
            Row.shown("of it bare nets", None if bare is None else round(1e3 * bare.processor_s / pictures, 2), "ms"),
            Row.shown("of it decoding children", round(1e3 * self.children_s / pictures, 2), "ms"),
            Row.shown("lanes", self.lanes, "lanes"),
            Row.shown("detector passes", self.noted, "passes"),
            Row.shown("of them run again bare", self.repeated, "passes"),
            Row.shown("stops without a bare run", self.skipped, "stops"),
            Row.shown("rejected", self.rejected, "pictures"),
            Row.shown("lookalike pairs", self.lookalike_pairs, "pairs"),
            Row.shown(f"lookalikes among {DESIGN_PICTURES} x {DIMENSION}", round(lookalikes_s, 2), "s"),
        ]


def loaded(ground: Ground, bundle: Path, pictures: int, witness: Witness) -> LoadFigures:
    """
    Load *bundle* with the nets noted, and stand still now and then for the nets alone.

    Args:
        ground: Whose appliance it is for.

        bundle: From `issued`.

        pictures: As many as it has.

        witness: Told after each picture.

    Raises:
        EdgeLfrError: As in `admit` and `enrol`.
    """
    config = ground.config()
    lanes, block = lane_count(config.models.threads), block_of(pictures)
    nets = BareNets(lanes)

    def progress(done: int, total: int) -> None:
        witness.count(done, total)
        if done % block == 0 and done <= total - block:
            nets.repeat(REPEATED_PICTURES)

    pack = nets.around(ground.open_pack(threads=1))
    store = SealedStore(config.watchlist_directory, KeyEncryptingKey.load(config.mode_directory, create=True))
    keys, trust = DeviceKeys.load(config.device_directory), TrustStore.load(config.trust.directory)
    children_before_s, watch = children_cpu_s(), Stopwatch()
    now = SystemClock().utc_now()
    terms = LoadTerms.of_training(now)
    with admit(bundle, keys, trust, mode=config.mode, device=config.device_name, now=now, terms=terms) as admitted:
        report = enrol(
            admitted.source(),
            store,
            EnrolmentStages.of(pack, config.detection, lanes=lanes),
            quality=config.quality,
            decision=config.decision,
            accept_partial=True,
            wipe_at=admitted.wipe_at,
            origin=admitted.origin,
            progress=progress,
        )
    spent = watch.read().since(nets.paused)
    children_s = children_cpu_s() - children_before_s
    peak_mb = _peak_mb(lanes)
    with store.open() as stored:
        sealed = stored.templates
    return LoadFigures(
        pictures=pictures,
        spent=Spent(spent.wall_s, spent.processor_s + children_s),
        bare=nets.whole(),
        children_s=children_s,
        peak_mb=peak_mb,
        lanes=lanes,
        noted=nets.noted,
        repeated=nets.repeated,
        skipped=nets.skipped,
        sealed=sealed,
        enrolled=report.enrolled_templates,
        rejected=report.rejected,
        lookalike_pairs=len(report.lookalikes),
    )


def _lookalikes_s(count: int) -> float:
    """Search made templates of strangers, every third reference with a double."""
    drawn = np.random.default_rng(0)
    vectors = drawn.standard_normal((count, DIMENSION), dtype=np.float32)
    vectors[2::3] = vectors[1::3][: len(vectors[2::3])] + 0.5 * vectors[2::3]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    began = time.perf_counter()
    near_pairs(vectors, range(count), SEARCHED_SCORE)
    return time.perf_counter() - began


def _peak_mb(children: int) -> float:
    """An upper bound: the peaks need not fall together, and what libraries share is counted once a process."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return (own + children * child) / 1024
