"""How differently the cases lie: what augmentation has to cover follows from it."""

from __future__ import annotations

import numpy as np

from landmark_heatmap.model.pose import align, nearest_rotation


def rotation_spread_degrees(positions_mm: np.ndarray) -> float:
    """The angle from the mean pose that 95 % of the cases stay within; None if too few can tell.

    positions_mm: (N, L, D), NaN where there is none.
    """
    turns, _shape = align(positions_mm)
    if turns is None:
        return None
    turns = turns[np.isfinite(turns).all((1, 2))]
    mean = nearest_rotation(np.mean(turns, axis=0))
    cosines = [_cosine(turn @ mean.T) for turn in turns]
    return float(np.degrees(np.percentile(np.arccos(cosines), 95)))


def _cosine(turn: np.ndarray) -> float:
    """Of the angle of a rotation in 2D or 3D."""
    dimension = len(turn)
    return float(np.clip((np.trace(turn) - (dimension - 2)) / 2, -1, 1))
