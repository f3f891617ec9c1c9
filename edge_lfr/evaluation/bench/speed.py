"""
Compare the path with the bare nets, and time alerts on their whole way.

Three measurements: what a frame costs (`cost`), how few faces are compared (`speed_looks`), and, with daemon and
broker, hand-over, stages, drops and how long an alert takes (`live`). A clip of one's own goes through all three.
Without one, two streets are made, since the targets ask for two rates: cost and looks at 25 frames a second, the time
of an alert at 10, which two cores can keep up with; and so many listed people walk in the second one that its slowest
alerts have a percentile.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_lfr.evaluation.bench.cost import measure_cost
from edge_lfr.evaluation.bench.ground import BenchError, Ground, prepared_ground
from edge_lfr.evaluation.bench.live import LiveScene, measure_live
from edge_lfr.evaluation.bench.report import Report, Row, Witness
from edge_lfr.evaluation.bench.speed_clip import Street, StreetOrder, decoding_cost, made_street, people_in_view
from edge_lfr.evaluation.bench.speed_looks import HeldFrames, measure_economy
from edge_lfr.evaluation.bench.speed_stages import Bench
from edge_lfr.evaluation.processes import broker_program

LIVE_FPS: Final = 10
"""The rate that the limits of the live part are meant for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    street: StreetOrder
    """About five people are in view at once; a short clip lets all walk together."""

    live: StreetOrder
    """For the daemon; the full one has so many listed people that a p99 of their alerts is one."""

    held: int
    """Pictures in memory for the cost of a frame, 2.8 MB each."""

    repetitions: int


FULL: Final = Plan(
    street=StreetOrder(fps=25, seconds=24.0, mated=4, others=8),
    live=StreetOrder(fps=LIVE_FPS, seconds=100.0, mated=56, others=60),
    held=48,
    repetitions=9,
)
QUICK: Final = Plan(
    street=StreetOrder(fps=25, seconds=8.0, mated=2, others=3),
    live=StreetOrder(fps=LIVE_FPS, seconds=8.0, mated=2, others=3),
    held=16,
    repetitions=3,
)


def measure_speed(
    shared: Path, witness: Witness, *, cameras: int, clip: Path | None, watchlist: Path | None = None, is_quick: bool
) -> Report:
    """
    Measure on made clips, or on *clip*.

    Args:
        shared: Folder with `models/` and `data/`.

        witness: Told of the progress.

        cameras: Copies of the clip, as cameras.

        clip: Of one's own: played to its end three times, the last time at its own pace, so that it had better be
            short. The live part has no targets then.

        watchlist: A folder that `watchlist build` takes: who is in *clip* and listed. None: nobody is, and no alert is
            timed.

        is_quick: Shorter made clips, and fewer repetitions.

    Raises:
        BenchError: No clip could be made, or nobody is seen in it.
        BrokerUnavailableError: There is no Mosquitto, or it does not listen.
        ModelError: The weights are not those of the catalogue.
        RehearsalError: A process of the live part did not do its work.
    """
    plan = QUICK if is_quick else FULL
    broker_program()  # before anything is made
    with prepared_ground(shared) as ground:
        if clip is None:
            witness.stage("making the clip")
            street = made_street(ground, "street", plan.street)
        else:
            street = Street(clip=clip.resolve(), watchlist=None if watchlist is None else watchlist.resolve())
        witness.stage("decoding the clip and handing its frames over")
        decoding = decoding_cost(street.clip)
        rows = [*decoding.rows(), *_path_rows(ground, street, plan, witness, cameras)]
        if clip is None:
            witness.stage(f"making a clip of {plan.live.seconds:g} s for the daemon")
            scene = live_scene(made_street(ground, "live", plan.live), plan.live, cameras)
        else:
            scene = own_scene(street, decoding.seconds, cameras)
        rows += measure_live(ground, scene, witness)
        return Report.of(rows)


def live_scene(street: Street, order: StreetOrder, cameras: int) -> LiveScene:
    """
    Say what the daemon sees of a made clip; the limits are meant for one camera.

    Raises:
        BenchError: Nobody is listed.
    """
    if street.watchlist is None or street.truth is None:
        message = "nobody is listed in the made clip"
        raise BenchError(message)
    return LiveScene(
        clip=street.clip,
        seconds=order.seconds,
        watchlist=street.watchlist,
        people_in_view=people_in_view(street.truth),
        cameras=cameras,
        has_targets=cameras == 1,
    )


def own_scene(street: Street, seconds: float, cameras: int) -> LiveScene:
    """Say what the daemon sees of a clip of one's own: it is not the one that the limits are meant for."""
    return LiveScene(clip=street.clip, seconds=seconds, watchlist=street.watchlist, cameras=cameras, has_targets=False)


def _path_rows(ground: Ground, street: Street, plan: Plan, witness: Witness, cameras: int) -> Iterator[Row]:
    with closing(Bench(ground.open_pack(), ground.config(), street.watchlist)) as bench:
        held = HeldFrames(plan.held)
        try:
            witness.stage("comparing the faces that are due, and all of them")
            yield from measure_economy(bench, street, held, witness).rows()
            if not any(held.people):
                message = "nobody is seen in the clip"
                raise BenchError(message, remedy="name a clip with people in it")
            witness.stage("taking turns with the bare nets")
            yield from measure_cost(bench, held, witness, cameras=cameras, repetitions=plan.repetitions).rows()
        finally:
            held.destroy()
