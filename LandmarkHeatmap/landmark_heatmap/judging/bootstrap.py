"""Figures over cases and how sure they are: percentiles of a bootstrap.

Points of one case are not independent, so cases are drawn and not points. A statistic is computed
from how often each case was drawn, never from copies of its points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

INTERVAL_PERCENT = 95
# Resamples at a time: bounds the memory that whatever looks at every point takes.
_BLOCK = 200


@dataclass(frozen=True)
class Figure:
    """A number and its 95 % interval (low, high); None where there is too little to tell."""

    value: float = None
    interval: tuple = None

    def to_json(self) -> dict:
        interval = None if self.interval is None else list(self.interval)
        return {"value": self.value, "interval": interval}


def resampled(cases: int, resamples: int, seed: int, groups=None):
    """How often each case is drawn in each resample: (resamples, cases); None below two cases.

    groups: for each case, whose it is: the cases of one patient are drawn together. None below two
    groups.
    """
    if groups is not None:
        _, group_of = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
        drawn = resampled(int(group_of.max(initial=-1)) + 1, resamples, seed)
        return None if drawn is None else drawn[:, group_of]
    if cases < 2 or resamples < 1:
        return None
    return np.random.default_rng(seed).multinomial(cases, np.full(cases, 1 / cases), resamples)


def ratio(numerators, denominators, weights) -> Figure:
    """Sum over cases by sum over cases, such as a mean over the points of all cases.

    numerators, denominators: (cases,), every denominator above zero. weights: from `resampled`.
    """
    if not len(denominators):
        return Figure()
    value = float(numerators.sum() / denominators.sum())
    if weights is None:
        return Figure(value)
    return Figure(value, _interval((weights @ numerators) / (weights @ denominators)))


def mean(values, resamples: int, seed: int) -> Figure:
    """The mean of one number a case; cases with None take no part."""
    known = np.array([value for value in values if value is not None], dtype=float)
    return ratio(known, np.ones(len(known)), resampled(len(known), resamples, seed))


def median(errors, weights) -> Figure:
    """The median of the errors of all cases; errors: an array for each case, none of them empty."""
    if not errors:
        return Figure()
    pooled = np.concatenate(errors)
    value = float(np.median(pooled))
    if weights is None:
        return Figure(value)
    order = np.argsort(pooled)
    case_of_point = _case_of_point(errors)[order]
    medians = []
    for start in range(0, len(weights), _BLOCK):
        # How many drawn points there are up to and with each, from the smallest error upwards.
        rank = np.cumsum(weights[start : start + _BLOCK, case_of_point], axis=1)
        total = rank[:, -1:]
        # Of an even number of points, the median is the mean of the two in the middle.
        low = np.argmax(rank > (total - 1) // 2, axis=1)
        high = np.argmax(rank > total // 2, axis=1)
        medians.append((pooled[order][low] + pooled[order][high]) / 2)
    return Figure(value, _interval(np.concatenate(medians)))


def rank_correlation(first, second, weights) -> Figure:
    """Spearman's correlation over the points of all cases; no value where one side is constant.

    first, second: an array for each case, none of them empty. weights: from `resampled`.
    """
    if not first:
        return Figure()
    x, y = np.concatenate(first), np.concatenate(second)
    value = float(_correlation(x, y, np.ones((1, len(x))))[0])
    if np.isnan(value):
        return Figure()
    if weights is None:
        return Figure(value)
    case_of_point = _case_of_point(first)
    drawn = [
        _correlation(x, y, weights[start : start + _BLOCK, case_of_point])
        for start in range(0, len(weights), _BLOCK)
    ]
    return Figure(value, _interval(np.concatenate(drawn)))


def _correlation(x, y, weights) -> np.ndarray:
    """(resamples,): of the ranks, where each point counts as often as it was drawn."""
    total = weights.sum(1, keepdims=True)
    apart = []
    for values in (x, y):
        ranks = _ranks(values, weights)
        apart.append(ranks - (weights * ranks).sum(1, keepdims=True) / total)
    product, square_x, square_y = (
        (weights * a * b).sum(1)
        for a, b in ((apart[0], apart[1]), (apart[0], apart[0]), (apart[1], apart[1]))
    )
    # Constant ranks leave nothing but rounding.
    scale = np.sqrt(square_x * square_y)
    return np.where(scale > 1e-9 * total[:, 0] ** 3, product / np.maximum(scale, 1e-30), np.nan)


def _ranks(values, weights) -> np.ndarray:
    """(resamples, points): ranks of drawn points, of equal values the mean of theirs."""
    order = np.argsort(values, kind="stable")
    _, first, which = np.unique(values[order], return_index=True, return_inverse=True)
    drawn = np.add.reduceat(weights[:, order], first, axis=1)
    ranks = np.empty(weights.shape)
    ranks[:, order] = (np.cumsum(drawn, axis=1) - drawn / 2)[:, which]
    return ranks


def _case_of_point(arrays) -> np.ndarray:
    return np.repeat(np.arange(len(arrays)), [len(each) for each in arrays])


def _interval(values):
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    outside = (100 - INTERVAL_PERCENT) / 2
    return tuple(float(limit) for limit in np.percentile(values, [outside, 100 - outside]))
