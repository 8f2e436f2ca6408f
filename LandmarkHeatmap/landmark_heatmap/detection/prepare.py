"""From an image to what a network sees: a model's grid, and intensities from -1 to 1. Needs no torch."""

from __future__ import annotations

import numpy as np

from ..errors import PredictionError
from ..images.geometry import Grid, Image, canonical_grid, spaced_grid
from ..images.resample import resample
from ..model.description import IntensityNormalisation, Stage
from .memory import check_coarse
from .seen import box_of

# More voxels than this on a model's grid means that the image's spacing cannot be right.
_LARGEST_GRID = 512**3
# A longest side of fewer voxels on the model's grid means the same: nothing could be seen in it.
_SMALLEST_SIDE = 3
# Air is what is no brighter than this share of the way between these percentiles, the darkest and the
# brightest of the image but for outliers. So many voxels of it stay around the body: half of what the
# joint part of a network sees as one.
_DARKEST, _BRIGHTEST, _AIR = 0.5, 99.5, 0.05
_AROUND = 4


def stage_grid(image: Grid, stage: Stage) -> Grid:
    """The grid on which a coarse stage sees an image.

    Raises PredictionError for a 2D model and a 3D image or the reverse, for an image that is out of
    all proportion to the model's spacing, and for one that a network would take too much memory for.
    """
    dimension = stage.network.dimension
    if image.is_2d != (dimension == 2):
        raise PredictionError(
            f"The model is for {dimension}D images; this image has"
            f" {' x '.join(map(str, image.size_ijk))} voxels."
        )
    canonical = canonical_grid(image)
    spacing = (*stage.spacing_mm, canonical.spacing_mm[2])[:3]
    extent = np.array(canonical.size_ijk) * canonical.spacing_mm
    # Judged before any memory is asked for.
    too_large = np.prod(np.ceil(extent / spacing)) > _LARGEST_GRID
    if too_large or max((extent / spacing)[:dimension]) < _SMALLEST_SIDE:
        raise PredictionError(
            f"The image is {' x '.join(f'{mm:.3g}' for mm in extent)} mm large, far too"
            f" {'large' if too_large else 'small'} for a model with voxels of"
            f" {list(stage.spacing_mm)} mm. Check the spacing of the image."
        )
    grid = spaced_grid(canonical, spacing)
    check_coarse(grid.size_ijk[::-1], stage)
    return grid


def prepare(image: Image, stage: Stage, intensity: IntensityNormalisation) -> Image:
    """The image as a coarse stage sees it: its grid, without the air around, and float32 intensities from
    -1 to 1."""
    return prepare_with_window(image, stage, intensity)[0]


def prepare_with_window(image, stage: Stage, intensity: IntensityNormalisation) -> tuple:
    """(as `prepare`, the window (low, high) of intensities that became -1 and 1).

    Raises PredictionError where nothing is left to be seen, all voxels being alike.
    """
    resampled = without_air(resample(image, stage_grid(image.grid, stage)))
    window = intensity_window(resampled.array, intensity)
    seen = scaled(resampled.array, window)
    if seen.min() == seen.max():
        raise PredictionError(_nothing_to_see(resampled.array, window))
    return Image(seen, resampled.ijk_to_lps, image.unit), window


def without_air(image: Image) -> Image:
    """The box of a 3D image that holds all that is brighter than air, with some around it; a view.

    How much air a scan has around the body says nothing of the anatomy, and yet changes all that a
    network takes from the image as a whole: norms, pooled features, percentiles. A background that is
    not dark, or noise, leaves an image as it is; so are flat ones.
    """
    array = image.array
    some = array[::2, ::2, ::2]
    some = some[np.isfinite(some)]
    if image.grid.is_2d or not some.size:
        return image
    low, high = np.percentile(some, [_DARKEST, _BRIGHTEST])
    # A box of nothing is the whole.
    first, last = box_of(array > low + _AIR * (high - low))
    first = np.maximum(first - _AROUND, 0)
    last = np.minimum(last + _AROUND, np.array(array.shape) - 1)
    return image.cropped(first[::-1].tolist(), (last - first + 1)[::-1].tolist())


def _nothing_to_see(array: np.ndarray, window) -> str:
    finite = array[np.isfinite(array)]
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        return f"All voxels of the image have the intensity {low:g}: there is nothing to see in it."
    return (
        f"The intensities of the image, {low:g} to {high:g}, all lie on one side of what the model"
        f" sees, {window[0]:g} to {window[1]:g}. Is it the right kind of image?"
    )


def intensity_window(array: np.ndarray, intensity: IntensityNormalisation) -> tuple:
    """(low, high). Raises PredictionError if no intensity is finite."""
    finite = np.isfinite(array)
    if not finite.any():
        raise PredictionError("The image holds no finite intensities.")
    if intensity.kind == "window":
        return intensity.low, intensity.high
    low, high = np.percentile(array[finite], [intensity.low, intensity.high])
    return float(low), float(high)


def scaled(array: np.ndarray, window) -> np.ndarray:
    """Intensities to -1 to 1, float32. Voxels that are not finite count as the lowest."""
    low, high = window
    values = np.where(np.isfinite(array), array, low).astype(np.float32)
    if not high > low:
        return np.where(values > low, 1, -1).astype(np.float32)
    return np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1) * 2 - 1
