"""The configuration of all landmarks as one Gaussian: where each lies, given all the others.

Pairs of landmarks (prior.py) tell a right peak from a wrong one. All of them together tell more: how
far a landmark may lie from where the others have it, in each direction. The covariance is that of the
training cases, shrunk towards a smooth kernel over the mean shape, as few cases know little of how
distant landmarks vary together. The pose is no part of it: translation, turn and size are free.
Needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from .pose import Pose, agreeing_pose, align, fit_pose, rotation_onto, truncated

# Share of the kernel, its reach and the noise (both of the whole: size of the shape, mean variance);
# the best on left-out cases is taken.
_SHARES, _REACHES, _NOISES = (0.05, 0.2, 0.5, 0.8), (0.25, 0.6), (0.02, 0.1, 0.3)
# So many times cases are left out, and so many of them in all.
_FOLDS, _MOST_LEFT_OUT = 5, 60
_ALIGNMENTS = 3
_FEWEST_CASES, _FEWEST_LANDMARKS = 3, 4
# How freely a pose is found, as a share of the shape's size: more than any error of it.
_FREE = 0.2
# Squared distances that one in a thousand exceeds, by dimension (chi-squared), and how many of the
# left-out landmarks have to stay below.
GATE = {2: 13.816, 3: 16.266}
_PASS_PERCENT = 99
# Of three or four cases, each left out once, what it takes for that cannot be told: it had nothing to do
# with what it took on others, up to 23 where 1.9 were enough, and nothing breaks so wide a shape.
_FEW_CASES, _MOST_WIDENED_OF_FEW = 5, 3.0
# Landmarks that lie wrong count less: the weights are those of a t-distribution.
FREEDOM = 4.0
_ROUNDS = 8
_LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, eq=False)
class Expected:
    """Where all the others have each landmark. mean: (L, D). covariance: (L, D, D), of that alone.
    square: (L,), the Mahalanobis distance squared of what was given, its own covariance included.
    All NaN where nothing is known. spread: (L, D, L, D), own: (L, D, D), there: (L,), what it was made
    of, along the shape's own axes: how they vary together, and how well each was known in the end."""

    mean: np.ndarray
    covariance: np.ndarray
    square: np.ndarray
    spread: np.ndarray
    own: np.ndarray
    there: np.ndarray


@dataclass(frozen=True, eq=False)
class JointShape:
    """mean: (L, D), mm along axes of its own, NaN for landmarks that too few cases have. covariance:
    (L, D, L, D), mm squared, of cases turned onto it. widening: what it takes so that landmarks of
    cases that it was not made of pass."""

    mean: np.ndarray
    covariance: np.ndarray
    widening: float = 1.0

    @property
    def known(self) -> np.ndarray:
        """(L,) bool: the landmarks it says something of."""
        return np.isfinite(self.mean).all(-1)

    def expected(self, positions, covariances, weights=None, given=None) -> Expected:
        """Where the others have each landmark, in any pose.

        positions: (L, D), NaN for what is not there. covariances: (L, D, D) of each. weights: (L,), 0 to
        1, how much each tells of the pose. given: (L,) bool, those that a person has placed, which are
        never doubted. Returns None if too little is there to tell.
        """
        positions = np.asarray(positions, float)
        there = self.known & np.isfinite(positions).all(-1)
        if there.sum() < _FEWEST_LANDMARKS:
            return None
        weights = np.ones(len(positions)) if weights is None else np.asarray(weights, float)
        given = there & (np.zeros(len(positions), bool) if given is None else given)
        placed = np.where(there[:, None], positions, np.nan)
        told = self._told(fit_pose(self.mean, placed), positions, covariances, there, given)
        gate = GATE[self.mean.shape[1]]
        if told is None or not given.any() and not (told.square > gate).any():
            return told
        # Half of them may be wrong, or more: begun again with those that agree.
        pose = agreeing_pose(self.mean, placed, self.deviations(covariances), weights, given)
        again = self._told(pose, positions, covariances, there, given, in_doubt=True)
        cost, other = (
            truncated(np.nan_to_num(each.square), gate, weights, given) for each in (told, again)
        )
        return again if other < cost else told

    def _told(self, pose: Pose, positions, covariances, there, given, in_doubt=False) -> Expected:
        """in_doubt: whether what is far from the mean shape, in this pose, counts less from the start."""
        if pose is None:
            return None
        turn, size = pose.rotation, pose.scale
        apart = (positions - pose.translation) @ turn - size * self.mean
        own = np.einsum("ji,ljk,km->lim", turn, covariances, turn)
        spread, more = size**2 * self.widening * self.covariance, np.zeros_like(own)
        if in_doubt:
            alone = np.einsum("lilj->lij", spread) + own
            more = _unsure(_squares(apart, alone), alone, there & ~given)
        spread = spread + _free(self.mean, size)
        mean, covariance, square, own = _robust(apart, spread, own, there, given, more)
        return Expected(
            (size * self.mean + mean) @ turn.T + pose.translation,
            np.einsum("ij,ljk,mk->lim", turn, covariance, turn),
            square,
            *(spread, own, there),
        )

    def deviations(self, covariances) -> np.ndarray:
        """(L,): how far from the mean shape, in its pose, a landmark may be found, in any direction."""
        of_shape = self.widening * np.einsum("lili->l", self.covariance)
        return np.sqrt((of_shape + np.einsum("lii->l", covariances)) / self.mean.shape[1])


