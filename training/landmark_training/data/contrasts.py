"""Other looks of the same image: what scanners and sequences change, and anatomy does not.

Where all cases look alike (one scanner, a few averaged templates), a network that has seen nothing else
fails on the next scanner's images. All of it is off unless the settings ask for it.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch.nn import functional

from ..planning.config import TrainConfig
from .augment import jitter_intensities

_LEVELS = 256
# Nodes of a curve of grey values, the ends not counted.
_FEWEST_NODES, _MOST_NODES = 2, 6
# What is darker than this share of the range is background, which stays dark in some inverted images.
_BACKGROUND = 0.06


def with_other_looks(
    images, spacing_mm, config: TrainConfig, generator: torch.Generator
) -> torch.Tensor:
    """All that the settings change about grey values: see `randomise` and `jitter_intensities`, of which
    the arguments are. Changed in place and returned."""
    images = randomise(images, spacing_mm, config, generator)
    return jitter_intensities(images, config, generator)


def randomise(images, spacing_mm, config: TrainConfig, generator: torch.Generator) -> torch.Tensor:
    """Grey values by random curves, brightness that varies, blur, thick slices and ghosts: each image
    its own, as the settings have it.

    images: (B, 1, *size), -1 to 1, on any device; changed in place and returned. spacing_mm: (D,), of
    the array axes.
    """
    for image in images if is_asked_for(config) else ():
        look = _Look(config, spacing_mm, generator)
        unit = image[0].add(1).div_(2).clamp_(0, 1)
        for change in (look.curved, look.uneven, look.blurred, look.in_slices, look.ghosted):
            unit = change(unit)
        image[0] = unit.mul(2).sub_(1)
    return images


def is_asked_for(config: TrainConfig) -> bool:
    """Whether any of these settings changes anything."""
    return any(
        (
            *(config.contrast, config.grey_classes, config.inversion, config.uneven_brightness),
            *(config.blur_mm, config.sharpening, config.slice_mm, config.ghosts),
        )
    )


class _Look:
    """What is drawn for one image. All take and return one (*size), from 0 to 1."""

    def __init__(self, config: TrainConfig, spacing_mm, generator: torch.Generator):
        self.config, self.spacing, self.generator = config, spacing_mm, generator

    def _uniform(self, *shape) -> torch.Tensor:
        return torch.rand(*shape, generator=self.generator)

    def _number(self, low: float = 0.0, high: float = 1.0) -> float:
        return low + (high - low) * self._uniform(1).item()

    def _is_drawn(self, share: float) -> bool:
        return self._number() < share

    def _axis(self, unit) -> int:
        return int(torch.randint(unit.ndim, (1,), generator=self.generator))

    def curved(self, unit):
        """Through a curve that rises everywhere, or one that goes up and down and so gives each range
        of grey, which is mostly a tissue, a grey of its own; some inverted."""
        kind = self._number()
        if kind < self.config.grey_classes:
            curve = self._curve(rises=False)
        elif kind < self.config.grey_classes + self.config.contrast:
            curve = self._curve(rises=True)
        else:
            curve = torch.linspace(0, 1, _LEVELS)
        if self._is_drawn(self.config.inversion):
            curve = 1 - curve
            if self._is_drawn(0.5):
                curve *= torch.linspace(0, 1 / _BACKGROUND, _LEVELS).clamp(max=1)
        return _looked_up(unit, curve.to(unit.device))

    def _curve(self, rises: bool) -> torch.Tensor:
        count = int(torch.randint(_FEWEST_NODES, _MOST_NODES + 1, (1,), generator=self.generator))
        at = torch.cat([torch.zeros(1), self._uniform(count).sort().values, torch.ones(1)])
        values = self._uniform(count + 2)
        if rises:
            values = values.sort().values
            values = (values - values[0]) / (values[-1] - values[0])
            # From nearly none to all of it.
            values = at + self._number() * (values - at)
        else:
            values[0] *= float(self._is_drawn(0.3))
        levels = torch.linspace(0, 1, _LEVELS)
        right = torch.searchsorted(at, levels).clamp(1, count + 1)
        left = right - 1
        part = (levels - at[left]) / (at[right] - at[left]).clamp_min(1e-6)
        return values[left] + part * (values[right] - values[left])

    def uneven(self, unit):
        """Brightness that varies smoothly over the image, as the coil makes it."""
        strength = self.config.uneven_brightness
        if not strength or not self._is_drawn(0.5):
            return unit
        field = torch.zeros(unit.shape)
        for axis, size in enumerate(unit.shape):
            along = torch.linspace(-1, 1, size).reshape(
                [-1 if a == axis else 1 for a in range(unit.ndim)]
            )
            first, second = self._number(-1, 1), self._number(-1, 1)
            field = field + first * along + second * along**2
        field = strength * field / field.abs().max().clamp_min(1e-6)
        return unit * torch.exp(field).to(unit.device)

    def blurred(self, unit):
        """Blurred, or its details made stronger: an average of many is smoother than any one."""
        kind = self._number()
        if self.config.blur_mm and kind < 0.4:
            return self._smooth(unit, self._number(0, self.config.blur_mm))
        if self.config.sharpening and kind > 0.6:
            details = unit - self._smooth(unit, self._number(1, 3) * min(self.spacing))
            return unit + self._number(0, self.config.sharpening) * details
        return unit

    def _smooth(self, unit, sigma_mm: float):
        for axis, spacing in enumerate(self.spacing):
            sigma = sigma_mm / spacing
            reach = math.ceil(3 * sigma)
            if sigma > 0.25:
                weights = torch.arange(-reach, reach + 1, device=unit.device) / sigma
                weights = torch.exp(-(weights**2) / 2)
                kernel = (weights / weights.sum())[None, None]
                unit = _along(unit, axis, partial(_convolved, kernel=kernel, reach=reach))
        return unit

    def in_slices(self, unit):
        """As thick slices along one axis show it."""
        if not self.config.slice_mm or not self._is_drawn(0.4):
            return unit
        axis = self._axis(unit)
        size, spacing = unit.shape[axis], self.spacing[axis]
        thick = self._number(0, self.config.slice_mm)
        count = max(2, round(size * spacing / max(thick, spacing)))
        if count >= size:
            return unit
        return _along(
            unit,
            axis,
            lambda lines: functional.interpolate(
                functional.adaptive_avg_pool1d(lines, count), size=size, mode="linear"
            ),
        )

    def ghosted(self, unit):
        """With faint copies of itself beside it, as a head that moves leaves them."""
        if not self.config.ghosts or not self._is_drawn(0.25):
            return unit
        axis = self._axis(unit)
        apart = max(1, unit.shape[axis] // int(self._number(2, 6)))
        ghost = unit.roll(apart, axis) + unit.roll(-apart, axis)
        return unit + self._number(0, self.config.ghosts) * ghost / 2


def _looked_up(unit, curve):
    places = unit * (_LEVELS - 1)
    below = places.long().clamp_(0, _LEVELS - 2)
    return torch.lerp(curve[below], curve[below + 1], places - below)


def _along(unit, axis: int, change):
    """`change` of all lines (N, 1, length) along an axis."""
    turned = unit.movedim(axis, -1)
    lines = turned.reshape(-1, 1, turned.shape[-1])
    return change(lines).reshape(turned.shape).movedim(-1, axis)


def _convolved(lines, kernel, reach: int):
    return functional.conv1d(functional.pad(lines, (reach, reach), mode="replicate"), kernel)
