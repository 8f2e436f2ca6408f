"""From the heatmaps of a coarse stage to candidates, a choice among them, and points. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ..images.geometry import Grid, Image
from ..model.description import Stage
from ..model.heatmap import decode_peak, gaussian_mass
from ..model.prior import choose_peaks
from .prediction import LandmarkPrediction

# A heatmap is cut to where it is above this share of a perfect peak.
_SHOWN = 0.01
# Peaks that are offered to the shape prior: so many, and none below this share of the highest.
_MOST_PEAKS = 3
LOWEST_PEAK = 0.05
# The steps (k, j, i) to the 26 neighbours of a voxel.
_NEIGHBOURS = np.array([step for step in product((-1, 0, 1), repeat=3) if any(step)])


@dataclass(frozen=True, eq=False)
class Found:
    """What a coarse stage says: heatmaps (L, K, J, I) on `grid`, and presences (L,)."""

    heatmaps: np.ndarray
    presences: np.ndarray
    grid: Grid
    stage: Stage

    def combined(self) -> Image:
        """The maximum over the heatmaps of what is present."""
        combined = np.zeros(self.heatmaps.shape[1:], np.float32)
        # One after the other: to pick out those that are present would copy them all.
        for heatmap, presence in zip(self.heatmaps, self.presences):
            if presence >= 0.5:
                np.maximum(combined, heatmap, out=combined)
        return Image(combined, self.grid.ijk_to_lps, self.grid.unit)


@dataclass(frozen=True, eq=False)
class Choice:
    """peaks: for each landmark, voxel indices (k, j, i), the highest first. chosen: one of each."""

    peaks: tuple
    chosen: tuple


def locate(names, heatmaps, presences, grid: Grid, stage: Stage, prior=None) -> tuple:
    """A LandmarkPrediction for each channel.

    heatmaps: (L, K, J, I) on `grid`. presences: (L,). prior: a ShapePrior that chooses where a
    heatmap has several peaks; without one the highest peak is taken.
    """
    found = Found(heatmaps, presences, grid, stage)
    return located(names, found, choose(found, prior))


def choose(found: Found, prior=None) -> Choice:
    """The peaks of each heatmap, and which one is the landmark's."""
    sigma_mm = found.stage.sigma_mm
    peaks = [find_peaks(heatmap, found.grid, sigma_mm) for heatmap in found.heatmaps]
    chosen = [0] * len(peaks)
    if prior is not None and any(len(each) > 1 for each in peaks):
        positions = [
            np.array([grid_mm(decode_peak(h, p), found.grid, found.stage) for p in each])
            for h, each in zip(found.heatmaps, peaks)
        ]
        heights = [np.log([h[tuple(p)] for p in each]) for h, each in zip(found.heatmaps, peaks)]
        chosen = choose_peaks(positions, heights, np.asarray(found.presences) >= 0.5, prior)
    return Choice(tuple(peaks), tuple(chosen))


def located(names, found: Found, choice: Choice) -> tuple:
    """The chosen peaks as LandmarkPredictions."""
    return tuple(
        point_of(
            name,
            Image(heatmap, found.grid.ijk_to_lps, found.grid.unit),
            decode_peak(heatmap, peaks[chosen]),
            float(presence),
            found.stage,
        )
        for name, heatmap, presence, peaks, chosen in zip(
            names, found.heatmaps, found.presences, choice.peaks, choice.chosen
        )
    )


def grid_mm(position_kji, grid: Grid, stage: Stage) -> np.ndarray:
    """(D,) mm along i, j (, k) of the grid: what the shape prior speaks of."""
    return (np.asarray(position_kji)[::-1] * grid.spacing_mm)[: stage.network.dimension]


def find_peaks(heatmap: np.ndarray, grid: Grid, sigma_mm: float) -> list:
    """Voxel indices (k, j, i) of up to three peaks, the highest first, three sigma apart."""
    peaks = [np.unravel_index(np.argmax(heatmap), heatmap.shape)]
    candidates = _local_maxima(heatmap, LOWEST_PEAK * heatmap[peaks[0]])
    while len(peaks) < _MOST_PEAKS:
        apart_mm = (candidates - peaks[-1]) * grid.spacing_mm[::-1]
        candidates = candidates[(apart_mm**2).sum(1) > (3 * sigma_mm) ** 2]
        if not len(candidates):
            break
        peaks.append(tuple(candidates[np.argmax(heatmap[tuple(candidates.T)])]))
    return peaks


