"""The joint choice and the second look: what breaks the shape is mended, and nothing else is touched."""

from dataclasses import replace

import numpy as np
import pytest
from sights import COUNT, NAMES, Eye, shapes, sight_of, to_lps

from landmark_heatmap.annotation.doubt import BY_SHAPE, DOUBTED, OTHER_PEAK, SEEN_AGAIN
from landmark_heatmap.detection.joint import predictions
from landmark_heatmap.model.prior import fit_prior

both_dimensions = pytest.mark.parametrize("dimension", [2, 3])
HALF = [0, 3, 4, 7, 8, 11]


def case_of(dimension, seed=3):
    """(truth in mm, the same in LPS)."""
    (truth,) = shapes(dimension, 1, seed)
    return truth, np.array([to_lps(each, dimension) for each in truth])


def displaced(truth, which, mm=24.0, seed=0):
    """Each by itself, towards the middle of the image and beyond."""
    shown, rng = truth.copy(), np.random.default_rng(seed)
    for index in which:
        step = rng.normal(size=truth.shape[1])
        step *= np.where(step * (48 - truth[index]) < 0, -1, 1)
        shown[index] += mm * step / np.linalg.norm(step)
    return shown


def errors_of(seen, truth_lps):
    return np.array([np.linalg.norm(s.position_lps - t) for s, t in zip(seen, truth_lps)])


@both_dimensions
@pytest.mark.parametrize("has_fine", [False, True])
def test_what_fits_is_left_alone(dimension, has_fine):
    for seed in range(3, 9):
        truth, truth_lps = case_of(dimension, seed)
        eye = Eye(truth_lps, dimension) if has_fine else None
        sight = sight_of(dimension, truth, truth, eye)
        seen = sight.answered()
        assert all(new is each[0].seen for new, each in zip(seen, sight.candidates))
        assert eye is None or not eye.asked


@both_dimensions
def test_half_of_the_landmarks_displaced_are_seen_again_where_the_others_have_them(dimension):
    truth, truth_lps = case_of(dimension)
    sight = sight_of(dimension, truth, displaced(truth, HALF), Eye(truth_lps, dimension))
    seen = sight.answered()
    assert errors_of(seen, truth_lps).max() < 1.0
    assert [s.look for s in seen] == [SEEN_AGAIN if i in HALF else None for i in range(COUNT)]


@both_dimensions
def test_two_that_were_swapped_are_put_right(dimension):
    truth, truth_lps = case_of(dimension)
    shown = truth.copy()
    # The farthest from each other.
    apart = np.linalg.norm(truth[:, None] - truth, axis=-1)
    a, b = np.unravel_index(apart.argmax(), apart.shape)
    shown[[a, b]] = truth[[b, a]]
    for eye in (Eye(truth_lps, dimension), None):
        seen = sight_of(dimension, truth, shown, eye).answered()
        assert errors_of(seen, truth_lps).max() < (1.0 if eye else 3.0)
        assert {seen[a].look, seen[b].look} == {SEEN_AGAIN if eye else BY_SHAPE}


@both_dimensions
def test_a_lower_peak_that_fits_is_taken_for_a_higher_one_that_does_not(dimension):
    truth, truth_lps = case_of(dimension)
    seen = sight_of(dimension, truth, displaced(truth, [5]), height=0.4).answered()
    assert seen[5].look == OTHER_PEAK
    assert errors_of(seen, truth_lps).max() < 1.0


@both_dimensions
def test_a_coarse_stage_alone_is_asked_for_a_faint_trace(dimension):
    """Too low to be one of its peaks."""
    truth, truth_lps = case_of(dimension)
    seen = sight_of(dimension, truth, displaced(truth, [5]), height=0.03).answered()
    assert seen[5].look == SEEN_AGAIN
    assert errors_of(seen, truth_lps).max() < 1.0


