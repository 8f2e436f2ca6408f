"""Whether regions hold what they say: honest beliefs, those too sure, and sizes that know something."""

import json

import numpy as np
import pytest

from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.detection.belief import content_of
from landmark_heatmap.detection.prediction import Doubt, LandmarkPrediction, Prediction
from landmark_heatmap.images.geometry import Grid, Image
from landmark_heatmap.judging.calibration import LEVELS, calibrate, calibration_points
from landmark_heatmap.model.belief_form import BeliefForm, HeldOut
from landmark_heatmap.model.description import ModelIdentity

AFFINE = np.diag([0.5, 0.5, 0.5, 1.0])
GRIDS = {"3D": Grid((33, 33, 33), AFFINE), "2D": Grid((65, 65, 1), AFFINE)}
both_dimensions = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)


def belief(grid, sigma_mm):
    """One less the content of a Gaussian in the middle."""
    square = sum(
        ((np.arange(n) - n // 2) * 0.5).reshape([-1 if a == 2 - axis else 1 for a in range(3)]) ** 2
        for axis, n in enumerate(grid.size_ijk)
    )
    density = np.exp(-0.5 * square / sigma_mm**2)
    return Image(1 - content_of(density / density.sum()), grid.ijk_to_lps)


def point_of(grid, name, sigma_mm, within=None):
    middle = grid.to_lps([n // 2 for n in grid.size_ijk])
    doubt = Doubt(sigma_mm, None if within is None else 0.9, within)
    shown = belief(grid, sigma_mm)
    return LandmarkPrediction(name, middle, 1.0, 1.0, shown, shown, doubt)


def case_of(grid, points, errors_mm, rng, form=None):
    """The truth of each point lies as far away as `errors_mm` says."""
    landmarks = LandmarkSet(tuple(Landmark(point.name) for point in points))
    prediction = Prediction(landmarks, tuple(points), grid, ModelIdentity("M", "1", "ab" * 32))
    places = {}
    for point, error in zip(points, errors_mm):
        along = rng.normal(size=3) * (np.array(grid.size_ijk) > 1)
        truth = point.position_lps + error * along / np.linalg.norm(along)
        places[point.name] = Point(PointState.PLACED, tuple(truth))
    return calibration_points(prediction, Annotation(places), form)


def cases(grid, sigma_mm, told_mm, count=250, names="A", **options):
    """Errors of sigma_mm, beliefs of told_mm."""
    rng = np.random.default_rng(0)
    dimension = 2 if grid.is_2d else 3
    made = []
    for _ in range(count):
        errors = sigma_mm * np.linalg.norm(rng.normal(size=(len(names), dimension)), axis=1)
        points = [point_of(grid, name, told_mm) for name in names]
        made.append(case_of(grid, points, errors, rng, **options))
    return made


@both_dimensions
def test_regions_of_an_honest_belief_hold_as_much_as_they_say(grid):
    coverage = calibrate(cases(grid, 1.5, 1.5), resamples=20).coverage
    np.testing.assert_allclose([coverage[level].value for level in LEVELS], LEVELS, atol=0.06)


def test_a_belief_that_is_too_sure_holds_less_and_one_that_knows_more_holds_more():
    too_sure = calibrate(cases(GRIDS["2D"], 2.0, 1.0, 100), resamples=20)
    too_wide = calibrate(cases(GRIDS["2D"], 1.0, 2.0, 100), resamples=20)
    assert too_sure.coverage[0.9].value < 0.7
    assert too_wide.coverage[0.9].value > 0.97


def test_a_channel_that_means_another_thing_shows_in_the_scatter_over_the_landmarks():
    grid, rng = GRIDS["2D"], np.random.default_rng(1)
    made = []
    for _ in range(100):
        errors = np.linalg.norm(rng.normal(size=(2, 2)), axis=1)
        points = [point_of(grid, "Right", 1.0), point_of(grid, "TooSure", 0.4)]
        made.append(case_of(grid, points, errors, rng))
    told = calibrate(made, resamples=20)
    assert told.landmarks["Right"] > 0.8 > 0.5 > told.landmarks["TooSure"]
    assert told.scatter > 0.2 > told.chance_scatter == pytest.approx(0.03)


def test_regions_that_know_the_image_are_smaller_than_those_of_a_constant_radius():
    grid, rng = GRIDS["2D"], np.random.default_rng(2)
    sigmas = rng.choice([0.7, 3.0], 200)
    errors = sigmas * np.linalg.norm(rng.normal(size=(200, 2)), axis=1)
    nothing = np.full((200, 1), 0.5)
    form = BeliefForm(np.ones(1), np.zeros(1), held_out=HeldOut(nothing, nothing, errors[:, None]))
    knows, constant = [], []
    for sigma, error in zip(sigmas, errors):
        knows.append(case_of(grid, [point_of(grid, "A", sigma)], [error], rng, form))
        constant.append(case_of(grid, [point_of(grid, "A", 2.2)], [error], rng, form))
    assert calibrate(knows, resamples=20).size_ratio < 0.8
    assert calibrate(constant, resamples=20).size_ratio == pytest.approx(1, abs=0.35)


def test_what_was_told_is_compared_with_what_came_out():
    grid, rng = GRIDS["2D"], np.random.default_rng(3)
    made = [
        case_of(grid, [point_of(grid, "A", 1.0, within=2.0)], [error], rng)
        for error in (0.5, 1.5, 1.9, 2.5)
    ]
    told = calibrate(made, resamples=20)
    assert told.within.value == 0.75
    assert calibrate(cases(grid, 1.0, 1.0, 3), resamples=20).within.value is None


def test_who_expects_larger_errors_where_they_are_larger_is_told_by_the_correlation():
    grid, rng = GRIDS["2D"], np.random.default_rng(4)
    sizes = np.linspace(0.5, 4, 10)
    made = [case_of(grid, [point_of(grid, "A", size)], [size], rng) for size in sizes]
    assert calibrate(made, resamples=20).correlation.value == pytest.approx(1)


def test_only_points_with_a_reference_and_a_belief_take_part():
    grid, rng = GRIDS["2D"], np.random.default_rng(5)
    middle = grid.to_lps([32, 32, 0])
    plain = LandmarkPrediction("B", middle, 1.0, 1.0, None)
    absent = LandmarkPrediction("C", middle, 0.1, 1.0, None, belief(grid, 1.0), Doubt(1.0))
    told = case_of(grid, [point_of(grid, "A", 1.0), plain, absent], [0.0] * 3, rng)
    assert [point.name for point in told] == ["A"]
    empty = calibrate([()])
    assert empty.coverage[0.5].value is None and empty.correlation.value is None
    json.dumps(empty.to_json(), allow_nan=False)


class TestCorrelation:
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
