"""The layers of a network where nothing learns, on the processor: the same numbers, with less memory.

What costs there is memory, more than arithmetic. Twelve features of 1.3 million voxels take 62 MB, and to
be given as much by the system takes longer than to add two such maps. So only a convolution writes a new
map; whatever comes after it calculates in place, a few channels at a time, which the cache can hold.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import nn
from torch.nn import functional

from ...side_by_side import most_of, side_by_side

# Values that stay in the cache while one thing after the other is done to them.
_CACHED = 2**20
# As a logarithm, next to nothing: what is smaller is hardly a float32, and takes many times as long.
_NEXT_TO_NOTHING = -80.0
_LOG2_E = 1 / math.log(2)


def is_at_rest(x: torch.Tensor) -> bool:
    """Whether nothing learns from x, which the processor holds in float32."""
    is_plain = x.dtype == torch.float32 and x.device.type == "cpu"
    return is_plain and not torch.is_grad_enabled() and not _is_autocast_on()


def convolved(layer, x: torch.Tensor) -> torch.Tensor:
    """layer(x), by a matrix product or by oneDNN where torch would take a loop of its own that is many
    times slower.

    It does so for one small volume, as the lower levels of a U-Net are, and for kernels of one voxel.
    """
    if _is_of_one_voxel(layer):
        weight = layer.weight.flatten(1).expand(len(x), -1, -1)
        y = torch.baddbmm(layer.bias[:, None], weight, x.flatten(2))
        return y.view(len(x), -1, *x.shape[2:])
    if x.ndim != 5 or len(x) != 1 or not torch.backends.mkldnn.is_available():
        return layer(x)
    return torch.mkldnn_convolution(
        x, layer.weight, layer.bias, layer.padding, layer.stride, layer.dilation, layer.groups
    )


def normed_(norm, x: torch.Tensor, slope: float = 1.0) -> torch.Tensor:
    """leaky_relu(norm(x), slope), in place. norm: an instance norm with weights."""
    lines = x.view(-1, x.shape[2], x[0, 0, 0].numel())
    count, at_a_time = lines[0].numel(), max(1, _CACHED // lines[0].numel())
    weights = (each.repeat(len(x)).split(at_a_time) for each in (norm.weight, norm.bias))
    for part, scale, shift in zip(lines.split(at_a_time), *weights):
        # Sums of lines in float32, those of the lines' sums in float64.
        part.sub_(part.mean(2).double().mean(1).float()[:, None, None])
        square = torch.linalg.vector_norm(part, dim=2).double().square().sum(1) / count
        scale = (scale / torch.sqrt(square + norm.eps)).float()
        part.mul_(scale[:, None, None]).add_(shift[:, None, None])
        if slope != 1:
            functional.leaky_relu_(part, slope)
    return x


def added_(x: torch.Tensor, layer, other: torch.Tensor) -> torch.Tensor:
    """x + layer(other), in place. layer: a convolution, or none."""
    if isinstance(layer, nn.Identity):
        return x.add_(other)
    if not _is_of_one_voxel(layer):
        return x.add_(convolved(layer, other))
    weight = layer.weight.flatten(1).expand(len(x), -1, -1)
    return x.flatten(2).baddbmm_(weight, other.flatten(2)).add_(layer.bias[:, None]).view_as(x)


def enlarged_(x: torch.Tensor, small: torch.Tensor) -> torch.Tensor:
    """x + small, interpolated linearly to the size of x, in place: a matrix product along each axis."""
    for axis in range(x.ndim - 1, 2, -1):
        matrix = _interpolation(small.shape[axis], x.shape[axis])
        is_last = axis == x.ndim - 1
        small = torch.matmul(small, matrix.T) if is_last else torch.matmul(matrix, small)
    matrix = _interpolation(small.shape[2], x.shape[2])
    maps = x.view(-1, x.shape[2], x[0, 0, 0].numel())
    maps.baddbmm_(matrix.expand(len(maps), -1, -1), small.reshape(len(maps), small.shape[2], -1))
    return x


def shares_in_cells(logs: torch.Tensor, size) -> torch.Tensor:
    """(B, L, *size): the share of all of a landmark's probability that falls into each cell.

    logs: (B, L, *), unnormalised logarithms of the probabilities. Some landmarks at a time: all at once
    would be a copy of them all.
    """
    axes = tuple(range(1, logs.ndim))

    def of_one(part):
        highest = part.amax(axes, keepdim=True)
        mean = adaptive_mean(exponentials_(part - highest), size)
        return mean / mean.sum(axes, keepdim=True)

    return torch.cat(side_by_side(of_one, logs.split(1, dim=1), most_of(logs)), dim=1)


def exponentials_(logs: torch.Tensor) -> torch.Tensor:
    """exp(logs), in place, to a few millionths; logs: none above 0 by much.

    By powers of two: torch has exp calculated by MKL, which takes four times as long on AMD's processors.
    """
    return logs.clamp_(min=_NEXT_TO_NOTHING).mul_(_LOG2_E).exp2_()


def adaptive_mean(x: torch.Tensor, size) -> torch.Tensor:
    """(B, C, *size): means of the voxels in each cell."""
    pool = functional.adaptive_avg_pool2d if len(size) == 2 else functional.adaptive_avg_pool3d
    return pool(x, size)


def _is_of_one_voxel(layer) -> bool:
    return set(layer.kernel_size) == {1} and set(layer.stride) == {1} and layer.bias is not None


@lru_cache(maxsize=32)
def _interpolation(count: int, wanted: int) -> torch.Tensor:
    """(wanted, count): from so many values to so many, as torch interpolates."""
    rows = torch.eye(count)[None]
    return functional.interpolate(rows, size=wanted, mode="linear", align_corners=False)[0].T


def _is_autocast_on() -> bool:
    """On the processor."""
    try:
        return torch.is_autocast_enabled("cpu")
    except TypeError:  # torch before 2.4
        return torch.is_autocast_cpu_enabled()
