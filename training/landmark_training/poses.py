"""How differently the cases lie: what augmentation has to cover follows from it."""

from __future__ import annotations

import numpy as np

# Rigid alignment needs at least so many landmarks in common, and poses so many cases.
_FEWEST = 3
_ROUNDS = 5


def rotation_spread_degrees(positions_mm: np.ndarray) -> float:
    """The angle from the mean pose that 95 % of the cases stay within; None if too few can tell.

    positions_mm: (N, L, D), NaN where there is none. Each case is turned onto the mean shape of all
    (generalised Procrustes analysis: Gower, Psychometrika 40, 1975).
    """
    turns = _alignments(positions_mm)
    if turns is None:
        return None
    mean = _nearest_rotation(np.mean(turns, axis=0))
    cosines = [_cosine(turn @ mean.T) for turn in turns]
    return float(np.degrees(np.percentile(np.arccos(cosines), 95)))


def _alignments(positions) -> np.ndarray:
    """(N, D, D): the rotation of each case onto the mean shape, None below three cases."""
    usable = [p for p in positions if np.isfinite(p).all(-1).sum() >= _FEWEST]
    if len(usable) < _FEWEST:
        return None
    centred = [p - np.nanmean(p, axis=0) for p in usable]
    # The case that lacks least is what the others are turned onto first.
    mean = min(centred, key=lambda p: np.isnan(p).sum())
    for _ in range(_ROUNDS):
        turns = [_rotation(p, mean) for p in centred]
        if any(turn is None for turn in turns):
            return None
        turned = np.array([p @ turn.T for p, turn in zip(centred, turns)])
        seen = np.isfinite(turned).any(0)
        mean = np.where(
            seen, np.nansum(turned, axis=0) / np.isfinite(turned).sum(0).clip(1), np.nan
        )
    return np.array(turns)


def _rotation(points, target) -> np.ndarray:
    """The rotation that takes points (L, D) nearest to target (Kabsch), None if too few agree."""
    both = np.isfinite(points).all(-1) & np.isfinite(target).all(-1)
    if both.sum() < _FEWEST:
        return None
    a = points[both] - points[both].mean(0)
    b = target[both] - target[both].mean(0)
    return _nearest_rotation(b.T @ a)


def _nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    u, _, vt = np.linalg.svd(matrix)
    signs = np.ones(len(matrix))
    signs[-1] = np.sign(np.linalg.det(u @ vt))
    return u * signs @ vt


def _cosine(turn: np.ndarray) -> float:
    """Of the angle of a rotation in 2D or 3D."""
    dimension = len(turn)
    return float(np.clip((np.trace(turn) - (dimension - 2)) / 2, -1, 1))
