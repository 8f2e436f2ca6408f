"""How a case may lie in an image: the starts of a registration, and which of them is the right one.

Specimens and photographs lie as they were put there, patients all alike. So the case as it lies, by the
patient's axes, is tried first, and another way round is taken only where it fits clearly better.
"""

from __future__ import annotations

from itertools import permutations, product

import numpy as np

from .views import View

# Another pose has to explain so much more than the case as it lies.
_CLEARLY_BETTER = 1.15
# So many of the starts are looked at more closely.
FINALISTS = 2
_BINS = 24


def starts(case: View, image: View) -> list:
    """(4, 4) matrices or (3, 3) in 2D, from the case's frame to the image's, as it lies first."""
    d = case.dimension
    turn = np.eye(d)
    if d == 3:
        turn = image.grid.directions.T @ case.grid.directions
    size = _size(image) / _size(case) if case.grid.unit == "px" else 1.0
    size = float(np.clip(size, 0.5, 2.0))
    middles = _middle(case), _middle(image)
    as_it_lies = [
        _matrix(turn, 1.0, case.size_mm / 2, image.size_mm / 2),
        _matrix(turn, size, *middles),
    ]
    own, target = _axes(case), _axes(image)
    turned = [_matrix(target @ each @ own.T, size, *middles) for each in _signed(d)]
    if d == 2:
        turned += [_matrix(turn @ each, size, *middles) for each in _signed(2)[1:]]
    return as_it_lies, turned


def _matrix(turn, size: float, from_, to) -> np.ndarray:
    d = len(turn)
    matrix = np.eye(d + 1)
    matrix[:d, :d] = size * turn
    matrix[:d, d] = to - matrix[:d, :d] @ from_
    return matrix


def _signed(d: int) -> list:
    """All rotations that lead axes onto axes, the identity first: 4 in 2D, 24 in 3D."""
    found = []
    for order, signs in product(permutations(range(d)), product((1, -1), repeat=d)):
        matrix = np.eye(d)[list(order)] * np.array(signs)[:, None]
        if np.linalg.det(matrix) > 0:
            found.append(matrix)
    return found


def _weights(view: View) -> np.ndarray:
    """What differs from what lies around, as (J, I) or (K, J, I)."""
    import SimpleITK as sitk

    apart = abs(view.values - view.border)
    image = sitk.GetImageFromArray(apart)
    threshold = sitk.OtsuThresholdImageFilter()
    threshold.Execute(image)
    weights = (apart > threshold.GetThreshold()).astype(float)
    return weights if weights.any() else np.ones_like(apart)


def _points(view: View) -> np.ndarray:
    return np.argwhere(_weights(view) > 0)[:, ::-1][:, : view.dimension] * view.spacing_mm


def _middle(view: View) -> np.ndarray:
    return _points(view).mean(0)


def _size(view: View) -> float:
    """How far what is seen reaches, root mean square, mm."""
    points = _points(view)
    return max(float(np.sqrt(points.var(0).sum())), float(view.spacing_mm.min()))


def _axes(view: View) -> np.ndarray:
    """(D, D), columns: principal axes, the longest first, right-handed."""
    points = _points(view)
    axes = np.linalg.eigh(np.cov(points.T) + 1e-9 * np.eye(view.dimension))[1][:, ::-1].copy()
    axes[:, -1] *= np.sign(np.linalg.det(axes))
    return axes


def information(one: np.ndarray, other: np.ndarray) -> float:
    """Mutual information of two arrays of one shape, 0 to 1 each, in nats."""
    index = np.minimum((np.stack([one.ravel(), other.ravel()]) * _BINS).astype(int), _BINS - 1)
    joint = np.bincount(index[0] * _BINS + index[1], minlength=_BINS * _BINS)
    joint = joint.reshape(_BINS, _BINS) / joint.sum()
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    some = joint > 0
    return float((joint[some] * np.log(joint[some] / apart[some])).sum())


def best_of(tried, lying: int, finalists: int) -> list:
    """The first `lying` of those tried, which are the case as it lies, and the best of the others."""
    told = told_scores(tried)
    others = sorted(range(lying, len(tried)), key=lambda index: -told[index])[:finalists]
    return [tried[index] for index in (*range(lying), *others)]


def chosen(tried, lying: int):
    """The best one; the case as it lies, the first `lying`, unless another is clearly better."""
    told = told_scores(tried)
    best = max(range(lying), key=lambda index: told[index])
    other = max(range(len(tried)), key=lambda index: told[index])
    return tried[other if told[other] > _CLEARLY_BETTER * told[best] else best]


def told_scores(tried) -> np.ndarray:
    """(N,): each way of looking counts as much, its best as one."""
    scores = np.array([list(each.scores.values()) for each in tried])
    return (scores / np.maximum(scores.max(0), 1e-12)).mean(1)
