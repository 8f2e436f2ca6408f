"""The fine stage: crops lie where they should, and what is found in them is found in the world."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.detection.locate import Choice, Found
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.detection.refine import Refiner, Source, crop_grid, read_crop
from landmark_heatmap.errors import ModelFileError
from landmark_heatmap.images.geometry import Image, canonical_grid
from landmark_heatmap.model.description import (
    IntensityNormalisation,
    ModelDescription,
    ModelIdentity,
    NetworkConfig,
    Stage,
)
from landmark_heatmap.model.heatmap import decode_peak
from landmark_heatmap.model.logits import Logits
from landmark_heatmap.model.model_file import Model
from landmark_heatmap.model.network import CropUNet, network_for
from landmark_heatmap.model.prior import fit_prior

COARSE_NETWORK = NetworkConfig(3, 2, (4, 8), 0, 1)
COARSE = Stage("coarse", (4.0, 4.0, 4.0), 6.0, COARSE_NETWORK)
FINE = Stage("fine", (1.0, 1.0, 1.0), 1.5, COARSE_NETWORK, (24, 20, 16))
WINDOW = (0.0, 1000.0)
TURN = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]


def affine(directions=None, spacing=(1.0, 1.0, 1.0), origin=(5.0, -20.0, 300.0)):
    matrix = np.eye(4)
    matrix[:3, :3] = (np.eye(3) if directions is None else directions) * spacing
    matrix[:3, 3] = origin
    return matrix


AFFINES = {
    "plain": affine(),
    "oblique": affine(TURN * np.sign(np.linalg.det(TURN))),
    "left-handed": affine(-TURN * np.sign(np.linalg.det(TURN))),
    "anisotropic": affine(spacing=(0.7, 0.9, 1.3)),
    "turned axes": affine(np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]])),
}


class BrightestPoint(torch.nn.Module):
    """A 'network' that believes in what is bright, whichever landmark is asked for."""

    def __init__(self, nowhere=-20.0):
        super().__init__()
        self.nowhere = nowhere

    def forward(self, image, which=None):
        channels = 1 if which is not None else 2
        voxels = 12 * image.expand(-1, channels, *(-1,) * (image.ndim - 2))
        return Logits(voxels, torch.full((len(image), channels), self.nowhere))


def image_with_blob(matrix, at_ijk, size=(60, 50, 40), sigma_mm=3.0):
    image = Image(np.zeros(size[::-1], np.float32), matrix)
    k, j, i = np.ogrid[tuple(map(slice, size[::-1]))]
    spacing = image.grid.spacing_mm
    square = sum(((g - a) * s) ** 2 for g, a, s in zip((i, j, k), at_ijk, spacing))
    return Image((1000 * np.exp(-0.5 * square / sigma_mm**2)).astype(np.float32), matrix)


@pytest.mark.parametrize("name", AFFINES)
def test_a_crop_is_centred_on_its_point_along_the_axes_of_the_image(name):
    image = image_with_blob(AFFINES[name], (20, 20, 20))
    centre = image.grid.to_lps([30.2, 22.7, 18.4])
    grid = crop_grid(image.grid, centre, FINE)
    assert grid.size_ijk == (24, 20, 16)
    np.testing.assert_allclose(grid.spacing_mm, 1.0)
    np.testing.assert_allclose(grid.to_lps((np.array(grid.size_ijk) - 1) / 2), centre, atol=1e-9)
    apart = np.linalg.inv(image.ijk_to_lps) @ grid.ijk_to_lps
    assert (np.abs(apart[:3, :3]) > 1e-9).sum() == 3  # parallel, whatever the order of the axes


@pytest.mark.parametrize("name", AFFINES)
def test_a_turned_crop_is_centred_on_its_point_and_shows_the_image_turned(name):
    """The blob lies four mm along the crop's first axis, wherever that points in the image."""
    image = image_with_blob(AFFINES[name], (30, 25, 20))
    blob = image.grid.to_lps([30, 25, 20])
    canonical = canonical_grid(image.grid)
    directions = canonical.ijk_to_lps[:3, :3] / canonical.spacing_mm
    turn = TURN * np.sign(np.linalg.det(TURN))
    grid = crop_grid(image.grid, blob - 4 * directions @ turn[:, 0], FINE, turn)
    crop = read_crop(Source(image, WINDOW), grid)
    np.testing.assert_allclose(grid.to_ijk(blob), [11.5 + 4, 9.5, 7.5], atol=1e-6)
    np.testing.assert_allclose(decode_peak((crop + 1) / 2), [7.5, 9.5, 15.5], atol=0.15)


