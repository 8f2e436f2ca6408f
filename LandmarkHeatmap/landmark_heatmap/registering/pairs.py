"""One case registered to one image: a pose, then an affine map, then what bends.

First, on coarse views of both, a similarity from several starts by mutual information (Mattes et al.,
IEEE Trans. Med. Imaging 22, 2003) and an affine map from the best. Then the image is brought into the
part of the case that holds its landmarks, and what is left is bent: a coarse B-spline by mutual
information (Rueckert et al., IEEE Trans. Med. Imaging 18, 1999), and demons with symmetric forces
(Vercauteren et al., NeuroImage 45, 2009). Each way of looking gives an answer of its own.

One thread, and nothing is drawn at random: the same every time, on any machine of one kind.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..images.geometry import Image, apply_affine
from ..model.pose import nearest_rotation
from .poses import FINALISTS, best_of, chosen, information, starts
from .views import PLAIN, POSE_VOXELS, VOXELS, View, moved_grid, seen, view_of

_BINS = 32
_SPLINE_ITERATIONS, _DEMONS_ITERATIONS = {2: 30, 3: 12}, 40
# By how much views are shrunk, level by level: at the start, for who is chosen, and for the affine map.
_FIRST, _ROUGH, _FINE = {2: [8], 3: [2]}, {2: [4], 3: [2]}, {2: [4, 2], 3: [1]}
# Voxels along the longest side below which nothing is shrunk.
_SMALLEST = 20
# No two of a kind differ by more along an axis, their size apart.
_MOST_STRETCHED = 1.5
# Control points of the B-spline along the longest side.
_CONTROL_POINTS = {2: 6, 3: 4}
# Voxels by which the field of the demons is smoothed, and the levels at which it is sought.
_STIFF, _LEVELS = 1.5, (2, 1)
# Around a landmark, in voxels either way, how alike case and image are is measured.
_NEAR_VOXELS = 7
# Less bending than this is none.
_LEAST_BENDING = 1e-3


@dataclass(frozen=True, eq=False)
class Carried:
    """Where one way of looking carries the landmarks of a case. positions_lps: (L, 3), NaN where the case
    has none. likeness: (L,), how alike case and image are around each, 0 to 1. quality: how alike they
    are on the whole, over how much they had to be bent for it: to be compared between ways of looking."""

    positions_lps: np.ndarray
    likeness: np.ndarray
    quality: float


@dataclass(frozen=True, eq=False)
class Subject:
    """A case, ready to be registered to any image. coarse: all of it; near: what holds the landmarks."""

    coarse: View
    near: View
    positions_lps: np.ndarray


def carried(case: Subject, image: Image, coarse: View) -> list:
    """A Carried for each way of looking. coarse: the image as `Subject.coarse`."""
    return [
        _bent(case, image, coarse, look, _affine(case.coarse, coarse, look, pose))
        for look, pose in _poses(case.coarse, coarse).items()
    ]


def _bent(case: Subject, image: Image, coarse: View, look: str, affine) -> Carried:
    """From the affine map of the coarse views on."""
    import SimpleITK as sitk

    motion = _motion(case.coarse, coarse, affine)
    # In the frame of the case, whose own grid it gets.
    brought = replace(seen(image, moved_grid(case.near.grid, motion)), grid=case.near.grid)
    fixed, moving = case.near.looks[look], brought.looks[look]
    spline = _spline(fixed, moving)
    outside = brought.border if look == PLAIN else 0.0
    warped = sitk.Resample(moving, fixed, spline, sitk.sitkLinear, outside)
    field = _demons(fixed, warped)
    known = np.isfinite(case.positions_lps).all(1)
    start = case.near.from_lps(case.positions_lps[known])
    ends = [spline.TransformPoint(field.TransformPoint(p)) for p in start.tolist()]
    positions = np.full(case.positions_lps.shape, np.nan)
    ends = np.array(ends).reshape(len(start), case.near.dimension)
    positions[known] = apply_affine(motion, case.near.to_lps(ends))
    likeness = np.zeros(len(known))
    final = sitk.Resample(warped, fixed, field, sitk.sitkLinear, outside)
    arrays = [sitk.GetArrayFromImage(each) for each in (fixed, final)]
    likeness[known] = [_alike(*arrays, p / case.near.spacing_mm) for p in start]
    return Carried(
        positions, likeness, _correlation(*arrays) / max(_bending(field), _LEAST_BENDING)
    )


def _bending(field) -> float:
    """Root mean square of the gradients of a field's displacements, which have no unit."""
    import SimpleITK as sitk

    image = field.GetDisplacementField()
    values, spacing = sitk.GetArrayViewFromImage(image), image.GetSpacing()[::-1]
    slopes = [
        np.gradient(values[..., component], spacing[axis], axis=axis)
        for component in range(values.shape[-1])
        for axis in range(values.ndim - 1)
    ]
    return float(np.sqrt(sum((slope**2).mean() for slope in slopes)))