@both_dimensions
def test_what_is_seen_nowhere_is_where_the_others_have_it_and_known_to_be_uncertain(dimension):
    truth, truth_lps = case_of(dimension)
    eye = Eye(truth_lps, dimension, blind=[5])
    sight = sight_of(dimension, truth, displaced(truth, [5]), eye)
    seen = sight.answered()
    assert seen[5].look == BY_SHAPE and eye.asked
    assert errors_of(seen, truth_lps).max() < 4.0
    assert seen[5].confidence < min(s.confidence for i, s in enumerate(seen) if i != 5)
    frame = sight.places.frame
    points = predictions(seen, frame.form, frame.shape, frame.grid)
    assert points[5].doubt.look == BY_SHAPE
    assert np.linalg.norm(points[5].position_lps - truth_lps[5]) < 4.0


@both_dimensions
def test_what_is_seen_at_an_odd_place_and_not_where_it_should_be_stays_and_is_doubted(dimension):
    """The anatomy may be odd."""
    truth, _ = case_of(dimension)
    odd = displaced(truth, [5])
    odd_lps = np.array([to_lps(each, dimension) for each in odd])
    sight = sight_of(dimension, odd, odd, Eye(odd_lps, dimension))
    seen = sight.answered()
    assert [i for i, s in enumerate(seen) if s.look == DOUBTED] == [5]
    assert errors_of(seen, odd_lps).max() < 1.0
    frame = sight.places.frame
    doubt = predictions(seen, frame.form, frame.shape, frame.grid)[5].doubt
    assert doubt.look == DOUBTED and doubt.is_odd


@both_dimensions
def test_absent_landmarks_stay_absent_and_those_that_are_there_do_without_them(dimension):
    truth, truth_lps = case_of(dimension)
    eye = Eye(truth_lps, dimension)
    absent = [1, 2, 9]
    shown = displaced(truth, [*absent, 5])
    seen = sight_of(dimension, truth, shown, eye, absent).answered()
    assert [i for i, s in enumerate(seen) if not s.is_there] == absent
    assert all(seen[i].look is None for i in absent) and set(eye.asked) == {5}
    there = [i for i in range(COUNT) if i not in absent]
    assert errors_of(seen, truth_lps)[there].max() < 1.0


@both_dimensions
@pytest.mark.parametrize("has_fine", [False, True])
def test_of_two_landmarks_that_are_there_the_others_say_nothing(dimension, has_fine):
    truth, truth_lps = case_of(dimension)
    eye = Eye(truth_lps, dimension) if has_fine else None
    sight = sight_of(dimension, truth, displaced(truth, [0]), eye, absent=range(2, COUNT))
    seen = sight.answered()
    assert all(new is each[0].seen for new, each in zip(seen, sight.candidates))


@both_dimensions
def test_outside_of_the_image_nothing_is_looked_for_nor_placed(dimension):
    truth, _ = case_of(dimension)
    # All of it moved, so that one landmark is beyond the border, and shown elsewhere.
    last = int(np.argmax(truth[:, 0]))
    truth = truth + [96 + 3 - truth[last, 0], *[0] * (dimension - 1)]
    truth_lps = np.array([to_lps(each, dimension) for each in truth])
    shown = truth.copy()
    shown[last, 0] -= 40
    eye = Eye(truth_lps, dimension, blind=[last])
    sight = sight_of(dimension, truth, shown, eye)
    seen = sight.answered()
    assert last not in eye.asked
    assert seen[last].look == DOUBTED and sight.found.grid.contains(seen[last].position_lps)


@both_dimensions
@pytest.mark.parametrize("cases", [3, 5])
def test_a_shape_of_few_cases_breaks_nothing(dimension, cases):
    for seed in range(20, 32):
        truth, truth_lps = case_of(dimension, seed)
        seen = sight_of(dimension, truth, truth, Eye(truth_lps, dimension), cases=cases).answered()
        assert errors_of(seen, truth_lps).max() < 1.0


def turned(truth):
    """(shown, indices): two thirds of them, together, by 60 degrees."""
    centre, turn = truth.mean(0), np.eye(truth.shape[1])
    turn[:2, :2] = [[0.5, -(0.75**0.5)], [0.75**0.5, 0.5]]
    wrong, shown = [0, 1, 2, 4, 5, 7, 8, 10], truth.copy()
    shown[wrong] = (truth[wrong] - centre) @ turn.T + centre
    return shown, wrong


