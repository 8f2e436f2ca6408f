"""How differently the cases lie: what augmentation has to cover follows from it."""

from __future__ import annotations

import numpy as np

from landmark_heatmap.model.pose import align, degrees_of, nearest_rotation


def rotation_spread_degrees(positions_mm: np.ndarray) -> float:
    """The angle from the mean pose that 95 % of the cases stay within; None if too few can tell.

    positions_mm: (N, L, D), NaN where there is none.
    """
    turns, _shape = align(positions_mm)
    if turns is None:
        return None
    turns = turns[np.isfinite(turns).all((1, 2))]
    mean = nearest_rotation(np.mean(turns, axis=0))
    return float(np.percentile([degrees_of(turn @ mean.T) for turn in turns], 95))