def _alike(one, other, index) -> float:
    """The correlation of two arrays around an index (x, y (, z))."""
    middle = np.rint(index[::-1]).astype(int)
    window = tuple(slice(max(m - _NEAR_VOXELS, 0), max(m + _NEAR_VOXELS + 1, 1)) for m in middle)
    return _correlation(one[window], other[window])


def _correlation(one, other) -> float:
    """Of two arrays of one shape; 0 for what is not alike at all."""
    a, b = one.ravel().astype(float), other.ravel().astype(float)
    if a.size < 2:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(np.clip(a @ b / norm, 0, 1)) if norm > 0 else 0.0


def _motion(case: View, image: View, affine) -> np.ndarray:
    """(4, 4): the map from the case's frame to the image's, from LPS to LPS."""
    d = case.dimension
    matrix = np.eye(4)
    matrix[:d, :d], matrix[:d, 3] = affine[:d, :d], affine[:d, d]
    to_frame = np.diag([*case.grid.spacing_mm, 1]) @ np.linalg.inv(case.grid.ijk_to_lps)
    from_frame = image.grid.ijk_to_lps @ np.diag([*(1 / image.grid.spacing_mm), 1])
    return from_frame @ matrix @ to_frame


# --- the pose, and the affine map


def _poses(case: View, image: View) -> dict:
    """Each way of looking to a pose, (D + 1, D + 1), from the case's frame to the image's; all of them
    from one start."""
    as_it_lies, turned = starts(case, image)
    tried = [_Tried.of(case, image, each) for each in (*as_it_lies, *turned)]
    some = best_of(tried, len(as_it_lies), FINALISTS)
    closer = [each.closer(case, image) for each in some]
    return chosen(closer, sum(each in tried[: len(as_it_lies)] for each in some)).poses


@dataclass(frozen=True, eq=False)
class _Tried:
    """What became of one start: a pose and a score for each way of looking."""

    poses: dict
    scores: dict

    @classmethod
    def of(cls, case: View, image: View, start) -> _Tried:
        """A similarity from a start, at low resolution."""
        found = {k: _similar(case, image, k, start, _FIRST) for k in case.looks}
        return cls._scored(case, image, found)

    def closer(self, case: View, image: View) -> _Tried:
        found = {k: _similar(case, image, k, pose, _ROUGH) for k, pose in self.poses.items()}
        return self._scored(case, image, found)

    @classmethod
    def _scored(cls, case: View, image: View, poses) -> _Tried:
        return cls(poses, {k: _score(case, image, k, pose) for k, pose in poses.items()})


def _similar(case: View, image: View, look: str, start, levels) -> np.ndarray:
    import SimpleITK as sitk

    d = case.dimension
    similarity = sitk.Similarity2DTransform() if d == 2 else sitk.Similarity3DTransform()
    centre = case.size_mm / 2
    size = np.linalg.det(start[:d, :d]) ** (1 / d)
    linear = size * nearest_rotation(start[:d, :d])
    similarity.SetCenter(centre.tolist())
    similarity.SetMatrix(linear.ravel().tolist(), 1e-6)
    similarity.SetTranslation((start[:d, :d] @ centre + start[:d, d] - centre).tolist())
    return _optimised(case, image, look, similarity, levels[d], 40)


def _affine(case: View, image: View, look: str, pose) -> np.ndarray:
    """From a pose; that itself where the case would be stretched or squeezed beyond belief."""
    import SimpleITK as sitk

    d, centre = case.dimension, case.size_mm / 2
    affine = sitk.AffineTransform(d)
    affine.SetCenter(centre.tolist())
    affine.SetMatrix(pose[:d, :d].ravel().tolist())
    affine.SetTranslation((pose[:d, :d] @ centre + pose[:d, d] - centre).tolist())
    found = _optimised(case, image, look, affine, _FINE[d], 80)
    stretched = np.linalg.svd(found[:d, :d] @ np.linalg.inv(pose[:d, :d]), compute_uv=False)
    is_sound = stretched.min() > 1 / _MOST_STRETCHED and stretched.max() < _MOST_STRETCHED
    return found if is_sound else pose


