"""One landmark as a stage saw it: the whole heatmap, before anything is made of it. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..images.geometry import Grid, Image
from ..model.description import Stage
from ..model.heatmap import gaussian_mass
from .prediction import LandmarkPrediction

# A heatmap is cut to where it is above this share of a perfect peak.
SHOWN = 0.01


@dataclass(frozen=True, eq=False)
class Seen:
    """heatmap: (K, J, I), whole, of height one where perfect. position_kji: of its peak. presence,
    confidence: as in LandmarkPrediction. stage: whose heatmap it is. look: as in Doubt."""

    name: str
    heatmap: Image
    position_kji: np.ndarray
    presence: float
    confidence: float
    stage: Stage
    look: str = None

    @property
    def position_lps(self) -> np.ndarray:
        return self.heatmap.grid.to_lps(self.position_kji[::-1])

    @property
    def is_there(self) -> bool:
        return self.presence >= 0.5

    def as_it_is(self) -> LandmarkPrediction:
        """The network's own heatmap and its peak, with nothing made of them."""
        shown = self.heatmap.cropped(*_shown_box(self.heatmap.array))
        return LandmarkPrediction(
            self.name,
            self.position_lps,
            self.presence,
            self.confidence,
            # A view would keep the whole heatmap in memory for as long as the prediction lives.
            Image(shown.array.copy(), shown.ijk_to_lps, shown.unit),
            sigma_mm=self.stage.sigma_mm,
        )


def seen_at(name, heatmap: Image, position_kji, presence: float, stage: Stage) -> Seen:
    """What a stage's heatmap says of the position (k, j, i) of a peak."""
    confidence = _confidence(heatmap.array, position_kji, heatmap.grid, stage)
    return Seen(name, heatmap, position_kji, presence, confidence, stage)


def _shown_box(heatmap: np.ndarray) -> tuple:
    """(start, size) along i, j, k of the voxels that show something, with one voxel around them."""
    shown = heatmap > min(SHOWN, heatmap.max() / 2)
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
