"""What the path costs and how few faces it compares: the sums on made figures, and the whole once on a short clip."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_lfr.evaluation.bench import speed
from edge_lfr.evaluation.bench.cost import Cost, Repetition, measure_cost
from edge_lfr.evaluation.bench.ground import BenchError, Ground, prepared_ground
from edge_lfr.evaluation.bench.live import PARTS, LiveScene, measure_live
from edge_lfr.evaluation.bench.report import Row
from edge_lfr.evaluation.bench.speed import FULL, live_scene, measure_speed, own_scene
from edge_lfr.evaluation.bench.speed_clip import Street, StreetOrder, decoding_cost, made_street, people_in_view
from edge_lfr.evaluation.bench.speed_looks import PEOPLE, Economy, HeldFrames, measure_economy
from edge_lfr.evaluation.bench.speed_stages import Bench
from edge_lfr.evaluation.bench.spent import Spent
from edge_lfr.evaluation.truth import Passage, Truth, TruthBox
from edge_lfr.inference.session import Session
from edge_lfr.pipeline.path import FLUSH, TIMED_STAGES
from edge_lfr.pipeline.stage_times import ALL_STAGES, StageTimes
from simulators.silence import Silence

DISAGREED = "looks: people alerted by one way alone"
ORDER = StreetOrder(fps=5, seconds=4.0, mated=1, others=2, near_px=110)


class ToldNet:
    """A net that tells what it is fed: one grey, whole numbers as pixels are, or the noise of the bare runs."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.inputs, self.outputs, self.provider = session.inputs, session.outputs, session.provider
        self.overwrites_freed = session.overwrites_freed
        self.samples: Counter[str] = Counter()

    def run(self, feed: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        return self._session.run(feed)

    def run_into(self, feed: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        is_grey, is_whole = bool((feed == feed.flat[0]).all()), bool((feed == np.rint(feed)).all())
        self.samples["neutral" if is_grey else "faces" if is_whole else "noise"] += len(feed)
        self._session.run_into(feed, out)


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.name: row for row in rows}


def test_the_cost_is_the_median_ratio() -> None:
    """One repetition that the machine spoiled does not decide; figures are of one frame of one camera."""
    times = StageTimes()
    times.add("faces.detection", 60_000_000)
    times.add(ALL_STAGES, 80_000_000)
    cost = Cost(
        repetitions=tuple(
            Repetition(path=Spent(processor_s=path), bare=Spent(processor_s=bare))
            for path, bare in ((0.22, 0.2), (0.9, 0.2), (0.21, 0.2))
        ),
        frames=2,
        cameras=2,
        people=5,
        embeddings=6,
        stages=times.summary(),
    )
    rows = by_name(list(cost.rows()))
    ratio = rows["cost: path / bare nets, CPU"]
    assert (1.1, "<= 1.15", True) == (ratio.value, ratio.target, ratio.ok)
    assert (55.0, 1.5) == (rows["cost: path, CPU"].value, rows["cost: embeddings a frame"].value)
    assert 30.0 == rows["path: faces.detection"].value
    assert 75.0 == rows["path: faces.detection, share of the pass"].value
    assert [*TIMED_STAGES, ALL_STAGES, FLUSH] == [
        name.removeprefix("path: ")
        for name in rows
        if name.startswith("path: ") and not name.endswith("share of the pass")
    ]


@pytest.mark.parametrize(
    ("alerted", "by_every_face", "is_ok"),
    [({"a", "b"}, {"a", "b"}, True), ({"a"}, {"a", "b"}, False), ({"a", "b"}, {"a"}, False)],
)
def test_fewer_looks_are_worth_it_only_with_the_same_alerts(
    alerted: set[str],
    by_every_face: set[str],
    is_ok: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Whoever is alerted by one way alone, whichever it is, misses the target."""
    economy = Economy(
        frames=100,
        passages=4,
        embeddings=24,
        every_face=240,
        alerted=frozenset(alerted),
        alerted_by_every_face=frozenset(by_every_face),
        has_truth=True,
        mated=2,
        discards={},
    )
    rows = by_name(list(economy.rows()))
    assert is_ok == rows[DISAGREED].ok
    assert (6.0, 0.1, True) == (
        rows["looks: embeddings a passage"].value,
        rows["looks: embeddings / every face"].value,
        rows["looks: embeddings / every face"].ok,
    )


def test_an_economy_of_nothing_reaches_no_target() -> None:
    """Without a face there is no share, and what could not be measured is not reached."""
    economy = Economy(
        frames=1,
        passages=0,
        embeddings=0,
        every_face=0,
        alerted=frozenset(),
        alerted_by_every_face=frozenset(),
        has_truth=False,
        mated=0,
        discards={},
    )
    assert not by_name(list(economy.rows()))["looks: embeddings / every face"].ok


@pytest.mark.parametrize(("embeddings", "mated"), [(0, 0), (0, 3), (24, 3)])
def test_two_ways_that_see_nobody_do_not_agree(embeddings: int, mated: int) -> None:
    """Where nothing was compared, or listed people walked and nobody was alerted, the same alerts are no result."""
    economy = Economy(
        frames=200,
        passages=5,
        embeddings=embeddings,
        every_face=900,
        alerted=frozenset(),
        alerted_by_every_face=frozenset(),
        has_truth=True,
        mated=mated,
        discards={},
    )
    rows = by_name(list(economy.rows()))
    assert (None, False) == (rows[DISAGREED].value, rows[DISAGREED].ok)
    assert (embeddings > 0) == rows["looks: embeddings / every face"].ok


def test_held_frames_are_bounded_and_show_the_most_people() -> None:
    """The fewest people give way, up to the number that is wanted; then the first that came stay, and stay in order."""
    held = HeldFrames(2)
    for value, people in enumerate([1, PEOPLE, 3, PEOPLE + 1, PEOPLE + 2]):
        held.offer(np.full((2, 2, 3), value, dtype=np.uint8), people)
    assert [1, 3] == [int(picture[0, 0, 0]) for picture in held.pictures]
    assert [PEOPLE, PEOPLE + 1] == held.people
    kept = held.pictures[0]
    held.destroy()
    assert not kept.any()


def test_limits_are_for_one_camera_of_a_made_clip(tmp_path: Path) -> None:
    """More cameras on the same cores are shown without a target, and so is a clip of one's own, whoever is listed."""
    truth = Truth(clip="a.mp4", fps=10.0, size=(640, 480), passages=())
    street = Street(clip=tmp_path / "a.mp4", truth=truth, watchlist=tmp_path)
    scene = LiveScene(clip=street.clip, seconds=4.0, watchlist=tmp_path, people_in_view=0.0)
    assert scene == live_scene(street, ORDER, 1)
    assert not live_scene(street, ORDER, 2).has_targets
    with pytest.raises(BenchError, match="nobody is listed"):
        live_scene(Street(clip=street.clip), ORDER, 1)
    for own in (Street(clip=street.clip), Street(clip=street.clip, watchlist=tmp_path)):
        scene = own_scene(own, 4.0, 1)
        assert (own.watchlist, None, False) == (scene.watchlist, scene.people_in_view, scene.has_targets)


def test_people_in_view_are_those_with_a_face_that_could_be_compared() -> None:
    """The median over all frames between the first and the last face; small faces do not count."""

    def passage(first: int, last: int, width: float) -> Passage:
        boxes = tuple(
            TruthBox(frame=frame, time_s=frame / 10, x0=0, y0=0, x1=width, y1=width) for frame in range(first, last)
        )
        name = f"{first}-{last}-{width:g}"
        return Passage(passage_id=name, reference_id=None, person=name, starts_s=0, ends_s=1, boxes=boxes)

    passages = (passage(0, 10, 32), passage(2, 9, 50), passage(3, 9, 33), passage(0, 10, 31))
    assert 3 == people_in_view(Truth(clip="a.mp4", fps=10.0, size=(640, 480), passages=passages))


def test_the_full_clip_has_many_listed_people() -> None:
    """Some 40 alerts are wanted in its live part, so that its slowest ones are seen; nobody walks twice in it."""
    assert (10, True) == (FULL.live.fps, 40 < FULL.live.mated <= 102)


@pytest.mark.shared
def test_neutral_runs_are_on_the_paths_side_alone(shared_data: Path) -> None:
    """They come by the time of the frames, cost the path, and are not among what the bare nets are run for."""
    with prepared_ground(shared_data.parent) as ground:
        street = made_street(ground, "street", ORDER)
        pack = ground.open_pack()
        net = ToldNet(pack.embedder)
        bench = Bench(replace(pack, embedder=net), ground.config(), street.watchlist)
        held = HeldFrames(1)
        measure_economy(bench, street, held, Silence())
        held.pictures *= 20  # everybody stands still for 0.8 s: compared once or twice, and a pause in between
        held.people *= 20
        net.samples.clear()
        measure_cost(bench, held, Silence(), cameras=1, repetitions=1)
        bench.close()
    assert net.samples["neutral"] > 0
    assert net.samples["faces"] == net.samples["noise"]


@pytest.mark.shared
def test_a_short_street_is_measured(shared_data: Path) -> None:
    """Every part has its figures, the frames are those of the clip, and the held pictures stay for the next turn."""
    with prepared_ground(shared_data.parent) as ground:
        street = made_street(ground, "street", ORDER)
        decoding = decoding_cost(street.clip)
        assert 20 == decoding.frames
        assert pytest.approx(3.8) == decoding.seconds  # the last of 20 frames at 5 frames a second
        assert decoding.decoder_cpu_ms > 0.0
        bench = Bench(ground.open_pack(), ground.config(), street.watchlist)
        held = HeldFrames(3)
        economy = measure_economy(bench, street, held, Silence())
        assert (20, 3) == (economy.frames, economy.passages)
        assert 0 < economy.embeddings < economy.every_face
        cost = measure_cost(bench, held, Silence(), cameras=2, repetitions=1)
        assert 3 == cost.stages[ALL_STAGES].count
        assert cost.ratio > 0.0
        assert all(0 < one.settling.processor_s < one.path.processor_s for one in cost.repetitions)
        assert all(picture.any() for picture in held.pictures)
        bench.close()


def test_a_street_without_portraits_is_refused(tmp_path: Path) -> None:
    """What the script says is handed on."""
    ground = Ground(folder=tmp_path, shared=tmp_path, models_directory=tmp_path)
    with pytest.raises(BenchError, match="could not be made"):
        made_street(ground, "street", ORDER)


@pytest.mark.shared
def test_a_clip_of_ones_own_goes_through_the_daemon_too(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand-over, stages and drops of each copy, without a list and without a target: nobody is alerted for."""
    shared = shared_data.parent
    monkeypatch.setattr(speed, "QUICK", replace(speed.QUICK, held=2, repetitions=1))
    with prepared_ground(shared) as ground:
        clip = made_street(ground, "own", ORDER).clip
        report = measure_speed(shared, Silence(), cameras=2, clip=clip, is_quick=True)
    value: dict[str, Any] = {row.name: row.value for row in report.rows}
    assert {"decoding: CPU", "looks: embeddings / every face", "cost: path / bare nets, CPU"} <= value.keys()
    assert (2, 40) == (value["live: cameras"], value["live: frames decoded"])
    assert 40 == value["live: frames processed"] + value["live: frames dropped"]
    dropped = sum(value[f"live: drops: {cause}"] for cause in ("frame-superseded", "frame-no-slot"))
    assert dropped == value["live: frames dropped"]
    assert value["live: frame arrived to pass begun, p50"] > 0.0
    assert value["live: faces.detection, p50"] > 0.0
    assert (0, 0, None) == tuple(
        value[f"live: {name}"] for name in ("alerts and sightings", "alerts timed", "frame arrived to PUBACK, p50")
    )
    assert [] == [row.name for row in report.rows if row.name.startswith("live: ") and row.target is not None]


@pytest.mark.shared
def test_listed_people_of_ones_own_clip_are_alerted_for(shared_data: Path) -> None:
    """With a watchlist of those who are in it the way of an alert is timed, part by part."""
    with prepared_ground(shared_data.parent) as ground:
        # Twice as long as two agreeing looks need: a machine that is busy misses frames.
        street = made_street(ground, "own", replace(ORDER, seconds=8.0))
        rows = by_name(list(measure_live(ground, own_scene(replace(street, truth=None), 7.8, 1), Silence())))
    value: dict[str, Any] = {name: row.value for name, row in rows.items()}
    assert value["live: alerts timed"] > 0
    assert all(value[f"live: {part}, p50"] is not None for part in PARTS.values())
