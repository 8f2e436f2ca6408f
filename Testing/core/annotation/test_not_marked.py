"""What "not marked" looks like: one table of conventions, and what it takes for a point."""

import pytest

from landmark_heatmap.annotation.annotation_files import read_annotation
from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.annotation.not_marked import (
    Convention,
    convention_of,
    convention_outside,
    is_empty_word,
    told_conventions,
    zeros,
)


@pytest.mark.parametrize("text", ["", " ", "NA", "nan", "NaN", "N/A", "null", "None", "-", "."])
def test_a_cell_may_be_empty_in_many_words(text):
    assert is_empty_word(text)


@pytest.mark.parametrize("text", ["0", "-1", "x", "nasion"])
def test_a_number_is_no_word_for_nothing(text):
    assert not is_empty_word(text)


@pytest.mark.parametrize(
    ("numbers", "convention"),
    [
        ((-1, -1), Convention.MINUS_ONE),
        ((-3.5, -2), Convention.NEGATIVE),
        ((-999, -999), Convention.CODE),
        ((9999, 9999), Convention.CODE),
        ((-1, 5), None),
        ((0, 0), None),
        ((9999, 12), None),
    ],
)
def test_numbers_that_no_picture_has_are_no_position(numbers, convention):
    assert convention_of(numbers, on_picture=True) is convention


def test_in_a_world_numbers_may_be_negative():
    assert convention_of((-1, -1, -1), on_picture=False) is None
    assert convention_of((9999, 9999, 9999), on_picture=False) is Convention.CODE


def test_what_the_file_says_that_it_writes_for_missing_is_missing():
    assert convention_of((7.0, 7.0), True, code=7.0) is Convention.CODE
    assert convention_of((7.0, 8.0), True, code=7.0) is None


def test_zero_is_no_point_of_a_landmark_that_lies_elsewhere_in_other_images():
    cases = [{"a": (4, 6), "b": (0, 0)}, {"a": (9, 15), "b": (3, 3)}]
    assert zeros(cases, on_picture=True) == zeros(cases, on_picture=False) == {(0, "b")}


def test_zero_is_a_point_of_a_landmark_that_lies_next_to_it_elsewhere():
    cases = [{"a": (400, 600), "b": (0, 0)}, {"a": (390, 610), "b": (1, 2)}]
    assert zeros(cases, on_picture=True) == set()


def test_several_landmarks_of_one_image_are_not_all_in_the_corner():
    assert zeros([{"a": (0, 0, 0), "b": (0, 0, 0), "c": (1, 2, 3)}], on_picture=False) == {
        (0, "a"),
        (0, "b"),
    }


def test_the_origin_of_a_world_may_be_a_landmark_and_the_corner_of_a_picture_is_none():
    cases = [{"AC": (0, 0, 0), "PC": (0, 25, 0)}, {"AC": (0, 0, 0), "PC": (0, 27, 0)}]
    assert zeros(cases, on_picture=False) == set()
    assert zeros(cases, on_picture=True) == {(0, "AC"), (1, "AC")}


def test_it_is_told_in_one_line_how_many_by_which():
    conventions = [Convention.EMPTY, Convention.EMPTY, Convention.PREVIEW, Convention.MISSING]
    assert told_conventions(conventions) == (
        "Read as not marked: empty (2); read as absent: 'missing' (1);"
        " read as placed: 'preview' with a position (1)."
    )
    assert told_conventions([]) == ""


def test_a_table_of_slicer_may_leave_points_empty_and_several_at_zero(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "label,l,p,s\nA,1,2,3\nB,,,\nC,nan,nan,nan\nD,0,0,0\nE,0,0,0\nF,9999,9999,9999\n"
    )
    annotation = read_annotation(path)
    states = [point.state for point in annotation.points.values()]
    assert states == [PointState.PLACED] + 5 * [PointState.UNJUDGED]
    assert [annotation.read_as.get(name) for name in "ABCDEF"] == [
        None,
        Convention.EMPTY,
        Convention.EMPTY,
        Convention.ZERO,
        Convention.ZERO,
        Convention.CODE,
    ]


@pytest.mark.parametrize(
    ("numbers", "convention"),
    [
        ((0, 0, 0), Convention.ZERO),
        ((-1, -1, -1), Convention.MINUS_ONE),
        ((1, 1, -1), Convention.MINUS_ONE),
        ((-1, 0, 0), None),
        ((5, 5, 5), None),
    ],
)
def test_zeros_and_ones_outside_an_image_are_nowhere(numbers, convention):
    assert convention_outside(numbers) is convention
