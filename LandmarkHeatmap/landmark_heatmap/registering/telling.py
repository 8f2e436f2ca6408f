"""From positions and covariances to the same markers, beliefs and doubts as a network's heatmaps get.

Each landmark becomes a density on a small grid, as if a network had seen it so; all that a user sees of
it is then made by the one code for both (detection/belief.py, detection/joint.py).
"""

from __future__ import annotations

import numpy as np

from ..annotation.landmarks import LandmarkSet
from ..detection.joint import predictions
from ..detection.seen import Seen, seen_at
from ..images.geometry import Grid, Image
from ..model.belief_form import BeliefForm
from ..model.description import COARSE, NetworkConfig, Stage
from ..model.heatmap import gaussian_mass
from .views import dimension_of
from .votes import Combined

# A density is drawn as far as this, in standard deviations, with so many voxels for the narrowest, and on
# no more voxels than this along an axis.
_DRAWN, _VOXELS_A_SIGMA, _MOST_VOXELS = 4.0, 2.0, 64
# Of registrations that go well, so many landmarks are off for another reason than the scatter shows.
_TAIL = 0.1


def told(landmarks: LandmarkSet, found: Combined, presences, grid: Grid, blur_mm: float) -> tuple:
    """A LandmarkPrediction for each landmark.

    found: in LPS. presences: (L,). grid: of the image's coarse view.
    """
    seens = seen_of(landmarks, found, presences, grid, blur_mm)
    return predictions(seens, plain_form(len(landmarks), blur_mm), None, grid)


def plain_form(count: int, blur_mm: float) -> BeliefForm:
    """A density that is taken at its word, and of which nothing is claimed."""
    spread = np.full(count, 0.25 * blur_mm)
    return BeliefForm(spread, np.full(count, _TAIL), power=1.0, peak_power=1.0)


def seen_of(landmarks, found: Combined, presences, grid: Grid, blur_mm: float) -> tuple:
    """A Seen for each landmark, on a grid of its own along the axes of `grid`."""
    size = np.array(grid.size_ijk)
    middle, d = grid.to_lps((size - 1) / 2), dimension_of(grid)
    longest_mm = float((size * grid.spacing_mm)[:d].max())
    stage = _stage(found, d, len(landmarks), blur_mm)
    seens = []
    for index, name in enumerate(landmarks.names):
        position, covariance = found.positions[index], found.covariances[index]
        if not np.isfinite(position).all():
            position, covariance = middle, (longest_mm / 8) ** 2 * np.eye(3)
        seens.append(_seen(name, position, covariance, float(presences[index]), grid, stage))
    return tuple(seens)


def _stage(found: Combined, d: int, count: int, blur_mm: float) -> Stage:
    """As wide as most landmarks are uncertain: that is how wide the markers are."""
    known = found.covariances[np.isfinite(found.positions).all(1)]
    widths = [np.sqrt(np.trace(each) / d) for each in known]
    sigma = max(blur_mm, float(np.median(widths)) if widths else blur_mm)
    return Stage(COARSE, (sigma / _VOXELS_A_SIGMA,) * d, sigma, NetworkConfig(d, count))


def _seen(name: str, position_lps, covariance, presence: float, grid: Grid, stage: Stage) -> Seen:
    """covariance: (3, 3), of LPS."""
    d = stage.network.dimension
    axes = grid.directions[:, :d]
    own = np.linalg.pinv(axes) @ covariance @ np.linalg.pinv(axes).T
    widths = np.sqrt(np.diag(own))
    spacing = max(float(widths.min()) / _VOXELS_A_SIGMA, 2 * _DRAWN * widths.max() / _MOST_VOXELS)
    size = np.ones(3, int)
    size[:d] = 2 * np.ceil(_DRAWN * widths / spacing).astype(int) + 1
    matrix, steps = np.eye(4), grid.spacing_mm.copy()
    steps[:d] = spacing
    matrix[:3, :3] = grid.directions * steps
    matrix[:3, 3] = position_lps - matrix[:3, :3] @ ((size - 1) / 2)
    lines = [(np.arange(n) - (n - 1) / 2) * spacing for n in size[:d]]
    apart = np.stack(np.meshgrid(*lines, indexing="ij"), -1)
    square = np.einsum("...a,ab,...b", apart, np.linalg.inv(own), apart)
    values = np.exp(-0.5 * square)
    # Of the mass that a perfect heatmap would have.
    values *= gaussian_mass(stage.sigma_mm, (spacing,) * d) / values.sum()
    array = values.T.astype(np.float32).reshape(size[::-1])
    peak = ((size - 1) / 2)[::-1]
    image = Image(array, matrix, grid.unit)
    stage = Stage(COARSE, (spacing,) * d, stage.sigma_mm, stage.network)
    return seen_at(name, image, peak, presence, stage)
