"""Solids described by their distance to the surface, blended on a grid of voxels.

A distance is negative inside a solid, zero on its surface, positive outside; all lengths are in mm.
Each shape knows the box that holds it, so that it is evaluated only there: a volume of a dozen
bones costs little more than the voxels that the bones fill. The synthetic images are made of these.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..images.geometry import apply_affine

# Beyond every shape's box: so far away that no blend reaches it.
FAR = np.float32(1e3)


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """centre (3,), semi_axes (3,) in mm; the columns of rotation (3, 3) are its axes."""

    centre: np.ndarray
    semi_axes: tuple
    rotation: np.ndarray = field(default_factory=lambda: np.eye(3))

    @property
    def box(self) -> tuple:
        """Centre (3,) and half size (3,) of the box that holds the shape."""
        return self.centre, np.linalg.norm(self.rotation * np.array(self.semi_axes), axis=1)

    def distance(self, points) -> np.ndarray:
        """The distance at points (arrays x, y, z): exact on the surface, nearly so close to it."""
        scaled = [p / np.float32(a) for p, a in zip(_to_frame(points, self), self.semi_axes)]
        level = _length(*scaled)
        slope = _length(*(p / np.float32(a) for p, a in zip(scaled, self.semi_axes)))
        # In the very centre both vanish; there the surface is the shortest semi-axis away.
        tiny = np.float32(1e-4)
        level = np.maximum(level, tiny)
        return level * (level - 1) / np.maximum(slope, tiny / np.float32(min(self.semi_axes)))

    def farthest(self, direction) -> np.ndarray:
        """The surface point (3,) that lies farthest along `direction`."""
        semi_axes = np.array(self.semi_axes)
        stretched = semi_axes * (self.rotation.T @ np.asarray(direction, dtype=float))
        return self.centre + self.rotation @ (semi_axes * stretched / np.linalg.norm(stretched))


@dataclass(frozen=True, eq=False)
class Tube:
    """A rod with round ends from `start` to `end` (3,), its radius changing evenly between them."""

    start: np.ndarray
    end: np.ndarray
    start_radius: float
    end_radius: float

    @property
    def box(self) -> tuple:
        low = np.minimum(self.start - self.start_radius, self.end - self.end_radius)
        high = np.maximum(self.start + self.start_radius, self.end + self.end_radius)
        return (low + high) / 2, (high - low) / 2

    def distance(self, points) -> np.ndarray:
        axis = self.end - self.start
        offset = [p - np.float32(s) for p, s in zip(points, self.start)]
        along = _dot(offset, axis / (axis @ axis))
        np.clip(along, 0, 1, out=along)
        across = _length(*(p - along * np.float32(a) for p, a in zip(offset, axis)))
        widening = np.float32(self.end_radius - self.start_radius)
        return across - np.float32(self.start_radius) - along * widening


@dataclass(frozen=True, eq=False)
class RoundedBox:
    """centre (3,), half_size (3,) up to its faces, rounded by `rounding` mm; axes as above."""

    centre: np.ndarray
    half_size: tuple
    rounding: float
    rotation: np.ndarray = field(default_factory=lambda: np.eye(3))

    @property
    def box(self) -> tuple:
        return self.centre, abs(self.rotation) @ np.array(self.half_size)

    def distance(self, points) -> np.ndarray:
        local = _to_frame(points, self)
        beyond = [abs(p) - np.float32(h - self.rounding) for p, h in zip(local, self.half_size)]
        return _corner_distance(*beyond) - np.float32(self.rounding)

    def farthest(self, direction) -> np.ndarray:
        """The surface point (3,) farthest along a unit `direction`; the middle one of several."""
        local = self.rotation.T @ np.asarray(direction, dtype=float)
        side = np.where(abs(local) < 1e-9, 0, np.sign(local))
        corner = side * (np.array(self.half_size) - self.rounding)
        return self.centre + self.rotation @ (corner + self.rounding * local)


@dataclass(frozen=True, eq=False)
class CurvedPlate:
    """A thin plate bent along a quadratic surface, thicker towards its edge.

    outline: (points, 3) round the edge, inner: (points, 3) inside it; the surface follows both as
    well as a quadratic can. half_thickness in the middle, edge_thickness added at the edge, in mm.
    """

    outline: np.ndarray
    inner: np.ndarray
    half_thickness: float
    edge_thickness: float

    def __post_init__(self):
        centre = np.mean(self.outline, axis=0)
        # The last axis is the one along which the outline spreads least: across the plate.
        rotation = np.linalg.svd(self.outline - centre)[2].T
        flat = np.vstack([self.outline, self.inner]) @ rotation - centre @ rotation
        u, v, w = flat.T
        bend = np.linalg.lstsq(_quadratic(u, v), w, rcond=None)[0]
        for name, value in (("centre", centre), ("rotation", rotation), ("_bend", bend)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_polygon", flat[: len(self.outline), :2])

    @property
    def box(self) -> tuple:
        points = np.vstack([self.outline, self.inner])
        low, high = points.min(axis=0), points.max(axis=0)
        return (low + high) / 2, (high - low) / 2 + self.half_thickness + self.edge_thickness

    def distance(self, points) -> np.ndarray:
        u, v, w = _to_frame(points, self)
        c0, cu, cv, cuu, cuv, cvv = self._bend.astype(np.float32)
        surface = c0 + u * (cu + cuu * u + cuv * v) + v * (cv + cvv * v)
        slope = _length(cu + 2 * cuu * u + cuv * v, cv + cuv * u + 2 * cvv * v, np.float32(1))
        edge = _polygon_distance(u, v, self._polygon)
        # Over the last 14 mm towards the edge the plate swells.
        swell = np.clip(1 + edge / np.float32(14), 0, 1) ** 2
        half = np.float32(self.half_thickness) + np.float32(self.edge_thickness) * swell
        rounding = np.float32(self.half_thickness)
        across = abs(w - surface) / slope - half
        return _corner_distance(across + rounding, edge + rounding) - rounding


@dataclass(frozen=True, eq=False)
class Solid:
    """Shapes in one local frame, blended over `blend` mm, less the carved ones.

    local_to_world: 4x4, mm to mm; a rotation or reflection, so that distances stay true.
    """

    shapes: tuple
    local_to_world: np.ndarray
    blend: float = 6.0
    carved: tuple = ()

    def to_world(self, points) -> np.ndarray:
        """Local points (..., 3) in the world."""
        return apply_affine(self.local_to_world, points)

    def sampled(self, axes, reach_mm) -> Sample:
        """The distances on the part of a grid that the solid touches, up to `reach_mm` round it.

        axes: world coordinates in mm of the voxel centres along x, y, z, each rising. The part is
        empty where the solid lies outside the grid.
        """
        boxes = [self._window(shape, axes, reach_mm) for shape in self.shapes]
        starts = np.min([[s.start for s in box] for box in boxes], axis=0)
        stops = np.max([[s.stop for s in box] for box in boxes], axis=0)
        region = tuple(slice(a, b) for a, b in zip(starts, stops))
        local = self._local_coordinates([a[s] for a, s in zip(axes, region)])
        distance = np.full(local[0].shape, FAR, dtype=np.float32)
        for shape, operation in [(s, self._join) for s in self.shapes] + [
            (s, _carve) for s in self.carved
        ]:
            box = self._window(shape, axes, reach_mm)
            inside = tuple(
                slice(max(0, b.start - r.start), max(0, min(b.stop, r.stop) - r.start))
                for b, r in zip(box, region)
            )[::-1]
            if distance[inside].size:
                found = shape.distance([p[inside] for p in local])
                distance[inside] = operation(distance[inside], found)
        return Sample(region[::-1], distance, local)

    def _join(self, a, b) -> np.ndarray:
        overlap = np.maximum(np.float32(self.blend) - abs(a - b), 0)
        return np.minimum(a, b) - overlap * overlap * np.float32(0.25 / self.blend)

    def _window(self, shape, axes, reach_mm) -> tuple:
        """The voxels along x, y, z that a shape touches, or blends with another over."""
        centre, half = shape.box
        centre = self.to_world(centre)
        half = abs(self.local_to_world[:3, :3]) @ half + self.blend + reach_mm
        return tuple(
            slice(*np.searchsorted(axis, (c - h, c + h))) for axis, c, h in zip(axes, centre, half)
        )

    def _local_coordinates(self, axes) -> list:
        """The local x, y, z at every voxel of a box, each with the axes (K, J, I), float32."""
        turn = self.local_to_world[:3, :3]
        x, y, z = (a - t for a, t in zip(axes, self.local_to_world[:3, 3]))
        return [
            (turn[0, row] * x).astype(np.float32)[None, None, :]
            + (turn[1, row] * y).astype(np.float32)[None, :, None]
            + (turn[2, row] * z).astype(np.float32)[:, None, None]
            for row in range(3)
        ]


@dataclass(frozen=True, eq=False)
class Sample:
    """The part of a volume (slices along K, J, I) that a solid touches, the distances there, and
    the local coordinates x, y, z, each with the axes (K, J, I).
    """

    window: tuple
    distance: np.ndarray
    local: list


def coverage(distance, voxel_mm) -> np.ndarray:
    """How much of each voxel a solid fills, 0 to 1, from the distance at the voxel's centre."""
    return np.clip(np.float32(0.5) - distance / np.float32(voxel_mm), 0, 1)


