"""The pose of a configuration is found, however it lies and although some of it is wrong."""

import numpy as np
import pytest

from landmark_heatmap.model.pose import align, fit_pose, nearest_rotation
from landmark_heatmap.model.prior import choose_peaks, fit_prior

SHAPE = np.array(
    [[0.0, 0, 0], [40, 0, 0], [40, 30, 0], [0, 30, 10], [20, 15, 25], [-10, 5, 8], [12, -9, 3]]
)


def turns(count, dimension=3, seed=0):
    rng = np.random.default_rng(seed)
    return [nearest_rotation(rng.normal(size=(dimension, dimension))) for _ in range(count)]


def turned_cases(count=20, seed=0, dimension=3):
    """The shape, a little deformed, in any pose anywhere."""
    rng = np.random.default_rng(seed)
    return np.array(
        [
            (SHAPE[:, :dimension] + rng.normal(0, 0.5, (len(SHAPE), dimension))) @ turn.T
            + rng.normal(0, 50, dimension)
            for turn in turns(count, dimension, seed)
        ]
    )


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_pose_is_found_to_rounding(dimension):
    shape, turn = SHAPE[:, :dimension], turns(1, dimension)[0]
    pose = fit_pose(shape, 1.2 * shape @ turn.T + 7)
    np.testing.assert_allclose(pose.rotation, turn, atol=1e-9)
    assert pose.scale == pytest.approx(1.2)
    np.testing.assert_allclose(pose.applied(shape), 1.2 * shape @ turn.T + 7, atol=1e-9)


def test_two_of_six_wrong_positions_and_a_missing_one_do_no_harm():
    turn = turns(1, seed=4)[0]
    positions = SHAPE @ turn.T
    positions[:2] += np.random.default_rng(1).normal(0, 60, (2, 3))
    positions[3] = np.nan
    pose = fit_pose(SHAPE, positions)
    np.testing.assert_allclose(pose.rotation, turn, atol=1e-6)


def test_a_mirror_image_is_no_pose():
    pose = fit_pose(SHAPE, SHAPE * [-1, 1, 1])
    assert np.linalg.det(pose.rotation) == pytest.approx(1)


@pytest.mark.parametrize("known", [0, 2])
def test_two_landmarks_tell_no_pose(known):
    positions = np.full_like(SHAPE, np.nan)
    positions[:known] = SHAPE[:known]
    assert fit_pose(SHAPE, positions) is None


def test_landmarks_in_one_place_tell_no_pose():
    assert fit_pose(SHAPE, np.zeros_like(SHAPE)) is None


def test_cases_in_any_pose_are_turned_onto_one_shape():
    cases = turned_cases()
    rotations, shape = align(cases)
    centred = cases - cases.mean(1, keepdims=True)
    turned = np.einsum("nld,ned->nle", centred, rotations)
    assert np.linalg.norm(turned - shape, axis=-1).mean() < 1.0
    pose = fit_pose(SHAPE, shape)
    assert np.linalg.norm(pose.applied(SHAPE) - shape, axis=-1).max() < 1.0


def test_in_any_pose_the_prior_knows_the_shape_along_its_own_axes():
    cases = turned_cases(40)
    prior = fit_prior(cases, align(cases)[1])
    unseen = turned_cases(10, seed=9)
    assert np.mean([prior.is_plausible(each) for each in unseen]) > 0.6
    unseen[:, 2] += [0, -40, 0]
    assert not any(prior.is_plausible(each) for each in unseen)


def test_in_any_pose_the_prior_chooses_the_peak_where_the_others_expect_it():
    cases = turned_cases(40)
    found = turned_cases(1, seed=9)[0]
    candidates = [np.array([p]) for p in found]
    candidates[2] = np.array([found[2] + [0, -40, 0], found[2]])
    heights = [np.zeros(len(c)) for c in candidates]
    votes = np.ones(len(found), dtype=bool)
    assert choose_peaks(candidates, heights, votes, fit_prior(cases))[2] == 0
    assert choose_peaks(candidates, heights, votes, fit_prior(cases, align(cases)[1]))[2] == 1


def test_new_cases_are_merged_along_the_axes_of_the_shape_that_is_known():
    cases = turned_cases(40)
    shape = align(cases)[1]
    together = fit_prior(cases, shape)
    # One case alone could not be turned onto others of its kind.
    merged = fit_prior(cases[:39], shape).merged(fit_prior(cases[39:], shape))
    np.testing.assert_allclose(merged.mean, together.mean, atol=1e-9)
    np.testing.assert_allclose(merged.covariance, together.covariance, atol=1e-9)
    assert merged.shape is shape
