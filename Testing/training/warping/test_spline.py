"""Thin-plate splines hit the points that they are given, and say where they fold."""

import numpy as np
import pytest

pytest.importorskip("torch")

from landmark_heatmap.errors import DatasetError
from landmark_training.warping.spline import (
    ThinPlateSpline,
    least_squares_affine,
    least_stretch,
    through_affine,
)


def points(count=20, seed=0):
    return np.random.default_rng(seed).uniform(-50, 50, (count, 3))


def test_each_point_lands_exactly_on_its_target():
    source, target = points(), points() + np.random.default_rng(1).normal(0, 3, (20, 3))

    found = ThinPlateSpline.through(source, target).at(source)

    assert np.abs(found - target).max() < 1e-9


def test_between_points_that_move_alike_everything_moves_alike():
    affine = np.array([[3.0, -2, 1], [1.1, 0.1, 0], [0, 0.9, 0], [0.2, 0, 1]])
    source = points()

    spline = ThinPlateSpline.through(source, through_affine(affine, source))

    elsewhere = points(500, seed=2).reshape(5, 100, 3)
    expected = through_affine(affine, elsewhere.reshape(-1, 3)).reshape(5, 100, 3)
    assert np.abs(spline.at(elsewhere) - expected).max() < 1e-8
    assert spline.stretch(points(50, seed=3)) == pytest.approx(np.linalg.det(affine[1:]))


def test_the_stretch_is_the_derivatives_determinant():
    source = points()
    spline = ThinPlateSpline.through(source, source + points(seed=4) / 15)
    where, step = points(30, seed=5), 1e-4

    ahead = [spline.at(where + step * axis) - spline.at(where - step * axis) for axis in np.eye(3)]
    slopes = np.stack(ahead, axis=1) / (2 * step)

    assert spline.stretch(where) == pytest.approx(np.linalg.det(slopes), abs=1e-5)


def test_two_points_that_change_places_fold_the_space_between_them():
    source = np.vstack([points(), [[0, 0, 0], [4, 0, 0]]])
    target = source.copy()
    target[-2:] = target[[-1, -2]]

    least, where = least_stretch(ThinPlateSpline.through(source, target), [-50] * 3, [50] * 3, 5.0)

    assert least < 0
    assert np.linalg.norm(where - [2, 0, 0]) < 6


def test_a_map_that_nothing_is_moved_by_folds_nowhere():
    source = points()
    least, _ = least_stretch(ThinPlateSpline.through(source, source), [-50] * 3, [50] * 3, 10.0)
    assert least == pytest.approx(1)


@pytest.mark.parametrize("spoil", [lambda p: p[[0, 0, *range(18)]], lambda p: p * [1, 1, 0]])
def test_points_that_leave_the_map_open_are_refused(spoil):
    with pytest.raises(DatasetError, match="one place, or all in one plane"):
        ThinPlateSpline.through(spoil(points()), points(seed=1))


def test_the_affine_map_of_least_squares_is_found():
    affine = np.array([[3.0, -2, 1], [1.1, 0.1, 0], [0, 0.9, 0], [0.2, 0, 1]])
    source = points()
    assert least_squares_affine(source, through_affine(affine, source)) == pytest.approx(affine)