def fit_joint_shape(positions) -> JointShape:
    """From positions (N, L, D) in mm along any axes, NaN where there is none; None if they are too few
    to tell."""
    positions = np.asarray(positions, float)
    if len(positions) < _FEWEST_CASES:
        return None
    mean = align(positions)[1]
    if mean is None or np.isfinite(mean).all(-1).sum() < _FEWEST_LANDMARKS:
        return None
    seen = np.isfinite(positions).all(-1).sum(0) >= _FEWEST_CASES
    mean = np.where(seen[:, None], mean, np.nan)
    if np.isfinite(mean).all(-1).sum() < _FEWEST_LANDMARKS:
        return None
    for _ in range(_ALIGNMENTS):
        # Where landmarks are missing, a case is moved by those that it shares with the mean.
        turned = np.array([onto(mean, each) for each in positions])
        turned = np.where(seen[:, None], turned, np.nan)
        mean = _mean(turned)
    best, widening = _best_form(turned, mean)
    return JointShape(mean, _shrunk(_scatter(turned - mean), mean, *best), widening)


def merged(shapes) -> JointShape:
    """What the shapes of the members of an ensemble say together: they were made of nearly the same
    cases, so the first one's mean, the mean covariance and the widest gate. None unless all have one."""
    shapes = list(shapes)
    if any(shape is None for shape in shapes):
        return None
    first = shapes[0]
    covariances = [first.covariance] + [_as(first.mean, other) for other in shapes[1:]]
    widening = max(shape.widening for shape in shapes)
    return replace(first, covariance=np.mean(covariances, axis=0), widening=widening)


def _as(mean, other: JointShape) -> np.ndarray:
    """The covariance of another shape, along the axes of this mean."""
    both = np.isfinite(mean).all(-1) & other.known
    centred = [each - each[both].mean(0) for each in (other.mean, mean)]
    turn = rotation_onto(centred[0][both], centred[1][both])
    return np.einsum("ij,ajbk,mk->aibm", turn, other.covariance, turn)


def onto(mean, positions) -> np.ndarray:
    """A case moved and turned onto the mean shape; NaN where that cannot be told."""
    both = np.isfinite(mean).all(-1) & np.isfinite(positions).all(-1)
    if both.sum() < mean.shape[1]:
        return np.full_like(positions, np.nan)
    centre, target = positions[both].mean(0), mean[both].mean(0)
    turn = rotation_onto(positions[both] - centre, mean[both] - target)
    return (positions - centre) @ turn.T + target


