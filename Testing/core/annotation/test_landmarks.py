"""Landmark sets, mirror pairs, and what is known of a point."""

import json

import numpy as np
import pytest

from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.annotation.mirror_pairs import infer_mirror_pairs
from landmark_heatmap.errors import AnnotationError


def landmark_set(*names, pairs=()):
    return LandmarkSet(tuple(Landmark(name, f"where {name} is") for name in names), pairs)


def test_the_order_of_the_landmarks_is_the_order_of_the_channels():
    landmarks = landmark_set("C", "A", "B")
    assert landmarks.names == ("C", "A", "B")
    assert [landmarks.index(name) for name in landmarks.names] == [0, 1, 2]
    assert len(landmarks) == 3


def test_an_unknown_name_is_refused_with_the_names_there_are():
    with pytest.raises(AnnotationError, match="'D' is not one of the landmarks A, B"):
        landmark_set("A", "B").index("D")


@pytest.mark.parametrize(
    ("names", "pairs", "words"),
    [
        ((), (), "at least one"),
        (("A", "A"), (), "'A' stands twice"),
        (("A", " "), (), "needs a name, got ' '"),
        (("A", None), (), "needs a name, got None"),
        (("A", "B"), (("A", "D"),), "'D', which is no landmark"),
        (("A", "B", "C"), (("A", "B"), ("C", "A")), "'A' stands in more than one"),
        (("A", "B"), (("A", "A"),), "'A' stands in more than one"),
        (("A", "B", "C"), (("A", "B", "C"),), "two names, got"),
        (("A", "B"), (("A",),), "two names, got"),
    ],
)
def test_an_impossible_set_is_refused(names, pairs, words):
    with pytest.raises(AnnotationError, match=words):
        landmark_set(*names, pairs=pairs)


def test_mirroring_swaps_the_channels_of_twins_and_is_its_own_inverse():
    landmarks = landmark_set("L", "Mid", "R", "A", "B", pairs=(("L", "R"), ("B", "A")))
    permutation = landmarks.mirror_permutation()
    assert permutation.tolist() == [2, 1, 0, 4, 3]
    assert permutation[permutation].tolist() == [0, 1, 2, 3, 4]


def test_a_landmark_set_survives_json():
    landmarks = LandmarkSet(
        (Landmark("Kopf_L", "Mitte des Hüftkopfs"), Landmark("Kopf_R")),
        (("Kopf_L", "Kopf_R"),),
        "Hüfte",
    )
    assert LandmarkSet.from_json(json.loads(json.dumps(landmarks.to_json()))) == landmarks


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (("Femur_L_Head", "Femur_R_Head", "Sacrum"), (("Femur_L_Head", "Femur_R_Head"),)),
        (("ASIS right", "ASIS left"), (("ASIS left", "ASIS right"),)),
        (("Pelvis_Left_PT", "Pelvis_Right_PT"), (("Pelvis_Left_PT", "Pelvis_Right_PT"),)),
        (("AIIS_L", "AIIS_R"), (("AIIS_L", "AIIS_R"),)),
        # The L of LEC is no word of its own, and neither is the one of L5.
        (("LEC", "REC", "L5", "R5"), ()),
        (("Femur_L_Head", "Sacrum"), ()),
    ],
)
def test_twins_are_told_from_their_names(names, pairs):
    assert infer_mirror_pairs(names) == pairs


def test_a_name_belongs_to_one_pair_even_where_two_would_fit():
    names = ("Left_L", "Right_L", "Left_R")
    LandmarkSet(tuple(map(Landmark, names)), infer_mirror_pairs(names))


@pytest.mark.parametrize("state", [PointState.PLACED, PointState.PREDICTED])
def test_a_located_point_needs_a_position(state):
    with pytest.raises(AnnotationError, match=f"{state.value} needs a position"):
        Point(state)


@pytest.mark.parametrize("state", [PointState.ABSENT, PointState.UNJUDGED])
def test_a_point_that_is_nowhere_has_no_position(state):
    with pytest.raises(AnnotationError, match=f"{state.value} has no position"):
        Point(state, (1, 2, 3))


@pytest.mark.parametrize("position", [(1, 2), (1, 2, 3, 4), (1, 2, np.nan), (1, np.inf, 3)])
def test_a_position_is_three_finite_numbers(position):
    with pytest.raises(AnnotationError, match="three finite numbers"):
        Point(PointState.PLACED, position)


@pytest.mark.parametrize("confidence", [np.nan, np.inf])
def test_a_confidence_is_a_finite_number(confidence):
    with pytest.raises(AnnotationError, match="confidence"):
        Point(PointState.PREDICTED, (1, 2, 3), confidence)


def test_numbers_of_numpy_become_plain_ones():
    point = Point(PointState.PREDICTED, np.float32([1, 2, 3]), np.float32(0.5))
    assert json.dumps([point.position_lps, point.confidence]) == "[[1.0, 2.0, 3.0], 0.5]"


def test_a_name_that_is_not_there_has_not_been_judged():
    annotation = Annotation(
        {"A": Point(PointState.PLACED, (1, 2, 3)), "B": Point(PointState.ABSENT)}
    )
    assert annotation.state("A") is PointState.PLACED
    assert annotation.state("C") is PointState.UNJUDGED
    assert annotation.position_lps("B") is None and annotation.position_lps("C") is None
    np.testing.assert_array_equal(annotation.positions_lps(["C", "A"]), [[np.nan] * 3, [1, 2, 3]])
    assert annotation.positions_lps([]).shape == (0, 3)