def _optimised(
    case: View, image: View, look: str, transform, shrink, iterations: int
) -> np.ndarray:

    fixed, moving, unit = case.looks[look], image.looks[look], float(case.spacing_mm.max())
    start = _matrix_of(transform)
    method = _method()
    # Small images are small enough.
    shrink = [max(1, min(each, max(fixed.GetSize()) // _SMALLEST)) for each in shrink]
    method.SetShrinkFactorsPerLevel(shrink)
    method.SetSmoothingSigmasPerLevel([0.75 * each * unit for each in shrink])
    method.SetSmoothingSigmasAreSpecifiedInPhysicalUnits(True)
    method.SetOptimizerAsRegularStepGradientDescent(2 * unit, 1e-3 * unit, iterations, 0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(transform, True)
    try:
        method.Execute(fixed, moving)
    except RuntimeError:
        # They have left each other, or never met.
        return start
    found = _matrix_of(transform)
    return found if np.isfinite(found).all() and np.linalg.det(found) > 0 else start


def _method():
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetNumberOfWorkUnits(1)
    method.SetMetricAsMattesMutualInformation(_BINS)
    method.SetInterpolator(sitk.sitkLinear)
    return method


def _matrix_of(transform) -> np.ndarray:
    d = transform.GetDimension()
    matrix = np.eye(d + 1)
    matrix[:d, d] = transform.TransformPoint([0.0] * d)
    for axis in range(d):
        unit = np.eye(d)[axis].tolist()
        matrix[:d, axis] = np.array(transform.TransformPoint(unit)) - matrix[:d, d]
    return matrix


def _score(case: View, image: View, look: str, matrix) -> float:
    """How much the case and the image, brought to it, say of each other, seen one way."""
    import SimpleITK as sitk

    d = case.dimension
    affine = sitk.AffineTransform(d)
    affine.SetMatrix(matrix[:d, :d].ravel().tolist())
    affine.SetTranslation(matrix[:d, d].tolist())
    fixed, outside = case.looks[look], image.border if look == PLAIN else 0.0
    brought = sitk.Resample(image.looks[look], fixed, affine, sitk.sitkLinear, outside)
    return information(*map(sitk.GetArrayViewFromImage, (fixed, brought)))


# --- what bends


def _spline(fixed, moving):
    """A B-spline of a few control points; nothing where that fails."""
    import SimpleITK as sitk

    size = np.array(fixed.GetSize()) * fixed.GetSpacing()
    points, iterations = (
        each[fixed.GetDimension()] for each in (_CONTROL_POINTS, _SPLINE_ITERATIONS)
    )
    mesh = np.maximum(1, np.rint(points * size / size.max())).astype(int).tolist()
    spline = sitk.BSplineTransformInitializer(fixed, mesh)
    unit, method = float(max(fixed.GetSpacing())), _method()
    shrink = max(1, min(4, max(fixed.GetSize()) // _SMALLEST))
    method.SetShrinkFactorsPerLevel([shrink])
    method.SetSmoothingSigmasPerLevel([0.75 * shrink * unit])
    method.SetSmoothingSigmasAreSpecifiedInPhysicalUnits(True)
    method.SetOptimizerAsLBFGSB(1e-5, iterations, 5, 200)
    method.SetInitialTransform(spline, True)
    try:
        method.Execute(fixed, moving)
    except RuntimeError:
        return sitk.Transform(fixed.GetDimension(), sitk.sitkIdentity)
    return spline


def _demons(fixed, moving):
    """The field that is left, as a transform."""
    import SimpleITK as sitk

    field, unit = None, float(max(fixed.GetSpacing()))
    for level in _LEVELS:
        one, other = (_shrunk(each, level, unit) for each in (fixed, moving))
        demons = sitk.FastSymmetricForcesDemonsRegistrationFilter()
        demons.SetNumberOfThreads(1)
        demons.SetNumberOfIterations(_DEMONS_ITERATIONS)
        demons.SetStandardDeviations(_STIFF)
        demons.SetSmoothDisplacementField(True)
        if field is None:
            field = demons.Execute(one, other)
        else:
            field = sitk.Resample(field, one, sitk.Transform(), sitk.sitkLinear, 0.0)
            field = demons.Execute(one, other, field)
    return sitk.DisplacementFieldTransform(sitk.Cast(field, sitk.sitkVectorFloat64))


def _shrunk(image, level: int, unit: float):
    import SimpleITK as sitk

    smooth = sitk.SmoothingRecursiveGaussian(image, 0.7 * level * unit)
    return sitk.Shrink(smooth, [min(level, n) for n in image.GetSize()])


def subject(image: Image, positions_lps) -> Subject:
    """image: in mm, or in px with voxels of 1 px. positions_lps: (L, 3), NaN where there is none."""
    known = positions_lps[np.isfinite(positions_lps).all(1)]
    return Subject(view_of(image, POSE_VOXELS), view_of(image, VOXELS, known), positions_lps)
