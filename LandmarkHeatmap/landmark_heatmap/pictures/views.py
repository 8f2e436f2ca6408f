"""Planes through an image, as a person looks at it: which way is up, and where points fall.

Patient left is right on the picture, as in Slicer, and superior is up; posterior is down in a plane
without superior, which for a photograph is the way it was taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from landmark_heatmap.images.geometry import Grid, Image, canonical_grid
from landmark_heatmap.images.resample import resample
from landmark_heatmap.model.description import IntensityNormalisation

# Screen axes of the planes of a 3D image: right and down, among L, P, S.
PLANES = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}
_SUPERIOR = 2
# Which side of the picture is the patient's: backwards and forwards along L, P, S.
_SIDES = (("R", "L"), ("A", "P"), ("I", "S"))


@dataclass(frozen=True, eq=False)
class View:
    """A picture plane. grid: one slice, whose i runs to the right on the screen and j down.

    through: which axis of the canonical grid one looks along. is_upward: whether the second of the
    other two runs up on the screen.
    """

    grid: Grid
    through: int
    is_upward: bool

    def to_pixels(self, points_lps) -> np.ndarray:
        """(..., 2): x to the right and y down, pixel centres at whole numbers."""
        return self.grid.to_ijk(points_lps)[..., :2]

    def sides(self, plane: str) -> tuple:
        """Letters of the patient's sides: left and right, top and bottom of the picture. plane: of
        PLANES, which this one is."""
        (left, right), down = (_SIDES[axis] for axis in PLANES[plane])
        return left, right, *(down[::-1] if self.is_upward else down)

    def mm(self, pixels: float) -> float:
        return pixels * float(self.grid.spacing_mm[0])

    def values(self, image: Image) -> np.ndarray:
        """(height, width), the image's own values."""
        return resample(image, self.grid).array[0]

    def picture(self, image: Image, intensity: IntensityNormalisation) -> np.ndarray:
        """(height, width) grey, 0 to 1."""
        slice_ = self.values(image)
        finite = np.where(np.isfinite(slice_), slice_, np.nanmin(slice_, initial=0.0))
        low, high = intensity.low, intensity.high
        if intensity.kind == "percentiles":
            low, high = np.percentile(finite, [low, high])
        return np.clip((finite - low) / max(high - low, 1e-6), 0, 1)

    def heat_of_all(self, heatmaps) -> np.ndarray:
        """(height, width): the maximum over several heatmaps, as `heat` shows each."""
        heats = [self.heat(heatmap) for heatmap in heatmaps]
        return np.max(heats, axis=0) if heats else np.zeros(self.grid.size_ijk[1::-1])

    def heat(self, heatmap: Image) -> np.ndarray:
        """(height, width): the heatmap's maximum along the line of sight; zero outside its crop."""
        heatmap = _straight(heatmap, self.grid)
        axis = self._axis_of_sight(heatmap.grid)
        along = 2 - axis
        flat = heatmap.array.max(axis=along, keepdims=True)
        # A border of zeros: resampling continues the edges outwards.
        border = [(1, 1)] * 3
        border[along] = (0, 0)
        # The one slice that is left is moved into this plane.
        corner = np.full(3, -1.0)
        corner[axis] = heatmap.grid.to_ijk(self.grid.to_lps(np.zeros(3)))[axis]
        matrix = heatmap.ijk_to_lps.copy()
        matrix[:3, 3] = heatmap.grid.to_lps(corner)
        return resample(Image(np.pad(flat, border), matrix), self.grid).array[0]

    def _axis_of_sight(self, grid: Grid) -> int:
        """Which axis of a grid that does not lie across one looks along: not that of the image, for a
        heatmap that was straightened runs along this plane's own axes."""
        directions = grid.ijk_to_lps[:3, :3] / grid.spacing_mm
        return int(np.argmax(abs(self.grid.ijk_to_lps[:3, 2] @ directions)))


def _straight(heatmap: Image, plane: Grid) -> Image:
    """The heatmap along the axes of `plane`, if it lies across them; zero outside it."""
    directions = plane.ijk_to_lps[:3, :3] / plane.spacing_mm
    own = heatmap.ijk_to_lps[:3, :3] / heatmap.grid.spacing_mm
    if np.isclose(abs(directions.T @ own).max(0), 1, atol=1e-6).all():
        return heatmap
    matrix = np.eye(4)
    spacing = heatmap.grid.spacing_mm.min()
    matrix[:3, :3] = directions * spacing
    size = np.array(heatmap.grid.size_ijk)
    corners = heatmap.grid.to_lps(list(product(*((-1.0, n) for n in size)))) @ directions / spacing
    low, high = np.floor(corners.min(0)), np.ceil(corners.max(0))
    matrix[:3, 3] = matrix[:3, :3] @ low
    grid = Grid(tuple((high - low + 1).astype(int).tolist()), matrix)
    # A border of zeros: resampling continues the edges outwards.
    outwards = heatmap.ijk_to_lps.copy()
    outwards[:3, 3] = heatmap.grid.to_lps(np.full(3, -1.0))
    return resample(Image(np.pad(heatmap.array, 1), outwards), grid)


def view_of(
    image: Grid, plane=None, centre_lps=None, half_mm: float = None, pixels: int = 360
) -> View:
    """A plane through a point. plane: of PLANES for a 3D image, None for a 2D one.

    centre_lps: what the plane goes through, by default the image's centre. half_mm: from the centre
    to the edge of the picture; without it the picture shows the whole plane. pixels: of the longer
    side.
    """
    grid = canonical_grid(image)
    directions = grid.ijk_to_lps[:3, :3] / grid.spacing_mm
    right, down = (0, 1) if plane is None else PLANES[plane]
    through = 3 - right - down
    is_upward = (np.argmax(abs(directions[:, down])) if plane is None else down) == _SUPERIOR
    size, spacing = np.array(grid.size_ijk), grid.spacing_mm
    centre = (size - 1) / 2 if centre_lps is None else grid.to_ijk(centre_lps)
    extent = (size * spacing)[[right, down]]
    if half_mm is None:
        centre[[right, down]] = (size[[right, down]] - 1) / 2
    else:
        extent = np.full(2, 2.0 * half_mm)
    pixel = extent.max() / pixels
    count = np.maximum(np.ceil(extent / pixel - 1e-6), 1).astype(int)
    steps = np.zeros((3, 3))
    steps[right, 0] = pixel / spacing[right]
    steps[down, 1] = pixel / spacing[down] * (-1 if is_upward else 1)
    steps[through, 2] = 1
    to_grid = np.eye(4)
    to_grid[:3, :3] = steps
    to_grid[:3, 3] = centre - steps @ [(count[0] - 1) / 2, (count[1] - 1) / 2, 0]
    return View(
        Grid((count[0], count[1], 1), grid.ijk_to_lps @ to_grid, grid.unit),
        through,
        bool(is_upward),
    )
