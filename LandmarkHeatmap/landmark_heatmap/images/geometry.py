"""Images in space: an array with its IJK-to-LPS affine, and exact resampling between grids.

Arrays have the axes (K, J, I), as SimpleITK and `slicer.util.array` give them. Affines are 4x4 and
map voxel indices (i, j, k, 1) at voxel CENTRES to mm in LPS. A 2D image is a volume of one slice.
Where the unit of an image is px, every length that is said to be in mm is one in pixels.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np

from ..errors import GeometryError

# Units of length: a photograph, and an image that does not say how large its voxels are, has no mm.
MM, PX = UNITS = ("mm", "px")
# Flipping the first two world axes turns RAS into LPS and back: it is its own inverse.
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
# Of an affine, and by how much it may be off.
_LAST_ROW, _LAST_ROW_OFF = (0.0, 0.0, 0.0, 1.0), (1e-8, 1e-8, 1e-8, 1e-5)
# Left and right, posterior and anterior, superior and inferior: forwards and backwards along LPS.
_TOWARDS = ("LR", "PA", "SI")
# The cosine of a degree: axes that are closer to the patient's count as lying along them.
_STRAIGHT = 0.99985


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular grid of voxels in space, without values.

    size_ijk: voxels along i, j, k. ijk_to_lps: 4x4, mm; any invertible affine, so oblique and
    left-handed grids too. unit: of its lengths, 'mm' or 'px'. Raises GeometryError for a size or an
    affine that places nothing.
    """

    size_ijk: tuple
    ijk_to_lps: np.ndarray
    unit: str = MM

    def __post_init__(self):
        size = tuple(int(n) for n in self.size_ijk)
        if len(size) != 3 or min(size) < 1:
            raise GeometryError(f"A grid needs three sizes of at least 1, got {self.size_ijk}.")
        object.__setattr__(self, "size_ijk", size)
        object.__setattr__(self, "ijk_to_lps", checked_affine(self.ijk_to_lps))
        if self.unit not in UNITS:
            raise GeometryError(f"Unknown unit of length '{self.unit}'; it has to be mm or px.")

    def __repr__(self) -> str:
        return f"Grid({self.told()})"

    def told(self) -> str:
        """Size, spacing, and which way i, j and k run, in words."""
        size, spacing = (
            " x ".join(map(str, self.size_ijk)),
            [f"{mm:.4g}" for mm in self.spacing_mm],
        )
        directions = self.ijk_to_lps[:3, :3] / self.spacing_mm
        along = np.argmax(abs(directions), axis=0)
        towards = [_TOWARDS[a][int(directions[a, axis] < 0)] for axis, a in enumerate(along)]
        oblique = "" if abs(directions).max(0).min() > _STRAIGHT else ", oblique"
        lengths = spacing[0] if len(set(spacing)) == 1 else " x ".join(spacing)
        axes = ", ".join(f"{axis} to {letter}" for axis, letter in zip("ijk", towards))
        return f"{size} voxels, {lengths} {self.unit}, {axes}{oblique}"

    @property
    def spacing_mm(self) -> np.ndarray:
        """The distance between neighbouring voxels along i, j, k: shape (3,), mm."""
        return _lengths(self.ijk_to_lps[:3, :3])

    @property
    def directions(self) -> np.ndarray:
        """(3, 3), columns: where i, j, k run in LPS, of length one."""
        return self.ijk_to_lps[:3, :3] / self.spacing_mm

    @property
    def ijk_to_ras(self) -> np.ndarray:
        """The same affine, to mm in RAS (Slicer's world)."""
        return RAS_TO_LPS @ self.ijk_to_lps

    @property
    def is_2d(self) -> bool:
        """Whether there is one slice only, along whichever axis."""
        return min(self.size_ijk) == 1

    def to_lps(self, points_ijk) -> np.ndarray:
        """Voxel indices (..., 3), continuous, to mm in LPS (..., 3)."""
        return apply_affine(self.ijk_to_lps, points_ijk)

    def to_ijk(self, points_lps) -> np.ndarray:
        """Points (..., 3) in mm in LPS to continuous voxel indices (..., 3)."""
        return apply_affine(np.linalg.inv(self.ijk_to_lps), points_lps)

    def contains(self, points_lps) -> np.ndarray:
        """Which points (..., 3), mm in LPS, lie within the grid, its outermost half voxels included.

        One slice is as thick as its spacing says, but at least thick enough to forgive the rounding
        of a file: a tenth of the in-plane spacing.
        """
        ijk = self.to_ijk(points_lps)
        size = np.array(self.size_ijk)
        margin = 0.5 + np.where(size == 1, 0.1 * np.max(self.spacing_mm) / self.spacing_mm, 1e-6)
        return np.all((ijk >= -margin) & (ijk <= size - 1 + margin), axis=-1)

    def cropped(self, start_ijk, size_ijk) -> Grid:
        """The sub-grid of `size_ijk` voxels whose first voxel is `start_ijk` of this one."""
        moved = self.ijk_to_lps.copy()
        moved[:3, 3] = self.to_lps(np.asarray(start_ijk, dtype=float))
        return Grid(size_ijk, moved, self.unit)


