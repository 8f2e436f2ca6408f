"""What registration looks at: a coarse part of an image, seen in several ways.

A view lies in a frame of its own: mm along i, j (, k) of its grid, from its first voxel. All that ITK
does is done there, where every grid is upright; `View.to_lps` leads back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..errors import PredictionError
from ..images.geometry import Grid, Image, canonical_grid, spaced_grid
from ..images.resample import resample

# Voxels of a view, by its dimension. More of them cost time and hardly move a landmark.
VOXELS = {2: 80_000, 3: 80**3}
POSE_VOXELS = {2: 80_000, 3: 40**3}
# Ways of looking. Photographs and X-rays differ in light and in what lies around: veins and edges are
# the same in all, so thin dark and thin bright structures are looked for as well.
PLAIN, DARK, BRIGHT = "plain", "dark", "bright"
LOOKS = {2: (PLAIN, DARK, BRIGHT), 3: (PLAIN,)}
# How thin, in voxels of a view.
_THIN_VOXELS = 5
# Percentiles of the intensities that become 0 and 1.
_DARKEST, _BRIGHTEST = 0.5, 99.5
# Around landmarks, so much of the size of their box is looked at, too.
_ROOM = 0.25


def dimension_of(grid: Grid) -> int:
    """Of a view's grid, whose last axis is the single slice of a picture."""
    return 2 if grid.size_ijk[2] == 1 else 3


@dataclass(frozen=True, eq=False)
class View:
    """values: (K, J, I), float32, 0 to 1, on `grid`, whose last axis is the single slice of a picture."""

    values: np.ndarray
    grid: Grid

    @property
    def dimension(self) -> int:
        return dimension_of(self.grid)

    @property
    def spacing_mm(self) -> np.ndarray:
        """(D,)."""
        return self.grid.spacing_mm[: self.dimension]

    @property
    def size_mm(self) -> np.ndarray:
        """(D,)."""
        return self.spacing_mm * np.array(self.grid.size_ijk)[: self.dimension]

    def from_lps(self, positions_lps) -> np.ndarray:
        """(..., 3), LPS, to (..., D) in the frame."""
        return (self.grid.to_ijk(positions_lps) * self.grid.spacing_mm)[..., : self.dimension]

    def to_lps(self, positions) -> np.ndarray:
        """(..., D) in the frame to (..., 3), LPS."""
        ijk = np.zeros((*np.shape(positions)[:-1], 3))
        ijk[..., : self.dimension] = positions / self.spacing_mm
        return self.grid.to_lps(ijk)

    @cached_property
    def looks(self) -> dict:
        """Each way of looking to an ITK image of D axes, 0 to 1."""
        ways = {PLAIN: lambda image: image, DARK: _dark, BRIGHT: _bright}
        return {name: ways[name](self.itk) for name in LOOKS[self.dimension]}

    @cached_property
    def itk(self):
        """As an ITK image of D axes."""
        return itk_image(self.values, self.grid, self.dimension)

    @cached_property
    def border(self) -> float:
        """What lies around: the median of the outermost voxels."""
        values = self.values if self.dimension == 3 else self.values[0]
        faces = [np.take(values, at, axis).ravel() for axis in range(values.ndim) for at in (0, -1)]
        return float(np.median(np.concatenate(faces)))


def itk_image(values: np.ndarray, grid: Grid, dimension: int):
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(values[0] if dimension == 2 else values)
    image.SetSpacing(grid.spacing_mm[:dimension].tolist())
    return image


def view_of(image: Image, voxels: dict, around_lps=None) -> View:
    """An image, or the part of it around some positions (N, 3), LPS, in so many voxels by dimension.

    Raises PredictionError if there is nothing to see in it.
    """
    grid = canonical_grid(image.grid)
    if around_lps is not None:
        grid = _part_around(grid, around_lps)
    dimension = 2 if grid.is_2d else 3
    return seen(image, spaced_grid(grid, _spacing(grid, voxels[dimension])))


def seen(image: Image, grid: Grid) -> View:
    """An image on a grid that may lie anywhere. Raises PredictionError as `view_of`."""
    image = resample(image, grid)
    values = image.array
    finite = values[np.isfinite(values)]
    if not finite.size or finite.min() == finite.max():
        raise PredictionError("There is nothing to see in the image: all voxels are alike.")
    low, high = np.percentile(finite, [_DARKEST, _BRIGHTEST])
    if not high > low:
        low, high = float(finite.min()), float(finite.max())
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    return View(np.clip((values - low) / (high - low), 0, 1).astype(np.float32), grid)


def _spacing(grid: Grid, voxels: int) -> np.ndarray:
    """(3,), mm: the same along all axes, but nowhere finer than the image."""
    own, size = grid.spacing_mm, np.array(grid.size_ijk)
    free = size > 1
    extent = size * own
    spacing = own.copy()
    # Where an axis is coarser than that already, the others get its voxels.
    for _ in range(3):
        taken = math.prod((extent / spacing)[~free & (size > 1)])
        if not free.any():
            break
        common = (math.prod(extent[free]) * taken / voxels) ** (1 / free.sum())
        spacing[free] = np.maximum(common, own[free])
        coarser = free & (own > common)
        if not coarser.any():
            break
        free = free & ~coarser
    return spacing


def _part_around(grid: Grid, positions_lps) -> Grid:
    """The part of a grid that holds positions, with some room; all of it if that is about as much."""
    ijk = grid.to_ijk(positions_lps)
    low, high, size = ijk.min(0), ijk.max(0), np.array(grid.size_ijk)
    room = _ROOM * float(max((high - low) * grid.spacing_mm)) / grid.spacing_mm + 2
    first = np.clip(np.floor(low - room), 0, size - 1).astype(int)
    last = np.clip(np.ceil(high + room), first, size - 1).astype(int)
    return grid.cropped(first.tolist(), (last - first + 1).tolist())


def _dark(image):
    import SimpleITK as sitk

    return _stretched(sitk.BlackTopHat(image, _radius(image), sitk.sitkBall))


def _bright(image):
    import SimpleITK as sitk

    return _stretched(sitk.WhiteTopHat(image, _radius(image), sitk.sitkBall))


def _radius(image) -> list:
    return [_THIN_VOXELS] * image.GetDimension()


def _stretched(image):
    import SimpleITK as sitk

    brightest = float(np.percentile(sitk.GetArrayViewFromImage(image), _BRIGHTEST))
    image = sitk.Cast(image / max(brightest, 1e-6), sitk.sitkFloat32)
    return sitk.Clamp(image, sitk.sitkFloat32, 0.0, 1.0)


def moved_grid(grid: Grid, matrix) -> Grid:
    """A grid after a motion (4, 4) of LPS."""
    return replace(grid, ijk_to_lps=matrix @ grid.ijk_to_lps)
