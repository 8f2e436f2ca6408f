"""Names that are meant to be one, and names that nobody chose."""

import pytest

from landmark_heatmap.annotation.names import is_default_label, key_of, near, told_near


@pytest.mark.parametrize("name", ["F-1", "F_1-1", "MarkupsFiducial-3", "MarkupsFiducial_2-12"])
def test_what_slicer_calls_points_is_known(name):
    assert is_default_label(name)


@pytest.mark.parametrize("name", ["Nasion", "C-1", "UR-6", "F1", "1"])
def test_what_people_call_points_is_not_suspected(name):
    assert not is_default_label(name)


def test_capitals_spaces_and_marks_between_words_make_no_other_name():
    assert key_of("Nasion") == key_of("nasion ") != key_of("Nasion2")
    assert key_of("Go_L") == key_of("go l")
    assert key_of("F-1") == key_of("F_1-1") == key_of("MarkupsFiducial-1") != key_of("F-2")


def test_the_nearest_names_are_found():
    assert near("Nasion", ["Sella", "nasion "]) == ["nasion "]
    assert near("Nasion", ["Sella", "Nasoin", "Basion"])[0] == "Nasoin"
    assert near("Nasion", ["Porion L", "x"]) == []
    assert told_near(["Nasion", "A"], ["NASION"]) == ["'Nasion' may be 'NASION'"]
