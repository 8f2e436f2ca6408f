"""From the heatmaps of a coarse stage to candidates, a choice among them, and points. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .description import Stage
from .geometry import Grid, Image
from .heatmap import decode_peak, gaussian_mass
from .prediction import LandmarkPrediction
from .prior import choose_peaks

# A heatmap is cut to where it is above this share of a perfect peak.
_SHOWN = 0.01
# Peaks that are offered to the shape prior: so many, and none below this share of the highest.
_MOST_PEAKS = 3
LOWEST_PEAK = 0.05
# Along an axis: all voxels that have one after them, and all that have one before.
_NEIGHBOURS = (slice(None, -1), slice(1, None))


@dataclass(frozen=True, eq=False)
class Found:
    """What a coarse stage says: heatmaps (L, K, J, I) on `grid`, and presences (L,)."""

    heatmaps: np.ndarray
    presences: np.ndarray
    grid: Grid
    stage: Stage

    def combined(self) -> Image:
        """The maximum over the heatmaps of what is present."""
        present = self.heatmaps[np.asarray(self.presences) >= 0.5]
        shape = self.heatmaps.shape[1:]
        combined = present.max(0) if len(present) else np.zeros(shape, np.float32)
        return Image(combined, self.grid.ijk_to_lps)


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
            Image(heatmap, found.grid.ijk_to_lps),
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
    is_candidate = _is_local_maximum(heatmap) & (heatmap > LOWEST_PEAK * heatmap[peaks[0]])
    while len(peaks) < _MOST_PEAKS:
        is_candidate &= _square_mm(peaks[-1], heatmap.shape, grid) > (3 * sigma_mm) ** 2
        if not is_candidate.any():
            break
        highest = np.argmax(np.where(is_candidate, heatmap, -np.inf))
        peaks.append(np.unravel_index(highest, heatmap.shape))
    return peaks


def _is_local_maximum(heatmap: np.ndarray) -> np.ndarray:
    """Which voxels no neighbour exceeds, corner neighbours included; one axis after another."""
    highest = heatmap
    for axis in range(heatmap.ndim):
        before, after = (np.swapaxes(highest, 0, axis)[part] for part in _NEIGHBOURS)
        highest = highest.copy()
        along = np.swapaxes(highest, 0, axis)
        np.maximum(along[1:], before, out=along[1:])
        np.maximum(along[:-1], after, out=along[:-1])
    return heatmap >= highest


def point_of(name, heatmap: Image, position_kji, presence: float, stage: Stage):
    """The LandmarkPrediction at a position (k, j, i) of its heatmap, cut to where that shows."""
    start, size = _shown_box(heatmap.array)
    return LandmarkPrediction(
        name,
        heatmap.grid.to_lps(position_kji[::-1]),
        presence,
        _confidence(heatmap.array, position_kji, heatmap.grid, stage),
        heatmap.cropped(start, size),
    )


def _shown_box(heatmap: np.ndarray) -> tuple:
    """(start, size) along i, j, k of the voxels that show something, with one voxel around them."""
    shown = heatmap > min(_SHOWN, heatmap.max() / 2)
    start, size = [], []
    for axis in (2, 1, 0):
        along = np.flatnonzero(shown.any(axis=tuple(a for a in range(3) if a != axis)))
        first = max(along[0] - 1, 0) if along.size else 0
        last = min(along[-1] + 1, heatmap.shape[axis] - 1) if along.size else 0
        start.append(int(first))
        size.append(int(last - first + 1))
    return start, size


def _confidence(heatmap, position_kji, grid: Grid, stage: Stage) -> float:
    """The probability within two sigma of the position, over what a perfect heatmap has there."""
    dimension = stage.network.dimension
    square = _square_mm(position_kji, heatmap.shape, grid)
    near = heatmap[square <= (2 * stage.sigma_mm) ** 2].sum()
    perfect = {2: 0.8647, 3: 0.7385}[dimension]  # a Gaussian's share within two sigma
    mass = gaussian_mass(stage.sigma_mm, stage.spacing_mm)
    return float(np.clip(near / (mass * perfect), 0, 1))


def _square_mm(position_kji, shape, grid: Grid) -> np.ndarray:
    """The squared distance in mm of every voxel from a position, broadcastable to `shape`."""
    axes = zip(np.ogrid[tuple(map(slice, shape))], position_kji, grid.spacing_mm[::-1])
    return sum(((index - centre) * spacing) ** 2 for index, centre, spacing in axes)
