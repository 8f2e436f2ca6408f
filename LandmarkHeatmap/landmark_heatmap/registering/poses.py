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
# The search over all places: voxels along the longest side, how many places are tried, how far from each
# other in voxels, which share of what could overlap has to, and what more of it is worth.
_SEARCH_VOXELS, _SHIFTS, _SEARCH_APART, _LEAST_OVERLAP, _OVERLAP_POWER = 40, 3, 3, 0.2, 0.4
_LEAST_BRIGHT = 0.55


def starts(case: View, image: View) -> tuple:
    """(those of the case as it lies, those where it is turned): matrices, (4, 4), or (3, 3) in 2D, from
    the case's frame to the image's."""
    d = case.dimension
    turn = np.eye(d)
    if d == 3:
        turn = image.grid.directions.T @ case.grid.directions
    size = _size(image) / _size(case) if case.grid.unit == "px" else 1.0
    size = float(np.clip(size, 0.5, 2.0))
    middles = _middle(case), _middle(image)
    as_it_lies = [
        *_shifted(case, image, turn),
        _matrix(turn, 1.0, case.size_mm / 2, image.size_mm / 2),
        _matrix(turn, size, *middles),
    ]
    own, target = _axes(case), _axes(image)
    turned = [_matrix(target @ each @ own.T, size, *middles) for each in _signed(d)]
    if d == 2:
        turned += [_matrix(turn @ each, size, *middles) for each in _signed(2)[1:]]
    return as_it_lies, turned


def _shifted(case: View, image: View, turn) -> list:
    """Starts where the case, as it lies, is most alike to the image, of all places: an image may show
    far more or less than the case, or another part (Padfield, IEEE Trans. Image Process. 21, 2012)."""
    import SimpleITK as sitk

    d = case.dimension
    unit = float(max(case.size_mm.max(), image.size_mm.max())) / _SEARCH_VOXELS
    # The image along the axes of the case.
    size = abs(turn.T) @ image.size_mm
    upright = _matrix(turn, 1.0, size / 2, image.size_mm / 2)
    small, large = (
        _coarse(view, matrix, extent, unit)
        for view, matrix, extent in (
            (case, np.eye(d + 1), case.size_mm),
            (image, upright, size),
        )
    )
    masks = [sitk.Cast(each >= 0, sitk.sitkFloat32) for each in (large, small)]
    alike = sitk.MaskedFFTNormalizedCorrelation(large, small, *masks, 0, _LEAST_OVERLAP)
    values = sitk.GetArrayFromImage(alike) * _overlap(alike.GetSize()) ** _OVERLAP_POWER
    found = []
    for _ in range(_SHIFTS):
        at = np.array(np.unravel_index(np.argmax(values), values.shape))
        near = tuple(slice(max(0, a - _SEARCH_APART), a + _SEARCH_APART + 1) for a in at)
        values[near] = -1
        # Where the first voxel of the case comes to lie.
        shift = (at[::-1] - (np.array(small.GetSize()) - 1)) * unit
        found.append(upright @ _matrix(np.eye(d), 1.0, np.zeros(d), shift))
    return found


def _overlap(size) -> np.ndarray:
    """For each place (K, J, I) the share that case and image have in common there, if of one size."""
    lines = [1 - abs(np.arange(n) - (n - 1) / 2) / ((n + 1) / 2) for n in size[::-1]]
    overlap = np.ones(())
    for line in lines:
        overlap = overlap[..., None] * line
    return overlap


def _coarse(view: View, matrix, extent, unit: float):
    """A view at a coarse spacing, as an ITK image, smoothed; -1 where the view does not reach."""
    import SimpleITK as sitk

    d = view.dimension
    affine = sitk.AffineTransform(d)
    affine.SetMatrix(matrix[:d, :d].ravel().tolist())
    affine.SetTranslation(matrix[:d, d].tolist())
    # What is soft and all around looks alike everywhere: of it, only the brighter half counts.
    bright = float(np.median(view.values[_weights(view) > 0]))
    bright = sitk.Clamp(view.itk, sitk.sitkFloat32, min(bright, _LEAST_BRIGHT), 1.0)
    smooth = sitk.SmoothingRecursiveGaussian(bright, 0.5 * unit)
    size = np.maximum(1, np.rint(np.asarray(extent) / unit)).astype(int).tolist()
    return sitk.Resample(
        *(smooth, size, affine, sitk.sitkLinear, [0.0] * d, [unit] * d),
        *(np.eye(d).ravel().tolist(), -1.0, sitk.sitkFloat32),
    )


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
