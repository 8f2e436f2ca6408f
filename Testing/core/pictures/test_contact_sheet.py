"""The contact sheet after an import: some images from begin to end, each with its points."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.pictures.contact_sheet import MOST, ContactSheet


def drawn(sheet) -> list:
    """(title, numbers beside the points, (x, y) of the points in pixels of the picture) of each."""
    found = []
    for axes in sheet._figure.axes:
        numbers = [text.get_text() for text in axes.texts if text.get_text().isdigit()]
        marks = [line.get_xydata()[0] for line in axes.lines if line.get_marker() == "+"]
        found.append((axes.get_title(loc="left"), numbers, np.array(marks)))
    return found


def case(*positions, size=(1, 20, 30)):
    points = {str(n): Point(PointState.PLACED, p) for n, p in enumerate(positions)}
    points["none"] = Point(PointState.UNJUDGED)
    return Image(np.random.default_rng(0).random(size), np.eye(4)), Annotation(points)


def test_a_point_is_drawn_where_it_lies_and_one_outside_is_told():
    sheet = ContactSheet(1)
    sheet.add(0, "a", *case((4, 6, 0), (29, 19, 0), (40, 3, 0)))
    ((title, numbers, marks),) = drawn(sheet)
    assert title == "a: 3 of 4 points, 1 of them outside"
    assert numbers == ["1", "2"]
    # Two lines make a mark; 30 pixels of the image fill the width of the picture.
    scale = (marks[2] - marks[0])[0] / 25
    np.testing.assert_allclose((marks[2] - marks[0]) / scale, [25, 13], atol=0.1)
    assert sheet.pdf() == sheet.pdf() and sheet.pdf().startswith(b"%PDF")


def test_of_many_images_the_first_and_the_last_are_shown():
    sheet = ContactSheet(50)
    for index in range(50):
        sheet.add(index, f"case{index}", *case((4, 6, 0)))
    titles = [title.split(":")[0] for title, _, _ in drawn(sheet)]
    assert len(titles) == MOST and titles[0] == "case0" and titles[-1] == "case49"


def test_a_volume_is_cut_where_its_points_are_spread():
    sheet = ContactSheet(2)
    sheet.add(0, "spread along L and S", *case((2, 8, 2), (25, 9, 15), size=(20, 20, 30)))
    sheet.add(1, "nothing", Image(np.zeros((5, 6, 7)), np.eye(4)), Annotation())
    (_, numbers, marks), (title, none, _) = drawn(sheet)
    assert numbers == ["1", "2"] and none == [] and title == "nothing: 0 of 0 points"
    apart = abs(marks[2] - marks[0])
    assert apart[0] / apart[1] == pytest.approx(23 / 13, rel=0.02)
