"""How alike the channels are: perfect heatmaps measure as perfect, faults as what they are."""

import json
from dataclasses import replace

import numpy as np
import pytest

from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.detection.prediction import LandmarkPrediction, Prediction
from landmark_heatmap.images.geometry import Grid, Image
from landmark_heatmap.judging.consistency import (
    FIGURES,
    measure_case,
    measure_channel,
    measure_shape,
    summarise,
    swapped_sides,
)
from landmark_heatmap.model.description import ModelIdentity
from landmark_heatmap.model.prior import fit_prior

SIGMA = 4.0
# Oblique, left-handed, and of another spacing along each axis.
ROTATION = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
AFFINE = np.eye(4)
AFFINE[:3, :3] = ROTATION * [2.0, 1.5, 2.5]
AFFINE[:3, 3] = (10, -20, 30)
GRIDS = {"3D": Grid((40, 44, 36), AFFINE), "2D": Grid((60, 50, 1), AFFINE)}
both_dimensions = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)


def gaussian(grid, centre, sigmas_mm=(SIGMA,) * 3, height=1.0):
    """A Gaussian of height one at a continuous voxel index (i, j, k); its axes are the grid's."""
    square = 0.0
    for axis, (n, at) in enumerate(zip(grid.size_ijk, centre)):
        shape = [1, 1, 1]
        shape[2 - axis] = n
        line = (np.arange(n) - at) * grid.spacing_mm[axis] / sigmas_mm[axis]
        square = square + (line**2).reshape(shape)
    return height * np.exp(-0.5 * square)


def middle(grid, shift=(0.3, -0.4, 0.2)):
    return np.where(
        np.array(grid.size_ijk) == 1, 0.0, np.array(grid.size_ijk) / 2 + np.array(shift)
    )


def point_at(grid, centre, array, name="P", presence=1.0, sigma_mm=SIGMA):
    heatmap = Image(array.astype(np.float32), grid.ijk_to_lps)
    return LandmarkPrediction(name, grid.to_lps(centre), presence, 0.9, heatmap, sigma_mm=sigma_mm)


def prediction_of(grid, points, mirror_pairs=()):
    landmarks = LandmarkSet(tuple(Landmark(p.name) for p in points), mirror_pairs)
    return Prediction(landmarks, tuple(points), grid, ModelIdentity("Test", "1", "0" * 64))


