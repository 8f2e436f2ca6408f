"""Tables of points: exact for programs, readable for people."""

import pytest

from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.annotation.table import Table

ANNOTATION = Annotation(
    {
        "A <left>": Point(PointState.PREDICTED, (1.23456, -20, 3), 0.5),
        "B": Point(PointState.ABSENT, confidence=0.25),
    }
)


def test_a_row_holds_what_is_known_of_a_point_unrounded():
    first, second = ANNOTATION.to_table()
    assert first == {
        "name": "A <left>",
        "x": 1.23456,
        "y": -20.0,
        "z": 3.0,
        "confidence": 0.5,
        "state": "predicted",
    }
    assert (second["x"], second["y"], second["z"]) == (None, None, None)


def test_printed_it_has_columns_and_says_the_frame():
    header, first, second, note = repr(ANNOTATION.to_table()).splitlines()
    assert header.split() == ["name", "x", "y", "z", "confidence", "state"]
    assert first.split() == ["A", "<left>", "1.23", "-20.00", "3.00", "0.50", "predicted"]
    assert second.split() == ["B", "-", "-", "-", "0.25", "absent"]
    assert header.index("  x") + 3 == first.index("1.23") + 4
    assert "mm" in note and "LPS" in note


def test_a_notebook_shows_names_as_they_are():
    html = ANNOTATION.to_table()._repr_html_()
    assert "A &lt;left&gt;" in html and "LPS" in html


def test_an_empty_table_can_be_shown():
    assert repr(Table()) and Table()._repr_html_()


def test_pandas_takes_it_as_it_is():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ANNOTATION.to_table())
    assert list(frame.columns) == ["name", "x", "y", "z", "confidence", "state"]
    assert frame["x"].dtype == float and frame["x"].isna().tolist() == [False, True]
