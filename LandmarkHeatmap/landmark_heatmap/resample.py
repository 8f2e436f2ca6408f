"""Resampling an image onto another grid, exact in mm, without a full-size float copy."""

from __future__ import annotations

from itertools import product

import numpy as np
import SimpleITK as sitk

from .errors import GeometryError
from .geometry import Grid, Image


def resample(image: Image, target: Grid) -> Image:
    """`image` on the voxels of `target`: linear interpolation, float32, edges continued outwards.

    Where the target is coarser, voxels are first averaged in whole-number bins, so that nothing
    aliases. Works in index space, where every affine is a plain matrix: oblique, sheared and
    left-handed images need no case of their own. Only the part of the image that the target reaches
    is touched.
    """
    image = _reached(image, target)
    target_to_source = np.linalg.inv(image.ijk_to_lps) @ target.ijk_to_lps
    source = _itk_image(image.array)
    step = abs(target_to_source[:3, :3]).max(axis=1)
    shrink = [int(max(1, min(np.floor(s + 1e-6), n))) for s, n in zip(step, source.GetSize())]
    if max(shrink) > 1:
        source = _binned(source, shrink)
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
    return Image(sitk.GetArrayFromImage(resampled), target.ijk_to_lps)


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


def _binned(source: sitk.Image, shrink) -> sitk.Image:
    """Averages of shrink[axis] voxels along each axis; their origin and spacing stay in `source`'s
    index space.

    BinShrink drops what does not fill a bin. The edges are continued to whole bins, on both sides
    alike, so that every voxel counts and bins fall on the voxels of a grid with the same centre.
    """
    missing = [-size % n for size, n in zip(source.GetSize(), shrink)]
    if any(missing):
        before = [n // 2 for n in missing]
        after = [n - b for n, b in zip(missing, before)]
        source = sitk.ZeroFluxNeumannPad(source, before, after)
    return sitk.BinShrink(source, shrink)


def _itk_image(array: np.ndarray) -> sitk.Image:
    """The array as an ITK image with identity geometry, in a pixel type that ITK can average."""
    # ITK knows neither; and a mean of true and false is neither.
    if array.dtype in (np.bool_, np.float16):
        array = array.astype(np.float32)
    try:
        if array.dtype.kind not in "iuf":
            raise TypeError("no real numbers")
        # ITK takes numbers in the machine's byte order only.
        return sitk.GetImageFromArray(array.astype(array.dtype.newbyteorder("="), copy=False))
    except (TypeError, KeyError) as error:
        raise GeometryError(f"Images of the type {array.dtype} cannot be resampled.") from error
