"""From image to positions in mm, with a network whose right answer is known by formula.

The image is a bright Gaussian blob; the network says that the landmark is where it is bright. What
is then tested is all the rest: grids, resampling, decoding, affines, confidence, crops.
"""

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.annotation.doubt import OTHER_PEAK
from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet, PointState
from landmark_heatmap.detection.locate import find_peaks, locate
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.detection.prepare import intensity_window, prepare, scaled, stage_grid
from landmark_heatmap.errors import PredictionError
from landmark_heatmap.images.geometry import Grid, Image
from landmark_heatmap.model.description import (
    IntensityNormalisation,
    ModelDescription,
    ModelIdentity,
    NetworkConfig,
    Stage,
)
from landmark_heatmap.model.joint_shape import fit_joint_shape
from landmark_heatmap.model.logits import Logits
from landmark_heatmap.model.model_file import Model
from landmark_heatmap.model.prior import fit_prior

BLOB_MM, SIGMA_MM, SPACING_MM = 6.0, 4.0, 2.0


class BrightIsHere(torch.nn.Module):
    """Belief proportional to a power of the intensity; in 'nowhere' as much as it is told."""

    nowhere = -30.0

    def forward(self, image):
        unit = ((image + 1) / 2).clamp_min(1e-9)
        logits = torch.log(unit) * (BLOB_MM / SIGMA_MM) ** 2
        return Logits(logits, torch.full((1, 1), self.nowhere))


def predictor_for(dimension, network=None):
    stage = Stage("coarse", (SPACING_MM,) * dimension, SIGMA_MM, NetworkConfig(dimension, 1))
    description = ModelDescription(
        name="Blob",
        landmarks=LandmarkSet((Landmark("Blob", "the brightest place"),)),
        intensity=IntensityNormalisation("window", 0, 1000),
        stages=(stage,),
    )
    model = Model(description, (network or BrightIsHere(),), ModelIdentity("Blob", "1", "0" * 64))
    return Predictor(model, "cpu")


def blob_image(affine, size_ijk, blob_lps):
    """The blob, sampled on any grid: the same thing in space whatever the affine."""
    empty = Image(np.zeros(size_ijk[::-1], dtype=np.float32), affine)
    ijk = np.stack(np.meshgrid(*map(np.arange, size_ijk), indexing="ij"), axis=-1)
    offset = empty.grid.to_lps(ijk) - blob_lps
    if min(size_ijk) == 1:
        # One slice shows the blob where the slice is.
        normal = affine[:3, size_ijk.index(1)] / np.linalg.norm(affine[:3, size_ijk.index(1)])
        offset = offset - (offset @ normal)[..., None] * normal
    values = 1000 * np.exp(-0.5 * (offset**2).sum(-1) / BLOB_MM**2)
    return Image(values.T.astype(np.int16), affine)


def affine_of(directions, spacing, centre_lps, size_ijk):
    affine = np.eye(4)
    affine[:3, :3] = directions * np.array(spacing)
    affine[:3, 3] = centre_lps - affine[:3, :3] @ ((np.array(size_ijk) - 1) / 2)
    return affine


def oblique(seed):
    directions, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return directions if np.linalg.det(directions) > 0 else -directions


