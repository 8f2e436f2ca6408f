"""Each case beside the shape of the other cases: mirrored, exchanged, off. Numbers alone, no images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from landmark_heatmap.errors import some
from landmark_heatmap.lengths import length, rough
from landmark_heatmap.model.joint_shape import GATE, fit_joint_shape, size_of
from landmark_heatmap.model.pose import fit_pose

from .consensus import apart_from, consensus, pose_of_all
from .finding import EXCHANGED, MIRRORED, OFF, UNLIKE, Finding
from .frames import axes_told, find_poses, is_turned, nearest_axes, usual_turn
from .one_case import (
    FEW_LANDMARKS,
    MIRROR_IMAGE,
    SEVERAL_PAIRS,
    SIDES_EXCHANGED,
    Judged,
    Limits,
    Others,
    exchanged,
    judge_case,
)

# Fewer cases than this do not tell what is usual of a shape.
FEWEST_CASES, FEWEST_LANDMARKS = 6, 4
# Of few cases as many as can be are asked about each.
_FOLDS, _FOLDS_OF_FEW, _FEW = 5, 10, 30
# The median of squared distances that are as they should be (chi-squared), by dimension; a landmark's own
# median counts as much as that of all landmarks in so many cases.
_MEDIAN_SQUARE, _PRIOR_CASES = {2: 1.386, 3: 2.366}, 10
# Far is what so many of all points stay below, and no less than this share of the gate.
_FAR_PERCENT, _LEAST_FAR = 98, 0.45
# What the whole of a case is scaled by, at the most, before its shape counts as one of the others'.
_MOST_SCALED = 1.5


@dataclass(frozen=True, eq=False)
class Configurations:
    """Points of cases. names: of the cases. landmarks: their names. positions: (N, L, D) in `unit`,
    from the image's centre along its axes, NaN where there is none. twins: pairs of indices, left and
    right."""

    names: tuple
    landmarks: tuple
    positions: np.ndarray
    twins: tuple = ()
    unit: str = "mm"


def find_by_shape(points: Configurations, limits: Limits = None) -> tuple:
    """(Findings, sentences about what cannot be told)."""
    enough = np.isfinite(points.positions).all(-1).sum(1) >= FEWEST_LANDMARKS
    if enough.sum() < FEWEST_CASES:
        return [], [
            f"Whether points are off, exchanged or mirrored cannot be told: that needs {FEWEST_CASES}"
            f" cases with {FEWEST_LANDMARKS} landmarks or more each, and there are {enough.sum()}."
        ]
    agreed = consensus(points.positions)
    judged = agreed and _judged(points, agreed, limits or Limits())
    if not judged or all(each is None for each in judged):
        return [], ["Whether points are off cannot be told: the cases share too few landmarks."]
    findings = [
        finding
        for n, each in enumerate(judged)
        if each is not None
        for finding in _told(points, n, each, agreed)
    ]
    # How another shape, or a mirrored one, lies among these says nothing.
    told = [n for n, each in enumerate(judged) if each and (each.mirrored or each.unlike)]
    poses = [_pose(points, n, each, agreed) for n, each in enumerate(judged)]
    swaps = _swaps(points, agreed, poses)
    size = size_of(agreed.shape)
    findings += find_poses(points.names, poses, points.unit, size, told, swaps)
    return findings, _not_told(points, judged, agreed)


def _pose(points, n: int, judged: Judged, agreed):
    """Of a case as it is once it is put right; None if that is too little."""
    if judged is None or judged.mirrored or judged.unlike:
        return agreed.poses[n]
    positions = points.positions[n].copy()
    for cycle, _, _ in judged.cycles:
        # Each one's point lies where the one before belongs.
        positions[list(cycle)] = points.positions[n, [*cycle[1:], cycle[0]]]
    positions[[index for index, _, _ in judged.off]] = np.nan
    return pose_of_all(agreed.shape, positions)


def _swaps(points, agreed, poses) -> dict:
    """Of each case with few landmarks that lies otherwise than the others, the names of two of which an
    exchange explains that as well."""
    known = [n for n, pose in enumerate(poses) if pose is not None]
    if not known:
        return {}
    usual, alike = usual_turn(np.array([poses[n].rotation for n in known]))
    found = {}
    for n in known if alike else ():
        if is_turned(poses[n].rotation, usual):
            pair = _swap_that_turns_back(agreed.shape, points.positions[n], usual)
            if pair is not None:
                found[n] = tuple(points.landmarks[index] for index in pair)
    return found


def _swap_that_turns_back(shape, positions, usual):
    """The two landmarks (indices) whose exchange leaves a case that lies as the others and fits the shape
    no worse than it did; None if there are none, or the landmarks are many."""
    there = np.flatnonzero(np.isfinite(positions + shape).all(-1))
    if len(there) > FEW_LANDMARKS:
        return None
    best, least = None, apart_from(shape, positions, pose_of_all(shape, positions))
    for pair in combinations(there, 2):
        other = exchanged(positions, *pair)
        pose = pose_of_all(shape, other)
        if pose is not None and not is_turned(pose.rotation, usual):
            apart = apart_from(shape, other, pose)
            best, least = (pair, apart) if apart <= least else (best, least)
    return best


def _judged(points, agreed, limits) -> list:
    """Of each case a Judged. The second time without what was found the first time, which had made the
    shape of the others wider than it is."""
    clean, judged = _of_usual_size(agreed), None
    for _ in range(2):
        judged = _by_the_others(points, clean, limits)
        spoilt = [(n, each) for n, each in enumerate(judged) if each is not None and each.any]
        if not spoilt:
            break
        before = np.isfinite(clean).sum()
        for n, each in spoilt:
            clean[n, :] = np.nan if each.mirrored or each.unlike else clean[n]
            clean[n, each.touched] = np.nan
        if np.isfinite(clean).sum() == before:
            break
    return judged


def _of_usual_size(agreed) -> np.ndarray:
    """The clean positions less the cases of another unit, which would be the widest of all shapes."""
    clean = agreed.clean.copy()
    sizes = np.array([np.nan if pose is None else pose.scale for pose in agreed.poses])
    factor = np.exp(abs(np.log(sizes / np.nanmedian(sizes))))
    clean[~(factor < _MOST_SCALED)] = np.nan
    return clean


def _by_the_others(points, clean, limits) -> list:
    count = len(clean)
    folds = min(count, _FOLDS if count > _FEW else _FOLDS_OF_FEW)
    shapes = [_shape_without(clean, np.arange(count) % folds == fold) for fold in range(folds)]
    shapes = [shapes[n % folds] for n in range(count)]
    usual, far = _usual(shapes, clean)
    return [
        shape and judge_case(Others(shape, usual, far), positions, points.twins, limits)
        for shape, positions in zip(shapes, points.positions)
    ]


def _shape_without(clean, mine):
    return fit_joint_shape(clean[~mine & np.isfinite(clean).any((1, 2))])


def _usual(shapes, clean) -> tuple:
    """(usual, far) of Others, from the points that nobody doubts.

    A shape gives each landmark the same noise, though some are marked better than others; and the tails
    of a set are as heavy as its annotators were careless. Both are told by what cases do that the shape
    was not made of.
    """
    one, (landmarks, dimension) = Others(None, 1.0), clean.shape[1:]
    squares = np.full(clean.shape[:2], np.nan)
    for n, shape in enumerate(shapes):
        seen = shape and replace(one, shape=shape).see(clean[n])
        if seen is not None:
            squares[n] = np.where(np.isfinite(clean[n]).all(-1), seen.square, np.nan)
    counts = np.isfinite(squares).sum(0)
    if not counts.any():
        return np.ones(landmarks), 1.0
    of_all, medians = np.nanmedian(squares), np.zeros(landmarks)
    medians[counts > 0] = np.nanmedian(squares[:, counts > 0], axis=0)
    usual = (counts * medians + _PRIOR_CASES * of_all) / (counts + _PRIOR_CASES)
    usual = np.maximum(usual / _MEDIAN_SQUARE[dimension], 1e-6)
    far = np.nanpercentile(squares / usual, _FAR_PERCENT) / GATE[dimension]
    return usual, max(float(far), _LEAST_FAR)


def _told(points: Configurations, n: int, judged: Judged, agreed) -> list:
    """The findings of one case."""
    case, unit, findings = points.names[n], points.unit, []
    if judged.mirrored:
        swapped = judged.swapped and tuple(points.landmarks[index] for index in judged.swapped)
        reason = _mirror(judged, _flip(points, n, agreed), swapped)
        findings.append(
            Finding(MIRRORED, reason, case, (), judged.typical, unit, judged.misfits[0])
        )
    sides = _sides_exchanged(points, n, judged.cycles)
    if sides:
        fell = sum(before - after for _, before, after in sides)
        before = max(before for _, before, _ in sides)
        reason = (
            f"Left and right are exchanged in {len(sides)} pairs: if they change places,"
            f" {_fell(before, before - fell)}."
        )
        names = tuple(points.landmarks[index] for cycle, _, _ in sides for index in cycle)
        findings.append(Finding(MIRRORED, reason, case, names, None, unit, before))
    for cycle, before, after in (each for each in judged.cycles if each not in sides):
        names = tuple(points.landmarks[index] for index in cycle)
        size = float(np.linalg.norm(points.positions[n, cycle[0]] - points.positions[n, cycle[1]]))
        reason = _exchange(names, _fell(before, after))
        findings.append(Finding(EXCHANGED, reason, case, names, size, unit, before - after))
    if judged.unlike:
        reason = (
            "Its points do not fit the shape of the other cases: another order of the points, another"
            " anatomy, or another image?"
        )
        size = judged.typical
        return [*findings, Finding(UNLIKE, reason, case, (), size, unit, size or 0.0)]
    for index, away, over in judged.off:
        reason = (
            f"It lies {length(away)} {unit} from where the other landmarks have it; 98 of 100 points"
            f" here lie within {rough(away / over**0.5)} {unit}."
        )
        name = (points.landmarks[index],)
        findings.append(Finding(OFF, reason, case, name, away, unit, over))
    return findings


def _sides_exchanged(points, n: int, cycles) -> list:
    """The cycles that are a left and its right, if these are most of the pairs that the case has."""
    twins = {frozenset(pair) for pair in points.twins}
    there = np.isfinite(points.positions[n]).all(-1)
    pairs = sum(all(there[list(pair)]) for pair in points.twins)
    sides = [each for each in cycles if frozenset(each[0]) in twins]
    return sides if len(sides) >= SEVERAL_PAIRS and len(sides) > pairs / 2 else []


def _fell(before: float, after: float) -> str:
    return f"the misfit falls from {before:.1f} to {after:.1f}"


def _mirror(judged: Judged, flip: str, swapped) -> str:
    how = {
        MIRROR_IMAGE: f"the whole case is a mirror image{flip}",
        SIDES_EXCHANGED: "left and right are exchanged in all names",
    }
    told = ", or ".join(how[each] for each in judged.mirrored)
    if swapped:
        told = f"'{swapped[0]}' and '{swapped[1]}' are exchanged, or {told}"
    return f"{told[0].upper()}{told[1:]}: put right, {_fell(*judged.misfits)}."


def _exchange(names, fell: str) -> str:
    if len(names) == 2:
        return f"'{names[0]}' and '{names[1]}' are exchanged: if they change places, {fell}."
    each = [f"'{b}' lies where '{a}' belongs" for a, b in zip(names, (*names[1:], names[0]))]
    return f"Exchanged among each other: {', '.join(each)}; put right, {fell}."


def _flip(points, n, agreed) -> str:
    """Which axis was flipped, where all the others lie alike."""
    turns = [pose.rotation for i, pose in enumerate(agreed.poses) if pose is not None and i != n]
    usual, alike = usual_turn(np.array(turns))
    flip = np.diag([-1.0, *[1.0] * (points.positions.shape[2] - 1)])
    pose = fit_pose(agreed.shape, points.positions[n] @ flip)
    axes = nearest_axes(flip @ pose.rotation @ usual.T) if alike and pose is not None else None
    return "" if axes is None else f", as if {axes_told(axes)}"


def _not_told(points, judged, agreed) -> list:
    notes = []
    few = [points.names[n] for n, each in enumerate(judged) if each is None]
    if few:
        notes.append(f"Too few landmarks to tell whether they are off: {some(few, True)}.")
    count = np.isfinite(points.positions).all(-1).sum(0)
    rare = [name for name, seen in zip(points.landmarks, count) if 0 < seen < FEWEST_CASES]
    if rare:
        notes.append(
            f"Too few cases have these landmarks to tell where they belong: {some(rare, True)}."
        )
    return notes
