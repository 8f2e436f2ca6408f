"""What several cases say of a landmark, put together."""

import numpy as np

from landmark_heatmap.registering.votes import combined, weights_of


def votes(*positions):
    """(C, 1, 1, 3) of one landmark, each case seen one way."""
    return np.array(positions, float).reshape(-1, 1, 1, 3)


def together(positions, likeness=None, blur_mm=1.0):
    likeness = np.ones(positions.shape[:3]) if likeness is None else np.array(likeness)
    qualities = np.ones(positions.shape[:2])
    return combined(
        positions, weights_of(likeness.reshape(positions.shape[:3]), qualities), blur_mm
    )


def width(found):
    return np.sqrt(np.trace(found.covariances[0]) / 3)


def test_one_case_among_five_that_went_astray_moves_little():
    right = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    found = together(votes(*right, (60, 0, 0)))
    assert np.linalg.norm(found.positions[0]) < 2.0


def test_cases_that_disagree_make_a_wider_belief():
    near = together(votes((-1, 0, 0), (1, 0, 0), (0, 1, 0)))
    far = together(votes((-5, 0, 0), (5, 0, 0), (0, 5, 0)))
    assert width(far) > 2 * width(near)


def test_one_case_alone_is_as_wide_as_the_voxels_and_more_are_narrower():
    one, many = together(votes((1, 2, 3)), blur_mm=2.0), votes(*[(1, 2, 3)] * 6)
    assert width(one) == 2.0
    assert 0.5 * width(one) < width(together(many, blur_mm=2.0)) < width(one)


def test_a_case_that_registers_badly_counts_less():
    found = together(votes((0, 0, 0), (4, 0, 0)), likeness=[0.9, 0.2])
    assert found.positions[0][0] < 1.0


def test_of_several_ways_of_looking_the_one_that_fits_best_counts():
    positions = np.array([[[[0.0, 0, 0]], [[9.0, 0, 0]]]])
    weights = weights_of(np.ones((1, 2, 1)), np.array([[1.2, 0.9]]))
    assert abs(combined(positions, weights, 1.0).positions[0][0]) < 0.5


def test_a_landmark_that_no_case_has_is_nan():
    found = together(votes((np.nan,) * 3, (np.nan,) * 3))
    assert np.isnan(found.positions).all()
    assert found.votes[0] == 0
