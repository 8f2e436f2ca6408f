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
from landmark_heatmap.judging.calibration import LEVELS, calibrate, calibration_points
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


def point_at(grid, centre, array, name="P", presence=1.0, confidence=0.9):
    heatmap = Image(array.astype(np.float32), grid.ijk_to_lps)
    return LandmarkPrediction(name, grid.to_lps(centre), presence, confidence, heatmap)


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
        return measure_case("a", prediction_of(grid, points), SIGMA, **options)

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
            point_at(grid, middle(grid), gaussian(grid, middle(grid), (s,) * 3), f"P{s}")
            for s in sigmas
        ]
        figures = measure_case("a", prediction_of(grid, points), sigmas).figures()
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


class TestCalibration:
    def points(self, grid, errors_mm, sigmas_mm, confidences, rng):
        """A case each: the truth lies as far from the peak as `errors_mm` says."""
        cases = []
        for error, sigma, confidence in zip(errors_mm, sigmas_mm, confidences):
            centre = middle(grid)
            along = rng.normal(size=3) * (np.array(grid.size_ijk) > 1)
            along = along / np.linalg.norm(along)
            truth = grid.to_lps(centre + error * along / grid.spacing_mm)
            point = point_at(
                grid, centre, gaussian(grid, centre, (sigma,) * 3), confidence=confidence
            )
            prediction = prediction_of(grid, [point])
            reference = Annotation({"P": Point(PointState.PLACED, tuple(truth))})
            case = measure_case("a", prediction, SIGMA)
            cases.append(calibration_points(prediction, case, reference))
        return cases

    @both_dimensions
    def test_errors_drawn_from_the_heatmaps_lie_in_as_many_ellipses_as_they_should(self, grid):
        rng = np.random.default_rng(0)
        dimension = 2 if grid.is_2d else 3
        errors = SIGMA * np.linalg.norm(rng.normal(size=(250, dimension)), axis=1)
        cases = self.points(grid, errors, [SIGMA] * 250, [1] * 250, rng)
        coverage = calibrate(cases, resamples=50).coverage
        np.testing.assert_allclose([coverage[level].value for level in LEVELS], LEVELS, atol=0.06)
        exact = calibrate(self.points(grid, [0.0], [SIGMA], [1], rng)).coverage
        assert [figure.value for figure in exact.values()] == [1, 1, 1]

    def test_a_network_that_knows_when_it_is_wrong_is_told_from_one_that_does_not(self):
        rng = np.random.default_rng(1)
        errors = np.linspace(0.5, 6, 10)
        knows = calibrate(
            self.points(GRIDS["2D"], errors, 2 + errors / 3, 1 - errors / 10, rng), resamples=100
        )
        assert knows.spread_correlation.value == pytest.approx(1)
        assert knows.confidence_correlation.value == pytest.approx(-1)
        assert len(knows.points) == 10
        does_not = calibrate(self.points(GRIDS["2D"], errors, [SIGMA] * 10, [0.9] * 10, rng))
        assert does_not.confidence_correlation.value is None

    def test_the_correlation_is_spearmans_and_its_interval_a_bootstrap_over_cases(self):
        stats = pytest.importorskip("scipy.stats")
        from landmark_heatmap.judging.bootstrap import rank_correlation, resampled

        rng = np.random.default_rng(2)
        # Rounded, so that there are ties.
        first = [np.round(rng.normal(size=n), 1) for n in (4, 6, 5, 3, 7)]
        second = [np.round(f + rng.normal(size=len(f)), 1) for f in first]
        weights = resampled(5, 300, 0)
        figure = rank_correlation(first, second, weights)
        expected = stats.spearmanr(np.concatenate(first), np.concatenate(second)).statistic
        assert figure.value == pytest.approx(expected)
        drawn = []
        for times in weights:
            x, y = (
                np.concatenate([np.tile(e, t) for e, t in zip(s, times)]) for s in (first, second)
            )
            drawn.append(stats.spearmanr(x, y).statistic)
        np.testing.assert_allclose(figure.interval, np.percentile(drawn, [2.5, 97.5]))

    def test_only_located_points_with_a_reference_take_part(self):
        grid = GRIDS["2D"]
        centre = middle(grid)
        array = gaussian(grid, centre)
        names = ("located", "absent", "unjudged", "empty")
        points = [
            point_at(grid, centre, 0 * array if n == "empty" else array, n, float(n != "absent"))
            for n in names
        ]
        placed = Point(PointState.PLACED, tuple(grid.to_lps(centre)))
        reference = Annotation({n: placed for n in names if n != "unjudged"})
        prediction = prediction_of(grid, points)
        case = measure_case("a", prediction, SIGMA)
        (point,) = calibration_points(prediction, case, reference)
        assert point.name == "located"
        empty = calibrate([()])
        assert empty.coverage[0.5].value is None and empty.spread_correlation.value is None
