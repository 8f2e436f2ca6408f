"""A landmark set in the making: rows, their order, and which are left and right."""

import pytest

from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.annotation.measurements import Measurement
from landmark_heatmap.annotation.sets.draft import LandmarkSetDraft
from landmark_heatmap.errors import AnnotationError


@pytest.fixture
def draft():
    draft = LandmarkSetDraft()
    draft.add_lines("Eye_L; inner corner\nEye_R\tinner corner\n\nTip")
    return draft


def test_names_and_definitions_are_typed_a_line_each(draft):
    assert draft.to_set() == LandmarkSet(
        (Landmark("Eye_L", "inner corner"), Landmark("Eye_R", "inner corner"), Landmark("Tip")),
        (("Eye_L", "Eye_R"),),
    )


def test_a_set_goes_through_a_draft_unchanged():
    marks = tuple(map(Landmark, ("Eye_R", "Eye_L", "Tip", "Ear_L", "Ear_R")))
    distance = Measurement("Width", "distance", ("Eye_L", "Eye_R"))
    stated = LandmarkSet(
        marks, (("Eye_L", "Eye_R"),), "Face", ("Tip",), (distance,), (("Tip", "Eye_L"),)
    )
    # That the ears are no pair is what the set says; nothing changes until somebody edits it.
    assert LandmarkSetDraft(stated).to_set() == stated


@pytest.mark.parametrize("text", ["Tip", "A\nA", "New\nEye_L; again"])
def test_a_name_that_is_there_already_adds_nothing(draft, text):
    with pytest.raises(AnnotationError, match="already"):
        draft.add_lines(text)
    assert draft.names == ["Eye_L", "Eye_R", "Tip"]


def test_a_definition_without_a_name_is_refused(draft):
    with pytest.raises(AnnotationError, match="no name before"):
        draft.add_lines("; lowest point")


def test_pairs_follow_the_names_until_somebody_states_them(draft):
    draft.rename(1, "Eye right")
    assert draft.to_set().mirror_pairs == ()
    draft.rename(0, "Eye left")
    assert draft.to_set().mirror_pairs == (("Eye left", "Eye right"),)
    draft.pair(0, "Tip")
    assert draft.to_set().mirror_pairs == (("Eye left", "Tip"),)
    draft.add_lines("Ear_L\nEar_R")
    pairs = draft.to_set().mirror_pairs
    assert pairs == (("Eye left", "Tip"), ("Ear_L", "Ear_R"))
    draft.propose_pairs()
    assert draft.to_set().mirror_pairs == (("Eye left", "Eye right"), ("Ear_L", "Ear_R"))


def test_that_a_landmark_has_no_twin_can_be_stated(draft):
    draft.pair(0, "")
    assert draft.rows[1].twin is None
    draft.add_lines("Chin")
    assert draft.to_set().mirror_pairs == ()


def test_a_twin_is_one_of_the_others(draft):
    for twin in ("Eye_L", "Nobody"):
        with pytest.raises(AnnotationError, match="none of the other"):
            draft.pair(0, twin)
    assert draft.to_set().mirror_pairs == (("Eye_L", "Eye_R"),)


def test_stated_twins_stay_together_under_other_names(draft):
    draft.pair(0, "Tip")
    draft.rename(2, "Apex")
    assert draft.to_set().mirror_pairs == (("Eye_L", "Apex"),)


def test_who_loses_a_twin_has_what_its_name_tells(draft):
    draft.pair(0, "Tip")
    draft.remove([2])
    assert draft.names == ["Eye_L", "Eye_R"]
    assert draft.to_set().mirror_pairs == (("Eye_L", "Eye_R"),)
    draft.remove([1])
    assert draft.rows[0].twin is None
    draft.add_lines("Eye_R")
    draft.remove([0, 1])
    with pytest.raises(AnnotationError, match="no landmark yet"):
        draft.to_set()


def test_rows_move_together_as_far_as_there_is_room(draft):
    assert draft.move([1, 2], -1) == [0, 1]
    assert draft.names == ["Eye_R", "Tip", "Eye_L"]
    assert draft.move([0, 1], -1) == [0, 1]
    assert draft.move([0, 1], 1) == [1, 2]
    assert draft.names == ["Eye_L", "Eye_R", "Tip"]
    assert draft.to_set().mirror_pairs == (("Eye_L", "Eye_R"),)


def test_a_name_is_neither_empty_nor_anothers(draft):
    for name, told in (("  ", "needs a name"), ("Tip", "already")):
        with pytest.raises(AnnotationError, match=told):
            draft.rename(0, name)
    draft.rename(0, " Eye_L ")
    assert draft.names[0] == "Eye_L"


def test_measurements_stay_as_far_as_their_landmarks_do():
    marks = tuple(map(Landmark, "ABC"))
    both = [Measurement(f"{a}{b}", "distance", (a, b)) for a, b in ("AB", "BC")]
    draft = LandmarkSetDraft(LandmarkSet(marks, measurements=tuple(both)))
    draft.remove([2])
    assert [each.name for each in draft.to_set().measurements] == ["AB"]


def test_what_may_be_meant_otherwise_is_said():
    draft = LandmarkSetDraft()
    draft.add_lines("Orbita left\nF-1\nsella turcica\nSella_Turcica")
    told = " ".join(draft.advice())
    for words in ("'Orbita left' has no twin", "'F-1' is a name of Slicer's", "look like one"):
        assert words in told
    draft.pair(0, "")
    assert "twin" not in " ".join(draft.advice())
    assert LandmarkSetDraft().advice() == []