@both_dimensions
def test_few_that_the_fine_stage_sees_outvote_many_that_it_does_not(dimension):
    truth, truth_lps = case_of(dimension)
    sight = sight_of(dimension, truth, turned(truth)[0], Eye(truth_lps, dimension))
    assert errors_of(sight.answered(), truth_lps).max() < 1.0


@both_dimensions
def test_many_that_agree_on_a_pose_of_no_case_take_the_right_ones_not_along(dimension):
    truth, _ = case_of(dimension)
    apart = truth - truth.mean(0)
    right, shown = np.argsort(-np.linalg.norm(apart, axis=1))[:4], truth.copy()
    # Half around, in the plane of the first two axes.
    shown[:, :2] -= 2 * apart[:, :2]
    shown[right] = truth[right]
    sight = sight_of(dimension, truth, shown)
    assert BY_SHAPE in {seen.look for seen in sight.answered()}
    of_cases = fit_prior(shapes(dimension, 60, seed=2))
    # Models of before there was a limit, too.
    for prior in (of_cases, replace(of_cases, limit=np.inf)):
        seen = replace(sight, prior=prior).answered()
        assert BY_SHAPE not in {each.look for each in seen}


@both_dimensions
def test_few_that_a_person_gives_outvote_many_that_agree(dimension):
    truth, truth_lps = case_of(dimension)
    shown, wrong = turned(truth)
    sight = sight_of(dimension, truth, shown)
    far = np.argsort(-np.linalg.norm(shown - truth, axis=1))[:dimension]
    seen = sight.answered({int(i): truth_lps[i] for i in far})
    errors, moved = errors_of(seen, truth_lps), np.linalg.norm(shown - truth, axis=1)
    others = [i for i in range(COUNT) if i not in far]
    # A heatmap as wide as this one says nothing of less.
    assert max(errors[i] for i in others if moved[i] > 12) < 4.0
    assert {seen[i].look for i in others if i not in wrong} == {None}


@both_dimensions
def test_what_is_given_and_a_little_odd_takes_no_other_along(dimension):
    """The worst are corrected first, and the worst are those of odd anatomy."""
    truth, truth_lps = case_of(dimension)
    odd = displaced(truth, [2, 5], 4.0)
    odd_lps = np.array([to_lps(each, dimension) for each in odd])
    sight = sight_of(dimension, odd, odd, Eye(odd_lps, dimension))
    seen = sight.answered({2: odd_lps[2], 5: odd_lps[5]})
    assert errors_of(seen, odd_lps).max() < 1.0


@both_dimensions
def test_with_landmarks_given_what_is_seen_at_an_odd_place_only_is_proposed_elsewhere(dimension):
    truth, truth_lps = case_of(dimension)
    sight = sight_of(dimension, truth, displaced(truth, [5]))
    seen = sight.answered({0: truth_lps[0]})
    assert seen[5].look == BY_SHAPE and np.linalg.norm(seen[5].position_lps - truth_lps[5]) < 4.0


@both_dimensions
def test_crops_that_lie_askew_to_the_anatomy_are_taken_again(dimension):
    truth, truth_lps = case_of(dimension)
    turn = np.eye(dimension)
    turn[:2, :2] = [[0, -1], [1, 0]]
    eye = Eye(truth_lps, dimension, turn=turn)
    seen = sight_of(dimension, truth, truth, eye).answered()
    assert set(eye.asked) == set(range(COUNT))
    assert {s.look for s in seen} == {SEEN_AGAIN}
    for each in seen:
        axes = each.heatmap.grid.directions[:dimension, :dimension]
        np.testing.assert_allclose(axes, turn, atol=1e-9)


def test_without_a_joint_shape_the_choice_of_the_networks_stands():
    truth, truth_lps = case_of(3)
    sight = sight_of(3, truth, displaced(truth, HALF), Eye(truth_lps, 3))
    seen = replace(sight, places=None).answered()
    assert all(s is each[0].seen for s, each in zip(seen, sight.candidates))
    assert tuple(s.name for s in seen) == NAMES
