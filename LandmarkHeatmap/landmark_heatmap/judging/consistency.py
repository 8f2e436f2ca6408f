"""How alike the channels are: each heatmap against the target drawn at the point that it gave.

A network for many landmarks is consistent if all its heatmaps have the same height, the same spread
and one mode each. A target is the Gaussian of height one that training asks for, drawn at the
predicted continuous position on the heatmap's own voxels; what is measured is how far each heatmap
is from its target, so grid, spacing and sub-voxel position drop out. No reference is needed, except
to tell left from right.

Lengths are along the axes of the grid, as in training. A heatmap is zero outside its crop. Only
landmarks that are predicted as present count.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ..annotation.landmarks import Annotation
from ..detection.prediction import LandmarkPrediction, Prediction
from ..images.geometry import Grid
from ..model.prior import ShapePrior
from .bootstrap import Figure, mean, ratio, resampled
from .modes import SADDLE, SECOND_MODE, second_mode

# What is further away, in sigmas, is no part of the peak.
WINDOW_SIGMAS = 3.0
# Keeps the logarithm finite for a heatmap that has no extent along some direction.
_LEAST_EXTENT = 1e-3


@dataclass(frozen=True, eq=False)
class ChannelShape:
    """One heatmap h against its target g.

    peak_ratio: max h / max g. spread_ratio: sqrt(m(h) / m(g)), m the mean squared distance from the
    predicted point, weighted by the map, within three sigma. anisotropy_error:
    |log(M(h) M(g)^-1)|_F, M the matrix of second moments there, as the root of the sum of squared
    logarithms of the eigenvalues; it sees size too, not direction alone. second_mode_ratio: the highest
    mode of its own beyond three sigma / max h, zero without any. covariance_mm2: (D, D) along those axes
    of the grid that have more than one voxel, corrected for what the window cuts off: sigma^2 on the
    diagonal for a perfect heatmap. None where there is nothing to measure, in an empty heatmap for
    instance.
    """

    name: str
    peak_ratio: float
    spread_ratio: float = None
    anisotropy_error: float = None
    second_mode_ratio: float = None
    covariance_mm2: np.ndarray = None

    @property
    def has_second_mode(self) -> bool:
        return self.second_mode_ratio is not None and self.second_mode_ratio > SECOND_MODE

    def to_json(self) -> dict:
        return {
            "peak_ratio": self.peak_ratio,
            "spread_ratio": self.spread_ratio,
            "anisotropy_error": self.anisotropy_error,
            "second_mode_ratio": self.second_mode_ratio,
        }


@dataclass(frozen=True, eq=False)
class CaseConsistency:
    """The channels of one image against each other.

    channels: a ChannelShape for each landmark that is predicted as present. swapped: the names of
    landmarks that lie nearer to where their left/right partner is. pairs: how many points could
    have been swapped. shape_distance: as `measure_shape` gives it; above
    one the configuration is less plausible than 99 % of those trained on.
    """

    name: str
    channels: tuple
    swapped: tuple = ()
    pairs: int = 0
    shape_distance: float = None

    def figures(self) -> dict:
        """FIGURES to numbers; None where there are too few channels to tell."""
        peaks = _known(channel.peak_ratio for channel in self.channels)
        spreads = _known(channel.spread_ratio for channel in self.channels)
        errors = _known(channel.anisotropy_error for channel in self.channels)
        second = [channel.has_second_mode for channel in self.channels]
        return {
            "peak_ratio": _mean(peaks),
            "peak_cv": _cv(peaks),
            "smallest_peak_ratio": min(peaks, default=None),
            "spread_ratio": _mean(spreads),
            "spread_cv": _cv(spreads),
            "anisotropy_error": _mean(errors),
            "second_mode_share": _mean(second),
        }

    def to_json(self) -> dict:
        return {
            "name": self.name,
            **self.figures(),
            "swapped": list(self.swapped),
            "shape_distance": self.shape_distance,
            "channels": {channel.name: channel.to_json() for channel in self.channels},
        }


# What is told of an image, and what each is where all channels are perfect.
FIGURES = {
    "peak_ratio": 1.0,
    "peak_cv": 0.0,
    "smallest_peak_ratio": 1.0,
    "spread_ratio": 1.0,
    "spread_cv": 0.0,
    "anisotropy_error": 0.0,
    "second_mode_share": 0.0,
}
CHANNEL_FIGURES = ("peak_ratio", "spread_ratio", "anisotropy_error", "second_mode_share")


@dataclass(frozen=True, eq=False)
class Consistency:
    """Over cases. figures: FIGURES to a Figure, the mean over cases. landmarks: name to
    CHANNEL_FIGURES to a Figure. swapped: the share of points on the wrong side, of those that
    could be. implausible: the share of cases with a shape distance above one.
    """

    figures: dict
    landmarks: dict
    swapped: Figure
    implausible: Figure
    cases: tuple

    def to_json(self) -> dict:
        return {
            "definitions": {
                "peak_ratio": "maximum of the heatmap over that of the target drawn at its point",
                "peak_cv": "standard deviation of the peak ratios over the channels of an image,"
                " over their mean",
                "smallest_peak_ratio": "of an image",
                "spread_ratio": f"root of second moment within {WINDOW_SIGMAS:g} sigma over target's",
                "spread_cv": "as peak_cv, of the spread ratios",
                "anisotropy_error": "|log(M Mt^-1)|_F of the second moments of heatmap and target",
                "second_mode_share": f"share of channels with a mode beyond {WINDOW_SIGMAS:g} sigma above"
                f" {SECOND_MODE:g} of the maximum, and a saddle below {SADDLE:g} of it",
            },
            "figures": {name: figure.to_json() for name, figure in self.figures.items()},
            "swapped_share": self.swapped.to_json(),
            "implausible_share": self.implausible.to_json(),
            "landmarks": {
                name: {key: figure.to_json() for key, figure in figures.items()}
                for name, figures in self.landmarks.items()
            },
            "cases": [case.to_json() for case in self.cases],
        }


def measure_case(
    name: str, prediction: Prediction, reference: Annotation = None, shape_distance=None
) -> CaseConsistency:
    """reference: tells swaps. shape_distance: from `measure_shape`."""
    channels = tuple(
        measure_channel(point, prediction.grid, point.sigma_mm)
        for point in prediction.points
        if not point.is_absent
    )
    swapped, pairs = (), 0
    if reference is not None:
        mirror_pairs = prediction.landmarks.mirror_pairs
        swapped, pairs = swapped_sides(prediction.annotation(), reference, mirror_pairs)
    return CaseConsistency(name, channels, swapped, pairs, shape_distance)


def measure_shape(prediction: Prediction, prior: ShapePrior):
    """How implausible the configuration of the points is, over the limit of what is plausible.

    None if the prior has no limit, or knows no pair of the points that are present.
    """
    if prior is None or not np.isfinite(prior.limit):
        return None
    positions = prediction.annotation().positions_lps(prediction.landmarks.names)
    # Along the axes of the grid, as the prior was fitted.
    along_mm = prediction.grid.to_ijk(positions) * prediction.grid.spacing_mm
    distance = prior.implausibility(along_mm[:, : prior.mean.shape[-1]]) / prior.limit
    return float(distance) if np.isfinite(distance) else None


def measure_channel(point: LandmarkPrediction, image: Grid, sigma_mm: float) -> ChannelShape:
    """One heatmap. image: a grid that covers the image; there is no voxel, of heatmap or target,
    outside it (of a heatmap that lies obliquely: outside the box around it)."""
    heatmap, grid = point.heatmap.array, point.heatmap.grid
    axes = [axis for axis in range(3) if image.size_ijk[axis] > 1]
    centre = grid.to_ijk(point.position_lps)
    first, last = _limits(grid, image)
    nearest = np.clip(np.rint(centre), first, last)
    height = np.exp(-0.5 * _square_mm(nearest, centre, grid.spacing_mm, axes) / sigma_mm**2)
    peak = float(heatmap.max())
    if not peak > 0:
        return ChannelShape(point.name, 0.0)
    apart = _apart_mm([range(n) for n in heatmap.shape[::-1]], centre, grid.spacing_mm, axes)
    far = sum(each**2 for each in apart) > (WINDOW_SIGMAS * sigma_mm) ** 2
    second = second_mode(heatmap, np.broadcast_to(far, heatmap.shape))
    shape = _shape(heatmap, centre, grid.spacing_mm, axes, (first, last), sigma_mm)
    return ChannelShape(point.name, peak / float(height), *shape[:2], second / peak, shape[2])


def _shape(heatmap, centre, spacing_mm, axes, limits, sigma_mm) -> tuple:
    """(spread ratio, anisotropy error, covariance_mm2) within three sigma; None if it is empty."""
    reach = WINDOW_SIGMAS * sigma_mm / spacing_mm
    start = np.maximum(np.ceil(centre - reach), limits[0]).astype(int)
    stop = np.minimum(np.floor(centre + reach), limits[1]).astype(int) + 1
    for axis in set(range(3)) - set(axes):
        start[axis], stop[axis] = 0, 1
    if (stop <= start).any():
        return None, None, None
    window = _cut_out(heatmap, start, stop)
    lines = [range(a, b) for a, b in zip(start, stop)]
    apart = np.broadcast_arrays(*_apart_mm(lines, centre, spacing_mm, axes))
    offsets = np.stack([each.ravel() for each in apart], axis=1)
    square = (offsets**2).sum(1)
    near = square <= (WINDOW_SIGMAS * sigma_mm) ** 2
    found = _second_moments(window.ravel()[near], offsets[near])
    wanted = _second_moments(np.exp(-0.5 * square[near] / sigma_mm**2), offsets[near])
    # So few voxels that the target itself is flat along some direction.
    if found is None or wanted is None or np.linalg.eigvalsh(wanted)[0] < 1e-6 * sigma_mm**2:
        return None, None, None
    values, vectors = np.linalg.eigh(wanted)
    whitening = vectors @ np.diag(values**-0.5) @ vectors.T
    relative = whitening @ found @ whitening
    extents = np.maximum(np.linalg.eigvalsh(relative), _LEAST_EXTENT)
    spread_ratio = np.sqrt(np.trace(found) / np.trace(wanted))
    error = np.sqrt((np.log(extents) ** 2).sum())
    return float(spread_ratio), float(error), sigma_mm**2 * relative


def _limits(grid: Grid, image: Grid) -> tuple:
    """The first and last voxel (i, j, k) of `grid`, continued, that lie in the image."""
    corners = np.array(list(product(*((-0.5, n - 0.5) for n in image.size_ijk))))
    corners = grid.to_ijk(image.to_lps(corners))
    # Rounding may put a voxel on the border outside.
    return np.ceil(corners.min(0) - 1e-6), np.floor(corners.max(0) + 1e-6)


def _apart_mm(lines, centre, spacing_mm, axes) -> list:
    """The distances in mm along each of `axes`, broadcastable to (K, J, I), of voxels from `centre`.

    lines: the voxel indices along i, j, k.
    """
    apart = []
    for axis in axes:
        shape = [1, 1, 1]
        shape[2 - axis] = len(lines[axis])
        line = (np.array(lines[axis]) - centre[axis]) * spacing_mm[axis]
        apart.append(line.reshape(shape))
    return apart


def _square_mm(index, centre, spacing_mm, axes) -> float:
    return float((((index - centre) * spacing_mm)[axes] ** 2).sum())


def _cut_out(heatmap: np.ndarray, start, stop) -> np.ndarray:
    """The voxels from `start` to before `stop` (i, j, k); zero where the heatmap has none."""
    window = np.zeros((stop - start)[::-1])
    low = np.maximum(start, 0)
    high = np.minimum(stop, heatmap.shape[::-1])
    if (low < high).all():
        inside = tuple(slice(a, b) for a, b in zip(low - start, high - start))[::-1]
        window[inside] = heatmap[tuple(slice(a, b) for a, b in zip(low, high))[::-1]]
    return window


def _second_moments(weights, offsets):
    """(D, D) around the predicted point; None if there is no weight."""
    total = weights.sum()
    if not total > 0:
        return None
    return (weights[:, None] * offsets).T @ offsets / total


def swapped_sides(predicted: Annotation, reference: Annotation, mirror_pairs) -> tuple:
    """(names of landmarks nearer to their partner's reference than to their own, how many there
    are of which that can be told)."""
    swapped, judged = [], 0
    for pair in mirror_pairs:
        for name, partner in (pair, pair[::-1]):
            positions = (
                predicted.position_lps(name),
                reference.position_lps(name),
                reference.position_lps(partner),
            )
            if any(position is None for position in positions):
                continue
            judged += 1
            found, own, others = positions
            if np.linalg.norm(found - others) < np.linalg.norm(found - own):
                swapped.append(name)
    return tuple(swapped), judged


def summarise(cases, names, resamples: int = 2000, seed: int = 0) -> Consistency:
    """Over cases, with bootstrap intervals. names: the landmarks to report, in order."""
    cases = tuple(cases)
    told = [case.figures() for case in cases]
    figures = {key: mean([each[key] for each in told], resamples, seed) for key in FIGURES}
    channels = [{channel.name: channel for channel in case.channels} for case in cases]
    landmarks = {
        name: _landmark([each[name] for each in channels if name in each], resamples, seed)
        for name in names
    }
    paired = [case for case in cases if case.pairs]
    swapped = ratio(
        np.array([len(case.swapped) for case in paired]),
        np.array([case.pairs for case in paired]),
        resampled(len(paired), resamples, seed),
    )
    distances = [case.shape_distance for case in cases if case.shape_distance is not None]
    implausible = mean([distance > 1 for distance in distances], resamples, seed)
    return Consistency(figures, landmarks, swapped, implausible, cases)


def _landmark(shapes, resamples: int, seed: int) -> dict:
    columns = {
        "peak_ratio": [shape.peak_ratio for shape in shapes],
        "spread_ratio": [shape.spread_ratio for shape in shapes],
        "anisotropy_error": [shape.anisotropy_error for shape in shapes],
        "second_mode_share": [shape.has_second_mode for shape in shapes],
    }
    return {key: mean(values, resamples, seed) for key, values in columns.items()}


def _known(values) -> list:
    return [value for value in values if value is not None]


def _mean(values):
    return float(np.mean(values)) if len(values) else None


def _cv(values):
    """Standard deviation over mean; None below two values, or if the mean is zero."""
    if len(values) < 2 or not np.mean(values) > 0:
        return None
    return float(np.std(values) / np.mean(values))