def nearest_peak(heatmap: Image, position_lps):
    """The local peak (3,), LPS, mm, that is nearest to a position (3,), or None if none is near.

    Near is where the heatmap still has a hundredth of that peak: three sigma, if it is a Gaussian.
    Peaks that are nothing beside the highest do not count.
    """
    grid, values = heatmap.grid, heatmap.array
    if not np.isfinite(position_lps).all() or not grid.contains(position_lps):
        return None
    here = grid.to_ijk(position_lps)[::-1]
    voxel = tuple(np.clip(np.rint(here).astype(int), 0, np.array(values.shape) - 1))
    peaks = _local_maxima(values, max(LOWEST_PEAK * values.max(), 0))
    if not len(peaks):
        return None
    apart = ((peaks - here) * grid.spacing_mm[::-1]) ** 2
    nearest = peaks[np.argmin(apart.sum(axis=1))]
    if values[voxel] < _SHOWN * values[tuple(nearest)]:
        return None
    return grid.to_lps(decode_peak(values, nearest)[::-1])


def _local_maxima(heatmap: np.ndarray, lowest: float) -> np.ndarray:
    """Indices (N, 3) of the voxels above `lowest` that no neighbour exceeds, corners included.

    Nearly all of a heatmap is below, so that only few voxels are looked at.
    """
    candidates = np.argwhere(heatmap > lowest)
    last = np.array(heatmap.shape) - 1
    for step in _NEIGHBOURS:
        # At the border this is a nearer neighbour, or the voxel itself.
        neighbours = np.clip(candidates + step, 0, last)
        highest = heatmap[tuple(candidates.T)] >= heatmap[tuple(neighbours.T)]
        candidates = candidates[highest]
    return candidates


def point_of(name, heatmap: Image, position_kji, presence: float, stage: Stage):
    """The LandmarkPrediction at a position (k, j, i) of its heatmap, cut to where that shows."""
    shown = heatmap.cropped(*_shown_box(heatmap.array))
    return LandmarkPrediction(
        name,
        heatmap.grid.to_lps(position_kji[::-1]),
        presence,
        _confidence(heatmap.array, position_kji, heatmap.grid, stage),
        # A view would keep the whole heatmap in memory for as long as the prediction lives.
        Image(shown.array.copy(), shown.ijk_to_lps, shown.unit),
    )


def _shown_box(heatmap: np.ndarray) -> tuple:
    """(start, size) along i, j, k of the voxels that show something, with one voxel around them."""
    shown = heatmap > min(_SHOWN, heatmap.max() / 2)
    start, size = [], []
    for axis in (0, 1, 2):
        along = np.flatnonzero(shown.any(axis=tuple(a for a in range(3) if a != axis)))
        first = max(along[0] - 1, 0) if along.size else 0
        last = min(along[-1] + 1, heatmap.shape[axis] - 1) if along.size else 0
        # What is outside along this axis shows nothing along the next.
        shown = shown[(slice(None),) * axis + (slice(first, last + 1),)]
        start.append(int(first))
        size.append(int(last - first + 1))
    return start[::-1], size[::-1]


def _confidence(heatmap, position_kji, grid: Grid, stage: Stage) -> float:
    """The probability within two sigma of the position, over what a perfect heatmap has there."""
    dimension = stage.network.dimension
    reach_mm = 2 * stage.sigma_mm
    reach = reach_mm / grid.spacing_mm[::-1]
    first = np.maximum(np.ceil(position_kji - reach), 0).astype(int)
    last = np.floor(position_kji + reach).astype(int)
    near = heatmap[tuple(slice(f, n + 1) for f, n in zip(first, last))]
    near = near[_square_mm(position_kji - first, near.shape, grid) <= reach_mm**2].sum()
    perfect = {2: 0.8647, 3: 0.7385}[dimension]  # a Gaussian's share within two sigma
    mass = gaussian_mass(stage.sigma_mm, stage.spacing_mm)
    return float(np.clip(near / (mass * perfect), 0, 1))


def _square_mm(position_kji, shape, grid: Grid) -> np.ndarray:
    """The squared distance in mm of every voxel from a position, broadcastable to `shape`."""
    axes = zip(np.ogrid[tuple(map(slice, shape))], position_kji, grid.spacing_mm[::-1])
    return sum(((index - centre) * spacing) ** 2 for index, centre, spacing in axes)
