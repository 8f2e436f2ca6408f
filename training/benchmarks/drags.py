"""What the joint answer mends: faults planted into what a model's coarse stage says, and 0 to 3 drags.

    python training/benchmarks/drags.py MODEL DATA [--cases NAME ...] [--scatter MM]
        [--first farthest|listed|expected] [--shape-cases N --shapes FOLDER] [--output FILE]

Of each case the coarse heatmaps are displaced or swapped, and all that follows is done by the product's
own code, without the joint shape and with it. Then a user drags the landmark that is farthest off onto
the reference, up to three times: by hand nothing else moves; with the joint shape all that is proposed
is accepted. With --first listed the user takes, instead of the landmark that is farthest off, that which
the list puts first (which may be right); with expected, that which is expected to be farthest off.
Judge on cases that the model has not seen.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.detection.locate import Found
from landmark_heatmap.detection.predict import Predictor, run_network
from landmark_heatmap.detection.prepare import prepare_with_window
from landmark_heatmap.detection.proposals import Kept
from landmark_heatmap.detection.refine import Source
from landmark_heatmap.images.geometry import in_pixels
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.model.joint_shape import fit_joint_shape
from landmark_training.data.cases import find_cases, told_apart

DRAGS = 3
# Of the root mean squared distance of the landmarks from their centre.
FAR = 0.5
TURNED = np.pi / 3
TRIES = 50
COLUMNS = ("0", "1", "2", "3 drags")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cases", nargs="*", help="by default all")
    parser.add_argument("--faults", nargs="*", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--scatter", type=float, default=0.0, help="of the user, mm")
    parser.add_argument("--first", choices=("farthest", *KEYS), default="farthest")
    parser.add_argument("--shape-cases", type=int, help="the shape made of so few of SHAPES")
    parser.add_argument("--shapes", type=Path, help="the folder whose first cases they are")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    predictor = Predictor(args.model, "cpu")
    if args.shape_cases is not None:
        starve(predictor, args)
    cases = [c for c in told_apart(find_cases([args.data])) if c.name in (args.cases or [c.name])]
    lines = [
        f"{args.model.stem}, {len(cases)} cases",
        "",
        "| planted | by hand | joint | made worse | seconds |",
        "|---|---|---|---|---|",
    ]
    for fault in args.faults:
        lines.append(
            row(fault, [played(predictor, c, n, fault, args) for n, c in enumerate(cases)])
        )
        print(lines[-1], flush=True)
    if args.output is not None:
        args.output.write_text("\n".join(lines) + "\n")


def starve(predictor, args) -> None:
    """The same networks with a joint shape of few cases."""
    names = predictor.description.landmarks.names
    some = list(told_apart(find_cases([args.shapes])))[: args.shape_cases]
    positions = np.array([reference(case, names) for case in some])
    positions = positions[..., : predictor.description.dimension]
    predictor.model = replace(predictor.model, joint=fit_joint_shape(positions))


def reference(case, names) -> np.ndarray:
    """(L, 3), LPS, mm; NaN where nothing is placed."""
    truth = np.full((len(names), 3), np.nan)
    for index, name in enumerate(names):
        if case.annotation.state(name) is PointState.PLACED:
            truth[index] = case.annotation.position_lps(name)
    return truth


def row(fault: str, played) -> str:
    hand, joint, worse, seconds = zip(*played)
    shown = [" ".join(f"{value:.3g}" for value in np.mean(each, axis=0)) for each in (hand, joint)]
    points = np.concatenate(worse)
    return (
        f"| {fault} | {shown[0]} | {shown[1]} | {points.sum()} of {len(points)}"
        f" | {np.mean(seconds):.2f} |"
    )


def played(predictor, case, number: int, fault: str, args) -> tuple:
    """(MRE after 0 to 3 drags by hand, with the joint shape, (P,) bool made worse, seconds a drag)."""
    rng = np.random.default_rng(number)
    image = in_pixels(read_image(case.image_path))
    names = predictor.description.landmarks.names
    truth = reference(case, names)
    sight = sight_with(FAULTS[fault], predictor, image, truth, rng)
    alone = replace(sight, places=None)
    points = {s: list(predictor.told(s.answered(), s)) for s in (alone, sight)}
    hand, joint = (placed(each) for each in points.values())
    key = KEYS.get(args.first)
    is_wrong = np.linalg.norm(hand - truth, axis=1)
    by_hand, by_joint = [mre(hand, truth)], [mre(joint, truth)]
    given, kept, seconds, by_itself = {}, Kept(predictor, sight, image), [], {}
    for _ in range(DRAGS):
        first = key and [key(each.doubt) for each in points[alone]]
        drag(hand, truth, by_itself, names, rng, args.scatter, first)
        first = key and [key(each.doubt) for each in points[sight]]
        new = drag(joint, truth, given, names, rng, args.scatter, first)
        begun = time.perf_counter()
        for proposal in kept.proposals(given, [new]):
            index = names.index(proposal.point.name)
            joint[index] = proposal.point.position_lps
            points[sight][index] = proposal.point
        seconds.append(time.perf_counter() - begun)
        by_hand.append(mre(hand, truth))
        by_joint.append(mre(joint, truth))
    more = np.linalg.norm(joint - truth, axis=1) - is_wrong
    worse = more[np.isfinite(more)] > predictor.description.stages[-1].sigma_mm
    return by_hand, by_joint, worse, np.mean(seconds)


def placed(points) -> np.ndarray:
    return np.array([np.full(3, np.nan) if p.is_absent else p.position_lps for p in points])


def mre(positions, truth) -> float:
    return float(np.nanmean(np.linalg.norm(positions - truth, axis=1)))


def drag(positions, truth, given: dict, names, rng, scatter: float, first=None) -> str:
    """A landmark moved; its name. first: by what that is chosen, the greatest; by default by how far it
    is off."""
    errors = np.linalg.norm(positions - truth, axis=1)
    if first is not None:
        errors = np.where(np.isfinite(errors), first, np.nan)
    errors[[names.index(name) for name in given]] = -1
    index = int(np.nanargmax(errors))
    # A 2D image has one slice.
    noise = scatter * rng.normal(size=3) * (np.nanvar(truth, axis=0) > 0)
    positions[index] = truth[index] + noise
    given[names[index]] = positions[index].copy()
    return names[index]


def sight_with(plant, predictor, image, truth, rng):
    stage = predictor.description.stages[0]
    prepared, window = prepare_with_window(image, stage, predictor.description.intensity)
    heatmaps, presences = run_network(
        predictor.model.networks[0], prepared, stage, predictor.device
    )
    index = prepared.grid.to_ijk(truth)[:, ::-1]
    heatmaps = plant(heatmaps, index, rng, predictor.description)
    return predictor.sight_of(
        Found(heatmaps, presences, prepared.grid, stage), Source(image, window)
    )


def nothing(heatmaps, index, rng, description):
    return heatmaps


def half_displaced(heatmaps, index, rng, description):
    """Each by itself, some way along the axes of the grid."""
    there = np.flatnonzero(np.isfinite(index).all(1))
    far = FAR * np.sqrt(np.nanvar(index, axis=0).sum())
    heatmaps = heatmaps.copy()
    for landmark in rng.permutation(there)[: len(there) // 2]:
        steps = (far * direction(index, rng) for _ in range(TRIES))
        heatmaps[landmark] = shifted(heatmaps[landmark], steps, index[landmark])
    return heatmaps


def turned(heatmaps, index, rng, description):
    """70 %, all together, by 60 degrees around the centre."""
    there = np.flatnonzero(np.isfinite(index).all(1))
    centre = np.nanmean(index, axis=0)
    cos, sin = np.cos(TURNED), np.sin(TURNED)
    heatmaps = heatmaps.copy()
    for landmark in rng.permutation(there)[: int(0.7 * len(there))]:
        apart = index[landmark] - centre
        to = apart.copy()
        to[1], to[2] = cos * apart[1] - sin * apart[2], sin * apart[1] + cos * apart[2]
        heatmaps[landmark] = shifted(heatmaps[landmark], [to - apart], index[landmark])
    return heatmaps


def swapped(heatmaps, index, rng, description):
    """Two pairs, left and right where there are such; where they were nothing is left."""
    order = description.landmarks.mirror_pairs
    names = description.landmarks.names
    pairs = [tuple(map(names.index, pair)) for pair in order]
    if len(pairs) < 2:
        some = rng.permutation(np.flatnonzero(np.isfinite(index).all(1)))
        pairs = [tuple(some[:2]), tuple(some[2:4])]
    heatmaps = heatmaps.copy()
    for which in rng.permutation(len(pairs))[:2]:
        a, b = pairs[which]
        heatmaps[[a, b]] = heatmaps[[b, a]]
    return heatmaps


def direction(index, rng) -> np.ndarray:
    """(3,), of length one, along the axes in which landmarks lie."""
    vector = rng.normal(size=3) * (np.nanvar(index, axis=0) > 0)
    return vector / np.linalg.norm(vector)


def shifted(heatmap, steps, at) -> np.ndarray:
    """Moved by whole voxels: by the first of the steps with which the landmark stays in the image."""
    for step in steps:
        step = np.rint(step).astype(int)
        if ((at + step >= 0) & (at + step <= np.array(heatmap.shape) - 1)).all():
            break
    return moved_by(heatmap, step)


def moved_by(heatmap, step) -> np.ndarray:
    """What comes in is nothing."""
    moved = np.zeros_like(heatmap)
    source = tuple(slice(max(0, -s), n - max(0, s)) for s, n in zip(step, heatmap.shape))
    target = tuple(slice(max(0, s), n - max(0, -s)) for s, n in zip(step, heatmap.shape))
    moved[target] = heatmap[source]
    return moved


# By what a list puts landmarks in order, from their Doubts.
_ODD = 1e6
KEYS = {
    "listed": lambda doubt: _ODD * doubt.is_odd + doubt.worth_mm,
    "expected": lambda doubt: _ODD * doubt.is_odd + doubt.expected_mm,
}
FAULTS = {
    "nothing": nothing,
    "half displaced": half_displaced,
    "70 % displaced, turned by 60 degrees": turned,
    "two swaps, the true peaks gone": swapped,
}


if __name__ == "__main__":
    main()
