"""Heatmaps: Gaussian targets drawn at continuous positions, and peaks decoded from them again.

`encode` and `decode_peak` are inverse to each other. A heatmap is a Gaussian of height one whose
sigma is stated in mm, so that its size in voxels follows the spacing along each axis. The target of
a landmark is the same whatever channel it is in: equal heights and equal spreads are what the
network is asked for.
"""

from __future__ import annotations

import math

import numpy as np

# Below this share of the peak a value counts as nothing; it keeps logarithms finite.
_FLOOR = 1e-6


def encode(positions, size, spacing_mm, sigma_mm):
    """Gaussians of height one at continuous positions, as a torch tensor.

    positions: tensor (..., D), voxel indices in the order of the array's axes, D = 2 or 3.
    size: the D sizes of the map. spacing_mm: D numbers, mm. sigma_mm: one number.
    Returns (..., *size). A position of NaN gives an all-zero map; one outside the map gives
    whatever part of its Gaussian reaches in.
    """
    import torch

    result = None
    for axis, (length, spacing) in enumerate(zip(size, spacing_mm)):
        index = torch.arange(length, dtype=positions.dtype, device=positions.device)
        distance_mm = (index - positions[..., axis, None]) * float(spacing)
        # The Gaussian is separable along the axes of the grid.
        profile = torch.exp(-0.5 * (distance_mm / sigma_mm) ** 2)
        # nan_to_num is what makes an unknown position an empty map.
        profile = torch.nan_to_num(profile, nan=0.0)
        result = profile if result is None else result[..., None] * _insert_axes(profile, axis)
    return result


def _insert_axes(profile, axis):
    """(..., n) to (..., 1, ..., 1, n) with `axis` axes of one before the last."""
    return profile.reshape(*profile.shape[:-1], *(1,) * axis, profile.shape[-1])


def encode_with_covariance(positions, size, spacing_mm, covariance_mm2):
    """As `encode`, with a covariance in mm squared that may lie obliquely, and be learned.

    positions: tensor (B, L, D), voxel indices in the order of the array's axes. covariance_mm2:
    (L or 1, D, D), along the same axes. Returns (B, L, *size), differentiable in the covariance.
    """
    import torch

    precision = torch.linalg.inv(covariance_mm2)
    dimension = len(size)
    # NaN may not come near the covariance: its gradient would be NaN, too.
    known = ~torch.isnan(positions).any(-1)
    positions = torch.nan_to_num(positions)
    apart = []
    for axis, (length, spacing) in enumerate(zip(size, spacing_mm)):
        index = torch.arange(length, dtype=positions.dtype, device=positions.device)
        line = (index - positions[..., axis, None]) * float(spacing)
        shape = [1] * dimension
        shape[axis] = length
        apart.append(line.reshape(*line.shape[:-1], *shape))
    square = 0
    for a in range(dimension):
        for b in range(a + 1):
            factor = precision[:, a, b].reshape(-1, *(1,) * dimension) * (1 if a == b else 2)
            square = square + factor * apart[a] * apart[b]
    return torch.exp(-0.5 * square) * known.reshape(*known.shape, *(1,) * dimension)


def gaussian_mass(sigma_mm, spacing_mm) -> float:
    """The sum over all voxels of a Gaussian of height one: (2 pi)^(D/2) sigma^D / voxel volume."""
    return math.prod(math.sqrt(2 * math.pi) * sigma_mm / float(s) for s in spacing_mm)


def decode_peak(heatmap: np.ndarray, start=None) -> np.ndarray:
    """The position of the highest peak, to a fraction of a voxel.

    A second-order Taylor expansion of the logarithm at the highest voxel; exact for a Gaussian
    (DARK: Zhang et al., Distribution-aware coordinate representation, CVPR 2020). At the border the
    expansion stands on the next voxel inwards; it never moves by more than a voxel and a half.

    heatmap: (n1, ..., nD), not negative. start: the index of the peak; by default the maximum.
    Returns (D,), voxel indices in the order of the array's axes.
    """
    shape = np.array(heatmap.shape)
    peak = np.array(np.unravel_index(np.argmax(heatmap), heatmap.shape) if start is None else start)
    free = np.flatnonzero(shape >= 3)
    centre = np.where(shape >= 3, np.clip(peak, 1, np.maximum(shape - 2, 1)), peak)
    window = tuple(slice(c - 1, c + 2) if n >= 3 else c for c, n in zip(centre, shape))
    block = np.asarray(heatmap[window], dtype=float)
    position = peak.astype(float)
    if len(free) and block.max() > 0:
        offset = _newton_step(np.log(np.maximum(block, _FLOOR * block.max())))
        if offset is not None and abs(centre[free] + offset - peak[free]).max() <= 1:
            position[free] = centre[free] + np.clip(offset, -1.5, 1.5)
    return position


def uphill(heatmap: np.ndarray, voxel, reach=1) -> tuple:
    """The voxel of the peak that is reached from one, in steps of up to `reach` voxels (one number or
    one an axis)."""
    voxel, last = tuple(map(int, voxel)), np.array(heatmap.shape) - 1
    while True:
        first = np.maximum(np.array(voxel) - reach, 0)
        end = np.minimum(np.array(voxel) + reach, last)
        around = heatmap[tuple(slice(a, b + 1) for a, b in zip(first, end))]
        highest = tuple((first + np.unravel_index(np.argmax(around), around.shape)).tolist())
        if not heatmap[highest] > heatmap[voxel]:
            return voxel
        voxel = highest


def _newton_step(block: np.ndarray):
    """From the centre of a 3 x ... x 3 block to the extremum of its quadratic; None if no maximum."""
    dimensions = block.ndim
    centre = (1,) * dimensions

    def at(*steps):
        index = list(centre)
        for axis, step in steps:
            index[axis] += step
        return block[tuple(index)]

    gradient = np.array([(at((a, 1)) - at((a, -1))) / 2 for a in range(dimensions)])
    hessian = np.empty((dimensions, dimensions))
    for a in range(dimensions):
        hessian[a, a] = at((a, 1)) - 2 * at() + at((a, -1))
        for b in range(a):
            mixed = (
                at((a, 1), (b, 1))
                + at((a, -1), (b, -1))
                - at((a, 1), (b, -1))
                - at((a, -1), (b, 1))
            )
            hessian[a, b] = hessian[b, a] = mixed / 4
    if np.linalg.eigvalsh(hessian).max() >= -1e-9:
        return None
    return -np.linalg.solve(hessian, gradient)
