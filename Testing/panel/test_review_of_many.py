"""A review of 45 landmarks: keys, several rows at once, names to find, and views that keep still."""

import numpy as np
import pytest
import slicer
from PySide6.QtCore import Qt

from landmark_heatmap.dataset.record import Review

NAME = 1
VIEWS = ("Red", "Green", "Yellow")


def view(name="Red"):
    return slicer.app.layoutManager().sliceWidget(name)


def places():
    """Field of view and place of each slice view."""
    nodes = [view(name).mrmlSliceNode() for name in VIEWS]
    matrices = [slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()) for node in nodes]
    return {
        node.GetName(): (*node.GetFieldOfView(), *matrix.flat)
        for node, matrix in zip(nodes, matrices)
    }


def pictures_moved(before, after):
    """The views whose picture was moved across, not only to another slice, or was zoomed."""
    moved = []
    for name in after:
        was, now = np.array(before[name]), np.array(after[name])
        across = (now[3:].reshape(4, 4) - was[3:].reshape(4, 4))[:3, 3]
        shift = now[3:].reshape(4, 4)[:3, :2].T @ across
        if abs(shift).max() > 1e-6 or not np.allclose(was[:3], now[:3]):
            moved.append(name)
    return moved


def test_by_keyboard_alone_one_key_a_landmark_and_hardly_a_view_that_jumps(host, panel, many):
    keys, slices, pictures, out_of_sight = 0, 0, 0, 0
    table = panel.ui.reviewTable
    while not panel.ui.reviewProgressLabel.text.startswith("45 of"):
        before = places()
        host.press(Qt.Key_C, view())
        keys += 1
        after = places()
        slices += sum(before[name] != after[name] for name in after)
        pictures += len(pictures_moved(before, after))
        item = table.item(table.currentRow(), NAME)
        rows = table.viewport().rect
        out_of_sight += not rows.contains(table.visualItemRect(item).center())
        assert keys <= 45
    print(f"{keys} keys; {slices} slices changed, {pictures} pictures moved of {3 * keys}")
    assert keys == 45
    assert out_of_sight == 0
    # All of the image is in sight at first, and stays there.
    assert pictures == 0
    assert set(many.reviews().values()) == {Review.CONFIRMED}


def test_a_point_that_is_not_seen_well_is_brought_in_and_no_more(host, panel, many):
    node = view().mrmlSliceNode()
    width, height, depth = node.GetFieldOfView()
    node.SetFieldOfView(width / 4, height / 4, depth)
    node.UpdateMatrices()
    for _ in range(8):
        host.press(Qt.Key_N, view())
        place = many.markups_node.GetNthControlPointPositionWorld(
            many.landmarks.index(panel.review.session.current)
        )
        at = view().position_of(place)
        assert 0.05 * view().width < at.x() < 0.95 * view().width
        assert 0.05 * view().height < at.y() < 0.95 * view().height


def test_several_rows_are_confirmed_at_once_and_taken_back_at_once(host, panel, many):
    table = panel.ui.reviewTable
    table.setFocus()
    table.selectRow(3)
    for _ in range(4):
        host.press(Qt.Key_Down, table, Qt.ShiftModifier)
    host.press(Qt.Key_C, table)
    assert "5 of 45" in panel.ui.reviewProgressLabel.text
    assert len(table.selectionModel().selectedRows()) == 1
    host.press(Qt.Key_Z, table)
    assert "0 of 45" in panel.ui.reviewProgressLabel.text


def test_going_back_with_shift_held_chooses_one_row(host, panel, many):
    table = panel.ui.reviewTable
    for _ in range(3):
        host.press(Qt.Key_N, view())
    host.press(Qt.Key_N, view(), Qt.ShiftModifier)
    assert len(table.selectionModel().selectedRows()) == 1