def test_a_turned_crop_is_dark_outside_the_image():
    image = Image(np.full((20, 20, 20), 1000, np.float32), np.eye(4))
    corner = image.grid.to_lps([0, 0, 0])
    turn = TURN * np.sign(np.linalg.det(TURN))
    grid = crop_grid(image.grid, corner, FINE, turn)
    crop = read_crop(Source(image, WINDOW), grid)
    k, j, i = np.indices(crop.shape)
    index = image.grid.to_ijk(grid.to_lps(np.stack([i, j, k], -1)))
    inside = ((index > -0.5) & (index < 19.5)).all(-1)
    assert 0 < inside.mean() < 1
    assert (crop[inside] == 1).all() and (crop[~inside] == -1).all()


@pytest.mark.parametrize("name", AFFINES)
def test_the_fine_stage_finds_the_point_in_the_world_to_about_a_tenth_of_a_voxel(name):
    at = (33.3, 26.8, 17.6)
    image = image_with_blob(AFFINES[name], at)
    truth = image.grid.to_lps(at)
    refiner = Refiner(BrightestPoint(), FINE, "cpu")
    off = truth + np.array([2.3, -3.1, 1.7])

    crop = refiner.look(Source(image, WINDOW), [(0, off)])[0]

    assert np.linalg.norm(crop.position_lps - truth) < 0.11 * max(image.grid.spacing_mm)
    assert crop.presence > 0.99


def test_a_crop_in_2d_lies_in_the_slice():
    stage = Stage("fine", (0.5, 0.5), 1.0, NetworkConfig(2, 2, (4, 8), 0, 1), (32, 24))
    image = image_with_blob(affine(TURN, (1.0, 1.0, 7.0)), (30, 20, 0), (60, 50, 1))
    grid = crop_grid(image.grid, image.grid.to_lps([28.0, 21.0, 0.4]), stage)
    assert grid.size_ijk == (32, 24, 1)
    corners = image.grid.to_ijk(grid.to_lps([[0, 0, 0], [31, 23, 0]]))
    np.testing.assert_allclose(corners[:, 2], 0, atol=1e-9)
    crop = Refiner(BrightestPoint(), stage, "cpu").look(
        Source(image, WINDOW), [(1, image.grid.to_lps([28.0, 21.0, 0.0]))]
    )[0]
    np.testing.assert_allclose(image.grid.to_ijk(crop.position_lps), [30, 20, 0], atol=0.05)


def test_what_is_outside_the_image_is_as_dark_as_can_be():
    image = Image(np.full((40, 50, 60), 600, np.int16), affine(spacing=(2.0, 2.0, 2.0)))
    grid = crop_grid(image.grid, image.grid.to_lps([0, 49, 20]), FINE)
    crop = read_crop(Source(image, WINDOW), grid)
    index = image.grid.to_ijk(grid.to_lps(np.argwhere(crop > -2)[:, ::-1])).reshape(*crop.shape, 3)
    inside = ((index > -0.5) & (index < np.array([59.5, 49.5, 39.5]))).all(-1)
    assert 0.1 < inside.mean() < 0.5
    np.testing.assert_allclose(crop[inside], 0.2, atol=1e-5)
    assert (crop[~inside] == -1).all()


def test_a_crop_far_outside_the_image_is_dark():
    image = Image(np.full((8, 8, 8), 600, np.int16), affine())
    grid = crop_grid(image.grid, image.grid.to_lps([500, 500, 500]), FINE)
    assert (read_crop(Source(image, WINDOW), grid) == -1).all()