class TestOneChannel:
    @both_dimensions
    @pytest.mark.parametrize("shift", [(0, 0, 0), (0.5, 0.5, 0.5), (0.3, -0.4, 0.2)])
    def test_the_target_itself_is_perfect_wherever_it_lies_between_voxels(self, grid, shift):
        centre = middle(grid, shift)
        shape = measure_channel(point_at(grid, centre, gaussian(grid, centre)), grid, SIGMA)
        assert shape.peak_ratio == pytest.approx(1, abs=1e-5)
        assert shape.spread_ratio == pytest.approx(1, abs=1e-5)
        assert shape.anisotropy_error == pytest.approx(0, abs=1e-4)
        assert shape.second_mode_ratio < 0.012
        assert not shape.has_second_mode
        dimension = 2 if grid.is_2d else 3
        np.testing.assert_allclose(shape.covariance_mm2, SIGMA**2 * np.eye(dimension), atol=1e-3)

    @both_dimensions
    def test_a_lower_heatmap_has_its_height_as_its_ratio_and_no_other_fault(self, grid):
        centre = middle(grid)
        low = point_at(grid, centre, gaussian(grid, centre, height=0.4))
        shape = measure_channel(low, grid, SIGMA)
        assert shape.peak_ratio == pytest.approx(0.4, abs=1e-5)
        assert shape.spread_ratio == pytest.approx(1, abs=1e-5)
        assert shape.anisotropy_error == pytest.approx(0, abs=1e-4)

    @both_dimensions
    def test_a_second_bump_gives_its_ratio(self, grid):
        centre = np.rint(middle(grid))
        away = centre - np.where(np.array(grid.size_ijk) == 1, 0, [13, 0, 0])
        array = gaussian(grid, centre) + gaussian(grid, away, height=0.45)
        shape = measure_channel(point_at(grid, centre, array), grid, SIGMA)
        assert shape.second_mode_ratio == pytest.approx(0.45, abs=1e-3)
        assert shape.has_second_mode
        assert shape.spread_ratio == pytest.approx(1, abs=0.02)

    def test_a_ridge_along_an_edge_is_no_second_mode(self):
        grid = GRIDS["2D"]
        centre = middle(grid)
        ridge = gaussian(grid, centre, (4 * SIGMA, SIGMA, SIGMA))
        bumps = 1 + 0.08 * np.sin(np.arange(grid.size_ijk[0]))
        shape = measure_channel(point_at(grid, centre, ridge * bumps), grid, SIGMA)
        assert not shape.has_second_mode
        two = ridge * (1 - 0.7 * gaussian(grid, centre + [5, 0, 0], (3.0, 40.0, 40.0)))
        assert measure_channel(point_at(grid, centre, two), grid, SIGMA).has_second_mode

    def test_where_the_prior_took_the_lower_peak_the_higher_one_is_the_second_mode(self):
        grid = GRIDS["2D"]
        centre, away = np.array([15.0, 25, 0]), np.array([45.0, 25, 0])
        array = gaussian(grid, centre, height=0.3) + gaussian(grid, away, height=0.6)
        shape = measure_channel(point_at(grid, centre, array), grid, SIGMA)
        assert shape.second_mode_ratio == pytest.approx(1)
        assert shape.peak_ratio == pytest.approx(0.6, abs=1e-3)

    @both_dimensions
    def test_a_wider_heatmap_has_a_larger_spread(self, grid):
        centre = middle(grid)
        ratios = []
        for factor in (0.6, 1.0, 1.2):
            array = gaussian(grid, centre, (factor * SIGMA,) * 3)
            ratios.append(measure_channel(point_at(grid, centre, array), grid, SIGMA).spread_ratio)
        # The window cuts off more of a wide one.
        np.testing.assert_allclose(ratios, [0.6, 1, 1.2], rtol=0.1)

    def test_a_longish_heatmap_has_an_anisotropy_error_and_a_covariance_along_the_axes(self):
        grid = GRIDS["3D"]
        centre = middle(grid)
        sigmas = np.array([0.5, 1.0, 0.8]) * SIGMA
        array = gaussian(grid, centre, sigmas)
        shape = measure_channel(point_at(grid, centre, array), grid, SIGMA)
        np.testing.assert_allclose(np.diag(shape.covariance_mm2), sigmas**2, rtol=0.1)
        expected = np.sqrt((np.log((sigmas / SIGMA) ** 2) ** 2).sum())
        assert shape.anisotropy_error == pytest.approx(expected, rel=0.1)

    @both_dimensions
    def test_a_crop_changes_nothing(self, grid):
        centre = middle(grid)
        array = gaussian(grid, centre, np.array([1.1, 0.7, 0.9]) * SIGMA, 0.8)
        array[array < 0.01] = 0
        whole = point_at(grid, centre, array)
        shown = [np.flatnonzero(array.any(axis=a)) for a in ((0, 1), (0, 2), (1, 2))]
        start, size = [s[0] for s in shown], [len(s) for s in shown]
        assert np.prod(size) < array.size / 2
        crop = LandmarkPrediction(
            "P", whole.position_lps, 1.0, 0.9, whole.heatmap.cropped(start, size)
        )
        first, second = (measure_channel(p, grid, SIGMA) for p in (whole, crop))
        assert first.to_json() == pytest.approx(second.to_json())
        np.testing.assert_allclose(first.covariance_mm2, second.covariance_mm2, rtol=1e-6)

    @both_dimensions
    def test_at_the_border_of_the_image_only_what_can_be_there_is_asked_for(self, grid):
        centre = np.where(np.array(grid.size_ijk) == 1, 0.0, 0.4)
        shape = measure_channel(point_at(grid, centre, gaussian(grid, centre)), grid, SIGMA)
        assert shape.peak_ratio == pytest.approx(1, abs=1e-5)
        assert shape.spread_ratio == pytest.approx(1, abs=1e-5)
        assert shape.anisotropy_error == pytest.approx(0, abs=1e-4)

    def test_a_heatmap_on_a_finer_grid_than_the_image_is_measured_on_its_own_voxels(self):
        image = GRIDS["3D"]
        matrix = image.ijk_to_lps @ np.diag([0.5, 0.5, 0.5, 1])
        matrix[:3, 3] = image.to_lps([8, 9, 10])
        fine = Grid((40, 44, 36), matrix)
        centre = middle(fine)
        array = gaussian(fine, centre, (SIGMA / 2,) * 3)
        shape = measure_channel(point_at(fine, centre, array), image, SIGMA / 2)
        assert shape.peak_ratio == pytest.approx(1, abs=1e-5)
        assert shape.anisotropy_error == pytest.approx(0, abs=1e-4)

    def test_an_empty_heatmap_has_no_height_and_no_shape(self):
        grid = GRIDS["2D"]
        point = point_at(grid, middle(grid), np.zeros(grid.size_ijk[::-1]))
        shape = measure_channel(point, grid, SIGMA)
        assert shape.peak_ratio == 0
        assert shape.spread_ratio is None and shape.anisotropy_error is None
        assert shape.second_mode_ratio is None and not shape.has_second_mode

    def test_a_heatmap_of_a_single_voxel_is_finite_and_far_from_perfect(self):
        grid = GRIDS["2D"]
        centre = np.rint(middle(grid))
        array = np.zeros(grid.size_ijk[::-1])
        array[tuple(centre.astype(int))[::-1]] = 1
        shape = measure_channel(point_at(grid, centre, array), grid, SIGMA)
        assert shape.spread_ratio == pytest.approx(0, abs=1e-9)
        assert 5 < shape.anisotropy_error < 20


