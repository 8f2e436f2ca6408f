"""A hand in the slice views: Qt's mouse and key events reach the real displayable managers."""

import numpy as np
import pytest
import slicer

from landmark_heatmap.dataset.record import Review


@pytest.fixture(autouse=True)
def through_a_landmark(host, result):
    for name in slicer.app.layoutManager().sliceViewNames():
        node = slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode()
        node.JumpSliceByOffsetting(*map(float, position(result, "Head_L")))
    host.process(20)


def position(result, name):
    index = result.landmarks.index(name)
    return np.array(result.markups_node.GetNthControlPointPositionWorld(index))


def test_a_point_follows_a_drag_of_the_mouse_over_the_widget(host, result):
    view = slicer.app.layoutManager().sliceWidget("Red")
    start = position(result, "Head_L")
    goal = start + [10, 6, 0]
    host.drag(view, view.position_of(start), view.position_of(goal))
    pixel_mm = view.mrmlSliceNode().GetFieldOfView()[0] / view.width
    np.testing.assert_allclose(position(result, "Head_L"), goal, atol=1.5 * pixel_mm)


def test_a_drag_in_a_view_is_a_correction(host, panel, result):
    view = slicer.app.layoutManager().sliceWidget("Red")
    start = view.position_of(position(result, "Head_L"))
    host.drag(view, start, start + host.point(25, 0))
    assert result.review("Head_L") is Review.CORRECTED


def test_the_picture_shows_the_points(host, panel, result):
    panel.ui.showHeatmapsCheckBox.checked = False
    host.process(20)
    view = slicer.app.layoutManager().sliceWidget("Red")
    place = view.position_of(position(result, "Head_L"))

    def colourful():
        picture = view.grab().toImage()
        colours = [
            picture.pixelColor(place.x() + x, place.y() + y)
            for x in range(-8, 9)
            for y in range(-8, 9)
        ]
        return sum(colour.saturation() > 120 for colour in colours)

    assert colourful() > 5
    result.markups_node.GetDisplayNode().SetVisibility(False)
    host.process(20)
    assert colourful() == 0


def test_the_wheel_moves_the_slice(host, result):
    view = slicer.app.layoutManager().sliceWidget("Red")
    before = view.mrmlSliceNode().GetSliceOffset()
    host.wheel(view, 1)
    assert view.mrmlSliceNode().GetSliceOffset() != before


def test_a_layout_of_one_view_hides_the_others(host, result):
    layout = slicer.app.layoutManager()
    layout.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpGreenSliceView)
    assert [layout.sliceWidget(n).isVisible() for n in ("Red", "Green", "Yellow")] == [0, 1, 0]