def found_with_peaks(image, peaks, heights=(1.0, 0.9)):
    """Two landmarks: the first with a peak at each of `peaks` (ijk of the image), the second absent."""
    grid = crop_grid(
        image.grid, image.grid.to_lps([30, 25, 20]), replace(FINE, crop_size=(60, 50, 40))
    )
    heatmap = np.zeros((2, *grid.size_ijk[::-1]), np.float32)
    kji = [tuple(np.rint(grid.to_ijk(image.grid.to_lps(p))[::-1]).astype(int)) for p in peaks]
    for index, height in zip(kji, heights):
        heatmap[(0, *index)] = height
    heatmap[1, 3, 3, 3] = 0.2
    choice = Choice((tuple(kji), ((3, 3, 3),)), (0, 0))
    return Found(heatmap, np.array([0.9, 0.1]), grid, COARSE), choice


def test_absent_landmarks_stay_as_the_coarse_stage_left_them():
    image = image_with_blob(affine(), (33.3, 26.8, 17.6))
    found, choice = found_with_peaks(image, [(32, 26, 18)])
    points = Refiner(BrightestPoint(), FINE, "cpu").refine(
        ("A", "B"), found, choice, Source(image, WINDOW)
    )
    np.testing.assert_allclose(
        points[0].position_lps, image.grid.to_lps([33.3, 26.8, 17.6]), atol=0.1
    )
    assert not points[1].is_there
    np.testing.assert_allclose(points[1].heatmap.grid.spacing_mm, found.grid.spacing_mm)


def test_a_landmark_that_the_fine_stage_cannot_see_keeps_its_coarse_position():
    image = image_with_blob(affine(), (33.3, 26.8, 17.6))
    found, choice = found_with_peaks(image, [(32, 26, 18)])
    points = Refiner(BrightestPoint(nowhere=60.0), FINE, "cpu").refine(
        ("A", "B"), found, choice, Source(image, WINDOW)
    )
    np.testing.assert_allclose(points[0].position_lps, image.grid.to_lps([32, 26, 18]), atol=0.8)


def test_a_landmark_on_a_wrong_peak_is_looked_for_where_the_pose_of_the_others_has_it():
    """Only where crops are turned with the anatomy: there the pose is known."""
    shape = np.array([[0.0, 0, 0], [16, 0, 0], [0, 14, 0], [0, 0, 12], [14, 12, 10]])
    fine = replace(FINE, crop_size=(12, 12, 12))
    turn = TURN * np.sign(np.linalg.det(TURN))
    image = image_with_blob(affine(), (33.0, 27.0, 18.0))
    grid = crop_grid(
        image.grid, image.grid.to_lps([30, 25, 20]), replace(FINE, crop_size=(60, 50, 40))
    )
    truth = (shape - shape[4]) @ turn.T + grid.to_ijk(image.grid.to_lps([33.0, 27.0, 18.0]))
    at = image.grid.to_ijk(grid.to_lps(truth))
    image = Image(sum(image_with_blob(affine(), p, sigma_mm=1.5).array for p in at), affine())
    peaks = [tuple(np.rint(p[::-1]).astype(int)) for p in truth]
    peaks[4] = (3, 3, 3)
    heatmaps = np.zeros((5, *grid.size_ijk[::-1]), np.float32)
    for heatmap, peak in zip(heatmaps, peaks):
        heatmap[peak] = 1.0
    coarse = replace(COARSE, spacing_mm=(1.0, 1.0, 1.0), sigma_mm=1.5)
    found = Found(heatmaps, np.full(5, 0.9), grid, coarse)
    choice = Choice(tuple((peak,) for peak in peaks), (0,) * 5)
    cases = shape + np.random.default_rng(0).normal(0, 0.3, (20, 5, 3))
    prior = fit_prior(cases, shape)

    def found_last(stage):
        refiner = Refiner(BrightestPoint(), stage, "cpu")
        points = refiner.refine("ABCDE", found, choice, Source(image, WINDOW), prior)
        return image.grid.to_ijk(points[4].position_lps)

    np.testing.assert_allclose(found_last(replace(fine, turned=True)), [33, 27, 18], atol=0.15)
    assert np.linalg.norm(found_last(fine) - [33, 27, 18]) > 10


