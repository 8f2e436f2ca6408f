"""Whether mirroring is right is asked of where the landmarks lie, not of their names alone."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_training.planning.symmetry import off_the_plane

NAMES = ("Eye_L", "Eye_R", "Ear_L", "Ear_R", "Nose", "Chin", "Mole")
SHAPE = np.array(
    [[14, 0, 2], [-14, 0, 2], [30, 10, 0], [-30, 10, 0], [0, -8, -10], [0, -4, -40], [22, 3, -15]],
    float,
)


def landmark_set(*pairs, midline=()):
    return LandmarkSet(tuple(map(Landmark, NAMES)), pairs, midline=midline)


PAIRS = (("Eye_L", "Eye_R"), ("Ear_L", "Ear_R"))


def cases(count=12, dimension=3, noise=1.0, seed=0):
    """Faces in any pose."""
    rng = np.random.default_rng(seed)
    shape = SHAPE if dimension == 3 else SHAPE[:, [0, 2]]
    turned = []
    for _ in range(count):
        if dimension == 3:
            turn = Rotation.random(random_state=rng.integers(1 << 30)).as_matrix()
        else:
            angle = rng.uniform(-0.4, 0.4)
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        moved = shape + rng.normal(0, noise, shape.shape)
        turned.append(moved @ turn.T + rng.normal(0, 50, dimension))
    return np.array(turned)


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_landmark_to_one_side_without_a_partner_is_found(dimension):
    assert off_the_plane(cases(dimension=dimension), landmark_set(*PAIRS)) == ("Mole",)


def test_an_unknown_pair_is_found_from_a_known_one():
    assert off_the_plane(cases(), landmark_set(PAIRS[0])) == ("Ear_L", "Ear_R", "Mole")


def test_without_any_pair_there_is_no_plane():
    assert off_the_plane(cases(), landmark_set()) == ()


def test_what_is_stated_to_lie_on_the_midline_is_not_asked_about():
    assert off_the_plane(cases(), landmark_set(*PAIRS, midline=("Mole",))) == ()


def test_a_landmark_now_on_this_side_and_now_on_that_is_on_no_side():
    positions = cases(20)
    mirrored = positions.copy()
    mirrored[:, 6] = positions[:, 6] - 2 * (positions[:, 0] - positions[:, 1]) * 22 / 28
    positions[::2] = mirrored[::2]
    assert off_the_plane(positions, landmark_set(*PAIRS)) == ()


def test_cases_count_that_have_a_pair_and_the_landmark():
    positions = cases(10)
    positions[:4, 0] = np.nan
    positions[:4, 2] = np.nan
    assert off_the_plane(positions, landmark_set(*PAIRS)) == ("Mole",)
    positions[:, 6] = np.nan
    positions[0, 6] = 500
    assert off_the_plane(positions, landmark_set(*PAIRS)) == ()