CENTRE = np.array([20.0, -35.0, 110.0])
BLOB = CENTRE + [3.3, -5.7, 4.1]
SIGNED_AXES = [
    np.eye(3)[:, list(axes)] * signs
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


@pytest.mark.parametrize("directions", SIGNED_AXES[::5])
def test_flipped_permuted_and_left_handed_axes_give_the_same_position(directions):
    size, spacing = (30, 34, 38), (1.5, 1.6, 1.4)
    image = blob_image(affine_of(directions, spacing, CENTRE, size), size, BLOB)
    found = predictor_for(3).predict(image).points[0]
    assert np.abs(found.position_lps - BLOB).max() < 0.1 * SPACING_MM


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("spacing", [(1.5, 1.5, 1.5), (0.8, 0.8, 4.0), (3.0, 1.0, 1.0)])
@pytest.mark.parametrize("hand", [1, -1])
def test_oblique_anisotropic_and_left_handed_images_give_the_same_position(seed, spacing, hand):
    size = tuple(int(60 / s) for s in spacing)
    directions = oblique(seed) * [1, 1, hand]
    image = blob_image(affine_of(directions, spacing, CENTRE, size), size, BLOB)
    found = predictor_for(3).predict(image).points[0]
    assert np.abs(found.position_lps - BLOB).max() < 0.1 * max(SPACING_MM, *spacing)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("seed", [None, 5])
def test_a_single_slice_along_any_axis_is_a_2d_image(axis, seed):
    size = [40, 40, 40]
    size[axis] = 1
    directions = np.eye(3) if seed is None else oblique(seed)
    image = blob_image(affine_of(directions, (1.5,) * 3, CENTRE, size), tuple(size), BLOB)
    found = predictor_for(2).predict(image).points[0]
    normal = directions[:, axis]
    in_plane = BLOB - ((BLOB - CENTRE) @ normal) * normal
    assert np.abs(found.position_lps - in_plane).max() < 0.1 * SPACING_MM


def test_the_heatmap_is_a_crop_that_peaks_at_the_position_with_height_one():
    size = (50, 50, 50)
    image = blob_image(affine_of(oblique(1), (1.5,) * 3, CENTRE, size), size, BLOB)
    prediction = predictor_for(3).predict(image)
    heatmap = prediction.points[0].heatmap
    peak = np.unravel_index(np.argmax(heatmap.array), heatmap.array.shape)[::-1]

    # Of the whole image, in voxels of the model.
    assert heatmap.array.size < 0.5 * image.array.size * (1.5 / 2.0) ** 3
    assert np.linalg.norm(heatmap.grid.to_lps(peak) - BLOB) < SPACING_MM
    # The highest voxel lies up to half a voxel beside the peak.
    assert 0.85 < heatmap.array.max() <= 1.01
    assert prediction.points[0].confidence > 0.9
    combined = prediction.combined_heatmap().array
    assert combined.max() == heatmap.array.max()
    assert combined.sum() == pytest.approx(heatmap.array.sum(), rel=1e-3)


def test_a_landmark_believed_to_be_nowhere_is_absent():
    network = BrightIsHere()
    network.nowhere = 30.0
    size = (30, 30, 30)
    image = blob_image(affine_of(np.eye(3), (2.0,) * 3, CENTRE, size), size, BLOB)
    prediction = predictor_for(3, network).predict(image)
    assert prediction.annotation().state("Blob") is PointState.ABSENT
    assert prediction.points[0].confidence < 0.01


def test_the_prediction_is_an_annotation_with_definition_and_confidence():
    size = (30, 30, 30)
    image = blob_image(affine_of(np.eye(3), (2.0,) * 3, CENTRE, size), size, BLOB)
    point = predictor_for(3).predict(image).annotation().points["Blob"]
    assert point.state is PointState.PREDICTED
    assert point.definition == "the brightest place"
    assert 0.9 < point.confidence <= 1


def test_progress_is_told_from_beginning_to_end():
    size, told = (20, 20, 20), []
    image = blob_image(affine_of(np.eye(3), (2.0,) * 3, CENTRE, size), size, BLOB)
    predictor_for(3).predict(image, lambda stage, fraction: told.append(fraction))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1)


@pytest.mark.parametrize(("dimension", "size"), [(2, (9, 9, 9)), (3, (9, 9, 1))])
def test_a_model_for_the_other_dimension_says_so(dimension, size):
    image = Image(np.zeros(size[::-1], dtype=np.float32), np.eye(4))
    with pytest.raises(PredictionError, match=f"{dimension}D.*9 x 9 x"):
        predictor_for(dimension).predict(image)


def test_an_image_with_an_absurd_spacing_is_refused_before_memory_is_asked_for():
    image = Image(np.zeros((20, 20, 20), dtype=np.int16), np.diag([1e4, 1e4, 1e4, 1]))
    with pytest.raises(PredictionError, match="spacing"):
        predictor_for(3).predict(image)


def test_a_model_that_would_need_too_much_memory_is_refused_before_it_takes_it():
    """A model of one mm, 60 landmarks, and a whole CT."""
    network = NetworkConfig(3, 60, (12, 24), 0, 1)
    stage = Stage("coarse", (1.0, 1.0, 1.0), 1.5, network)
    grid = Grid((512, 512, 600), np.diag([0.8, 0.8, 0.8, 1]))
    with pytest.raises(PredictionError, match="60 landmarks would need some 4[0-9] GB"):
        stage_grid(grid, stage)
    few = replace(stage, spacing_mm=(4.0, 4.0, 4.0))
    assert stage_grid(grid, few).size_ijk == (103, 103, 120)


@pytest.mark.parametrize(("dimension", "shape"), [(3, (20, 20, 20)), (2, (1, 20, 20))])
def test_an_image_in_metres_is_refused_and_not_said_to_be_empty(dimension, shape):
    image = Image(np.zeros(shape, dtype=np.float32), np.diag([0.001, 0.001, 0.001, 1]))
    with pytest.raises(PredictionError, match="far too small.*Check the spacing"):
        predictor_for(dimension).predict(image)


def test_voxels_that_are_not_finite_count_as_the_lowest():
    array = np.array([[[0.0, np.nan, 500.0, np.inf, 1000.0]]])
    window = intensity_window(array, IntensityNormalisation("window", 0, 1000))
    np.testing.assert_allclose(scaled(array, window), [[[-1, -1, 0, -1, 1]]])


