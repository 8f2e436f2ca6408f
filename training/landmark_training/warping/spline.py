"""Thin-plate splines in space: the smoothest maps that take given points exactly onto others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landmark_heatmap.errors import DatasetError

# Slopes are taken no nearer to a given point than this, in mm: there the spline has a crease.
_NEAREST = 1e-6
# Points that are evaluated at a time.
_SLAB = 2**17


@dataclass(frozen=True, eq=False)
class ThinPlateSpline:
    """x -> (1, x) @ affine + sum of weights * |x - centre| (Bookstein, IEEE Trans. Pattern Anal. Mach.
    Intell. 11, 1989; in space the kernel is the distance itself).

    centres: (N, 3) mm. affine: (4, 3). weights: (N, 3).
    """

    centres: np.ndarray
    affine: np.ndarray
    weights: np.ndarray

    @classmethod
    def through(cls, source, target) -> ThinPlateSpline:
        """The spline that takes each of `source` (N, 3) onto its `target` (N, 3).

        Raises DatasetError for points that leave it open: two in one place, or all in one plane.
        """
        source, target = np.asarray(source, float), np.asarray(target, float)
        count = len(source)
        system = np.zeros((count + 4,) * 2)
        system[:count, :count] = _distances(source, source)
        system[:count, count:] = np.column_stack([np.ones(count), source])
        system[count:, :count] = system[:count, count:].T
        wanted = np.vstack([target, np.zeros((4, 3))])
        if np.linalg.matrix_rank(system) < len(system):
            raise DatasetError(
                f"No map can be found through {count} points: two of them lie in one place, or all in one"
                " plane."
            )
        solved = np.linalg.solve(system, wanted)
        return cls(source, solved[count:], solved[:count])

    def at(self, points) -> np.ndarray:
        """Where points (..., 3) go."""
        points = np.asarray(points, float)
        flat = points.reshape(-1, 3)
        parts = [self._slab(flat[i : i + _SLAB]) for i in range(0, len(flat), _SLAB)]
        return np.concatenate(parts or [flat]).reshape(points.shape)

    def _slab(self, points) -> np.ndarray:
        bent = _distances(points, self.centres) @ self.weights
        return through_affine(self.affine, points) + bent

    def stretch(self, points) -> np.ndarray:
        """The determinant of the map's derivative at points (N, 3): how many times larger a small
        volume becomes; zero or less where it folds."""
        points = np.asarray(points, float)
        slopes = np.repeat(self.affine[None, 1:], len(points), axis=0)
        for centre, weight in zip(self.centres, self.weights):
            apart = points - centre
            far = np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), _NEAREST)
            slopes += (apart / far)[:, :, None] * weight
        return np.linalg.det(slopes)


def least_stretch(spline: ThinPlateSpline, low, high, step: float) -> tuple:
    """(the least of `stretch` in the box from low to high (3,), where): on a lattice of `step` mm, and
    all around the given points, where the spline bends most."""
    axes = [np.arange(a, b + step, step) for a, b in zip(low, high)]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    around = np.stack(np.meshgrid(*[(-0.5, 0.5)] * 3), axis=-1).reshape(-1, 3)
    close = (spline.centres[:, None] + around).reshape(-1, 3)
    points = np.concatenate([lattice, close])
    stretch = spline.stretch(points)
    lowest = int(np.argmin(stretch))
    return float(stretch[lowest]), points[lowest]


def least_squares_affine(source, target) -> np.ndarray:
    """The affine map (4, 3), of (1, x), that takes `source` (N, 3) nearest to `target` (N, 3)."""
    return np.linalg.lstsq(np.column_stack([np.ones(len(source)), source]), target, rcond=None)[0]


def through_affine(affine, points) -> np.ndarray:
    """points (N, 3) through an affine map of (1, x)."""
    return affine[0] + np.asarray(points) @ affine[1:]


def _distances(a, b) -> np.ndarray:
    """(N, M), exact also where it is small, as by the square of sums it would not be."""
    return np.sqrt(sum((a[:, None, axis] - b[None, :, axis]) ** 2 for axis in range(a.shape[1])))
