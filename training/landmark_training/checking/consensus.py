"""What most cases agree on, though some are wrong: a mean shape, and which points to leave out.

A shape of all cases (model/joint_shape.py) takes every one at its word; a mirrored one among them
widens it until nothing stands out. So the first look is one that half of the points cannot spoil.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landmark_heatmap.model.pose import Pose, fit_pose, rotation_onto

# So many cases are tried as the first shape, each on so many others.
_TRIED, _TRIED_ON = 8, 24
_ROUNDS = 3
# Farther off than so many times what is usual of a landmark, a point is left out; usual is at least
# this share of what is usual of all.
_FAR, _LEAST_USUAL = 6.0, 0.5
# A case with more points left out than this share is left out as a whole.
_TOO_MANY = 0.4


@dataclass(frozen=True, eq=False)
class Consensus:
    """shape: (L, D), NaN for landmarks that no case has, centred. poses: of each case, None where it has
    too few points. clean: (N, L, D), the positions less those that are far off."""

    shape: np.ndarray
    poses: tuple
    clean: np.ndarray


def consensus(positions) -> Consensus:
    """Of positions (N, L, D) in mm, NaN where there is none; None if no case has three points in common
    with the others."""
    shape = _first_shape(positions)
    if shape is None:
        return None
    for _ in range(_ROUNDS):
        poses = tuple(fit_pose(shape, each) for each in positions)
        aligned = np.array([_brought_back(each, pose) for each, pose in zip(positions, poses)])
        shape = _median(aligned)
        if np.isfinite(shape).all(-1).sum() < 3:
            return None
    far = _far_off(aligned, shape)
    clean = np.where(far[..., None], np.nan, positions)
    there = np.isfinite(positions).all(-1)
    spoilt = (far & there).sum(1) > _TOO_MANY * there.sum(1)
    spoilt |= [pose is None for pose in poses]
    clean[spoilt] = np.nan
    return Consensus(shape, poses, clean)


def _first_shape(positions):
    """The case that is most like the others, as it is."""
    counts = np.isfinite(positions).all(-1).sum(1)
    rng = np.random.default_rng(0)
    tried = [n for n in rng.permutation(len(positions)) if counts[n] >= 3]
    # Those that lack least first; the order among them is random.
    tried = sorted(tried, key=lambda n: -counts[n])[:_TRIED]
    on = rng.permutation(len(positions))[:_TRIED_ON]
    best, least = None, np.inf
    for n in tried:
        centred = positions[n] - np.nanmean(positions[n], axis=0)
        apart = [_apart(centred, positions[other]) for other in on if other != n]
        typical = np.median(apart) if apart else np.inf
        if typical < least:
            best, least = centred, typical
    return best


def _apart(shape, positions) -> float:
    """The median distance of the points from the shape, of its own size; infinite if none is shared."""
    pose = fit_pose(shape, positions)
    if pose is None:
        return np.inf
    return float(np.nanmedian(np.linalg.norm(_brought_back(positions, pose) - shape, axis=-1)))


def pose_of_all(shape, positions) -> Pose:
    """The pose in which a shape comes nearest to positions, both (L, D), NaN for what is unknown, each of
    them taken at its word; None if fewer than three landmarks are known.

    fit_pose takes half of them at their word: of few landmarks so few that they fit in several poses.
    """
    known = np.isfinite(shape).all(-1) & np.isfinite(positions).all(-1)
    if known.sum() < 3:
        return None
    centre, target = shape[known].mean(0), positions[known].mean(0)
    of, to = shape[known] - centre, positions[known] - target
    rotation = rotation_onto(of, to)
    size = float((of**2).sum())
    scale = float((of @ rotation.T * to).sum()) / size if size > 0 else 0.0
    return Pose(rotation, scale, target - scale * centre @ rotation.T) if scale > 0 else None


def apart_from(shape, positions, pose: Pose) -> float:
    """Root of the mean squared distance of positions from the shape in a pose; infinite for None."""
    if pose is None:
        return np.inf
    return float(np.sqrt(np.nanmean(((pose.applied(shape) - positions) ** 2).sum(-1))))


def _brought_back(positions, pose) -> np.ndarray:
    if pose is None:
        return np.full_like(positions, np.nan)
    return (positions - pose.translation) @ pose.rotation / pose.scale


def _median(aligned) -> np.ndarray:
    seen = np.isfinite(aligned).all(-1).any(0)
    shape = np.full(aligned.shape[1:], np.nan)
    shape[seen] = np.nanmedian(aligned[:, seen], axis=0)
    return shape


def _far_off(aligned, shape) -> np.ndarray:
    """(N, L) bool."""
    apart = np.linalg.norm(aligned - shape, axis=-1)
    known = np.isfinite(apart)
    usual = np.full(apart.shape[1], np.nan)
    seen = known.any(0)
    usual[seen] = np.nanmedian(apart[:, seen], axis=0)
    usual = np.fmax(usual, _LEAST_USUAL * np.nanmedian(usual))
    with np.errstate(invalid="ignore"):
        return known & (apart > _FAR * usual)
