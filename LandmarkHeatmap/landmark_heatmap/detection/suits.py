"""Whether an image is one for a model: in its unit of length, and of a size that it has seen."""

from __future__ import annotations

import numpy as np

from ..errors import PredictionError
from ..images.geometry import PX, Grid
from ..model.description import ModelDescription

# The longest side of an image may differ by this factor from all that the model was trained on.
_UNUSUAL = 2.0
EXTENTS = "extents"


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
