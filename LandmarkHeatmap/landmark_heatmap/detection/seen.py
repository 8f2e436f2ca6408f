"""One landmark as a stage saw it: the whole heatmap, before anything is made of it. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        least = min(SHOWN, float(self.heatmap.array.max()) / 2)
        return LandmarkPrediction(
            self.name,
            self.position_lps,
            self.presence,
            self.confidence,
            shown_part(self.heatmap, least),
            sigma_mm=self.stage.sigma_mm,
        )


def seen_at(name, heatmap: Image, position_kji, presence: float, stage: Stage) -> Seen:
    """What a stage's heatmap says of the position (k, j, i) of a peak."""
    confidence = _confidence(heatmap.array, position_kji, heatmap.grid, stage)
    return Seen(name, heatmap, position_kji, presence, confidence, stage)


def shown_part(image: Image, least: float) -> Image:
    """A copy of the part that is above `least`, with one voxel around it; the whole if nothing is."""
    first, last = box_of(image.array > least)
    first, last = np.maximum(first - 1, 0), np.minimum(last + 1, np.array(image.array.shape) - 1)
    part = image.cropped(first[::-1].tolist(), (last - first + 1)[::-1].tolist())
    # A view would keep the whole in memory for as long as the part lives.
    return replace(part, array=part.array.copy())


def box_of(mask: np.ndarray) -> tuple:
    """(first, last) indices of what is true; of all if nothing is."""
    first, last = np.zeros(mask.ndim, int), np.array(mask.shape) - 1
    for axis in range(mask.ndim):
        along = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        if along.size:
            first[axis], last[axis] = along[0], along[-1]
            # What is outside along this axis is not true along the next.
            mask = mask[(slice(None),) * axis + (slice(along[0], along[-1] + 1),)]
    return first, last


def _confidence(heatmap, position_kji, grid: Grid, stage: Stage) -> float:
    """The probability within two sigma of the position, over what a perfect heatmap has there."""
    dimension = stage.network.dimension
    reach_mm = 2 * stage.sigma_mm
    reach = reach_mm / grid.spacing_mm[::-1]
    first = np.maximum(np.ceil(position_kji - reach), 0).astype(int)
    last = np.floor(position_kji + reach).astype(int)
    near = heatmap[tuple(slice(f, n + 1) for f, n in zip(first, last))]
    near = near[square_mm(near.shape, position_kji - first, grid) <= reach_mm**2].sum()
    perfect = {2: 0.8647, 3: 0.7385}[dimension]  # a Gaussian's share within two sigma
    mass = gaussian_mass(stage.sigma_mm, stage.spacing_mm)
    return float(np.clip(near / (mass * perfect), 0, 1))


def square_mm(shape, origin, grid: Grid) -> np.ndarray:
    """The squared distance in mm of every voxel from a position (k, j, i), broadcastable to `shape`."""
    return sum(line_mm(shape, axis, origin, grid) ** 2 for axis in range(3))


def line_mm(shape, axis: int, origin, grid: Grid) -> np.ndarray:
    """mm from the origin along one axis of the array, broadcastable to it."""
    line = (np.arange(shape[axis]) - origin[axis]) * grid.spacing_mm[2 - axis]
    return line.reshape([-1 if a == axis else 1 for a in range(3)])