class TestOneCase:
    def case(self, heights, sigmas_mm=(SIGMA,) * 4, presences=(1.0,) * 4, **options):
        grid = GRIDS["2D"]
        centres = [middle(grid) + [x, 0, 0] for x in (-12, -4, 4, 12)]
        points = [
            point_at(grid, c, gaussian(grid, c, (s,) * 3, h), f"P{i}", presence)
            for i, (c, h, s, presence) in enumerate(zip(centres, heights, sigmas_mm, presences))
        ]
        return measure_case("a", prediction_of(grid, points), **options)

    def test_equal_channels_have_no_variation(self):
        figures = self.case([0.7] * 4).figures()
        assert figures["peak_cv"] == pytest.approx(0, abs=1e-4)
        assert figures["spread_cv"] == pytest.approx(0, abs=1e-4)
        assert figures["smallest_peak_ratio"] == pytest.approx(0.7, abs=1e-4)
        assert set(figures) == set(FIGURES)

    def test_the_variation_is_the_deviation_over_the_mean(self):
        heights = [0.5, 1.0, 0.8, 0.9]
        figures = self.case(heights).figures()
        assert figures["peak_cv"] == pytest.approx(np.std(heights) / np.mean(heights), abs=1e-4)
        assert figures["smallest_peak_ratio"] == pytest.approx(0.5, abs=1e-4)
        assert figures["spread_cv"] == pytest.approx(0, abs=1e-4)
        wide = self.case([1] * 4, np.array([0.8, 1, 1, 1]) * SIGMA).figures()
        assert wide["spread_cv"] > 0.07
        assert wide["peak_cv"] < 0.01

    def test_landmarks_predicted_as_absent_do_not_count(self):
        figures = self.case([0.01, 1, 1, 1], presences=[0.2, 1, 1, 1]).figures()
        assert figures["peak_cv"] == pytest.approx(0, abs=1e-4)
        assert figures["smallest_peak_ratio"] == pytest.approx(1, abs=1e-4)

    def test_too_few_channels_leave_the_figures_open(self):
        one = self.case([1] * 4, presences=[1, 0, 0, 0]).figures()
        assert one["peak_cv"] is None and one["smallest_peak_ratio"] == pytest.approx(1, abs=1e-4)
        assert set(self.case([1] * 4, presences=[0] * 4).figures().values()) == {None}

    def test_each_channel_may_have_a_sigma_of_its_own(self):
        grid = GRIDS["2D"]
        sigmas = [SIGMA, SIGMA / 2]
        points = [
            point_at(
                grid, middle(grid), gaussian(grid, middle(grid), (s,) * 3), f"P{s}", sigma_mm=s
            )
            for s in sigmas
        ]
        figures = measure_case("a", prediction_of(grid, points)).figures()
        assert figures["spread_cv"] == pytest.approx(0, abs=1e-4)
        assert figures["spread_ratio"] == pytest.approx(1, abs=1e-4)


