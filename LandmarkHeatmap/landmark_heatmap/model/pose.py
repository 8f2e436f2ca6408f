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
# A landmark that is more than so many standard deviations off a pose counts as no further off.
_TRUNCATED = 3.0
# What is given counts as much as this share of all.
_GIVEN_SHARE = 1 / 8
# What no camera and no growth does to a shape: a few wrong landmarks can ask for any size.
_MOST_SCALED = 3.0


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
    poses = _least_squares(*(each[_samples(len(shape))] for each in (shape, positions)))
    if poses is None:
        poses = _least_squares(shape[None], positions[None])
    if poses is None:
        return None
    medians = np.median([_distances(pose, shape, positions) for pose in poses], axis=1)
    best, least = poses[int(np.argmin(medians))], float(medians.min())
    agrees = _distances(best, shape, positions) <= max(_OUTLIER * least, 1e-9)
    if agrees.sum() < _FEWEST:
        return best
    again = _least_squares(shape[None, agrees], positions[None, agrees])
    return best if again is None else again[0]


def agreeing_pose(shape, positions, deviations, weights, given) -> Pose:
    """The pose with which the most of `positions` agree, however few they are; None if none can be told.

    shape, positions: (L, D), NaN for what is unknown. deviations: (L,), how far a right landmark may
    lie off. weights: (L,), what each counts. given: (L,) bool, those that are known to be right.

    Of many poses, each from as few landmarks as it takes, that with the least sum of squares, truncated
    where a landmark is wrong anyway: more than half may be, as long as they do not agree on another
    pose. Landmarks that are given are not truncated: see `truncated`.
    """
    known = np.isfinite(shape).all(-1) & np.isfinite(positions).all(-1)
    if known.sum() < _FEWEST:
        return None
    shape, positions, given = shape[known], positions[known], given[known]
    deviations, weights = deviations[known], np.where(given, 1.0, weights[known])
    few = _samples(len(shape), shape.shape[1], given)
    poses = _least_squares(shape[few], positions[few]) or []
    whole = _least_squares(shape[None], positions[None]) or []
    poses = [p for p in (*poses, *whole) if 1 / _MOST_SCALED < p.scale < _MOST_SCALED]
    if not poses:
        return fit_pose(shape, positions)
    squares = (np.array([_distances(pose, shape, positions) for pose in poses]) / deviations) ** 2
    best = int(np.argmin(truncated(squares, _TRUNCATED**2, weights, given)))
    agrees = (squares[best] < _TRUNCATED**2) | given
    if agrees.sum() < _FEWEST:
        return poses[best]
    again = _least_squares(shape[None, agrees], positions[None, agrees])
    return poses[best] if again is None else again[0]


def truncated(squares, most: float, weights, given) -> np.ndarray:
    """The sum of squares (..., L), each at most `most`; but what is beyond that counts for many where
    a landmark is given. Far off, it outvotes any number of others; a little off, as odd anatomy is, none.
    """
    beyond = np.where(given, np.maximum(squares - most, 0), 0).sum(-1)
    many = max(1.0, _GIVEN_SHARE * squares.shape[-1])
    return np.minimum(squares, most) @ weights + many * beyond


def _samples(count: int, size: int = _FEWEST, given=None) -> np.ndarray:
    """(S, size) indices of random landmarks, no one twice in a sample; the same every time.

    given: (count,) bool; all but one of a sample, if there are so many, are from these in every second
    sample.
    """
    order = np.random.default_rng(0).random((_SAMPLES, count))
    if given is not None and given.any():
        some = np.flatnonzero(given)[order[::2][:, given].argsort(axis=1)[:, : size - 1]]
        np.put_along_axis(order[::2], some, -1.0, axis=1)
    return order.argsort(axis=1)[:, :size]


def _distances(pose: Pose, shape, positions) -> np.ndarray:
    return np.linalg.norm(pose.applied(shape) - positions, axis=-1)


def _least_squares(shapes, positions) -> list:
    """A pose from each (N, D) of (S, N, D): Umeyama, IEEE Trans. Pattern Anal. Mach. Intell. 13, 1991.

    Points that lie in one place tell none; None if that is so in every sample.
    """
    centre, target = shapes.mean(1, keepdims=True), positions.mean(1, keepdims=True)
    from_centre, to_centre = shapes - centre, positions - target
    rotations = nearest_rotation(np.swapaxes(to_centre, 1, 2) @ from_centre)
    turned = from_centre @ np.swapaxes(rotations, 1, 2)
    sizes = (from_centre**2).sum((1, 2))
    scales = (turned * to_centre).sum((1, 2)) / np.where(sizes > 0, sizes, np.inf)
    poses = [
        Pose(rotation, float(scale), (to - scale * of @ rotation.T)[0])
        for rotation, scale, of, to in zip(rotations, scales, centre, target)
        if scale > 0
    ]
    return poses or None


def rotation_onto(points, target) -> np.ndarray:
    """The rotation R for which points @ R.T, (L, D), come nearest to target (Kabsch, Acta Cryst. A 32,
    1976). Both centred."""
    return nearest_rotation(target.T @ points)


def nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    """The rotation, without reflection, that is nearest to each matrix (..., D, D)."""
    u, _, vt = np.linalg.svd(matrix)
    u[..., -1] *= np.sign(np.linalg.det(u @ vt))[..., None]
    return u @ vt


def degrees_of(rotation: np.ndarray) -> float:
    """The angle of a rotation (D, D), 0 to 180."""
    cosine = (np.trace(rotation) - (len(rotation) - 2)) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def align(positions: np.ndarray) -> tuple:
    """(rotations (N, D, D), mean shape (L, D)): each case turned onto the mean shape of all.

    positions: (N, L, D), NaN where there is none. A case p becomes p @ rotation.T, from its centre
    (generalised Procrustes analysis without scaling: Gower, Psychometrika 40, 1975). A case with too
    few landmarks to be turned has NaN for its rotation. The mean shape lies along its own principal
    axes, so that other cases of the same anatomy give it the same way round. None, None below three
    usable cases, or if two of them have too little in common.
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
    axes = _own_axes(mean)
    rotations = np.full((len(positions), *turns[0].shape), np.nan)
    rotations[usable] = [axes.T @ turn for turn in turns]
    return rotations, mean @ axes


def _own_axes(shape) -> np.ndarray:
    """(D, D), columns: the principal axes of a shape, the longest first, each towards where it has the
    longer tail; the last as it makes them right-handed."""
    known = shape[np.isfinite(shape).all(-1)]
    known = known - known.mean(0)
    axes = np.linalg.eigh(known.T @ known)[1][:, ::-1]
    axes = axes * np.where(((known @ axes) ** 3).sum(0) < 0, -1, 1)
    axes[:, -1] *= np.sign(np.linalg.det(axes))
    return axes


def _turn(points, target) -> np.ndarray:
    """The rotation of points (L, D) onto target by what both have, None if that is too little."""
    both = np.isfinite(points).all(-1) & np.isfinite(target).all(-1)
    if both.sum() < _FEWEST:
        return None
    return rotation_onto(points[both] - points[both].mean(0), target[both] - target[both].mean(0))
