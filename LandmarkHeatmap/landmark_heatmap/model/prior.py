"""What is known of the shape: where each landmark lies from each other one. Needs no torch.

A heatmap with two peaks leaves the choice open; the other landmarks settle it. For every pair the
vector from one to the other has a mean and a covariance over the training cases, so cases that lack
landmarks still teach the pairs they have. The prior only chooses among the peaks that the network
offers: it cannot pull a position away from one, nor distort training.

Where the cases lie in arbitrary poses these vectors say nothing along the image's axes. The prior then
has a mean shape, and all it knows is along the axes of that: configurations are first turned onto it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .pose import Pose, fit_pose

# Annotation noise: no pair is known better than this share of its length, or this many cases allow.
_RELATIVE_NOISE = 0.05
_PRIOR_CASES = 3
_PRIOR_SPREAD = 0.2
# A pair disagrees at most this much, so that one misplaced landmark does not outvote the others.
_MOST_DISAGREEMENT = 30.0
_ROUNDS = 10
_PLAUSIBLE_PERCENT = 99
# Fewer cases are alike by chance: what is plausible is then told by each of them without itself, and what
# they have not shown yet is this much over their number.
_ENOUGH_CASES = 20
_NOT_SHOWN = 3.0


@dataclass(frozen=True, eq=False)
class ShapePrior:
    """Statistics of the vectors between landmarks, along the axes of the model's grid, in mm.

    mean: (L, L, D), the vector from landmark a to landmark b at [b, a]. covariance: (L, L, D, D), mm
    squared, over the cases. cases: (L, L), how many have both. limit: the implausibility that 99 % of
    all cases stay below, as far as those seen can tell; infinite where one alone cannot. shape: (L, D)
    mm, the mean shape of cases in arbitrary poses, NaN for landmarks that no case has; mean and
    covariance are along its axes then. None for cases that lie alike.
    """

    mean: np.ndarray
    covariance: np.ndarray
    cases: np.ndarray
    limit: float = np.inf
    shape: np.ndarray = None

    def pose_of(self, positions_mm) -> Pose:
        """How a configuration (L, D) lies; NaN for what is not there. None if the cases lie alike, or
        if too little is there to tell."""
        return None if self.shape is None else fit_pose(self.shape, np.asarray(positions_mm, float))

    def merged(self, other: ShapePrior) -> ShapePrior:
        """The statistics of both sets of cases together, fitted along the same axes."""
        cases = self.cases + other.cases
        share = (other.cases / np.maximum(cases, 1))[..., None]
        between = other.mean - self.mean
        mean = self.mean + share * between
        outer = between[..., :, None] * between[..., None, :]
        share = share[..., None]
        covariance = (1 - share) * self.covariance + share * other.covariance
        spread = covariance + share * (1 - share) * outer
        return ShapePrior(mean, spread, cases, max(self.limit, other.limit), self.shape)

    def precision(self) -> np.ndarray:
        """(L, L, D, D): inverses of the covariances, widened by what few cases cannot know."""
        length = np.linalg.norm(self.mean, axis=-1)
        unknown = (_PRIOR_SPREAD * length) ** 2
        cases = self.cases[..., None, None]
        identity = np.eye(self.mean.shape[-1])
        wide = (cases * self.covariance + _PRIOR_CASES * unknown[..., None, None] * identity) / (
            cases + _PRIOR_CASES
        )
        floor = (_RELATIVE_NOISE * length) ** 2 + 1e-9
        return np.linalg.inv(wide + floor[..., None, None] * identity)

    def implausibility(self, positions_mm) -> float:
        """How far a configuration (L, D) is from what was seen; NaN for what is not there.

        The Mahalanobis distance squared of the vector between two landmarks, over their dimension,
        as a mean over all pairs: about one for a typical case. NaN if no pair is known.
        """
        positions = np.asarray(positions_mm, dtype=float)
        if self.shape is not None:
            positions = _turned_back(positions, self.pose_of(positions))
        apart = positions[:, None] - positions - self.mean
        square = np.einsum("bai,baij,baj->ba", apart, self.precision(), apart)
        known = (self.cases > 0) & np.isfinite(square) & ~np.eye(len(positions), dtype=bool)
        return float(square[known].mean() / positions.shape[1]) if known.any() else float("nan")

    def is_plausible(self, positions_mm) -> bool:
        """Whether the configuration is within what 99 % of the cases are."""
        return not self.implausibility(positions_mm) > self.limit


def fit_prior(positions_mm, shape=None) -> ShapePrior:
    """From positions (N, L, D) of N cases along the grid's axes; NaN where there is none.

    shape: (L, D), the mean shape if the cases lie in arbitrary poses (see pose.align).
    """
    turned = positions_mm
    if shape is not None:
        turned = np.array([_turned_back(each, fit_pose(shape, each)) for each in positions_mm])
    prior = _statistics(turned, shape)
    return replace(prior, limit=_limit(prior, positions_mm, turned))


def _limit(prior: ShapePrior, positions_mm, turned) -> float:
    """turned: the positions along the axes of the prior."""
    count = len(positions_mm)
    if count >= _ENOUGH_CASES:
        seen, more = [prior.implausibility(each) for each in positions_mm], 1.0
    else:
        others = [_statistics(np.delete(turned, i, axis=0), prior.shape) for i in range(count)]
        seen = [other.implausibility(each) for other, each in zip(others, positions_mm)]
        more = 1 + _NOT_SHOWN / count
    seen = [value for value in seen if np.isfinite(value)]
    return more * float(np.percentile(seen, _PLAUSIBLE_PERCENT)) if seen else np.inf


def _turned_back(positions, pose: Pose) -> np.ndarray:
    """Positions (..., D) along the axes of the mean shape; NaN if the pose is not known."""
    return np.full_like(positions, np.nan) if pose is None else positions @ pose.rotation


def _statistics(positions_mm, shape) -> ShapePrior:
    """The prior without its limit, of positions that lie alike."""
    vectors = positions_mm[:, :, None] - positions_mm[:, None]
    known = np.isfinite(vectors).all(-1)
    cases = known.sum(0)
    vectors = np.where(known[..., None], vectors, 0.0)
    mean = vectors.sum(0) / np.maximum(cases, 1)[..., None]
    apart = np.where(known[..., None], vectors - mean, 0.0)
    scatter = np.einsum("nbai,nbaj->baij", apart, apart)
    covariance = scatter / np.maximum(cases, 1)[..., None, None]
    return ShapePrior(mean, covariance, cases, shape=shape)


def choose_peaks(candidates, log_heights, votes, prior: ShapePrior) -> list:
    """For each landmark the index of the peak that its height and the other landmarks favour.

    candidates: per landmark (C, D) mm along the grid's axes, highest peak first. log_heights: per
    landmark (C,). votes: (L,) bool, whether a landmark is believed to be there at all.
    Maximises, one landmark at a time until nothing changes (iterated conditional modes: Besag,
    J. R. Statist. Soc. B 48, 1986), the log height less half the mean Mahalanobis distance squared
    to where the others expect it.
    """
    chosen = [0] * len(candidates)
    if prior.shape is not None:
        highest = np.array([options[0] for options in candidates], dtype=float)
        pose = prior.pose_of(np.where(np.asarray(votes)[:, None], highest, np.nan))
        if pose is None:
            return chosen
        candidates = [options @ pose.rotation for options in candidates]
    precision = prior.precision()
    for _ in range(_ROUNDS):
        before = list(chosen)
        for b, options in enumerate(candidates):
            others = (prior.cases[b] > 0) & votes
            others[b] = False
            if len(options) < 2 or not others.any():
                continue
            placed = np.array([c[i] for c, i in zip(candidates, chosen)])[others]
            apart = options[:, None] - placed - prior.mean[b, others]
            square = np.einsum("cai,aij,caj->ca", apart, precision[b, others], apart)
            disagreement = np.minimum(square, _MOST_DISAGREEMENT).mean(1)
            chosen[b] = int(np.argmax(log_heights[b] - disagreement / 2))
        if chosen == before:
            break
    return chosen