@dataclass(frozen=True, eq=False)
class Image:
    """Values on a grid: array with the axes (K, J, I), affine from (i, j, k) to mm in LPS.

    unit: of its lengths, 'mm' or 'px'. note: what has to be known of how a file was read, in words
    without its name; empty for most. is_size_stated: whether a person said how large its voxels are.
    """

    array: np.ndarray
    ijk_to_lps: np.ndarray
    unit: str = MM
    note: str = ""
    is_size_stated: bool = False

    def __post_init__(self):
        if self.array.ndim != 3:
            raise GeometryError(
                f"An image needs the three axes (K, J, I), got the shape {self.array.shape}."
            )
        object.__setattr__(self, "ijk_to_lps", self.grid.ijk_to_lps)

    def __repr__(self) -> str:
        return f"Image({self.grid.told()}, {self.array.dtype})"

    @classmethod
    def from_ras(cls, array, ijk_to_ras, unit: str = MM) -> Image:
        """An image whose affine maps to RAS, as Slicer's volume nodes state it."""
        return cls(array, RAS_TO_LPS @ np.asarray(ijk_to_ras, dtype=float), unit)

    @cached_property
    def grid(self) -> Grid:
        return Grid(self.array.shape[::-1], self.ijk_to_lps, self.unit)

    def cropped(self, start_ijk, size_ijk) -> Image:
        """The part of `size_ijk` voxels from `start_ijk`; its array is a view of this one's."""
        window = tuple(slice(s, s + n) for s, n in zip(start_ijk, size_ijk))[::-1]
        moved = self.grid.cropped(start_ijk, size_ijk).ijk_to_lps
        return Image(self.array[window], moved, self.unit, self.note)


def apply_affine(matrix, points) -> np.ndarray:
    """Map points (..., 3) by a 4x4 affine."""
    points = np.asarray(points, dtype=float)
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def checked_affine(matrix) -> np.ndarray:
    """`matrix` as a read-only 4x4 float64 array. Raises GeometryError if it is no usable affine."""
    matrix = np.array(matrix, dtype=float)
    if matrix.shape != (4, 4):
        raise GeometryError(f"An affine needs the shape (4, 4), got {matrix.shape}.")
    # Asked for hundreds of times a detection: numbers of Python are ten times faster for so few.
    *rows, last = matrix.tolist()
    off = [abs(got - wanted) for got, wanted in zip(last, _LAST_ROW)]
    if not np.isfinite(matrix).all() or any(map(operator.gt, off, _LAST_ROW_OFF)):
        raise GeometryError(f"Not an affine of finite numbers: {matrix.tolist()}.")
    columns = list(zip(*rows))[:3]
    spacing = [math.hypot(*column) for column in columns]
    # The determinant relative to the spacings says how far from flat the voxel is.
    if min(spacing) <= 0 or abs(_volume(columns, spacing)) < 1e-6:
        raise GeometryError(f"The affine squeezes voxels flat: {matrix.tolist()}.")
    matrix.setflags(write=False)
    return matrix


