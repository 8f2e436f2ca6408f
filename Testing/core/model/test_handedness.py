"""Left and right by the shape alone: what can be told of a mirrored case, and what cannot."""

import numpy as np
import pytest

from landmark_heatmap.model.handedness import (
    FEW,
    SYMMETRIC,
    is_own_mirror_image,
    lies_mirrored,
    share_broken,
    symmetry_record,
)
from landmark_heatmap.model.joint_shape import fit_joint_shape

both_dimensions = pytest.mark.parametrize("dimension", [2, 3])


def turned(rng, positions):
    dimension = positions.shape[1]
    turn = np.linalg.qr(rng.normal(size=(dimension, dimension)))[0]
    turn[:, 0] *= np.sign(np.linalg.det(turn))
    return positions @ turn.T + 30 * rng.normal(size=dimension)


def mirrored(positions):
    return positions * np.array([1, -1, 1][: positions.shape[1]])


def cases_of(shape, seed=0, count=40):
    rng = np.random.default_rng(seed)
    return np.array([turned(rng, shape + 0.3 * rng.normal(size=shape.shape)) for _ in range(count)])


def lopsided(dimension):
    return 20 * np.random.default_rng(7).normal(size=(10, dimension))


def symmetric(dimension):
    """Four pairs and two on the plane between them."""
    left = 20 * np.random.default_rng(5).uniform(0.3, 1, (4, dimension)) * ([1] * dimension)
    left[:, -1] *= [1, -1, 1, -1]
    middle = np.array([[0.0, 25, 3], [0, -20, 8]])[:, :dimension]
    return np.concatenate([left, left * np.array([-1, 1, 1][:dimension]), middle])


@both_dimensions
def test_a_mirrored_case_of_a_lopsided_shape_is_known(dimension):
    shape = fit_joint_shape(cases_of(lopsided(dimension)))
    assert not is_own_mirror_image(shape)
    for case in cases_of(lopsided(dimension), seed=1, count=5):
        assert share_broken(shape, case) <= FEW
        assert not lies_mirrored(shape, case)
        assert lies_mirrored(shape, mirrored(case))


@both_dimensions
def test_a_shape_of_pairs_is_its_own_mirror_image(dimension):
    shape = fit_joint_shape(cases_of(symmetric(dimension)))
    assert is_own_mirror_image(shape)
    pairs = [4, 5, 6, 7, 0, 1, 2, 3, 8, 9]
    for case in cases_of(symmetric(dimension), seed=1, count=5):
        # As a network finds it: each landmark where its partner is.
        assert share_broken(shape, mirrored(case)[pairs]) <= FEW


def test_what_is_neither_as_it_should_be_nor_mirrored_is_not_called_mirrored():
    shape = fit_joint_shape(cases_of(lopsided(3)))
    scattered = 20 * np.random.default_rng(1).normal(size=(10, 3))
    assert share_broken(shape, scattered) > FEW
    assert not lies_mirrored(shape, scattered)


def test_of_too_few_landmarks_nothing_is_told():
    shape = fit_joint_shape(cases_of(lopsided(3)))
    few = mirrored(cases_of(lopsided(3), seed=1)[0])
    few[3:] = np.nan
    assert np.isnan(share_broken(shape, few))
    assert not lies_mirrored(shape, few)


def test_a_landmark_that_no_case_has_does_not_matter():
    cases = cases_of(symmetric(3))
    cases[:, 9] = np.nan
    assert is_own_mirror_image(fit_joint_shape(cases))


def test_the_record_of_a_training_says_it():
    assert symmetry_record(fit_joint_shape(cases_of(symmetric(3)))) == {SYMMETRIC: True}
    assert symmetry_record(None) == {}
