"""From the heatmaps of a coarse stage to candidates, a choice among them, and points. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ..images.geometry import Grid, Image
from ..model.description import Stage
from ..model.heatmap import decode_peak
from ..model.prior import choose_peaks
from .seen import SHOWN, seen_at

# Peaks that are offered to the shape prior: so many, and none below this share of the highest.
_MOST_PEAKS = 3
LOWEST_PEAK = 0.05
# The steps (k, j, i) to the 26 neighbours of a voxel.
_NEIGHBOURS = np.array([step for step in product((-1, 0, 1), repeat=3) if any(step)])


@dataclass(frozen=True, eq=False)
class Found:
    """What a coarse stage says: heatmaps (L, K, J, I) on `grid`, and presences (L,).

    brightness: the mean of what it saw, -1 to 1; None if nobody asks.
    """

    heatmaps: np.ndarray
    presences: np.ndarray
    grid: Grid
    stage: Stage
    brightness: float = None


@dataclass(frozen=True, eq=False)
class Choice:
    """peaks: for each landmark, voxel indices (k, j, i), the highest first. chosen: one of each."""

    peaks: tuple
    chosen: tuple


def locate(names, heatmaps, presences, grid: Grid, stage: Stage, prior=None) -> tuple:
    """A Seen for each channel.

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
    """The chosen peaks, a Seen each."""
    return tuple(
        seen_at(
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


def logs_of(found: Found, choice: Choice) -> list:
    """For each landmark, of its peaks' heights over the highest; none lower than a peak may be."""
    return [
        np.log([height_of(heatmap, peak, float(heatmap[tuple(peaks[0])])) for peak in peaks])
        for heatmap, peaks in zip(found.heatmaps, choice.peaks)
    ]


def height_of(heatmap: np.ndarray, voxel, highest: float) -> float:
    """Of a voxel over the highest; no lower than a peak may be."""
    return max(float(heatmap[tuple(voxel)]) / max(highest, 1e-6), LOWEST_PEAK)


def grid_mm(position_kji, grid: Grid, stage: Stage) -> np.ndarray:
    """(D,) mm along i, j (, k) of the grid: what the shape prior speaks of."""
    return (np.asarray(position_kji)[::-1] * grid.spacing_mm)[: stage.network.dimension]


def find_peaks(heatmap: np.ndarray, grid: Grid, sigma_mm: float) -> list:
    """Voxel indices (k, j, i) of up to three peaks, the highest first, three sigma apart."""
    tops = heatmap.max(axis=0)
    j, i = np.nonzero(tops == tops.max())
    k, first = np.unravel_index(np.argmax(heatmap[:, j, i]), (len(heatmap), len(j)))
    peaks = [(k, j[first], i[first])]
    candidates = local_maxima(heatmap, LOWEST_PEAK * heatmap[peaks[0]], tops)
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
    peaks = local_maxima(values, max(LOWEST_PEAK * values.max(), 0))
    if not len(peaks):
        return None
    apart = ((peaks - here) * grid.spacing_mm[::-1]) ** 2
    nearest = peaks[np.argmin(apart.sum(axis=1))]
    if values[voxel] < SHOWN * values[tuple(nearest)]:
        return None
    return grid.to_lps(decode_peak(values, nearest)[::-1])


def local_maxima(heatmap: np.ndarray, lowest: float, tops=None) -> np.ndarray:
    """Indices (N, 3) of the voxels above `lowest` that no neighbour exceeds, corners included.

    tops: (J, I), the maxima along k, if they are known. Nearly all of a heatmap is below, so that beside
    them only few voxels are looked at.
    """
    j, i = np.nonzero((heatmap.max(axis=0) if tops is None else tops) > lowest)
    k, column = np.nonzero(heatmap[:, j, i] > lowest)
    candidates = np.column_stack([k, j[column], i[column]])
    last = np.array(heatmap.shape) - 1
    for step in _NEIGHBOURS:
        # At the border this is a nearer neighbour, or the voxel itself.
        neighbours = np.clip(candidates + step, 0, last)
        highest = heatmap[tuple(candidates.T)] >= heatmap[tuple(neighbours.T)]
        candidates = candidates[highest]
    return candidates
