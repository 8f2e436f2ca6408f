"""Whether mirrored images teach what is true: asked of the data, not of the names alone.

In a mirrored image the landmarks of a pair change their names, and any other keeps its own. That is
right for one that lies on the plane of symmetry. One that lies off it, always on the same side, has a
partner that the names did not give away, or none: mirrored, it would be taught on both sides.
"""

from __future__ import annotations

import numpy as np

# Off the plane is what is further from it than these shares of the widest pair's distance, and of the
# size of the whole; faces and skulls are not quite symmetric, and neither are the people who mark them.
_SHARE_OF_PAIR, _SHARE_OF_SIZE = 0.15, 0.03
# Of so many cases that can tell at least, more than half on one side.
_FEWEST_CASES, _MOST = 3, 0.5


def off_the_plane(positions_mm: np.ndarray, landmarks) -> tuple:
    """The names of landmarks without a partner that lie on one side in most cases.

    positions_mm: (N, L, D), NaN where there is none. landmarks: the LandmarkSet; without pairs there
    is no plane, and the answer is empty. Landmarks that are stated to lie on the midline are not
    asked about.
    """
    pairs = [(landmarks.index(a), landmarks.index(b)) for a, b in landmarks.mirror_pairs]
    paired = {index for pair in pairs for index in pair}
    asked = [
        index
        for index, name in enumerate(landmarks.names)
        if index not in paired and name not in landmarks.midline
    ]
    sides = np.array([_sides(points, pairs, asked) for points in positions_mm])
    sides = sides.reshape(len(positions_mm), len(asked))
    known = np.isfinite(sides).sum(0)
    enough = known >= min(_FEWEST_CASES, max(1, len(positions_mm)))
    most = np.maximum((sides > 0).sum(0), (sides < 0).sum(0)) > _MOST * known
    return tuple(landmarks.names[index] for index, off in zip(asked, enough & most) if off)


def _sides(points: np.ndarray, pairs, asked) -> np.ndarray:
    """For each landmark that is asked about -1, 0 or 1: right of the plane, on it, left; or NaN.

    points: (L, D) of one case. The plane is that of the pairs: its normal is what the lines between
    partners have in common, and it goes through their middles.
    """
    unknown = np.full(len(asked), np.nan)
    both = [(a, b) for a, b in pairs if np.isfinite(points[[a, b]]).all()]
    if not both:
        return unknown
    left, right = (points[list(side)] for side in zip(*both))
    across = left - right
    _, _, directions = np.linalg.svd(across, full_matrices=False)
    normal = directions[0]
    # From right to left, so that one landmark's side is the same in all cases.
    if (across @ normal).sum() < 0:
        normal = -normal
    widest = abs(across @ normal).max()
    middle = np.median((left + right) / 2 @ normal)
    known = points[np.isfinite(points).all(1)]
    size = float(np.linalg.norm(np.ptp(known, axis=0)))
    tolerance = max(_SHARE_OF_PAIR * widest, _SHARE_OF_SIZE * size)
    offsets = points[asked] @ normal - middle
    return np.where(np.isfinite(offsets), np.sign(offsets) * (abs(offsets) > tolerance), np.nan)
