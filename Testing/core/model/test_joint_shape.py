"""The joint Gaussian: what the others say of a landmark, in any pose, with some absent or wrong."""

import numpy as np
import pytest

from landmark_heatmap.detection.joint import mends_of
from landmark_heatmap.model.joint_shape import GATE, fit_joint_shape, merged

SCATTER = 0.4
both_dimensions = pytest.mark.parametrize("dimension", [2, 3])


def turn_of(rng, dimension):
    turn = np.linalg.qr(rng.normal(size=(dimension, dimension)))[0]
    turn[:, 0] *= np.sign(np.linalg.det(turn))
    return turn


def cases(dimension, count=60, landmarks=9, seed=0):
    """Shapes that bend along two modes and scatter, moved and turned at will."""
    rng = np.random.default_rng(seed)
    known = np.random.default_rng(7)
    shape = known.normal(size=(landmarks, dimension)) * 20
    modes = known.normal(size=(2, landmarks, dimension)) * 2
    made = []
    for _ in range(count):
        bent = shape + np.tensordot(rng.normal(size=2), modes, 1)
        bent = bent + SCATTER * rng.normal(size=shape.shape)
        made.append(bent @ turn_of(rng, dimension).T + 50 * rng.normal(size=dimension))
    return np.array(made)


def sure(positions, mm=0.05):
    return np.tile(mm**2 * np.eye(positions.shape[1]), (len(positions), 1, 1))


@both_dimensions
def test_the_others_tell_where_a_landmark_is_in_any_pose(dimension):
    shape = fit_joint_shape(cases(dimension))
    errors, squares = [], []
    for case in cases(dimension, 25, seed=1):
        said = shape.expected(case, sure(case))
        errors += np.linalg.norm(said.mean - case, axis=1).tolist()
        squares += said.square.tolist()
    # The scatter of a landmark itself, and some of that of the others.
    assert np.sqrt(np.mean(np.square(errors))) < 2.2 * SCATTER * dimension**0.5
    assert 0.4 < np.mean(squares) / dimension < 1.6
    assert np.mean(np.array(squares) > GATE[dimension]) < 0.02


@both_dimensions
def test_one_that_lies_wrong_is_told_and_takes_no_other_along(dimension):
    shape = fit_joint_shape(cases(dimension))
    (case,) = cases(dimension, 1, seed=2)
    before = shape.expected(case, sure(case))
    wrong = case.copy()
    wrong[3] += 12
    said = shape.expected(wrong, sure(case))
    assert said.square[3] > 3 * GATE[dimension]
    others = np.arange(len(case)) != 3
    assert (said.square[others] < GATE[dimension]).all()
    assert np.linalg.norm(said.mean[3] - before.mean[3]) < 0.1
    assert np.linalg.norm(said.mean[others] - before.mean[others], axis=1).max() < 0.8


@both_dimensions
def test_of_an_absent_landmark_the_others_say_where_it_would_be(dimension):
    shape = fit_joint_shape(cases(dimension))
    errors = []
    for case in cases(dimension, 20, seed=3):
        given = case.copy()
        given[[1, 4]] = np.nan
        said = shape.expected(given, sure(case))
        errors.append(np.linalg.norm(said.mean[[1, 4]] - case[[1, 4]], axis=1))
        assert np.isnan(said.square[[1, 4]]).all()
    assert np.mean(errors) < 4 * SCATTER


@both_dimensions
def test_a_landmark_that_is_known_badly_counts_little(dimension):
    shape = fit_joint_shape(cases(dimension))
    (case,) = cases(dimension, 1, seed=4)
    moved = case.copy()
    moved[0] += 3
    covariances = sure(case)
    covariances[0] *= 1e4
    said, right = shape.expected(moved, covariances), shape.expected(case, covariances)
    assert np.linalg.norm(said.mean[1:] - right.mean[1:], axis=1).max() < 0.3


def test_cases_that_lack_landmarks_teach_the_rest():
    positions = cases(3)
    rng = np.random.default_rng(5)
    positions[rng.random(positions.shape[:2]) < 0.2] = np.nan
    positions[:, 8] = np.nan
    shape = fit_joint_shape(positions)
    assert shape.known.tolist() == [True] * 8 + [False]
    (case,) = cases(3, 1, seed=6)
    said = shape.expected(case, sure(case))
    assert np.isfinite(said.mean[:8]).all() and np.isnan(said.mean[8]).all()
    assert np.linalg.norm(said.mean[:8] - case[:8], axis=1).max() < 8 * SCATTER


def test_few_cases_widen_it_until_their_left_out_landmarks_pass():
    few, many = fit_joint_shape(cases(3, 4)), fit_joint_shape(cases(3, 80))
    assert few.widening > many.widening == pytest.approx(1, abs=0.3)
    squares = np.concatenate(
        [few.expected(case, sure(case)).square for case in cases(3, 40, seed=8)]
    )
    assert np.mean(squares > GATE[3]) < 0.05


@both_dimensions
def test_three_cases_name_a_landmark_that_lies_far_off_and_hardly_any_other(dimension):
    told, wrong = [], []
    for seed in range(8):
        shape = fit_joint_shape(cases(dimension, 3, seed=100 + seed))
        for case in cases(dimension, 4, seed=200 + seed):
            wrong += [*(shape.expected(case, sure(case)).square > GATE[dimension])]
            case[2, 0] += 25
            told.append(shape.expected(case, sure(case)).square[2] > GATE[dimension])
    assert np.mean(told) > 0.95 and np.mean(wrong) < 0.03


def test_too_few_cases_or_landmarks_make_none():
    assert fit_joint_shape(cases(3, 2)) is None
    assert fit_joint_shape(cases(3)[:, :3]) is None
    shape = fit_joint_shape(cases(3))
    (case,) = cases(3, 1)
    case[2:] = np.nan
    assert shape.expected(case, sure(case)) is None


def test_shapes_of_an_ensemble_are_one_along_the_first_ones_axes():
    first, second = fit_joint_shape(cases(3, 40)), fit_joint_shape(cases(3, 40, seed=9))
    both = merged([first, second])
    (case,) = cases(3, 1, seed=10)
    one, two = first.expected(case, sure(case)), both.expected(case, sure(case))
    assert np.linalg.norm(one.mean - two.mean, axis=1).max() < 1.0
    assert merged([first, None]) is None


@both_dimensions
def test_placing_an_unsure_landmark_mends_the_unsure_ones_that_go_with_it(dimension):
    rng = np.random.default_rng(3)
    made = cases(dimension)
    # 1 goes where 0 goes, 2 does as it likes, and both vary much.
    made[:, 0] += 4 * rng.normal(size=(len(made), dimension))
    made[:, 1] = made[:, 0] + 3 + 0.1 * rng.normal(size=(len(made), dimension))
    made[:, 2] += 4 * rng.normal(size=(len(made), dimension))
    shape, case = fit_joint_shape(made), made[0]
    own = sure(case)
    own[:3] = 25.0 * np.eye(dimension)
    case = np.where(np.arange(len(case))[:, None] == 8, np.nan, case)
    mends = mends_of(shape.expected(case, own))
    assert mends[8] == 0
    assert min(mends[0], mends[1]) > 3 * mends[2]
    # What all are sure of mends little.
    assert mends[0] > 3 * mends[3:8].max()
    assert mends_of(shape.expected(case, sure(case))).max() < 0.1 * mends[0]
