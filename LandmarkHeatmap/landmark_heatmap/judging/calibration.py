"""Whether a belief means what it says: how often its regions hold the reference, and how large they are.

The region of a level is where the belief, one less its content, is above one less the level. If the
belief is honest, the 90 % regions hold nine tenths of the references: over all, and for each landmark,
since a channel whose regions hold more or fewer than the others' means another thing by the same
colour. Both could be had with regions that know nothing, of one size in every image; so their size is
compared with that of such regions: balls of a constant radius a landmark, from the same held-out cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..annotation.landmarks import Annotation, PointState
from ..detection.joint import value_at
from ..detection.prediction import LandmarkPrediction, Prediction
from ..model.belief_form import BeliefForm
from .bootstrap import Figure, rank_correlation, ratio, resampled

LEVELS = (0.5, 0.9, 0.95)
# Of which the size is told, and the scatter over the landmarks.
TOLD_LEVEL = 0.9


@dataclass(frozen=True)
class CalibrationPoint:
    """One located landmark that has a reference.

    level: of the smallest region that holds the reference. expected_mm: the error that was expected.
    size: of the region of TOLD_LEVEL, in mm squared or cubed. constant_size: of a ball of constant
    radius for this landmark; None where the model is not calibrated. is_within: whether the error is
    within what was told; None where nothing was.
    """

    name: str
    error_mm: float
    expected_mm: float
    level: float
    size: float
    constant_size: float = None
    is_within: bool = None


@dataclass(frozen=True)
class Calibration:
    """coverage: level to the share of references within the region. landmarks: name to the share within
    the region of TOLD_LEVEL. scatter: the standard deviation of that over the landmarks, which is not
    below what so few cases scatter by chance (chance_scatter). size_ratio: mean size of these regions
    over that of constant balls. within: the share of errors within what was told. correlation:
    Spearman's, of expected and actual error. points: a tuple of CalibrationPoints for each case.
    """

    coverage: dict
    landmarks: dict
    scatter: float
    chance_scatter: float
    size_ratio: float
    within: Figure
    correlation: Figure
    points: tuple

    def to_json(self) -> dict:
        return {
            "definitions": {
                "coverage": "share of references within the region that is said to hold so much",
                "scatter": f"standard deviation over landmarks of the coverage at {TOLD_LEVEL:g}",
                "chance_scatter": "what so few cases would scatter if every landmark were right",
                "size_ratio": "mean size of these regions over that of balls of a constant radius a"
                " landmark, calibrated on the same cases",
            },
            "coverage": [
                {"level": level, **figure.to_json()} for level, figure in self.coverage.items()
            ],
            "landmarks": self.landmarks,
            "scatter": self.scatter,
            "chance_scatter": self.chance_scatter,
            "size_ratio": self.size_ratio,
            "within": self.within.to_json(),
            "spearman_of_expected_and_error": self.correlation.to_json(),
            "points": sum(map(len, self.points)),
        }


def calibration_points(
    prediction: Prediction, reference: Annotation, form: BeliefForm = None
) -> tuple:
    """The points of one case. form: of the model, which knows the constant radii."""
    points = []
    for number, point in enumerate(prediction.points):
        placed = reference.state(point.name) is PointState.PLACED
        if placed and not point.is_absent and point.belief is not None:
            points.append(_point(number, point, reference.position_lps(point.name), form))
    return tuple(points)


def _point(number: int, point: LandmarkPrediction, reference_lps, form) -> CalibrationPoint:
    error = float(np.linalg.norm(reference_lps - point.position_lps))
    grid = point.belief.grid
    axes = [axis for axis in range(3) if grid.size_ijk[axis] > 1]
    voxels = int((point.belief.array >= 1 - TOLD_LEVEL).sum())
    constant = None
    if form is not None and form.is_calibrated:
        radius = form.held_out.constant_radius_mm(number, TOLD_LEVEL)
        constant = _ball(radius, len(axes)) if math.isfinite(radius) else None
    told = point.doubt.within_mm
    return CalibrationPoint(
        point.name,
        error,
        point.doubt.expected_mm,
        1 - value_at(point.belief, reference_lps, outside=0.0),
        voxels * float(np.prod(grid.spacing_mm[axes])),
        constant,
        None if told is None else error <= told,
    )


def _ball(radius: float, dimension: int) -> float:
    return math.pi * radius**2 if dimension == 2 else 4 / 3 * math.pi * radius**3


def calibrate(points, resamples: int = 2000, seed: int = 0) -> Calibration:
    """points: for each case, what `calibration_points` gave."""
    points = tuple(points)
    known = [each for each in points if each]
    weights = resampled(len(known), resamples, seed)
    counts = np.array([len(each) for each in known])

    def share(is_so) -> Figure:
        return ratio(np.array([sum(map(is_so, each)) for each in known]), counts, weights)

    landmarks, scatter, chance = _of_landmarks([point for case in known for point in case])
    told = all(p.is_within is not None for case in known for p in case)
    columns = [
        [np.array([getattr(point, name) for point in each]) for each in known]
        for name in ("expected_mm", "error_mm")
    ]
    return Calibration(
        {level: share(lambda p, level=level: p.level <= level) for level in LEVELS},
        landmarks,
        scatter,
        chance,
        _size_ratio([point for case in known for point in case]),
        share(lambda p: p.is_within) if told else Figure(None),
        rank_correlation(*columns, weights),
        points,
    )


def _of_landmarks(points) -> tuple:
    """(name to share within the region of TOLD_LEVEL, their scatter, that of chance)."""
    inside = {}
    for point in points:
        inside.setdefault(point.name, []).append(point.level <= TOLD_LEVEL)
    shares = {name: float(np.mean(each)) for name, each in inside.items()}
    if len(shares) < 2:
        return shares, None, None
    chance = np.mean([TOLD_LEVEL * (1 - TOLD_LEVEL) / len(each) for each in inside.values()])
    return shares, float(np.std(list(shares.values()))), float(np.sqrt(chance))


def _size_ratio(points):
    """None where there are no constant balls to compare with."""
    both = [point for point in points if point.constant_size]
    if not both:
        return None
    return float(np.mean([p.size for p in both]) / np.mean([p.constant_size for p in both]))
