"""What the networks are built of."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from ..description import NetworkConfig
from . import at_rest

CONV = {2: nn.Conv2d, 3: nn.Conv3d}
_NORM = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
_LINEAR = {2: "bilinear", 3: "trilinear"}
_SLOPE = 0.01


class Residual(nn.Module):
    """Two convolutions with instance norm, and a way past them.

    aligned: one that halves is 4 wide, so that a coarse voxel lies in the middle of the two that it
    stands for, as the way past, the interpolation back and the joint part take it. 3 wide, it lies on
    the first of them: half a voxel off at every level.
    """

    def __init__(self, dimension: int, inputs: int, outputs: int, stride=1, aligned=False):
        super().__init__()
        conv, norm = CONV[dimension], _NORM[dimension]
        width = 4 if aligned and stride == 2 else 3
        self.first = conv(inputs, outputs, width, stride=stride, padding=1, bias=False)
        self.first_norm = norm(outputs, affine=True)
        self.second = conv(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = norm(outputs, affine=True)
        same = inputs == outputs and stride == 1
        self.past = nn.Identity() if same else conv(inputs, outputs, stride, stride=stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if at_rest.is_at_rest(x):
            y = at_rest.normed_(self.first_norm, at_rest.convolved(self.first, x), _SLOPE)
            y = at_rest.normed_(self.second_norm, at_rest.convolved(self.second, y))
            return functional.leaky_relu_(at_rest.added_(y, self.past, x), _SLOPE)
        y = functional.leaky_relu_(self.first_norm(_learned(self.first, x)), _SLOPE)
        y = self.second_norm(_learned(self.second, y))
        return functional.leaky_relu_(y + self.past(x), _SLOPE)


class Up(nn.Module):
    """To twice the resolution: fewer channels, linear interpolation, the encoder's added."""

    def __init__(self, dimension: int, inputs: int, outputs: int):
        super().__init__()
        self.mode = _LINEAR[dimension]
        self.reduce = CONV[dimension](inputs, outputs, 1)
        self.refine = Residual(dimension, outputs, outputs)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """skip: it is lost where nothing learns."""
        if at_rest.is_at_rest(x):
            return self.refine(at_rest.enlarged_(skip, at_rest.convolved(self.reduce, x)))
        x = functional.interpolate(
            self.reduce(x), size=skip.shape[2:], mode=self.mode, align_corners=False
        )
        return self.refine(x + skip)


class Joint(nn.Module):
    """Where each landmark can be, given where all the others seem to be.

    The idea of the spatial configuration network (Payer et al., Medical Image Analysis 54, 2019):
    a wide view at low resolution that sees every channel. There its heatmaps multiply the local
    ones; here, among logarithms, they add. It starts at zero, so training begins with the local
    answer alone.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        conv, norm = CONV[config.dimension], _NORM[config.dimension]
        width = config.joint_features
        self.mode = _LINEAR[config.dimension]
        self.enter = conv(config.landmarks + config.features[config.joint_level], width, 1)
        self.wide = nn.ModuleList(
            nn.Sequential(conv(width, width, 5, padding=2, bias=False), norm(width, affine=True))
            for _ in range(3)
        )
        self.leave = conv(width, config.landmarks, 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, voxels: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """The local logarithms and what the others say of each; in place where nothing learns."""
        if at_rest.is_at_rest(voxels):
            shares = at_rest.shares_in_cells(voxels, features.shape[2:])
            x = at_rest.convolved(self.enter, torch.cat([shares, features], dim=1))
            for convolution, norm in self.wide:
                x = x + at_rest.normed_(norm, at_rest.convolved(convolution, x), _SLOPE)
            return at_rest.enlarged_(voxels, at_rest.convolved(self.leave, x))
        x = torch.cat([self._shares(voxels, features).to(features.dtype), features], dim=1)
        x = self.enter(x)
        for convolution, norm in self.wide:
            x = x + functional.leaky_relu(norm(_learned(convolution, x)), _SLOPE)
        leave = self.leave(x).float()
        if torch.is_grad_enabled():
            return voxels + self._enlarged(leave, voxels)
        # On a GPU: all landmarks at once would be a copy of them all.
        for landmark in range(voxels.shape[1]):
            part = slice(landmark, landmark + 1)
            voxels[:, part] += self._enlarged(leave[:, part], voxels)
        return voxels

    def _enlarged(self, small: torch.Tensor, voxels: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(
            small, size=voxels.shape[2:], mode=self.mode, align_corners=False
        )

    def _shares(self, voxels: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """The share of all of a landmark's probability that falls into each coarse cell."""
        if not torch.is_grad_enabled():
            return at_rest.shares_in_cells(voxels.float(), features.shape[2:])
        cells = voxels[0, 0].numel() / features[0, 0].numel()
        probabilities = functional.softmax(voxels.float().flatten(2), 2).view_as(voxels)
        return at_rest.adaptive_mean(probabilities, features.shape[2:]) * cells


def _learned(layer, x: torch.Tensor) -> torch.Tensor:
    """layer(x), in full precision where it learns from an image that is thinner than its kernel.

    There, the gradient by the weights of a 3D convolution in bfloat16 is memory that nobody wrote
    to, NaN or any number: torch 2.13 on processors with AVX512-bf16 and without AMX.
    """
    thin = any(length < width for length, width in zip(x.shape[2:], layer.kernel_size))
    if not thin or not torch.is_grad_enabled():
        return layer(x)
    with torch.autocast(x.device.type, enabled=False):
        return layer(x.float())
