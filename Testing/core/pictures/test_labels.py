"""Labels that can be read: none on another, none on a point, none outside the picture."""

import numpy as np
import pytest

from landmark_heatmap.pictures.labels import NEAR, place_labels

PANEL = (300.0, 200.0)


def boxes(centres, sizes):
    return np.hstack([centres - sizes / 2, centres + sizes / 2])


def overlap(a, b):
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    return bool((sides > 1e-9).all())


@pytest.mark.parametrize("seed", range(5))
def test_numbers_among_many_points_lie_on_nothing(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, PANEL, (30, 2))
    sizes = np.tile([10.0, 8.0], (30, 1))
    centres, all_free = place_labels(points, sizes, PANEL)
    assert all_free
    placed = boxes(centres, sizes)
    for index, box in enumerate(placed):
        assert (box[:2] >= 0).all() and (box[2:] <= PANEL).all()
        assert not any(overlap(box, other) for other in placed[:index])
        assert not any(((p > box[:2]) & (p < box[2:])).all() for p in points)


def test_two_points_at_one_place_have_labels_side_by_side():
    sizes = np.full((2, 2), 10.0)
    centres, all_free = place_labels([(50, 50), (50, 50)], sizes, PANEL)
    assert all_free and not overlap(*boxes(centres, sizes))


def test_a_label_that_finds_no_place_is_told():
    points = np.tile([150.0, 100.0], (40, 1))
    assert not place_labels(points, np.tile([90.0, 8.0], (40, 1)), PANEL)[1]
    assert not place_labels([(5, 5)], [(400, 8)], PANEL)[1]


def test_what_is_reserved_stays_free():
    right_of_it = (50.0, 90.0, 90.0, 110.0)
    (free,), _ = place_labels([(50, 100)], [(20, 8)], PANEL)
    (moved,), all_free = place_labels([(50, 100)], [(20, 8)], PANEL, [right_of_it])
    assert free[0] > 50 and all_free
    assert not overlap(boxes(moved, np.array([20, 8])), np.array(right_of_it))


def test_a_label_stands_no_farther_off_than_it_may():
    points = np.tile([150.0, 100.0], (12, 1))
    sizes = np.full((12, 2), 8.0)
    for farthest in (NEAR, 30.0):
        centres, _ = place_labels(points, sizes, PANEL, farthest=farthest)
        assert abs(centres - points).max() <= farthest + 4


def test_no_labels_are_no_trouble():
    centres, all_free = place_labels([], [], PANEL)
    assert centres.shape == (0, 2) and all_free
