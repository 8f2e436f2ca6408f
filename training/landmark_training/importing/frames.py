"""What the numbers of a table mean: where they count from, in which unit, on which image.

Every frame says of an image on which grid it is written (`grid`), and of a point's numbers where on
that grid it lies (`to_lps`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.geometry import MM, PX, RAS_TO_LPS, Grid, apply_affine
from landmark_heatmap.images.imageio import read_grid

from .images import ImageFile

UNITS = ("px", "mm")
ORIGINS = ("top-left", "bottom-left")
SYSTEMS = ("RAS", "LPS")
SPACINGS = ("image", "annotation")
# Two statements of one spacing may differ by the rounding of a header.
_SAME_SPACING = 1e-3


@dataclass(frozen=True)
class PictureFrame:
    """Two numbers on a picture: x to the right, y down from the top or up from the bottom.

    unit: 'px' or 'mm'. A pixel's number is that of its centre; the bottom is row number `height`, as
    in tpsDig. spacing_mm: the size of a pixel. Without it a medical image's own is taken, and one mm
    a pixel for a photograph, whose dots per inch say nothing of anatomy.
    """

    unit: str
    origin: str
    spacing_mm: float = None

    is_slicers = is_px = False

    def __post_init__(self):
        positive = self.spacing_mm is None or (np.isfinite(self.spacing_mm) and self.spacing_mm > 0)
        if self.unit not in UNITS or self.origin not in ORIGINS or not positive:
            raise DatasetError(
                f"unit '{self.unit}', origin '{self.origin}', spacing {self.spacing_mm} mm: the unit"
                f" has to be {' or '.join(UNITS)}, the origin {' or '.join(ORIGINS)}, the spacing"
                " positive."
            )

    @property
    def told(self) -> str:
        return f"{self.unit} from the {self.origin.replace('-', ' ')}"

    def assumes_spacing(self, image: ImageFile) -> bool:
        """Whether nothing says how large a pixel of this image is."""
        return self.spacing_mm is None and not image.states_spacing

    def grid(self, image: ImageFile) -> Grid:
        """The image's pixels along L and P from 0. Raises DatasetError for what is not 2D."""
        _check_2d(image)
        if self.assumes_spacing(image):
            if self.unit == "mm":
                raise DatasetError(
                    f"Points in mm on '{image.path}', which does not say how large its pixels are (a"
                    " photograph's dots per inch do not); state it with --spacing MM."
                )
            spacing = (1.0, 1.0)
        elif self.spacing_mm is None:
            spacing = image.grid.spacing_mm[:2]
        else:
            spacing = (self.spacing_mm, self.spacing_mm)
        unit = PX if self.assumes_spacing(image) else MM
        return Grid(image.grid.size_ijk, np.diag([*spacing, 1.0, 1.0]), unit)

    def to_lps(self, numbers, grid: Grid) -> tuple:
        """(x, y) to LPS in mm on the grid that `grid` gave."""
        size_mm = grid.spacing_mm[:2]
        x, y = np.array(numbers) * (size_mm if self.unit == "px" else 1.0)
        if self.origin == "bottom-left":
            y = grid.size_ijk[1] * size_mm[1] - y
        return (float(x), float(y), 0.0)


@dataclass(frozen=True)
class ShareFrame(PictureFrame):
    """Shares of the picture's width and height, from the top left."""

    unit: str = "px"
    origin: str = "top-left"

    @property
    def told(self) -> str:
        return "shares of width and height"

    def to_lps(self, numbers, grid: Grid) -> tuple:
        return super().to_lps(np.array(numbers) * grid.size_ijk[:2], grid)


def defined_frame(what: str, stated, spacing_mm: float = None) -> PictureFrame:
    """px from the top left, as a format defines it; spacing_mm too, if it defines that.

    Raises DatasetError if the user states anything else.
    """
    frame = PictureFrame("px", "top-left", spacing_mm or stated.spacing_mm)
    said = (stated.unit, stated.origin, stated.spacing_mm)
    for own, other in zip((frame.unit, frame.origin, frame.spacing_mm), said):
        if other not in (None, own):
            raise DatasetError(f"{what} defines {own}, and {other} is stated; leave that out.")
    return frame