def test_a_name_is_found_by_a_part_of_it_and_the_keys_stay_among_those(host, panel, many):
    ui = panel.ui
    host.type("07_", ui.filterLineEdit)
    assert ui.reviewTable.rowCount == 2
    assert "0 of 45" in ui.reviewProgressLabel.text
    for _ in range(3):
        host.press(Qt.Key_N, view())
        assert "_07_" in panel.review.session.current
    ui.filterLineEdit.clear()
    assert ui.reviewTable.rowCount == 45


def test_few_landmarks_need_no_filter(host, panel, result):
    panel.ui.deskTabs.setCurrentWidget(panel.ui.reviewTab)
    host.process()
    assert not panel.ui.filterLineEdit.isVisible()


def test_a_key_shows_the_point_from_near_and_back(host, panel, many):
    before = places()
    host.press(Qt.Key_E, view())
    fields = [view(name).mrmlSliceNode().GetFieldOfView()[0] for name in VIEWS]
    assert max(fields) < 0.9 * before["Red"][0]
    assert panel.ui.closeUpButton.checked
    host.press(Qt.Key_N, view())
    # Still near, and the next one in the middle.
    place = many.markups_node.GetNthControlPointPositionWorld(
        many.landmarks.index(panel.review.session.current)
    )
    at = view().position_of(place)
    assert abs(at.x() - view().width / 2) < 2 and abs(at.y() - view().height / 2) < 2
    host.press(Qt.Key_E, view())
    assert pictures_moved(before, places()) == []
    assert not panel.ui.closeUpButton.checked


def test_the_contrast_of_the_image_stays_as_it_was(host, panel, many):
    display = many.volume_node.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(123, 45)
    for key in (Qt.Key_N, Qt.Key_E, Qt.Key_C, Qt.Key_E, Qt.Key_S):
        host.press(key, view())
    assert (display.GetWindow(), display.GetLevel()) == (123, 45)


def captions():
    lists = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    (node,) = [each for each in lists if each.GetName() == "Names of landmarks"]
    shown = node.GetDisplayNode().GetVisibility()
    return [
        node.GetNthControlPointLabel(n) for n in range(node.GetNumberOfControlPoints()) if shown
    ]


def test_names_are_shown_of_the_chosen_one_and_neighbours_and_all_on_demand(host, panel, many):
    host.press(Qt.Key_N, view())
    assert captions()[0] == panel.review.session.current
    assert 1 <= len(captions()) <= 5
    display = many.markups_node.GetDisplayNode()
    assert not display.GetPointLabelsVisibility()
    host.press(Qt.Key_S, view())
    assert display.GetPointLabelsVisibility() and captions() == []
    host.press(Qt.Key_S, view())
    assert not display.GetPointLabelsVisibility()
    slicer.util.selectModule("")
    # Elsewhere the list is one as any other.
    assert display.GetPointLabelsVisibility()
    lists = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    assert len(lists) == 2


@pytest.mark.parametrize(
    ("key", "modifier"),
    [
        (Qt.Key_Z, Qt.NoModifier),
        (Qt.Key_Escape, Qt.NoModifier),
    ],
)
def test_undo_and_escape_end_the_waiting_for_a_click_and_do_no_more(
    host, panel, result, key, modifier
):
    host.press(Qt.Key_C, view())
    current = panel.review.session.current
    host.press(Qt.Key_D, view())
    interaction = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLInteractionNode")
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    assert "Escape" in panel.ui.definitionLabel.toolTip
    for other in (Qt.Key_C, Qt.Key_A, Qt.Key_X, Qt.Key_K, Qt.Key_N, Qt.Key_D):
        host.press(other, view())
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    host.press(key, view(), modifier)
    assert interaction.GetCurrentInteractionMode() != interaction.Place
    assert panel.review.session.current == current
    assert "1 of 4" in panel.ui.reviewProgressLabel.text
    assert not panel.review.session.is_placing


def test_with_nothing_to_undo_undo_ends_the_waiting_for_a_click(host, panel, result):
    host.press(Qt.Key_D, view())
    host.press(Qt.Key_Z, view())
    assert not panel.review.session.is_placing
    assert not panel.ui.undoButton.enabled
