"""Resampling an image onto another grid, exact in mm, without a full-size float copy."""

from __future__ import annotations

from itertools import product

import numpy as np

from ..errors import GeometryError
from .geometry import Grid, Image

# Voxels that are averaged at a time: little enough to stay in the processor's cache.
_SLAB_VOXELS = 2**21


def resample(image: Image, target: Grid) -> Image:
    """`image` on the voxels of `target`: linear interpolation, float32, edges continued outwards.

    Where the target is coarser, voxels are first averaged in whole-number bins, so that nothing
    aliases. Works in index space, where every affine is a plain matrix: oblique, sheared and
    left-handed images need no case of their own. Only the part of the image that the target reaches
    is touched.
    """
    import SimpleITK as sitk

    image = _reached(image, target)
    target_to_source = np.linalg.inv(image.ijk_to_lps) @ target.ijk_to_lps
    step = abs(target_to_source[:3, :3]).max(axis=1)
    shrink = [int(max(1, min(np.floor(s + 1e-6), n))) for s, n in zip(step, image.grid.size_ijk)]
    source = _binned(image.array, shrink) if max(shrink) > 1 else _itk_image(image.array)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(target_to_source[:3, :3].ravel().tolist())
    transform.SetTranslation(target_to_source[:3, 3].tolist())
    resampled = sitk.Resample(
        source,
        target.size_ijk,
        transform,
        sitk.sitkLinear,
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        np.eye(3).ravel().tolist(),
        0.0,
        sitk.sitkFloat32,
        True,
    )
    return Image(sitk.GetArrayFromImage(resampled), target.ijk_to_lps, target.unit)


def _reached(image: Image, target: Grid) -> Image:
    """The part of the image that resampling onto `target` needs, as a view."""
    size = np.array(image.grid.size_ijk)
    corners = np.array(list(product(*((-0.5, n - 0.5) for n in target.size_ijk))))
    reach = image.grid.to_ijk(target.to_lps(corners))
    # Room for one bin and for the neighbours of a linear interpolation.
    room = 2 + np.ceil(target.spacing_mm.max() / image.grid.spacing_mm)
    start = np.clip(np.floor(reach.min(0) - room), 0, size - 1).astype(int)
    stop = np.clip(np.ceil(reach.max(0) + room) + 1, start + 1, size).astype(int)
    return image.cropped(start.tolist(), (stop - start).tolist())


def _binned(array: np.ndarray, shrink):
    """Averages of shrink[axis] voxels along i, j, k; their origin and spacing stay in the array's
    index space.

    BinShrink drops what does not fill a bin. The edges are continued to whole bins, on both sides
    alike, so that every voxel counts and bins fall on the voxels of a grid with the same centre.
    Some slices at a time: nothing of the array's own size is copied.
    """
    import SimpleITK as sitk

    missing = [-size % n for size, n in zip(array.shape[::-1], shrink)]
    before = [n // 2 for n in missing]
    per_slice = max(1, array.shape[1] * array.shape[2])
    bins = max(1, _SLAB_VOXELS // (per_slice * shrink[2]))
    starts = range(-before[2], len(array), bins * shrink[2])
    slabs = [_binned_slab(array, first, bins * shrink[2], shrink, before) for first in starts]
    binned = sitk.GetImageFromArray(np.concatenate(slabs))
    binned.SetSpacing([float(n) for n in shrink])
    binned.SetOrigin([(n - 1) / 2 - b for n, b in zip(shrink, before)])
    return binned


def _binned_slab(array, first: int, length: int, shrink, before) -> np.ndarray:
    """The bins of the slices `first` to first + length, both perhaps outside of the array."""
    import SimpleITK as sitk

    inside = slice(max(first, 0), min(first + length, len(array)))
    slab = _itk_image(array[inside])
    pads = [(b, -size % n - b) for b, size, n in zip(before, array.shape[::-1], shrink)]
    missing = -(inside.stop - first) % shrink[2]
    pads[2] = (inside.start - first, missing)
    if np.any(pads):
        slab = sitk.ZeroFluxNeumannPad(slab, *map(list, zip(*pads)))
    return sitk.GetArrayFromImage(sitk.BinShrink(slab, shrink))


def _itk_image(array: np.ndarray):
    """The array as an ITK image with identity geometry, in a pixel type that ITK can average."""
    import SimpleITK as sitk

    # ITK knows neither; and a mean of true and false is neither.
    if array.dtype in (np.bool_, np.float16):
        array = array.astype(np.float32)
    # Its means of whole numbers above 2**63 are wrong, all the same number.
    if array.dtype.kind == "u" and array.dtype.itemsize == 8:
        array = array.astype(np.float64)
    try:
        if array.dtype.kind not in "iuf":
            raise TypeError("no real numbers")
        # ITK takes numbers in the machine's byte order only.
        return sitk.GetImageFromArray(array.astype(array.dtype.newbyteorder("="), copy=False))
    except (TypeError, KeyError) as error:
        raise GeometryError(f"Images of the type {array.dtype} cannot be resampled.") from error
