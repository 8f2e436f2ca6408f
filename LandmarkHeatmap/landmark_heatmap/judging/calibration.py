"""Whether a heatmap knows how wrong it is: its spread and its confidence against the error.

The ellipse of a heatmap has the predicted point as its centre and the heatmap's covariance
(ChannelShape.covariance_mm2) as its own. If a heatmap were the probability of where the landmark
is, the 50 % ellipses would hold half of the references. A network that is asked for Gaussians of
one sigma is not free to say so: then the ellipses tell how sigma compares with the errors, and the
rank correlations tell whether what is left of its freedom is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..annotation.landmarks import Annotation, PointState
from ..detection.prediction import Prediction
from .bootstrap import Figure, rank_correlation, ratio, resampled
from .consistency import CaseConsistency

LEVELS = (0.5, 0.9, 0.95)
# By dimension, the squared Mahalanobis distances within which a Gaussian has LEVELS of its mass:
# quantiles of the chi-squared distribution.
_QUANTILES = {
    1: (0.454936, 2.705543, 3.841459),
    2: (1.386294, 4.605170, 5.991465),
    3: (2.365974, 6.251389, 7.814728),
}
# Of the mean variance, what the variance along any direction has at least.
_LEAST_SHARE = 1e-3


@dataclass(frozen=True)
class CalibrationPoint:
    """One located landmark that has a reference.

    spread_mm: the root of the mean of the covariance's diagonal. inside: for each of LEVELS,
    whether the reference lies within the ellipse.
    """

    name: str
    error_mm: float
    spread_mm: float
    confidence: float
    inside: tuple


@dataclass(frozen=True)
class Calibration:
    """coverage: level to the share of references within the ellipse. spread_correlation,
    confidence_correlation: Spearman's, with the error; a network that knows when it is wrong has a
    positive and a negative one. points: a tuple of CalibrationPoints for each case.
    """

    coverage: dict
    spread_correlation: Figure
    confidence_correlation: Figure
    points: tuple

    def to_json(self) -> dict:
        return {
            "coverage": [
                {"level": level, **figure.to_json()} for level, figure in self.coverage.items()
            ],
            "spearman_of_spread_and_error": self.spread_correlation.to_json(),
            "spearman_of_confidence_and_error": self.confidence_correlation.to_json(),
            "points": sum(map(len, self.points)),
        }


def calibration_points(
    prediction: Prediction, consistency: CaseConsistency, reference: Annotation
) -> tuple:
    """The points of one case. consistency: what was measured of the same prediction."""
    shapes = {channel.name: channel for channel in consistency.channels}
    points = []
    for point in prediction.points:
        shape = shapes.get(point.name)
        placed = reference.state(point.name) is PointState.PLACED
        if placed and shape is not None and shape.covariance_mm2 is not None:
            points.append(_point(prediction, point, shape, reference.position_lps(point.name)))
    return tuple(points)


def _point(prediction, point, shape, reference_lps) -> CalibrationPoint:
    axes = [axis for axis in range(3) if prediction.grid.size_ijk[axis] > 1]
    # Along the axes of the heatmap, as its covariance.
    grid = point.heatmap.grid
    index = grid.to_ijk([reference_lps, point.position_lps])
    apart_mm = ((index[0] - index[1]) * grid.spacing_mm)[axes]
    variance = float(np.trace(shape.covariance_mm2)) / len(axes)
    # A heatmap of few voxels may be flat along a direction; nothing is known as well as that.
    least = (_LEAST_SHARE * variance + 1e-9) * np.eye(len(axes))
    square = apart_mm @ np.linalg.solve(shape.covariance_mm2 + least, apart_mm)
    return CalibrationPoint(
        point.name,
        float(np.linalg.norm(reference_lps - point.position_lps)),
        variance**0.5,
        float(point.confidence),
        tuple(bool(square <= quantile) for quantile in _QUANTILES[len(axes)]),
    )


def calibrate(points, resamples: int = 2000, seed: int = 0) -> Calibration:
    """points: for each case, what `calibration_points` gave."""
    points = tuple(points)
    known = [each for each in points if each]
    weights = resampled(len(known), resamples, seed)
    counts = np.array([len(each) for each in known])
    coverage = {
        level: ratio(np.array([sum(p.inside[i] for p in each) for each in known]), counts, weights)
        for i, level in enumerate(LEVELS)
    }
    columns = {
        key: [np.array([getattr(point, key) for point in each]) for each in known]
        for key in ("error_mm", "spread_mm", "confidence")
    }
    return Calibration(
        coverage,
        rank_correlation(columns["spread_mm"], columns["error_mm"], weights),
        rank_correlation(columns["confidence"], columns["error_mm"], weights),
        points,
    )
