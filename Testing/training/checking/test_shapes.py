"""Faults planted into configurations that are made here: what is told, and that it is told once."""

import numpy as np
import pytest

from landmark_heatmap.model.pose import nearest_rotation
from landmark_training.checking.finding import EXCHANGED, FRAME, MIRRORED, OFF, UNLIKE
from landmark_training.checking.shapes import Configurations, find_by_shape

COUNT, LANDMARKS = 32, 9
NAMES = tuple(f"N{index:02d}" for index in range(LANDMARKS))
CASES = tuple(f"case{index:02d}" for index in range(COUNT))


def configurations(dimension=3, seed=0, count=COUNT, any_pose=False, twins=()):
    """A shape of some 100 mm, of which cases differ by 1 to 2 mm."""
    rng = np.random.default_rng(seed)
    shape = rng.normal(size=(LANDMARKS, dimension)) * 50
    modes = rng.normal(size=(3, LANDMARKS, dimension))
    positions = []
    for _ in range(count):
        points = shape + np.einsum("m,mld->ld", rng.normal(size=3), modes)
        points = points + rng.normal(size=points.shape) * 0.5 + rng.normal(size=dimension) * 3
        turn = nearest_rotation(rng.normal(size=(dimension, dimension)))
        positions.append(points @ turn.T if any_pose else points)
    return Configurations(CASES[:count], NAMES, np.array(positions), twins)


def planted_findings(points, *cases):
    """The findings of these cases. In the others at most one point in a hundred may seem off: points
    that are rare, and right, there must be."""
    findings, _ = find_by_shape(points)
    others = [each for each in findings if each.case not in cases]
    assert {each.kind for each in others} <= {OFF}
    assert len(others) <= 0.01 * points.positions[..., 0].size
    return [each for each in findings if each.case in cases]


def found(points, *cases):
    return [
        (each.kind, each.case, set(each.landmarks)) for each in planted_findings(points, *cases)
    ]


@pytest.mark.parametrize("dimension, any_pose", [(2, False), (3, True)])
def test_nothing_is_told_of_cases_in_which_nothing_is_wrong(dimension, any_pose):
    assert found(configurations(dimension, 1, any_pose=any_pose)) == []


@pytest.mark.parametrize("dimension, any_pose", [(2, False), (3, True)])
def test_two_exchanged_points_are_told_as_one_exchange(dimension, any_pose):
    points = configurations(dimension, 2, any_pose=any_pose)
    points.positions[5, [3, 8]] = points.positions[5, [8, 3]]
    assert found(points, "case05") == [(EXCHANGED, "case05", {"N03", "N08"})]
    [finding] = planted_findings(points, "case05")
    assert "'N03' and 'N08' are exchanged" in finding.reason and "misfit falls" in finding.reason
    apart = np.linalg.norm(points.positions[5, 3] - points.positions[5, 8])
    assert finding.size == pytest.approx(apart)


def test_three_points_that_went_round_are_told_in_one_line_that_says_what_lies_where():
    points = configurations(3, 3)
    points.positions[7, [1, 4, 7]] = points.positions[7, [4, 7, 1]]
    [finding] = planted_findings(points, "case07")
    assert finding.kind == EXCHANGED and set(finding.landmarks) == {"N01", "N04", "N07"}
    # What is called N01 lies at the place of N04.
    assert "'N01' lies where 'N04' belongs" in finding.reason


def test_several_wrong_points_of_one_case_are_told_each_with_its_distance():
    points = configurations(3, 4)
    for index in (2, 6):
        points.positions[9, index] += [0, 15, 0]
    findings = planted_findings(points, "case09")
    assert {each.landmarks for each in findings} == {("N02",), ("N06",)}
    for each in findings:
        assert each.kind == OFF and each.case == "case09" and each.size == pytest.approx(15, abs=3)


@pytest.mark.parametrize("dimension, any_pose", [(2, False), (3, True)])
def test_a_mirrored_case_is_told_as_a_whole_and_not_by_its_points(dimension, any_pose):
    points = configurations(dimension, 5, any_pose=any_pose)
    points.positions[11, :, 1] *= -1
    assert found(points, "case11") == [(MIRRORED, "case11", set())]
    [finding] = planted_findings(points, "case11")
    assert ("y was flipped" in finding.reason) == (not any_pose)


def test_of_a_mirrored_case_a_point_that_is_off_as_well_is_told_too():
    points = configurations(3, 6)
    points.positions[11, :, 0] *= -1
    points.positions[11, 4] += [0, 0, 20]
    assert found(points, "case11") == [(MIRRORED, "case11", set()), (OFF, "case11", {"N04"})]


def test_left_and_right_exchanged_throughout_is_one_finding():
    twins = tuple((index, index + 1) for index in range(0, LANDMARKS - 1, 2))
    points = configurations(3, 7, twins=twins)
    left, right = np.array(twins).T
    points.positions[3, [*left, *right]] = points.positions[3, [*right, *left]]
    [finding] = planted_findings(points, "case03")
    assert (
        finding.kind == MIRRORED and "Left and right are exchanged in all names" in finding.reason
    )


