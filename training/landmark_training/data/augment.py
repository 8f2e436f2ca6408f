"""Exact spatial augmentation, in batch, on the device that trains.

One map is drawn per image: an elastic deformation, then a rotation, scaling, translation and
perhaps a flip. The image is pulled through it; the points go through its inverse; targets are drawn
afterwards at the moved points. No heatmap is ever warped.

Coordinates are mm from the centre of a grid, along its array axes (K, J, I) or (J, I).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from ..planning.config import TrainConfig

# The elastic map is the identity plus a displacement whose slope stays below this: it cannot fold,
# and its inverse by fixed point converges by at least this factor a step.
_STEEPEST = 0.35
_WAVES = 6
_INVERSE_STEPS = 20


@dataclass
class SpatialMap:
    """A batch of maps from source points to output points.

    A source point s is the elastic image of v: s = v + d(v); the output point is linear @ v + shift.
    d is a sum of plane waves: amplitude * sin(frequency . v + phase), smooth and known everywhere.

    linear: (B, D, D). shift: (B, D) mm. frequency: (B, W, D) radians/mm. amplitude: (B, W, D) mm.
    phase: (B, W). flipped: (B,) whether the map mirrors the last axis.
    """

    linear: torch.Tensor
    shift: torch.Tensor
    frequency: torch.Tensor
    amplitude: torch.Tensor
    phase: torch.Tensor
    flipped: torch.Tensor

    @classmethod
    def joined(cls, maps) -> SpatialMap:
        """Several batches as one."""
        fields = [each.name for each in dataclasses.fields(cls)]
        return cls(*(torch.cat([getattr(each, name) for each in maps]) for name in fields))

    def to(self, device) -> SpatialMap:
        return SpatialMap(
            *(getattr(self, each.name).to(device) for each in dataclasses.fields(self))
        )

    def repeated(self, count: int) -> SpatialMap:
        """A batch of one map, `count` times."""
        fields = [getattr(self, each.name) for each in dataclasses.fields(self)]
        return SpatialMap(*(value.expand(count, *value.shape[1:]) for value in fields))

    def displacement(self, v: torch.Tensor) -> torch.Tensor:
        """d at points v (B, N, D), mm."""
        waves = torch.sin(v @ self.frequency.transpose(1, 2) + self.phase[:, None])
        return waves @ self.amplitude

    def pull(self, output: torch.Tensor) -> torch.Tensor:
        """Where output points (B, N, D) come from, in the source."""
        v = (output - self.shift[:, None]) @ torch.linalg.inv(self.linear).transpose(1, 2)
        return v + self.displacement(v)

    def reach(self, centres: torch.Tensor, half: torch.Tensor, turn: torch.Tensor) -> tuple:
        """Lowest and highest corners (B, D) of boxes in the source that hold all that is pulled to
        boxes around `centres` (B, D), of half the size `half` (D,) along the columns of `turn` (D, D).
        """
        inverse = torch.linalg.inv(self.linear)
        middle = (inverse @ (centres - self.shift)[..., None])[..., 0]
        half = (inverse @ turn).abs() @ half + self.amplitude.abs().sum(1)
        return middle - half, middle + half

    def push(self, source: torch.Tensor) -> torch.Tensor:
        """Where source points (B, N, D) go: the inverse of `pull`, to far below 0.01 voxel."""
        v = source
        for _ in range(_INVERSE_STEPS):
            v = source - self.displacement(v)
        return v @ self.linear.transpose(1, 2) + self.shift[:, None]


def draw_maps(
    batch: int, extent_mm, config: TrainConfig, flip: bool, generator: torch.Generator
) -> SpatialMap:
    """Random maps for images of the extent (D,) in mm. flip: whether half of them are mirrored."""
    extent = torch.as_tensor(extent_mm, dtype=torch.float32)
    dimension = len(extent)

    def uniform(*shape):
        return torch.rand(*shape, generator=generator) * 2 - 1

    angles = uniform(batch, 3) * math.radians(config.rotation_degrees)
    rotation = rotations(angles, dimension)
    scale = torch.exp(uniform(batch, 1) * math.log1p(config.scaling))
    # A little different along each axis, too: anatomy is.
    scale = scale * torch.exp(uniform(batch, dimension) * math.log1p(config.scaling) / 3)
    flipped = (torch.rand(batch, generator=generator) < 0.5) & flip
    scale[:, -1] *= 1 - 2 * flipped.float()
    shift = uniform(batch, dimension) * config.translation_share * extent
    frequency, amplitude, phase = _draw_waves(batch, extent, config.elastic_share, uniform)
    return SpatialMap(rotation * scale[:, None], shift, frequency, amplitude, phase, flipped)


def _draw_waves(batch, extent, share, uniform):
    """Waves of half to two and a half periods over the image, their slope limited together."""
    dimension = len(extent)
    frequency = uniform(batch, _WAVES, dimension) * 2.5 * math.pi / extent
    amplitude = uniform(batch, _WAVES, dimension) * share * extent.mean()
    phase = uniform(batch, _WAVES) * math.pi
    slope = (frequency.norm(dim=2) * amplitude.norm(dim=2)).sum(1)
    amplitude = amplitude * (_STEEPEST / slope).clamp(max=1)[:, None, None]
    return frequency, amplitude, phase


def rotations(angles: torch.Tensor, dimension: int) -> torch.Tensor:
    """(B, 3) angles to (B, D, D): about the one axis in 2D, about the three axes in turn in 3D."""
    result = torch.eye(dimension).repeat(len(angles), 1, 1)
    planes = [(0, 1)] if dimension == 2 else [(0, 1), (0, 2), (1, 2)]
    for number, (a, b) in enumerate(planes):
        turn = torch.eye(dimension).repeat(len(angles), 1, 1)
        cos, sin = torch.cos(angles[:, number]), torch.sin(angles[:, number])
        turn[:, a, a], turn[:, b, b], turn[:, a, b], turn[:, b, a] = cos, cos, -sin, sin
        result = result @ turn
    return result


def warp(images, spacing_mm, spatial_map: SpatialMap, size, device="cpu") -> torch.Tensor:
    """Each image pulled through its map onto a grid of `size`, outside it the lowest value, -1.

    images: list of B tensors (*source size), one spacing (D,) for all and for the output.
    Returns (B, 1, *size) on the device, whereto only what is needed of the images is sent.
    """
    centres = torch.zeros(len(images), len(size))
    return warp_around(images, spacing_mm, spatial_map, centres, size, device)


def warp_around(
    images, spacing_mm, spatial_map, centres, size, device="cpu", turn=None
) -> torch.Tensor:
    """As `warp`, with the centres of the grids at `centres` (B, D), in mm from the images' centres.

    turn: (D, D), the axes of all grids as columns.
    """
    turn = torch.eye(len(size)) if turn is None else turn
    half = (torch.tensor(size) - 1) / 2 * torch.tensor(spacing_mm)
    # Bounds are found where the map was drawn: nobody has to wait for the device.
    bounds = spatial_map.reach(centres, half, turn)
    grid = centred_positions(size, spacing_mm, device).reshape(1, -1, len(size))
    grid = grid @ turn.T.to(device)
    source = spatial_map.to(device).pull(grid + centres.to(device)[:, None])
    spacing = torch.tensor(spacing_mm)
    warped = [
        _sample(image, points, spacing, (low, high), size)
        for image, points, low, high in zip(images, source, *bounds)
    ]
    return torch.stack(warped)


def _sample(image, points_mm, spacing, bounds_mm, size):
    """Linear interpolation of `image` at points (N, D) in mm from its centre: (1, *size).

    Only the part of the image within the bounds of the points is touched, in whatever type it is
    stored, and sent to the device of the points.
    """
    shape, device = torch.tensor(image.shape), points_mm.device
    low, high = (bound / spacing + (shape - 1) / 2 for bound in bounds_mm)
    low = (low.floor().long() - 1).clamp_min(0)
    high = torch.minimum(high.ceil().long() + 2, shape)
    if (high <= low).any():
        return torch.full((1, *size), -1.0, device=device)
    window = tuple(slice(a, b) for a, b in zip(low.tolist(), high.tolist()))
    part = image[window].to(device).float()
    # grid_sample wants -1 to 1 from edge to edge, and the last array axis first.
    scale = (2 / (spacing * (high - low))).to(device)
    offset = ((shape - 2 * low) / (high - low) - 1).to(device)
    grid = (points_mm * scale + offset).flip(-1).reshape(1, *size, len(size))
    # Values are shifted so that the zeros outside stand for the lowest intensity.
    sampled = functional.grid_sample(
        part[None, None] + 1, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
    return sampled[0] - 1


def centred_positions(size, spacing_mm, device="cpu") -> torch.Tensor:
    """The voxel centres (*size, D) in mm from the grid's centre."""
    axes = [
        (torch.arange(n, dtype=torch.float32, device=device) - (n - 1) / 2) * float(s)
        for n, s in zip(size, spacing_mm)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def jitter_intensities(images, config: TrainConfig, generator: torch.Generator) -> torch.Tensor:
    """Contrast, brightness, gamma and noise, each image its own.

    images: (B, 1, *size), -1 to 1, on any device; changed in place and returned.
    """
    shape, device = (len(images),) + (1,) * (images.ndim - 1), images.device

    def uniform():
        return (torch.rand(shape, generator=generator) * 2 - 1).to(device)

    unit = images.add_(1).div_(2).clamp_(0, 1)
    unit = unit.pow_(torch.exp(uniform() * config.intensity_jitter))
    unit = unit.sub_(0.5).mul_(1 + uniform() * config.intensity_jitter).add_(0.5)
    unit = unit.add_(uniform() * config.intensity_jitter / 2)
    strength = torch.rand(shape, generator=generator).to(device) * config.noise
    noise = torch.randn(images.shape, generator=_on(device, generator), device=device)
    return unit.addcmul_(noise, strength).mul_(2).sub_(1)


def _on(device, generator: torch.Generator) -> torch.Generator:
    """The generator, or one on the device that follows from it."""
    if generator.device == device:
        return generator
    return torch.Generator(device).manual_seed(_seed(generator))


def _seed(generator: torch.Generator) -> int:
    return int(torch.randint(2**62, (1,), generator=generator))


def generators(count: int, generator: torch.Generator) -> list:
    """One for each image, so that nobody has to draw what another process needs."""
    return [torch.Generator().manual_seed(_seed(generator)) for _ in range(count)]


def occlude(images, config: TrainConfig, generator: torch.Generator) -> torch.Tensor:
    """Boxes of one random grey over part of the images: what is hidden has to follow from the rest.

    images: (B, 1, *size); changed in place and returned. Each image gets up to three boxes, with
    sides up to `config.occlusion` of the image's.
    """
    size = torch.tensor(images.shape[2:])
    for image in images:
        for _ in range(int(torch.randint(0, 4, (1,), generator=generator))):
            sides = torch.rand(len(size), generator=generator) * config.occlusion * size
            centre = torch.rand(len(size), generator=generator) * size
            low = (centre - sides / 2).clamp_min(0).int().tolist()
            high = (centre + sides / 2).int().tolist()
            window = (0, *(slice(a, b) for a, b in zip(low, high)))
            image[window] = torch.rand(1, generator=generator).item() * 2 - 1
    return images