def test_an_image_without_any_finite_voxel_is_refused():
    with pytest.raises(PredictionError, match="finite"):
        intensity_window(np.full((1, 2, 2), np.nan), IntensityNormalisation())


def test_a_constant_image_can_be_normalised():
    array = np.full((1, 4, 4), 7.0)
    window = intensity_window(array, IntensityNormalisation())
    assert np.isfinite(scaled(array, window)).all()


def blobs(shape, *centres_and_heights):
    """Gaussian blobs of sigma two voxels."""
    k, j, i = np.ogrid[tuple(map(slice, shape))]
    return sum(
        height * np.exp(-0.5 * ((k - c[0]) ** 2 + (j - c[1]) ** 2 + (i - c[2]) ** 2) / 4)
        for c, height in centres_and_heights
    ).astype(np.float32)


def test_separate_peaks_are_found_and_flanks_are_not():
    grid = Image(np.zeros((30, 30, 30)), np.eye(4)).grid
    heatmap = blobs((30, 30, 30), ((8, 8, 8), 0.6), ((20, 9, 22), 0.3), ((8, 25, 25), 0.01))
    assert [tuple(p) for p in find_peaks(heatmap, grid, 2.0)] == [(8, 8, 8), (20, 9, 22)]


def test_the_peaks_of_a_smooth_heatmap_are_found_without_trying_every_voxel():
    size = (60, 60, 60)
    ramp = (np.indices(size).sum(axis=0) + 100).astype(np.float32)
    grid = Image(ramp, np.eye(4)).grid
    start = time.process_time()
    assert [tuple(p) for p in find_peaks(ramp, grid, 2.0)] == [(59, 59, 59)]
    assert time.process_time() - start < 5


@pytest.mark.parametrize("seed", range(4))
def test_peaks_are_those_that_a_search_of_every_voxel_finds(seed):
    rng = np.random.default_rng(seed)
    heatmap = rng.integers(0, 40, (9, 1 if seed == 3 else 11, 10)).astype(np.float32)
    grid = Image(heatmap, np.diag([1.0, 2.0, 1.5, 1.0])).grid
    indices = np.argwhere(np.ones_like(heatmap, bool))
    wanted = []
    for index in sorted(indices, key=lambda each: -heatmap[tuple(each)]):
        around = heatmap[tuple(slice(max(0, n - 1), n + 2) for n in index)]
        apart = [np.linalg.norm((index - p) * grid.spacing_mm[::-1]) for p in wanted]
        if heatmap[tuple(index)] >= around.max() and all(a > 3 for a in apart):
            wanted.append(index)
    found = find_peaks(heatmap, grid, 1.0)
    assert [tuple(p) for p in found] == [tuple(p) for p in wanted[:3]]


def test_a_network_whose_output_is_not_finite_is_refused():
    network = BrightIsHere()
    network.nowhere = float("nan")
    with pytest.raises(PredictionError, match="not finite"):
        predictor_for(3, network).predict(blob_image(np.eye(4), (20, 20, 20), (9, 9, 9)))


def test_the_prior_decides_between_two_peaks_of_a_heatmap():
    grid = Image(np.zeros((30, 30, 30)), np.eye(4)).grid
    stage = Stage("coarse", (1, 1, 1), 2.0, NetworkConfig(3, 2))
    heatmaps = np.stack(
        [
            blobs((30, 30, 30), ((8, 8, 8), 0.9)),
            blobs((30, 30, 30), ((8, 8, 25), 0.5), ((8, 22, 8), 0.4)),
        ]
    )
    shape = np.array([[0.0, 0, 0], [0, 14, 0]])  # along i, j, k: the second lies 14 mm along j
    prior = fit_prior(shape + np.random.default_rng(0).normal(0, 1, (10, 2, 3)))
    for knowledge, expected in ((None, (25, 8, 8)), (prior, (8, 22, 8))):
        points = locate(("A", "B"), heatmaps, np.ones(2), grid, stage, knowledge)
        np.testing.assert_allclose(points[1].position_lps, expected, atol=0.1)


@pytest.mark.parametrize("value", [0, 7, -1e-9])
def test_an_image_of_one_intensity_is_refused_and_no_landmark_made_up(value):
    stage = Stage("coarse", (2.0, 2.0), 4.0, NetworkConfig(2, 1, (4, 8), 4, joint_level=1))
    image = Image(np.full((1, 20, 20), value, np.float32), np.eye(4))
    with pytest.raises(PredictionError, match="All voxels .* nothing to see"):
        prepare(image, stage, IntensityNormalisation("percentiles", 0.5, 99.5))