def _carve(a, b) -> np.ndarray:
    return np.maximum(a, -b)


def _to_frame(points, shape) -> list:
    """Points (three arrays) in the axes of a shape with `centre` and `rotation`."""
    offset = [p - np.float32(c) for p, c in zip(points, shape.centre)]
    if np.array_equal(shape.rotation, np.eye(3)):
        return offset
    return [_dot(offset, shape.rotation[:, column]) for column in range(3)]


def _dot(arrays, vector) -> np.ndarray:
    x, y, z = np.asarray(vector, dtype=np.float32)
    return arrays[0] * x + arrays[1] * y + arrays[2] * z


def _length(*arrays) -> np.ndarray:
    return np.sqrt(sum(a * a for a in arrays))


def _corner_distance(*beyond) -> np.ndarray:
    """The distance to a corner, given how far beyond each of its faces a point lies."""
    inside = np.minimum(np.maximum.reduce(beyond), 0)
    return inside + _length(*(np.maximum(b, 0) for b in beyond))


def _quadratic(u, v) -> np.ndarray:
    """The terms 1, u, v, u2, uv, v2 at points: shape (points, 6)."""
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1)


def _polygon_distance(u, v, polygon) -> np.ndarray:
    """The signed distance to a closed polygon (corners, 2), negative inside."""
    nearest = np.full(u.shape, FAR * FAR, dtype=np.float32)
    inside = np.zeros(u.shape, dtype=bool)
    corners = polygon.astype(np.float32)
    for (u0, v0), (u1, v1) in zip(corners, np.roll(corners, -1, axis=0)):
        du, dv = u1 - u0, v1 - v0
        pu, pv = u - u0, v - v0
        along = np.clip((pu * du + pv * dv) / (du * du + dv * dv), 0, 1)
        np.minimum(nearest, (pu - along * du) ** 2 + (pv - along * dv) ** 2, out=nearest)
        # A ray along u crosses this edge: each crossing goes in or out.
        crosses = ((v0 > v) != (v1 > v)) & ((pu * dv < pv * du) == (dv > 0))
        inside ^= crosses
    return np.where(inside, -1, 1).astype(np.float32) * np.sqrt(nearest)
