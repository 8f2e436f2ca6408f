"""One warped case: an annotated image pulled through the spline that takes a configuration onto it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from landmark_heatmap.images.geometry import Grid, Image

from .spline import ThinPlateSpline, least_squares_affine, least_stretch, through_affine

# Where a map shrinks a volume to less than this share, or folds it, it is refused.
_LEAST_STRETCH = 0.1
# Jacobians are looked at on a lattice of so many mm.
_LATTICE_MM = 5.0
# What is nearly the lowest value in an image is nothing there: so much of its range.
_NOTHING = 0.02
# The seam between an image and its surroundings, in voxels.
_SEAM = 1.5


@dataclass(frozen=True, eq=False)
class Template:
    """An annotated image. positions: (L, 3), mm in LPS, none of them missing."""

    name: str
    image: Image
    positions: np.ndarray
    definitions: dict

    def corners(self) -> np.ndarray:
        """(8, 3), mm in LPS, of the box that holds all voxels."""
        ends = [(-0.5, n - 0.5) for n in self.image.grid.size_ijk]
        return self.image.grid.to_lps(np.array(list(product(*ends))))


class Folded(Exception):
    """The map to a configuration folds. Its text says where."""


def backward_map(template: Template, positions) -> ThinPlateSpline:
    """From the space of the configuration `positions` (L, 3) to that of the template: each landmark
    exactly onto the template's, the corners of its image as the affine map between both has them.

    Raises Folded.
    """
    corners, moved = template.corners(), _moved_corners(template, positions)
    spline = ThinPlateSpline.through(
        np.vstack([positions, moved]), np.vstack([template.positions, corners])
    )
    # A little inwards: at the corners themselves there is nothing to see.
    least, where = least_stretch(spline, moved.min(0), moved.max(0), _LATTICE_MM)
    # How many times larger the whole becomes is no matter.
    usual = abs(np.linalg.det(spline.affine[1:]))
    if not least > _LEAST_STRETCH * usual:
        nearest = int(np.argmin(np.linalg.norm(positions - where, axis=1)))
        raise Folded(f"it folds near landmark {nearest + 1}")
    return spline


def box_of(template: Template, positions) -> tuple:
    """(low, high), (3,) each, mm in LPS: the template's image, where the affine map puts it."""
    moved = _moved_corners(template, positions)
    return moved.min(0), moved.max(0)


def _moved_corners(template: Template, positions) -> np.ndarray:
    forward = least_squares_affine(template.positions, positions)
    return through_affine(forward, template.corners())


def grid_in(low, high, spacing_mm: float) -> Grid:
    """Voxels that fill the box, along L, P and S."""
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, 3] = np.asarray(low) + spacing_mm / 2
    return Grid(np.maximum(1, np.round((high - low) / spacing_mm)).astype(int), affine)


def pulled(template: Template, spline: ThinPlateSpline, grid: Grid) -> np.ndarray:
    """(K, J, I), float32: the template's image on a grid of the configuration's space; its lowest value
    outside of it."""
    import torch
    from torch.nn import functional

    image = template.image
    # Shifted, so that the zeros outside stand for the lowest value.
    low = float(image.array.min())
    source = torch.from_numpy(image.array.astype(np.float32) - low)[None, None]
    size, slices = np.array(image.grid.size_ijk), []
    i, j = np.meshgrid(*map(np.arange, grid.size_ijk[:2]))
    for k in range(grid.size_ijk[2]):
        places = grid.to_lps(np.stack([i, j, np.full_like(i, k)], axis=-1))
        voxels = image.grid.to_ijk(_quickly(spline, places))
        unit = torch.from_numpy(((2 * voxels + 1) / size - 1).astype(np.float32))
        sampled = functional.grid_sample(source, unit[None, None], align_corners=False)
        slices.append(sampled[0, 0, 0])
    return torch.stack(slices).numpy() + np.float32(low)


def _quickly(spline: ThinPlateSpline, places) -> np.ndarray:
    """spline.at(places), (..., 3), in single precision: to a thousandth of a voxel."""
    import torch

    flat = torch.from_numpy(places.reshape(-1, 3).astype(np.float32))
    centres, weights, affine = (
        torch.from_numpy(each.astype(np.float32))
        for each in (spline.centres, spline.weights, spline.affine)
    )
    # By differences: by squares of sums it would be off where it is small.
    exact = "donot_use_mm_for_euclid_dist"
    bent = torch.cdist(flat, centres, compute_mode=exact) @ weights
    return (bent + flat @ affine[1:] + affine[0]).numpy().reshape(places.shape)


def surrounded(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """The inner image (K, J, I) where it shows something, the outer one elsewhere, as bright as if both
    were one: at the seam they have the same mean."""
    import SimpleITK as sitk

    low, high = inner.min(), np.percentile(inner, 99.5)
    there = sitk.GetImageFromArray((inner > low + _NOTHING * (high - low)).astype(np.uint8))
    there = sitk.BinaryFillhole(sitk.BinaryMorphologicalClosing(there, [3, 3, 3]))
    seam = sitk.GetArrayFromImage(
        sitk.SmoothingRecursiveGaussian(sitk.Cast(there, sitk.sitkFloat32), _SEAM)
    )
    is_inside = sitk.GetArrayFromImage(there).astype(bool)
    own, other = inner[is_inside], outer[is_inside]
    scale = (own.mean() - low) / max(float(other.mean() - outer.min()), 1e-6)
    outer = (outer - outer.min()) * scale + low
    return inner * seam + outer * (1 - seam)