class TestSwaps:
    PAIRS = (("L", "R"),)

    @staticmethod
    def annotation(**x):
        return Annotation({n: Point(PointState.PLACED, (v, 0, 0)) for n, v in x.items()})

    def test_points_on_the_wrong_side_are_named(self):
        truth = self.annotation(L=10, R=-10, M=0)
        assert swapped_sides(self.annotation(L=9, R=-9, M=1), truth, self.PAIRS) == ((), 2)
        assert swapped_sides(self.annotation(L=-8, R=9), truth, self.PAIRS) == (("L", "R"), 2)
        assert swapped_sides(self.annotation(L=-8), truth, self.PAIRS) == (("L",), 1)

    def test_without_both_references_nothing_can_be_told(self):
        assert swapped_sides(self.annotation(L=9), self.annotation(L=-9), self.PAIRS) == ((), 0)
        assert swapped_sides(self.annotation(M=1), self.annotation(M=2), ()) == ((), 0)


class TestShape:
    """Three points in a row, whose configurations vary by a millimetre in training."""

    GRID = GRIDS["3D"]
    ROW = np.array([[-20.0, 0, 0], [0, 0, 0], [20, 0, 0]])

    def prediction(self, positions_mm, presences=(1.0, 1.0, 1.0)):
        """positions_mm: along the grid's axes."""
        points = [
            point_at(self.GRID, p / self.GRID.spacing_mm, np.ones((2, 2, 2)), f"P{i}", presence)
            for i, (p, presence) in enumerate(zip(positions_mm, presences))
        ]
        return prediction_of(self.GRID, points)

    @pytest.fixture
    def prior(self):
        return fit_prior(self.ROW + np.random.default_rng(0).normal(0, 1, (30, 3, 3)))

    def test_a_configuration_as_in_training_is_plausible_wherever_it_lies(self, prior):
        for shift in (0.0, 15.0):
            assert measure_shape(self.prediction(self.ROW + shift), prior) < 0.5

    def test_a_point_far_off_is_not(self, prior):
        assert measure_shape(self.prediction(self.ROW + [[0, 12, 0], [0] * 3, [0] * 3]), prior) > 1

    def test_absent_points_take_no_part(self, prior):
        off = self.prediction(self.ROW + [[0, 12, 0], [0] * 3, [0] * 3], presences=(0.1, 1, 1))
        assert measure_shape(off, prior) < 0.5
        assert measure_shape(self.prediction(self.ROW, (1, 0.1, 0.1)), prior) is None

    def test_without_a_limit_nothing_is_said(self, prior):
        assert measure_shape(self.prediction(self.ROW), None) is None
        assert measure_shape(self.prediction(self.ROW), replace(prior, limit=np.inf)) is None


class TestOverCases:
    def consistency(self, names=("P0", "P1", "P2", "P3")):
        maker = TestOneCase()
        heights = ([1, 1, 1, 1], [0.5, 1, 0.8, 0.9], [0.9, 0.6, 1, 1])
        return summarise([maker.case(each) for each in heights], names, resamples=200)

    def test_figures_are_means_over_cases_with_intervals(self):
        consistency = self.consistency()
        values = [case.figures()["peak_cv"] for case in consistency.cases]
        figure = consistency.figures["peak_cv"]
        assert figure.value == pytest.approx(np.mean(values))
        assert min(values) <= figure.interval[0] < figure.value < figure.interval[1] <= max(values)

    def test_landmarks_have_figures_of_their_own_and_none_where_never_seen(self):
        landmarks = self.consistency(("P0", "gone")).landmarks
        assert landmarks["P0"]["peak_ratio"].value == pytest.approx(0.8, abs=1e-4)
        assert landmarks["gone"]["peak_ratio"].value is None

    def test_what_nobody_measured_is_not_there(self):
        consistency = self.consistency()
        assert consistency.swapped.value is None
        assert consistency.implausible.value is None

    def test_a_shape_distance_above_one_is_implausible(self):
        cases = [TestOneCase().case([1] * 4, shape_distance=d) for d in (0.5, 0.9, 1.7, None)]
        assert summarise(cases, ()).implausible.value == pytest.approx(1 / 3)

    def test_json_holds_everything(self):
        document = json.loads(json.dumps(self.consistency().to_json(), allow_nan=False))
        assert set(document["figures"]) == set(FIGURES)
        assert document["cases"][1]["channels"]["P0"]["peak_ratio"] == pytest.approx(0.5, abs=1e-4)
        assert document["landmarks"]["P0"]["second_mode_share"]["value"] == 0