def _mean(turned) -> np.ndarray:
    there = np.isfinite(turned)
    count = there.sum(0)
    total = np.where(there, turned, 0.0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def size_of(mean) -> float:
    """Root of the mean squared distance of the landmarks (L, D), NaN left out, from their centre."""
    known = mean[np.isfinite(mean).all(-1)]
    return float(np.sqrt(((known - known.mean(0)) ** 2).sum(-1).mean()))


def _scatter(apart) -> tuple:
    """((L, D, L, D), mean variance) of what cases (N, L, D) lie apart from the mean."""
    there = np.isfinite(apart).all(-1)
    apart = np.where(there[..., None], apart, 0.0)
    both = np.maximum(there.T.astype(float) @ there, 1)
    of_cases = np.einsum("nai,nbj->aibj", apart, apart) / both[:, None, :, None]
    variance = (apart**2).sum() / max(1, there.sum() * apart.shape[2])
    return of_cases if there.all() else _of_pairs(of_cases), variance


def _shrunk(scatter, mean, share: float, reach: float, noise: float) -> np.ndarray:
    """(L, D, L, D): what the cases scatter (see `_scatter`), shrunk and with noise."""
    of_cases, variance = scatter
    variance = max(variance, (1e-4 * size_of(mean)) ** 2)
    square = ((mean[:, None] - mean) ** 2).sum(-1)
    kernel = np.nan_to_num(variance * np.exp(-square / 2 / (reach * size_of(mean)) ** 2))
    identity = np.eye(mean.shape[1])
    kernel = kernel[:, None, :, None] * identity[None, :, None, :]
    diagonal = np.eye(len(mean))[:, None, :, None] * identity[None, :, None, :]
    return (1 - share) * of_cases + share * kernel + noise * variance * diagonal


def _of_pairs(covariance) -> np.ndarray:
    """The nearest that is one: pair by pair, each of other cases, it need not be."""
    shape = covariance.shape
    values, vectors = np.linalg.eigh(covariance.reshape(shape[0] * shape[1], -1))
    return ((vectors * np.maximum(values, 0)) @ vectors.T).reshape(shape)


def _free(mean, size: float) -> np.ndarray:
    """(L, D, L, D): a wide variance for motions, turns (linearised) and sizes of the shape."""
    shape = np.nan_to_num(size * (mean - np.nanmean(mean, axis=0)))
    extent, modes = size * size_of(mean), []
    for a in range(mean.shape[1]):
        moved = np.zeros_like(shape)
        moved[:, a] = extent
        modes.append(moved)
        for b in range(a):
            turned = np.zeros_like(shape)
            turned[:, a], turned[:, b] = -shape[:, b], shape[:, a]
            modes.append(turned)
    modes = _FREE * np.array([*modes, shape])
    return np.einsum("mai,mbj->aibj", modes, modes)


def _others_say(apart, spread, own, there) -> tuple:
    """(mean (L, D), covariance (L, D, D)) of each landmark by the others alone.

    apart: (L, D) from the mean. spread: (L, D, L, D). own: (L, D, D), what each is known to. there:
    (L,). Those of the landmarks that are there follow from one inverse (Rasmussen and Williams,
    Gaussian Processes for Machine Learning, 2006, section 5.4.2).
    """
    mean, covariance = np.full(apart.shape, np.nan), np.full(own.shape, np.nan)
    index = np.flatnonzero(there)
    count, d = len(index), apart.shape[1]
    matrix = spread[np.ix_(index, range(d), index, range(d))]
    matrix[range(count), :, range(count), :] += own[index]
    inverse = np.linalg.inv(matrix.reshape(count * d, count * d))
    weighted = (inverse @ apart[index].ravel()).reshape(count, d)
    blocks = np.linalg.inv(inverse.reshape(count, d, count, d)[range(count), :, range(count), :])
    mean[index] = apart[index] - np.einsum("lij,lj->li", blocks, weighted)
    covariance[index] = blocks - own[index]
    for other in np.flatnonzero(~there):
        across = spread[other][:, index].reshape(d, count * d)
        mean[other] = across @ weighted.ravel()
        covariance[other] = spread[other, :, other] - across @ inverse @ across.T
    return mean, covariance


def _robust(apart, spread, own, there, given, more) -> tuple:
    """(mean, covariance, square, own): as `_others_say`, in which those count less that lie wrong: as if
    each were known to as much more as its weight says, of all that could part it from the others' word.
    own: how well each is known, with that.

    more: (L, D, D), with which is begun.
    """
    for _ in range(_ROUNDS):
        mean, covariance = _others_say(apart, spread, own + more, there)
        covariance = _positive(covariance)
        square = _squares(apart - mean, covariance + own)
        last, more = more, _unsure(square, np.nan_to_num(covariance) + own, there & ~given)
    return mean, covariance, square, own + last


def _unsure(square, covariance, doubtful) -> np.ndarray:
    """(L, D, D): how much more badly each is known, by how far it is from where it should be."""
    weights = (FREEDOM + covariance.shape[-1]) / (FREEDOM + np.nan_to_num(square))
    weights = np.where(doubtful, np.clip(weights, _LEAST_WEIGHT, 1.0), 1.0)
    return (1 / weights - 1)[:, None, None] * covariance


def _positive(covariance) -> np.ndarray:
    """Without what rounding made negative."""
    values, vectors = np.linalg.eigh(np.where(np.isfinite(covariance), covariance, 0.0))
    floor = 1e-9 + 1e-6 * values[:, -1:]
    fixed = np.einsum("lij,lj,lkj->lik", vectors, np.maximum(values, floor), vectors)
    return np.where(np.isfinite(covariance), fixed, np.nan)


def _squares(apart, covariance) -> np.ndarray:
    """(L,) Mahalanobis distances squared; NaN where nothing is known."""
    known = np.isfinite(apart).all(-1) & np.isfinite(covariance).all((-2, -1))
    square = np.full(len(apart), np.nan)
    solved = np.linalg.solve(covariance[known], apart[known][..., None])[..., 0]
    square[known] = (apart[known] * solved).sum(-1)
    return square


def _best_form(turned, mean) -> tuple:
    """((share, reach, noise), widening): under which left-out cases are likeliest, and what has to
    be added so that they pass the gate."""
    folds = min(_FOLDS, len(turned))
    free, best = _free(mean, 1.0), None
    parts = [_fold(turned, number, folds) for number in range(folds)]
    for form in product(_SHARES, _REACHES, _NOISES):
        told = [_left_out(*part, form, free) for part in parts]
        logs, squares = (np.concatenate(each) for each in zip(*told))
        if best is None or logs.mean() > best[0]:
            best = logs.mean(), form, squares
    _, form, squares = best
    widest = _MOST_WIDENED_OF_FEW if len(turned) < _FEW_CASES else np.inf
    passed = np.percentile(squares, _PASS_PERCENT) / GATE[mean.shape[1]]
    return form, float(np.clip(passed, 1.0, widest))


def _fold(turned, number: int, folds: int) -> tuple:
    """(the cases of a fold, mean and scatter of all others)."""
    mine = np.arange(len(turned)) % folds == number
    mean = _mean(turned[~mine])
    return turned[mine][: _MOST_LEFT_OUT // folds], mean, _scatter(turned[~mine] - mean)


def _left_out(cases, mean, scatter, form, free) -> tuple:
    """(log likelihoods, Mahalanobis distances squared) of each landmark of left-out cases, by the others
    of its case and by what the other cases say."""
    spread = _shrunk(scatter, mean, *form) + free
    nothing = np.zeros((*mean.shape, mean.shape[1]))
    logs, squares = [], []
    for case in cases - mean:
        there = np.isfinite(case).all(-1)
        if there.sum() < _FEWEST_LANDMARKS:
            continue
        expected, covariance = _others_say(np.nan_to_num(case), spread, nothing, there)
        square = _squares(case - expected, covariance)[there]
        logs.append(-0.5 * (square + np.linalg.slogdet(covariance[there])[1]))
        squares.append(square)
    return np.concatenate(logs or [np.zeros(0)]), np.concatenate(squares or [np.zeros(0)])
