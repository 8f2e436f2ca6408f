"""Surfaces of images at an intensity: quick ones of a coarse copy, and at which intensity."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

_BINS = 96
# So many voxels say as much of the intensities as all.
_SAMPLES = 200_000
# How far around a landmark, in voxels, a surface still passes by it.
_AROUND = 2


def isosurface(array, ijk_to_ras, level: float) -> vtk.vtkPolyData:
    """The surface where `array`, (k, j, i), crosses a level, with normals, in RAS, mm."""
    image = vtk.vtkImageData()
    image.SetDimensions(array.shape[::-1])
    values = numpy_support.numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True)
    image.GetPointData().SetScalars(values)
    contour = vtk.vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.ComputeScalarsOff()
    contour.SetValue(0, level)
    transform = vtk.vtkTransform()
    transform.SetMatrix(slicer.util.vtkMatrixFromArray(ijk_to_ras))
    placed = vtk.vtkTransformPolyDataFilter()
    placed.SetInputConnection(contour.GetOutputPort())
    placed.SetTransform(transform)
    placed.Update()
    return placed.GetOutput()


def coarse_copy(array, ijk_to_ras, most: int) -> tuple:
    """(array, affine) of at most that many voxels a side, float32, a little smoothed.

    array: (k, j, i), or with components along a last axis, whose mean is taken. Of a large image
    not every voxel is looked at.
    """
    sizes = array.shape[:3]
    steps = [max(1, -(-size // (2 * most))) for size in sizes]
    pools = [2 if size > most else 1 for size in sizes]
    counts = [-(-size // step) // pool for size, step, pool in zip(sizes, steps, pools)]
    # The mean of two voxels a corner of each block apart, so that noise counts for less.
    corners = [
        array[
            tuple(
                slice(step * (pool - 1) * corner, None, step * pool)
                for step, pool in zip(steps, pools)
            )
        ][: counts[0], : counts[1], : counts[2]].astype(np.float32)
        for corner in (0, 1)
    ]
    array = (corners[0] + corners[1]) / 2
    if array.ndim == 4:
        array = array.mean(axis=3)
    for axis in range(3):
        array = _smoothed(array, axis)
    to_fine = np.eye(4)
    for axis, (step, pool) in enumerate(zip(steps[::-1], pools[::-1])):
        to_fine[axis, axis] = step * pool
        to_fine[axis, 3] = step * (pool - 1) / 2
    return array, ijk_to_ras @ to_fine


def _smoothed(array, axis: int) -> np.ndarray:
    """By 1 2 1 along an axis; the ends stay."""
    lines = np.moveaxis(array, axis, 0)
    if len(lines) < 3:
        return array
    smooth = lines.copy()
    smooth[1:-1] = lines[:-2] / 4 + lines[1:-1] / 2 + lines[2:] / 4
    return np.moveaxis(smooth, 0, axis)


def level_through(array, indices_ijk):
    """The intensity at which the surface of what is shown passes by most of the landmarks.

    Thresholds that part an image well, into two classes or three, are many an anatomist's: skin, or
    bone. Where what the landmarks lie on is a small part of the image, none of them may be, and the
    middle of what is around the landmarks is another. Among them the landmarks decide, and of equals
    the highest. indices_ijk: (L, 3) voxel indices in `array`, (k, j, i). None for an image without
    contrast.
    """
    levels, ranges = thresholds(array), _ranges_around(array, indices_ijk)
    if not levels:
        return None
    if len(ranges):
        levels.append(float(np.median(ranges.mean(axis=1))))

    def passed(level):
        return int(((ranges[:, 0] < level) & (level < ranges[:, 1])).sum())

    return max(levels, key=lambda level: (passed(level), level))


def _ranges_around(array, indices_ijk) -> np.ndarray:
    """(N, 2): the least and the highest intensity around each landmark that lies in the image."""
    found = []
    for index in indices_ijk:
        centre = np.rint(index[::-1]).astype(int)
        if (centre < 0).any() or (centre >= array.shape).any():
            continue
        around = array[tuple(slice(max(0, c - _AROUND), c + _AROUND + 1) for c in centre)]
        if np.isfinite(around).all():
            found.append((around.min(), around.max()))
    return np.array(found, dtype=float).reshape(-1, 2)


def thresholds(array) -> list:
    """Otsu's thresholds for two classes and for three: up to three intensities, rising."""
    some = array.ravel()[:: max(1, array.size // _SAMPLES)]
    finite = some[np.isfinite(some)]
    if not finite.size:
        return []
    low, high = np.percentile(finite, [0.1, 99.9])
    if not high > low:
        return []
    counts, edges = np.histogram(np.clip(finite, low, high), _BINS)
    weight = np.concatenate([[0], np.cumsum(counts)]).astype(float)
    total = np.concatenate([[0], np.cumsum(counts * (edges[:-1] + edges[1:]) / 2)])
    number = np.arange(_BINS + 1)

    def between(first, last):
        """What the bins from first to before last add to the variance between classes."""
        share = weight[last] - weight[first]
        sums = total[last] - total[first]
        return np.divide(sums**2, share, out=np.zeros_like(share), where=share > 0)

    zero, end = np.zeros_like(number), np.full_like(number, _BINS)
    two = int(np.argmax(between(zero, number) + between(number, end)))
    first, second = np.meshgrid(number, number, indexing="ij")
    three = between(first * 0, first) + between(first, np.maximum(first, second))
    three += between(second, np.full_like(second, _BINS))
    three[first >= second] = -np.inf
    found = {two, *map(int, np.unravel_index(np.argmax(three), three.shape))}
    return [float(edges[cut]) for cut in sorted(found) if 0 < cut < _BINS]
