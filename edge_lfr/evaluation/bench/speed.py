"""
Compare the path with the bare nets, and time alerts on their whole way.

Three measurements on one street: what a frame costs (`cost`), how few faces are compared (`speed_looks`), and, with
daemon and broker, how long an alert takes (`live`).
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from edge_lfr.evaluation.bench.cost import measure_cost
from edge_lfr.evaluation.bench.ground import BenchError, Ground, prepared_ground
from edge_lfr.evaluation.bench.report import Report, Row, Witness
from edge_lfr.evaluation.bench.speed_clip import Street, StreetOrder, decoding_cost, made_street
from edge_lfr.evaluation.bench.speed_looks import HeldFrames, measure_economy
from edge_lfr.evaluation.bench.speed_stages import Bench

FULL: Final = StreetOrder(fps=25, seconds=24.0, mated=4, others=8)
QUICK: Final = StreetOrder(fps=25, seconds=5.0, mated=2, others=3, near_px=110)
"""Five people in view for much of both; a short clip lets all walk at once."""

FULL_HELD: Final = 48
QUICK_HELD: Final = 24
"""Pictures in memory at once, 2.8 MB each."""


def measure_speed(shared: Path, witness: Witness, *, cameras: int, clip: Path | None, is_quick: bool) -> Report:
    """
    Measure on a made clip, or on *clip*.

    Args:
        shared: Folder with `models/` and `data/`.

        witness: Told of the progress.

        cameras: Copies of the clip, as cameras.

        clip: Of one's own: who is in it is not known, so nobody in it is listed.

        is_quick: A shorter clip and fewer repetitions.

    Raises:
        BenchError: No clip could be made, or nobody is seen in it.
        ModelError: The weights are not those of the catalogue.
    """
    with prepared_ground(shared) as ground:
        if clip is None:
            witness.stage("making the clip")
            street = made_street(ground, "street", QUICK if is_quick else FULL)
        else:
            street = Street(clip=clip.resolve())
        return Report.of(_rows(ground, street, witness, cameras=cameras, is_quick=is_quick))


def _rows(ground: Ground, street: Street, witness: Witness, *, cameras: int, is_quick: bool) -> Iterator[Row]:
    witness.stage("decoding the clip and handing its frames over")
    decoding = decoding_cost(street.clip)
    yield Row.shown("decoding: CPU", round(decoding.decoder_cpu_ms, 3), "ms a frame")
    yield Row.shown("hand-over: CPU", round(decoding.handover_cpu_ms, 3), "ms a frame")
    yield Row.shown("hand-over: wall", round(decoding.handover_wall_ms, 3), "ms, median")
    with closing(Bench(ground.open_pack(), ground.config(), street.watchlist)) as bench:
        held = HeldFrames(QUICK_HELD if is_quick else FULL_HELD)
        try:
            witness.stage("comparing the faces that are due, and all of them")
            yield from measure_economy(bench, street, held, witness).rows()
            if not any(held.people):
                message = "nobody is seen in the clip"
                raise BenchError(message, remedy="name a clip with people in it")
            witness.stage("taking turns with the bare nets")
            yield from measure_cost(
                bench, held.pictures, held.people, witness, cameras=cameras, repetitions=3 if is_quick else 9
            ).rows()
        finally:
            held.destroy()
