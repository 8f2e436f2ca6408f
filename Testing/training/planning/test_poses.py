"""How far the cases are turned is told from their landmarks."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from landmark_training.planning.poses import rotation_spread_degrees


def turned_cases(degrees, count=60, seed=1, dimension=3):
    rng = np.random.default_rng(seed)
    shape = rng.normal(0, 30, (10, dimension))
    cases = []
    for angle in np.radians(rng.uniform(-degrees, degrees, count)):
        if dimension == 2:
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        else:
            axis = rng.normal(size=3)
            turn = Rotation.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix()
        cases.append(
            (shape + rng.normal(0, 1, shape.shape)) @ turn.T + rng.normal(0, 40, dimension)
        )
    return np.array(cases)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("degrees", [5, 40])
def test_the_spread_of_the_poses_is_found(degrees, dimension):
    spread = rotation_spread_degrees(turned_cases(degrees, dimension=dimension))
    assert spread == pytest.approx(0.95 * degrees, rel=0.25, abs=1.5)


def test_arbitrary_poses_are_told_as_such():
    assert rotation_spread_degrees(turned_cases(180)) > 100


def test_cases_that_lack_landmarks_count_by_those_they_have():
    cases = turned_cases(30)
    cases[::2, :5] = np.nan
    assert rotation_spread_degrees(cases) == pytest.approx(28, rel=0.25)


def test_too_few_landmarks_or_cases_tell_nothing():
    assert rotation_spread_degrees(turned_cases(30)[:2]) is None
    assert rotation_spread_degrees(turned_cases(30)[:, :2]) is None


def test_cases_with_nothing_in_common_tell_nothing():
    cases = turned_cases(30)
    cases[::2, :5] = np.nan
    cases[1::2, 5:] = np.nan
    assert rotation_spread_degrees(cases) is None