def test_many_faults_at_once_hide_none_of_each_other():
    points = configurations(3, 8)
    points.positions[0, :, 0] *= -1
    points.positions[1, [0, 5]] = points.positions[1, [5, 0]]
    points.positions[2, 7] += [12, 0, 0]
    points.positions[3] /= 10
    points.positions[4, :, :2] *= -1
    told = found(points, *CASES[:5])
    assert sorted(told, key=lambda each: each[1]) == [
        (MIRRORED, "case00", set()),
        (EXCHANGED, "case01", {"N00", "N05"}),
        (OFF, "case02", {"N07"}),
        (FRAME, "case03", set()),
        (FRAME, "case04", set()),
    ]
    reasons = {each.case: each.reason for each in find_by_shape(points)[0]}
    assert "times as small" in reasons["case03"]
    assert "x and y were flipped" in reasons["case04"]


def test_a_case_of_other_points_is_told_as_unlike_the_others():
    points = configurations(3, 9)
    points.positions[6] = np.random.default_rng(0).normal(size=(LANDMARKS, 3)) * 50
    told = found(points, "case06")
    assert UNLIKE in {kind for kind, _, _ in told}


def test_landmarks_that_cases_lack_keep_nothing_from_being_found():
    points = configurations(3, 10)
    rng = np.random.default_rng(1)
    points.positions[rng.random((COUNT, LANDMARKS)) < 0.15] = np.nan
    points.positions[5] = configurations(3, 10).positions[5]
    points.positions[5, [3, 4]] = points.positions[5, [4, 3]]
    assert found(points, "case05") == [(EXCHANGED, "case05", {"N03", "N04"})]


def test_a_landmark_that_no_case_has_changes_nothing_of_what_is_told():
    points = configurations(3, 15)
    points.positions[3] /= 10
    [finding] = planted_findings(points, "case03")
    nowhere = np.full((COUNT, LANDMARKS, 3), np.nan)
    names = NAMES + tuple(f"{name} of another set" for name in NAMES)
    more = Configurations(CASES, names, np.concatenate([points.positions, nowhere], axis=1))
    [same] = planted_findings(more, "case03")
    assert same.kind == finding.kind == FRAME and same.reason == finding.reason
    assert same.size == pytest.approx(finding.size)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_cases_cannot_tell_and_that_is_said(count):
    points = configurations(3, 11, count=count)
    points.positions[0, :, 0] *= -1
    findings, [note] = find_by_shape(points)
    assert not findings and "cannot be told" in note and f"there are {count}" in note


def test_few_landmarks_cannot_tell_and_that_is_said():
    points = configurations(3, 12)
    few = Configurations(points.names, NAMES[:3], points.positions[:, :3])
    findings, [note] = find_by_shape(few)
    assert not findings and "4 landmarks or more" in note


def test_a_rare_landmark_and_a_case_with_too_few_are_named_as_not_told():
    points = configurations(3, 13)
    points.positions[3:, 2] = np.nan
    points.positions[8, 3:] = np.nan
    _, notes = find_by_shape(points)
    assert any("'N02'" in note for note in notes) and any("'case08'" in note for note in notes)


def test_all_points_in_one_place_are_no_reason_to_fail():
    points = configurations(3, 14)
    points.positions[2] = 7.0
    assert planted_findings(points, "case02") or "case02" in str(find_by_shape(points)[1])


# Left and right, and three between them.
WIDE = np.array([[-60, 0, 0], [60, 0, 0], [0, 15, 10], [5, -10, 5], [5, 10, -12]], float)
FLAT = np.array([[-30, -20], [30, -20], [0, 0], [0, 20], [0, 45]], float)
DEEPER = np.column_stack([FLAT, [0, 0, 20, 10, 0]])
FIVE = ("L", "R", "A", "B", "C")


def of_five(shape, seed):
    """14 cases of five landmarks."""
    rng = np.random.default_rng(seed)
    modes, positions = rng.normal(size=(3, *shape.shape)), []
    for _ in range(14):
        moved = shape + np.einsum("m,mld->ld", rng.normal(size=3), modes)
        noise = rng.normal(size=shape.shape) * 0.5
        positions.append(moved + noise + rng.normal(size=shape.shape[1]) * 3)
    return Configurations(CASES[:14], FIVE, np.array(positions), ((0, 1),))


def exchange_sides(points):
    points.positions[3, [0, 1]] = points.positions[3, [1, 0]]
    return points


def told_of_case03(points):
    return [each for each in find_by_shape(points)[0] if each.case == "case03"]


def test_of_five_landmarks_an_exchanged_pair_is_no_turned_frame_and_no_mirror_image():
    [finding] = told_of_case03(exchange_sides(of_five(WIDE, 0)))
    assert finding.kind == EXCHANGED and finding.landmarks == ("L", "R")


def test_where_an_exchanged_pair_cannot_be_told_from_a_mirror_image_both_are_said():
    [finding] = told_of_case03(exchange_sides(of_five(FLAT, 0)))
    assert finding.kind == MIRRORED
    assert finding.reason.startswith("'L' and 'R' are exchanged, or the whole case is a mirror")


def test_where_an_exchanged_pair_cannot_be_told_from_a_turned_case_both_are_said():
    findings = told_of_case03(exchange_sides(of_five(DEEPER, 3)))
    [turned] = [each for each in findings if each.kind == FRAME]
    assert "turned by 179 degrees" in turned.reason
    assert "or 'L' and 'R' are exchanged, and nothing is turned." in turned.reason


def test_five_landmarks_that_are_turned_are_told_as_that_alone():
    points = of_five(WIDE, 0)
    points.positions[3, :, :2] *= -1
    [finding] = told_of_case03(points)
    assert finding.kind == FRAME and "x and y were flipped." in finding.reason
