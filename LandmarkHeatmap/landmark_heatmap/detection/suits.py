"""Whether an image is one for a model: in its unit of length, of a size that it has seen, as bright, and
not mirrored. Needs no torch."""

from __future__ import annotations

import numpy as np

from ..errors import PredictionError
from ..images.geometry import PX, Grid
from ..model.description import ModelDescription
from ..model.handedness import SYMMETRIC

# The longest side of an image may differ by this factor from all that the model was trained on.
_UNUSUAL = 2.0
EXTENTS = "extents"
# The mean of what a network sees, -1 to 1, may lie so far outside that of all training images.
_AS_BRIGHT = 0.3
BRIGHTNESS = "brightness"


def check_unit(grid: Grid, model: ModelDescription) -> None:
    """Raises PredictionError for an image in mm and a model in px, or the reverse."""
    if grid.unit == model.unit:
        return
    if grid.unit == PX:
        raise PredictionError(
            f"The model '{model.name}' knows lengths in mm, and nothing says how large a pixel of this"
            " image is: its lengths are in px. State the size of a pixel: --spacing MM, as it was when"
            " the model's images were imported (1 if nothing was stated then)."
        )
    size = " x ".join(f"{mm:.4g}" for mm in grid.spacing_mm)
    raise PredictionError(
        f"The model '{model.name}' knows lengths in px: it was trained on images that do not say how"
        f" large a pixel is. This image has voxels of {size} mm. Import the images that it was trained"
        " on with --spacing MM, train again, and the model knows mm."
    )


def extents_of(grids) -> dict:
    """The smallest and the largest longest side, for the record of a training."""
    longest = [_longest_side(grid) for grid in grids]
    return {"smallest": min(longest), "largest": max(longest)}


def told_before(grid: Grid, model: ModelDescription) -> list:
    """All that can be said of an image before it is detected in, a sentence each."""
    return [told for told in (told_unusual(grid, model), _told_left_handed(grid, model)) if told]


def brightness_of(prepared) -> dict:
    """The least and the largest mean of arrays as a network sees them, for the record of a training."""
    means = [float(array.mean()) for array in prepared]
    return {"darkest": min(means), "brightest": max(means)}


def told_brightness(mean: float, model: ModelDescription) -> str:
    """In words, that an image is far darker or brighter than all of the training; empty if it is not, or
    the model does not say. mean: of the array as the network sees it."""
    record = model.training.get(BRIGHTNESS)
    try:
        darkest, brightest = float(record["darkest"]), float(record["brightest"])
    except (TypeError, KeyError, ValueError):
        return ""
    if darkest - _AS_BRIGHT <= mean <= brightest + _AS_BRIGHT:
        return ""
    which = "darker" if mean < darkest else "brighter"
    return (
        f"its voxels are far {which} than those of all images that the model was trained on. Is it of"
        " the same kind, and not inverted?"
    )


def told_symmetric(model: ModelDescription) -> str:
    """In words, that the model cannot notice a mirrored image; empty if it can, or does not say."""
    if model.training.get(SYMMETRIC) is not True:
        return ""
    return (
        f"What '{model.name}' detects is nearly its own mirror image: in an image that is mirrored"
        " (slices stacked the wrong way round, an axis flipped), left and right are exchanged, and"
        " nothing tells."
    )


def _told_left_handed(grid: Grid, model: ModelDescription) -> str:
    if not told_symmetric(model) or grid.is_2d or np.linalg.det(grid.directions) > 0:
        return ""
    return (
        "its voxel axes are left-handed. Is that right? If its slices were stacked the wrong way round,"
        " left and right are exchanged."
    )


def told_unusual(grid: Grid, model: ModelDescription) -> str:
    """In words, that an image is far larger or smaller than all of the training; empty if it is not,
    or the model does not say."""
    if grid.unit != model.unit:
        return ""
    record = model.training.get(EXTENTS)
    try:
        smallest, largest = float(record["smallest"]), float(record["largest"])
    except (TypeError, KeyError, ValueError):
        return ""
    longest = _longest_side(grid)
    if smallest / _UNUSUAL <= longest <= largest * _UNUSUAL or not smallest > 0:
        return ""
    return (
        f"it is {longest:.4g} {grid.unit} long; the model was trained on {smallest:.4g} to {largest:.4g}"
        f" {model.unit}. Is the size of its voxels right?"
    )


def _longest_side(grid: Grid) -> float:
    """Of the picture, whose single slice does not count."""
    sizes = np.array(grid.size_ijk)
    return float(max(np.where(sizes > 1, sizes * grid.spacing_mm, 0).max(), grid.spacing_mm.min()))