def test_an_image_beside_the_window_of_the_model_is_refused_with_both_ranges():
    stage = Stage("coarse", (2.0, 2.0), 4.0, NetworkConfig(2, 1, (4, 8), 4, joint_level=1))
    image = Image(np.arange(400, dtype=np.float32).reshape(1, 20, 20) - 5000, np.eye(4))
    with pytest.raises(PredictionError, match="-49.* to -46.* -1000 to 1000"):
        prepare(image, stage, IntensityNormalisation("window", -1000, 1000))


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e18])
def test_the_size_of_the_numbers_changes_nothing_of_what_is_seen(scale):
    array = np.arange(400, dtype=np.float32).reshape(1, 20, 20)
    seen = scaled(array * np.float32(scale), (0, 399 * scale))
    assert np.allclose(seen, scaled(array, (0, 399)), atol=1e-5)


def test_memory_that_does_not_suffice_for_a_second_look_is_told_in_words(monkeypatch):
    def lacks(*arguments):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    size = (50, 50, 50)
    image = blob_image(affine_of(oblique(1), (1.5,) * 3, CENTRE, size), size, BLOB)
    predictor = predictor_for(3)
    sight = predictor.sighted(image)
    monkeypatch.setattr(type(sight), "answered", lacks)
    with pytest.raises(PredictionError, match="not enough memory on 'cpu'"):
        predictor.predict(image)


class LacksAnOperationThere(BrightIsHere):
    """As a GPU of a Mac may: on the device 'meta', which stands for one here."""

    def forward(self, image):
        if image.device.type == "meta":
            raise NotImplementedError("upsample_trilinear3d")
        return super().forward(image)


def test_a_device_that_lacks_an_operation_is_left_for_the_processor_with_a_word():
    size = (50, 50, 50)
    image = blob_image(affine_of(oblique(1), (1.5,) * 3, CENTRE, size), size, BLOB)
    expected = predictor_for(3).predict(image)
    predictor = Predictor(predictor_for(3, LacksAnOperationThere()).model, "meta")
    with pytest.warns(UserWarning, match="lacks an operation"):
        found = predictor.predict(image)
    assert "upsample_trilinear3d" in predictor.note and str(predictor.device) == "cpu"
    np.testing.assert_allclose(found.points[0].position_lps, expected.points[0].position_lps)


class SaysSo(torch.nn.Module):
    """Of each landmark (L, 2), in voxels of a grid: there, or a little less likely elsewhere."""

    def __init__(self, first, second, size=64):
        super().__init__()
        y, x = np.mgrid[:size, :size]
        bumps = [
            [np.exp(-((x - a) ** 2 + (y - b) ** 2) / 8) for a, b in each]
            for each in (first, second)
        ]
        values = np.array([one + 0.6 * other for one, other in zip(*bumps)])
        self.logits = torch.log(torch.tensor(values + 1e-9, dtype=torch.float32))[None]

    def forward(self, image):
        return Logits(self.logits, torch.full((1, self.logits.shape[1]), -30.0))


def test_what_breaks_the_shape_is_mended_in_detection_and_what_was_seen_is_kept():
    rng = np.random.default_rng(0)
    mean = rng.uniform(10, 54, (8, 2))
    cases = SPACING_MM * (mean + 0.3 * rng.normal(size=(30, 8, 2)))
    wrong = mean.copy()
    wrong[3] = np.where(mean[3] > 32, mean[3] - 20, mean[3] + 20)
    names = tuple("ABCDEFGH")
    plain = predictor_for(2, SaysSo(wrong, mean))
    description = replace(
        plain.description,
        landmarks=LandmarkSet(tuple(map(Landmark, names))),
        stages=(replace(plain.description.stages[0], network=NetworkConfig(2, 8)),),
    )
    image = Image(np.full((1, 64, 64), 500, np.int16), np.diag([SPACING_MM, SPACING_MM, 1, 1]))
    image.array[0, 0, 0] = 0
    kept = []

    def found(joint):
        model = replace(plain.model, description=description, joint=joint)
        return Predictor(model, "cpu").predict(image, keep=kept.append).points

    def off(point):
        return np.linalg.norm(point.position_lps[:2] - SPACING_MM * mean[3])

    before, after = found(None), found(fit_joint_shape(cases))
    assert off(before[3]) > 40 and before[3].doubt.look is None
    assert off(after[3]) < 1.0 and after[3].doubt.look == OTHER_PEAK
    assert [point.doubt.look for point in after if point.name != "D"] == [None] * 7
    given = {"A": np.array([*SPACING_MM * mean[0], 0.0])}
    assert [each.proposals(given) for each in kept] == [(), ()]
    # Placed by a person, a landmark stays, though the others have it elsewhere.
    odd = {"D": before[3].position_lps}
    assert kept[1].proposals(odd) == ()
