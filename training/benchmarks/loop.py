"""What a user clicks for cases 1 to N: by hand alone, and with the loop retrained after every third.

    python training/benchmarks/loop.py DATA OUTPUT --tolerance MM [--cases 10] [--minutes 4] [--every 3]

DATA: a folder of images with their annotations, which are the truth. A simulated user exports one case
after another into a dataset. By hand each landmark costs one click (or one key, where it is absent). With
the loop the user gets the landmarks of the detector that is best at the moment, drags those that are off
by more than MM, takes or leaves what is proposed to follow (one key), and confirms the rest with one key.
The detectors are the product's: the registered cases from the first exported case on; a network that is
trained on all exported cases for some minutes after every third, going on from the one before; and both
together. A case begins with what left the least to correct on the cases since the last training, which
that network has not seen, as `landmark-train starts` would tell; the first one after a training with what
was best before it. Writes clicks.csv and clicks.png.
"""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.annotation.mirror_pairs import infer_mirror_pairs
from landmark_heatmap.dataset.cases import add_case
from landmark_heatmap.dataset.folder import create_dataset
from landmark_heatmap.dataset.record import CaseRecord, Review
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.images.geometry import in_pixels
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.pictures.drawing import GREEN, INK, PURPLE, legend, new_figure, plain, png
from landmark_heatmap.registering.registrar import RegisteredStart
from landmark_heatmap.registering.together import Together
from landmark_heatmap.registering.trust import judged as held_against
from landmark_heatmap.registering.trust import measured
from landmark_training.data.cases import find_cases, told_apart
from landmark_training.fit import fit
from landmark_training.planning.config import TrainConfig
from landmark_training.starts import BOTH, NETWORK, REGISTERED

# What a simulated user is taken to need, in seconds: to find and click a place; to drag a point that is
# nearly there; to look at one that is right; to press a key. They are assumed, not measured.
PLACE, DRAG, LOOK, KEY = 8.0, 5.0, 1.5, 1.0


@dataclass
class Spent:
    """On one case. waited: seconds of detection, which a worklist spends in the background."""

    clicks: int = 0
    seconds: float = 0.0
    detector: str = "hand"
    wrong: int = 0
    waited: float = 0.0


@dataclass
class Loop:
    """The user's dataset and network. wrong: of each start, landmarks off on the cases since the last
    training. trusted: the start that was best before it. judged: what of these cases
    was held against the truth (registering/trust.py)."""

    dataset: Path
    names: tuple
    tolerance: float
    minutes: float
    network: Path = None
    wrong: dict = field(default_factory=dict)
    trusted: str = REGISTERED
    judged: list = field(default_factory=list)

    def best(self) -> str:
        return min(self.wrong, key=self.wrong.get) if self.wrong else self.trusted

    def trust(self):
        """As `landmark-train starts` measures it, on the cases since the last training."""
        return measured(self.judged)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--tolerance", type=float, required=True, help="mm (or px)")
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=4.0, help="of each training")
    parser.add_argument("--every", type=int, default=3, help="cases between trainings")
    parser.add_argument(
        "--networks", action="store_true", help="take the run-N that OUTPUT has of an earlier try"
    )
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=args.networks)
    cases = told_apart(find_cases([args.data]))
    order = np.random.default_rng(0).permutation(len(cases))[: args.cases]
    cases = [cases[i] for i in order]
    hand, loop = [by_hand(case) for case in cases], with_loop(cases, args)
    write(args.output / "clicks.csv", hand, loop)
    (args.output / "clicks.png").write_bytes(picture(hand, loop))


def by_hand(case) -> Spent:
    count = sum(1 for _ in judged(case))
    return Spent(count, PLACE * count)


def judged(case):
    states = (PointState.PLACED, PointState.ABSENT)
    return (name for name in case.annotation.names if case.annotation.state(name) in states)


def with_loop(cases, args) -> list:
    names = tuple(dict.fromkeys(name for case in cases for name in judged(case)))
    dataset = args.output / "dataset"
    marks = tuple(map(Landmark, names))
    create_dataset(dataset, LandmarkSet(marks, infer_mirror_pairs(list(names))))
    loop, spent = Loop(dataset, names, args.tolerance, args.minutes), []
    for number, case in enumerate(cases, 1):
        spent.append(by_hand(case) if number == 1 else corrected(case, loop))
        print(f"case {number}: {spent[-1]}", flush=True)
        export(case, dataset, f"case-{number:04d}")
        if number % args.every == 0 and number < len(cases):
            train(loop, args.output / f"run-{number}")
    return spent


def export(case, dataset, name) -> None:
    points = {n: case.annotation.points[n] for n in judged(case)}
    is_absent = {n: p.state is PointState.ABSENT for n, p in points.items()}
    reviews = {n: Review.MARKED_ABSENT if is_absent[n] else Review.CORRECTED for n in points}
    annotation = Annotation(points, unit=case.annotation.unit)
    add_case(dataset, name, read_image(case.image_path), annotation, CaseRecord(reviews))