class EverythingLiesAhead(torch.nn.Module):
    """A 'network' that is sure of the crop's last voxel, whatever the crop shows."""

    def forward(self, image, which):
        voxels = torch.zeros_like(image)
        voxels[:, :, -1, -1, -1] = 40.0
        return Logits(voxels, torch.full((len(image), 1), -20.0))


def test_a_landmark_is_not_moved_out_of_the_image():
    """There is nothing to see: the coarse position stays. Within the image, the crop has its way."""
    image = image_with_blob(affine(), (33.3, 26.8, 17.6))
    for peak, moves in (((58, 48, 38), False), ((20, 20, 15), True)):
        found, choice = found_with_peaks(image, [peak])
        points = Refiner(EverythingLiesAhead(), FINE, "cpu").refine(
            ("A", "B"), found, choice, Source(image, WINDOW)
        )
        assert image.grid.contains(points[0].position_lps)
        moved = np.linalg.norm(points[0].position_lps - image.grid.to_lps(peak))
        assert (moved > 5) == moves


def test_heatmaps_are_as_small_as_their_crops_whatever_the_image():
    image = image_with_blob(affine(), (33.3, 26.8, 17.6))
    found, choice = found_with_peaks(image, [(32, 26, 18)])
    point = Refiner(BrightestPoint(), FINE, "cpu").refine(
        ("A", "B"), found, choice, Source(image, WINDOW)
    )[0]
    assert (np.array(point.heatmap.grid.size_ijk) <= FINE.crop_size).all()


def test_a_model_of_two_stages_detects():
    landmarks = LandmarkSet((Landmark("A"), Landmark("B")))
    description = ModelDescription(
        "Two", landmarks, IntensityNormalisation("window", *WINDOW), (COARSE, FINE)
    )
    model = Model(
        description, (BrightestPoint(), BrightestPoint()), ModelIdentity("Two", "1", "0" * 64)
    )
    image = image_with_blob(affine(), (33.3, 26.8, 17.6))

    prediction = Predictor(model, "cpu").predict(image)

    for point in prediction.points:
        assert np.linalg.norm(point.position_lps - image.grid.to_lps([33.3, 26.8, 17.6])) < 0.1
        np.testing.assert_allclose(point.heatmap.grid.spacing_mm, 1.0)
    # The combined overlay is on the coarse grid.
    np.testing.assert_allclose(prediction.combined_heatmap().grid.spacing_mm, 4.0)


def test_the_crop_network_gives_one_channel_for_the_landmark_asked_for():
    torch.manual_seed(0)
    network = network_for(replace(FINE, network=NetworkConfig(3, 5, (4, 8), 0, 1))).eval()
    assert isinstance(network, CropUNet)
    crop = torch.randn(1, 1, 16, 20, 24)
    with torch.no_grad():
        each = [network(crop, torch.tensor([i])) for i in range(5)]
        together = network(crop.expand(5, -1, -1, -1, -1), torch.arange(5))
    assert each[0].voxels.shape == (1, 1, 16, 20, 24)
    assert each[0].nowhere.shape == (1, 1)
    torch.testing.assert_close(together.voxels, torch.cat([one.voxels for one in each]))
    assert not torch.allclose(each[0].voxels, each[1].voxels)


@pytest.mark.parametrize(
    "change", [{"crop_size": (24, 24)}, {"crop_size": (4, 24, 24)}, {"crop_size": (9999, 8, 8)},
               {"network": NetworkConfig(3, 2, (4, 8), 8, 1)}],
)  # fmt: skip
def test_an_impossible_fine_stage_is_refused(change):
    with pytest.raises(ModelFileError):
        replace(FINE, **change)