def _volume(columns, lengths) -> float:
    """Of the cell that three columns span, each divided by its length."""
    a, b, c = ([part / n for part in column] for column, n in zip(columns, lengths))
    cross = (b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0])
    return sum(map(operator.mul, a, cross))


def _lengths(columns: np.ndarray) -> np.ndarray:
    """Of each column: what numpy.linalg.norm gives, in a fraction of its time; it is asked for often."""
    return np.sqrt((columns * columns).sum(axis=0))


def in_pixels(image: Image) -> Image:
    """An image in px with voxels of 1 px: Slicer gives photographs a size by their dots per inch.

    An image in mm is given back as it is, and so is one with such voxels.
    """
    lengths = image.grid.spacing_mm
    if image.unit == MM or np.allclose(lengths, 1):
        return image
    matrix = image.ijk_to_lps.copy()
    matrix[:3, :3] /= lengths
    return Image(image.array, matrix, PX, image.note)


def canonical_grid(grid: Grid) -> Grid:
    """The same voxels, with axes permuted and flipped so that i, j, k run closest to L, P, S.

    However a file orders its axes, a network then sees the anatomy one way round. The single slice
    of a 2D image becomes the k axis, and its own two axes run closest to whichever of L, P, S they
    lie along. Nothing is resampled.
    """
    directions = grid.directions
    if grid.is_2d:
        axes = _canonical_order_2d(directions, grid.size_ijk)
    else:
        axes = max(permutations(range(3)), key=lambda p: sum(abs(directions[range(3), p])))
    reorder = np.zeros((4, 4))
    reorder[3, 3] = 1
    for target, source in enumerate(axes):
        world = np.argmax(abs(directions[:, source])) if grid.is_2d else target
        forward = directions[world, source] >= 0
        reorder[source, target] = 1 if forward else -1
        reorder[source, 3] = 0 if forward else grid.size_ijk[source] - 1
    return Grid([grid.size_ijk[a] for a in axes], grid.ijk_to_lps @ reorder, grid.unit)


def _canonical_order_2d(directions, size_ijk) -> tuple:
    """The source axes (i, j, k) in canonical order for one slice: in-plane by world axis, slice last.

    Of several axes with one voxel, the last is taken as the slice axis.
    """
    through = max(a for a in range(3) if size_ijk[a] == 1)
    first, second = (a for a in range(3) if a != through)
    # The pair of distinct world axes that the two in-plane axes follow best.
    along = max(
        permutations(range(3), 2),
        key=lambda world: abs(directions[world[0], first]) + abs(directions[world[1], second]),
    )
    in_plane = (first, second) if along[0] < along[1] else (second, first)
    return (*in_plane, through)


def spaced_grid(grid: Grid, spacing_mm) -> Grid:
    """A grid over the same extent, along the same axes, with another spacing.

    The sizes are rounded up, and both extents share their centre. A single slice keeps its own
    spacing. spacing_mm: (3,), along i, j, k, in mm.
    """
    spacing = np.where(np.array(grid.size_ijk) == 1, grid.spacing_mm, spacing_mm)
    extent = np.array(grid.size_ijk) * grid.spacing_mm
    size = np.maximum(1, np.ceil(extent / spacing - 1e-6)).astype(int)
    scale = spacing / grid.spacing_mm
    matrix = np.eye(4)
    matrix[:3, :3] = np.diag(scale)
    matrix[:3, 3] = (np.array(grid.size_ijk) - 1) / 2 - scale * (size - 1) / 2
    return Grid(tuple(size), grid.ijk_to_lps @ matrix, grid.unit)