def train(loop: Loop, output: Path) -> None:
    config = TrainConfig(minutes=loop.minutes)
    parent = None if loop.network is None else str(loop.network)
    loop.trusted = loop.best()
    loop.wrong, loop.judged = {}, []
    known = output / "model.safetensors"
    loop.network = (
        known if known.exists() else fit([loop.dataset], output, config, parent, say=_quiet)
    )


def _quiet(line) -> None:
    pass


def corrected(case, loop: Loop) -> Spent:
    """The user corrects what the best start says; the others are judged by what came of it."""
    image, begun = in_pixels(read_image(case.image_path)), time.perf_counter()
    start, kept = RegisteredStart(loop.dataset), []
    found = {REGISTERED: start.predict(image)}
    if loop.network is not None:
        network = Predictor(loop.network, "cpu")
        found[NETWORK] = network.predict(image, keep=kept.append)
        both = Together(network, start, loop.trust())
        found[BOTH] = both.joined(found[NETWORK], found[REGISTERED])
    best, waited = loop.best(), time.perf_counter() - begun
    for name, prediction in found.items():
        count = len(off(case, prediction.annotation(), loop.tolerance))
        loop.wrong[name] = loop.wrong.get(name, 0) + count
    spent = corrections(
        case, found[best].annotation(), kept[0] if best == NETWORK else None, loop.tolerance
    )
    spent.detector, spent.waited = best, waited
    if loop.network is not None:
        loop.judged += held_against(found[NETWORK], found[REGISTERED], case.annotation)
    return spent


def corrections(case, found, kept, tolerance: float) -> Spent:
    """kept: what can tell what follows, or None."""
    wrong = off(case, found, tolerance)
    spent = Spent(wrong=len(wrong), seconds=LOOK * len(tuple(judged(case))))
    given, absent = {}, set()
    while wrong:
        name = max(wrong, key=wrong.get)
        spent.clicks, spent.seconds = spent.clicks + 1, spent.seconds + DRAG
        found = Annotation({**found.points, name: case.annotation.points[name]}, unit=found.unit)
        if case.annotation.state(name) is PointState.PLACED:
            given[name] = case.annotation.position_lps(name)
        else:
            absent.add(name)
        if kept is not None:
            found = followed(case, found, kept, given, absent, name, spent)
        wrong = {
            n: mm for n, mm in off(case, found, tolerance).items() if n not in {*given, *absent}
        }
    spent.clicks, spent.seconds = spent.clicks + 1, spent.seconds + KEY  # the rest is confirmed
    return spent


def followed(case, found, kept, given, absent, name, spent: Spent):
    """What would follow is taken if that brings it nearer in all, and left else: one key."""
    if name not in given:
        return found
    proposals = [p.point for p in kept.proposals(given, [name], tuple(absent))]
    if not proposals:
        return found
    spent.clicks, spent.seconds = spent.clicks + 1, spent.seconds + KEY
    at = {p.name: Point(PointState.PREDICTED, tuple(p.position_lps)) for p in proposals}
    moved = Annotation({**found.points, **at}, unit=found.unit)
    return moved if error(case, moved) < error(case, found) else found


def off(case, found, tolerance: float) -> dict:
    """Name to error of what a user would correct; infinite where presence is wrong."""
    wrong = {}
    for name in judged(case):
        truth, at = case.annotation.position_lps(name), found.position_lps(name)
        if (truth is None) != (at is None):
            wrong[name] = np.inf
        elif truth is not None and np.linalg.norm(truth - at) > tolerance:
            wrong[name] = float(np.linalg.norm(truth - at))
    return wrong


def error(case, found) -> float:
    errors = off(case, found, 0.0).values()
    return sum(value for value in errors if np.isfinite(value))


def write(path: Path, hand, loop) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(
            (
                "case",
                "clicks_by_hand",
                "clicks",
                "minutes_by_hand",
                "minutes",
                "detector",
                "waited_s",
            )
        )
        for number, (alone, helped) in enumerate(zip(hand, loop), 1):
            minutes = (f"{each.seconds / 60:.2f}" for each in (alone, helped))
            rows.writerow(
                (
                    number,
                    alone.clicks,
                    helped.clicks,
                    *minutes,
                    helped.detector,
                    round(helped.waited),
                )
            )


def picture(hand, loop) -> bytes:
    figure = new_figure(5.2, 3.2)
    axes = figure.add_subplot()
    numbers = np.arange(1, len(hand) + 1)
    axes.plot(numbers, [each.clicks for each in hand], color=INK, label="by hand")
    axes.plot(numbers, [each.clicks for each in loop], color=GREEN, label="with the loop")
    with_network = [(n, each) for n, each in zip(numbers, loop) if each.detector in (NETWORK, BOTH)]
    if with_network:  # no mark is explained that is not there
        at, clicks = zip(*((n, each.clicks) for n, each in with_network))
        axes.plot(at, clicks, "o", color=PURPLE, label="begun with the trained network")
    plain(axes, x="case", y="clicks and keys")
    axes.set_ylim(0)
    legend(axes)
    return png(figure)


if __name__ == "__main__":
    main()
