"""Left and right by the shape alone: whether landmarks lie as in a mirror image. Needs no torch.

A scan is mirrored if its slices were stacked the wrong way round, or an axis is flipped in its header.
Where the anatomy is not its own mirror image, its landmarks then fit the shape that a model knows better
when they are mirrored back. Where it is (a skull, a pelvis), they fit as they are, each under the name of
its partner: nothing in the image tells, and that has to be said beforehand.
"""

from __future__ import annotations

import numpy as np

from .joint_shape import GATE, JointShape
from .pose import rotation_onto

# Shares of the landmarks that break the shape: above the one they do not lie as the model knows them,
# up to the other they do. Right ones break it in one of a hundred cases.
MANY, FEW = 0.15, 0.1
_ROUNDS = 10
# What the record of a training says of it.
SYMMETRIC = "is_own_mirror_image"


def symmetry_record(shape: JointShape) -> dict:
    """For the record of a training, which is read without the shape; empty for None."""
    return {} if shape is None else {SYMMETRIC: is_own_mirror_image(shape)}


def share_broken(shape: JointShape, positions) -> float:
    """Of the landmarks (L, D), mm along any axes, NaN for those that are not there, the share that is not
    where the others have it; NaN where too few are there to tell."""
    dimension = shape.mean.shape[1]
    found = np.asarray(positions, float)[:, :dimension]
    told = shape.expected(found, np.zeros((*found.shape, dimension)))
    known = None if told is None else told.square[np.isfinite(told.square)]
    return (
        float("nan") if known is None or not len(known) else float((known > GATE[dimension]).mean())
    )


def lies_mirrored(shape: JointShape, positions) -> bool:
    """Whether landmarks (L, D) that do not lie as they should do so once they are mirrored back."""
    positions = np.asarray(positions, float)
    back = positions * np.array([-1.0] + [1.0] * (positions.shape[1] - 1))
    return share_broken(shape, positions) > MANY and share_broken(shape, back) <= FEW


def is_own_mirror_image(shape: JointShape) -> bool:
    """Whether a mirrored case passes for one that is not, with the names of the partners."""
    known = np.flatnonzero(shape.known)
    mean = shape.mean[known] - shape.mean[known].mean(0)
    # The plane of symmetry of most anatomy is across one of its main axes.
    for normal in np.linalg.svd(mean, full_matrices=False)[2]:
        mirrored = mean - 2 * np.outer(mean @ normal, normal)
        for _ in range(_ROUNDS):
            partners = _partners(mirrored, mean)
            mirrored = mirrored @ rotation_onto(mirrored, mean[partners]).T
        renamed = np.full(shape.mean.shape, np.nan)
        renamed[known[partners]] = mirrored
        if share_broken(shape, renamed) <= FEW:
            return True
    return False


def _partners(mirrored, mean) -> np.ndarray:
    """(L,) for each landmark the one near which its mirror image lies; its own inverse."""
    apart = np.linalg.norm(mirrored[:, None] - mean, axis=-1)
    apart = apart + apart.T
    partners, free = np.arange(len(mean)), np.arange(len(mean))
    while len(free):
        nearest = apart[np.ix_(free, free)].argmin(1)
        mutual = nearest[nearest] == np.arange(len(free))
        partners[free[mutual]] = free[nearest[mutual]]
        free = free[~mutual]
    return partners
