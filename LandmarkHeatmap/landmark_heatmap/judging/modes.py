"""Whether a heatmap has a second mode: another peak, with a saddle before it. A ridge has none."""

from __future__ import annotations

import numpy as np

from ..detection.locate import local_maxima

# A channel with a second mode above this share of its maximum counts as having two; it is one of its
# own if the way to it leads below this share of its height. A ridge along an edge is no second mode.
SECOND_MODE, SADDLE = 0.3, 0.8
_MOST_MODES = 3


def second_mode(heatmap: np.ndarray, far: np.ndarray) -> float:
    """The height of the highest mode where `far`, that is no part of the first."""
    first = np.unravel_index(np.argmax(np.where(far, -1, heatmap)), heatmap.shape)
    modes = local_maxima(heatmap, SECOND_MODE * float(heatmap.max()))
    modes = modes[far[tuple(modes.T)]]
    heights = heatmap[tuple(modes.T)]
    for index in np.argsort(-heights)[:_MOST_MODES]:
        above = heatmap >= SADDLE * heights[index]
        if not _reached(above, first)[tuple(modes[index])]:
            return float(heights[index])
    return 0.0


def _reached(mask: np.ndarray, start) -> np.ndarray:
    """What of a mask hangs together with one of its voxels."""
    reached = np.zeros_like(mask)
    reached[tuple(start)] = True
    while True:
        grown = reached
        for axis in range(mask.ndim):
            wide = grown.copy()
            lines = (slice(None),) * axis
            wide[(*lines, slice(1, None))] |= grown[(*lines, slice(None, -1))]
            wide[(*lines, slice(None, -1))] |= grown[(*lines, slice(1, None))]
            grown = wide & mask
        if grown.sum() == reached.sum():
            return reached
        reached = grown