@dataclass(frozen=True)
class WorldFrame:
    """Three numbers in mm in the image's own world. system: 'RAS' or 'LPS'.

    said: how the frame is told to the user, if not by `system`. spacing_mm: the size of a voxel, of
    images that do not state it. is_slicers: whether the world is that in which Slicer shows the image,
    by a photograph's dots per inch, say; its points are then brought to where the image lies here.
    is_px: whether they are pixels of an image that has no mm.
    """

    system: str
    said: str = ""
    spacing_mm: float = None
    is_slicers: bool = False
    is_px: bool = False

    @property
    def told(self) -> str:
        return self.said or f"mm in {self.system}"

    def assumes_spacing(self, image: ImageFile) -> bool:
        return self.spacing_mm is None and not image.states_spacing

    def grid(self, image: ImageFile) -> Grid:
        """The image's own. Raises DatasetError for one without mm, unless their size is stated."""
        if self.spacing_mm is None and (image.states_spacing or self.is_px or self.is_slicers):
            return image.grid
        if self.spacing_mm is None:
            raise DatasetError(
                f"Points in mm on '{image.path}', which does not say how large its voxels are; state it"
                " with --spacing MM."
            )
        return read_grid(image.path, self.spacing_mm)

    def to_lps(self, numbers, grid: Grid) -> tuple:
        matrix = RAS_TO_LPS if self.system == "RAS" else np.eye(4)
        return tuple(apply_affine(matrix, numbers).tolist())


@dataclass(frozen=True)
class VoxelFrame:
    """Voxel indices (i, j, k), or (i, j) on a picture, counted from 0 at the first voxel's centre.

    axes: 3 or 2. image_mm: the spacing that other files state of the image, for photographs, which
    state none themselves. annotation_mm: the spacing that the annotator states. Either has a number
    for each axis or is None. Where the annotator's is not the image's, `spacing_of` has to say which
    is true: 'image' or 'annotation'.
    """

    axes: int
    image_mm: tuple = None
    annotation_mm: tuple = None
    spacing_of: str = None

    told = "voxel indices"
    is_slicers = is_px = False

    def assumes_spacing(self, image: ImageFile) -> bool:
        return not image.states_spacing and (self.image_mm or self.annotation_mm) is None

    def grid(self, image: ImageFile) -> Grid:
        """The image's own grid, or that with another spacing. DatasetError if it is in doubt."""
        if self.axes == 2:
            _check_2d(image)
        grid = image.grid
        stated = self.image_mm or self.annotation_mm
        if not image.states_spacing and stated is not None:
            grid = _spaced(grid, stated)
        own = grid.spacing_mm[: self.axes]
        if self.annotation_mm is None or np.allclose(own, self.annotation_mm, rtol=_SAME_SPACING):
            return grid
        if self.spacing_of not in SPACINGS:
            raise DatasetError(
                f"'{image.path}' has the spacing {told_mm(own)}, its annotation says"
                f" {told_mm(self.annotation_mm)}; say which is true: --spacing-of image, or"
                " --spacing-of annotation."
            )
        return grid if self.spacing_of == "image" else _spaced(grid, self.annotation_mm)

    def to_lps(self, numbers, grid: Grid) -> tuple:
        return tuple(grid.to_lps((*numbers, 0.0)[:3]).tolist())


def _check_2d(image: ImageFile) -> None:
    if image.grid.size_ijk[2] != 1:
        sizes = " x ".join(map(str, image.grid.size_ijk))
        raise DatasetError(f"'{image.path}' has {sizes} voxels; points of x and y need 2D.")


def _spaced(grid: Grid, spacing_mm) -> Grid:
    """The same voxels of another size; spacing_mm: for the first axes, the others keep theirs."""
    matrix = grid.ijk_to_lps.copy()
    axes = len(spacing_mm)
    matrix[:3, :axes] *= np.array(spacing_mm) / grid.spacing_mm[:axes]
    return Grid(grid.size_ijk, matrix, MM)


def told_mm(spacing, unit: str = MM) -> str:
    """A spacing in words: one number if it is the same along all axes."""
    texts = [f"{s:.4g}" for s in spacing]
    return f"{texts[0] if len(set(texts)) == 1 else ' x '.join(texts)} {unit}"
