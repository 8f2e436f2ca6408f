"""How a configuration of landmarks lies: the motion that takes a mean shape onto it. Needs no torch.

Small animals, bones and photographs lie in the scanner as they were put there. What is known of a
shape then holds along the shape's own axes, not the image's; the pose is what leads from one to the
other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# A pose needs at least so many landmarks; alignment of many cases is repeated so often.
_FEWEST = 3
_ROUNDS = 5
# Samples of landmarks that are tried, and how many median distances off a landmark is ignored.
_SAMPLES = 300
_OUTLIER = 4.0


@dataclass(frozen=True, eq=False)
class Pose:
    """position = scale * rotation @ shape + translation. rotation: (D, D), no reflection."""

    rotation: np.ndarray
    scale: float
    translation: np.ndarray

    def applied(self, shape: np.ndarray) -> np.ndarray:
        """Where the landmarks of a shape (..., D) are in this pose."""
        return self.scale * shape @ self.rotation.T + self.translation


def fit_pose(shape: np.ndarray, positions: np.ndarray) -> Pose:
    """The pose in which most of `positions` agree with `shape`, both (L, D), NaN for what is unknown;
    None if fewer than three landmarks are known.

    Up to half of the positions may be wrong: of many poses, each from a few landmarks, the one with
    the least median distance is taken (least median of squares: Rousseeuw, J. Am. Stat. Assoc. 79,
    1984), and then fitted again to the landmarks that agree with it.
    """
    known = np.isfinite(shape).all(-1) & np.isfinite(positions).all(-1)
    if known.sum() < _FEWEST:
        return None
    shape, positions = shape[known], positions[known]
    rng = np.random.default_rng(0)
    best, least = None, np.inf
    for sample in _samples(len(shape), rng):
        pose = _least_squares(shape[sample], positions[sample])
        median = np.inf if pose is None else np.median(_distances(pose, shape, positions))
        if median < least:
            best, least = pose, median
    if best is None:
        return None
    agrees = _distances(best, shape, positions) <= max(_OUTLIER * least, 1e-9)
    if agrees.sum() < _FEWEST:
        return best
    return _least_squares(shape[agrees], positions[agrees]) or best


def _samples(count: int, rng):
    """First all landmarks, then random few of them."""
    yield np.arange(count)
    for _ in range(_SAMPLES if count > _FEWEST else 0):
        yield rng.choice(count, _FEWEST, replace=False)


def _distances(pose: Pose, shape, positions) -> np.ndarray:
    return np.linalg.norm(pose.applied(shape) - positions, axis=-1)


def _least_squares(shape, positions) -> Pose:
    """Umeyama, IEEE Trans. Pattern Anal. Mach. Intell. 13, 1991; None for points in one place."""
    from_centre, to_centre = shape - shape.mean(0), positions - positions.mean(0)
    size = (from_centre**2).sum()
    rotation = rotation_onto(from_centre, to_centre)
    scale = float(((from_centre @ rotation.T) * to_centre).sum() / size) if size else 0.0
    if scale <= 0:
        return None
    return Pose(rotation, scale, positions.mean(0) - scale * shape.mean(0) @ rotation.T)


def rotation_onto(points, target) -> np.ndarray:
    """The rotation R for which points @ R.T, (L, D), come nearest to target (Kabsch, Acta Cryst. A 32,
    1976). Both centred."""
    return nearest_rotation(target.T @ points)


def nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    """The rotation, without reflection, that is nearest to a matrix (D, D)."""
    u, _, vt = np.linalg.svd(matrix)
    signs = np.ones(len(matrix))
    signs[-1] = np.sign(np.linalg.det(u @ vt))
    return u * signs @ vt


def align(positions: np.ndarray) -> tuple:
    """(rotations (N, D, D), mean shape (L, D)): each case turned onto the mean shape of all.

    positions: (N, L, D), NaN where there is none. A case p becomes p @ rotation.T, from its centre
    (generalised Procrustes analysis without scaling: Gower, Psychometrika 40, 1975). A case with too
    few landmarks to be turned has NaN for its rotation. None, None below three usable cases, or if
    two of them have too little in common.
    """
    usable = np.isfinite(positions).all(-1).sum(1) >= _FEWEST
    if usable.sum() < _FEWEST:
        return None, None
    centred = [p - np.nanmean(p, axis=0) for p in positions[usable]]
    # The case that lacks least is what the others are turned onto first.
    mean = min(centred, key=lambda p: np.isnan(p).sum())
    for _ in range(_ROUNDS):
        turns = [_turn(p, mean) for p in centred]
        if any(turn is None for turn in turns):
            return None, None
        turned = np.array([p @ turn.T for p, turn in zip(centred, turns)])
        seen = np.isfinite(turned).any(0)
        mean = np.where(
            seen, np.nansum(turned, axis=0) / np.isfinite(turned).sum(0).clip(1), np.nan
        )
    rotations = np.full((len(positions), *turns[0].shape), np.nan)
    rotations[usable] = turns
    return rotations, mean


def _turn(points, target) -> np.ndarray:
    """The rotation of points (L, D) onto target by what both have, None if that is too little."""
    both = np.isfinite(points).all(-1) & np.isfinite(target).all(-1)
    if both.sum() < _FEWEST:
        return None
    return rotation_onto(points[both] - points[both].mean(0), target[both] - target[both].mean(0))
