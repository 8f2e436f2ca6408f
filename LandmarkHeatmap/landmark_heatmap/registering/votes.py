"""What the cases say, put together: a position for each landmark, and how far it may be off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# A way of looking whose registration fits worse than the best one's counts by this power of the ratio.
_SHARPNESS = 20.0
# Cases count by this power of how alike they are to the image around the landmark.
_LIKENESS = 2.0
_ROUNDS = 15
# Beyond so many times the scatter of the others, a vote counts less and less.
_HUBER = 1.5


@dataclass(frozen=True, eq=False)
class Combined:
    """positions (L, D); covariances (L, D, D), of where the landmark is around them, mm squared; votes
    (L,), how many cases speak for it, as if all counted alike. NaN where no case has the landmark."""

    positions: np.ndarray
    covariances: np.ndarray
    votes: np.ndarray


def weights_of(likeness, qualities) -> np.ndarray:
    """(C, W, L): what each case, seen each way, counts; the best way of a case as much as its likeness.

    likeness: (C, W, L), 0 to 1. qualities: (C, W), how well each way of looking fitted.
    """
    best = np.maximum(qualities.max(1, keepdims=True), 1e-12)
    ways = (np.maximum(qualities, 1e-12) / best) ** _SHARPNESS
    ways = ways / ways.sum(1, keepdims=True)
    alike = np.maximum(np.nan_to_num(likeness), 0.05) ** _LIKENESS
    return ways[..., None] * alike


def combined(positions, weights, blur_mm: float) -> Combined:
    """positions: (C, W, L, D), NaN where a case has no such landmark. weights: (C, W, L). blur_mm: what
    even a perfect registration is off along an axis."""
    cases, ways, count, d = positions.shape
    found = [
        _one(positions[:, :, i].reshape(-1, d), weights[:, :, i].ravel(), ways, blur_mm)
        for i in range(count)
    ]
    return Combined(*(np.array(each) for each in zip(*found)))


def _one(votes, weights, ways: int, blur_mm: float) -> tuple:
    case_of = np.arange(len(votes)) // ways
    known = np.isfinite(votes).all(1) & (weights > 0)
    d = votes.shape[1]
    if not known.any():
        return np.full(d, np.nan), np.full((d, d), np.nan), 0.0
    votes, weights, case_of = votes[known], weights[known] / weights[known].sum(), case_of[known]
    centre = np.array([_median(line, weights) for line in votes.T])
    robust = weights
    for _ in range(_ROUNDS):
        apart = np.linalg.norm(votes - centre, axis=1)
        scale = max(_median(apart, weights), 0.5 * blur_mm)
        robust = weights * np.minimum(1, _HUBER * scale / np.maximum(apart, 1e-12))
        robust = robust / robust.sum()
        centre = robust @ votes
    per_case = np.bincount(case_of, robust)
    effective = 1 / (per_case**2).sum()
    scatter = ((votes - centre).T * robust) @ (votes - centre)
    # Cases that were registered alike are off alike: the scatter shrinks slowly with their number.
    covariance = blur_mm**2 * (1 + 1 / effective) / 2 * np.eye(d) + scatter / np.sqrt(effective)
    return centre, covariance, effective


def _median(values, weights) -> float:
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weights[order]), 0.5 * weights.sum())])
