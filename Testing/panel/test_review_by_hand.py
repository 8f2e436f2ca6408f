"""The review as a hand does it: keys, rows, points in the views, undo."""

import numpy as np
import slicer
from PySide6.QtCore import Qt

from landmark_heatmap.dataset.record import Review
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.volumes import add_volume
from mrml_examples import LANDMARKS, make_image, make_prediction

NAMES = list(LANDMARKS.names)
# Columns of the table.
SIGN, NAME, CONFIDENCE, MOVED = range(4)


def positions(result):
    node = result.markups_node
    count = node.GetNumberOfControlPoints()
    return np.array([node.GetNthControlPointPositionWorld(index) for index in range(count)])


def view(name="Red"):
    return slicer.app.layoutManager().sliceWidget(name)


def listed(panel) -> list:
    """The names in the table, from top to bottom."""
    table = panel.ui.reviewTable
    return [table.item(row, NAME).text() for row in range(table.rowCount)]


def choose_row(host, panel, name):
    """Click on a landmark's row."""
    table = panel.ui.reviewTable
    panel.ui.deskTabs.setCurrentWidget(panel.ui.reviewTab)
    host.process()
    place = table.visualItemRect(table.item(listed(panel).index(name), NAME)).center()
    host.click_at(table.viewport(), place)


def chosen(panel):
    table = panel.ui.reviewTable
    item = table.item(table.currentRow(), NAME)
    return item.text() if item else None


def state(panel, name):
    """What the sign in front of a name means."""
    return panel.ui.reviewTable.item(listed(panel).index(name), 0).toolTip()


def drag(host, result, name, by, button=Qt.LeftButton):
    """Drag a point in the axial view; by: pixels."""
    start = view().position_of(positions(result)[NAMES.index(name)])
    host.drag(view(), start, start + host.point(*by), button)
    host.process(20)


def test_the_table_has_one_row_for_each_landmark(panel, result):
    table = panel.ui.reviewTable
    assert listed(panel) == NAMES
    assert table.item(0, CONFIDENCE).text() == "90%"
    assert LANDMARKS.landmarks[0].definition in table.item(0, NAME).toolTip()
    assert "0 of 4" in panel.ui.reviewProgressLabel.text


def test_a_column_of_the_table_is_one_entry(host, module, monkeypatch):
    from LandmarkHeatmapPanel.reviewing import table

    more = table.Column("Definition", "What it is.", lambda row: row.definition)
    monkeypatch.setattr(table, "COLUMNS", (*table.COLUMNS, more))
    panel, image = host.open(), make_image()
    volume = add_volume(slicer.mrmlScene, image, "Scan")
    DetectionResult.publish(volume, make_prediction(image))
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    host.process()
    shown, last = panel.ui.reviewTable, len(table.COLUMNS) - 1
    assert shown.horizontalHeaderItem(last).text() == "Definition"
    assert shown.item(0, last).text() == LANDMARKS.landmarks[0].definition


def test_a_review_to_the_end_by_keyboard_alone(host, panel, result):
    view().setFocus()
    assert chosen(panel) == NAMES[0]
    host.press(Qt.Key_C)
    panel.ui.reviewTable.setFocus()
    for key in (Qt.Key_C, Qt.Key_A, Qt.Key_A):
        host.press(key)
    assert "4 of 4" in panel.ui.reviewProgressLabel.text
    # The last one was predicted to be absent.
    judged = [result.review(name) for name in NAMES]
    assert judged == [Review.CONFIRMED, Review.CONFIRMED, Review.MARKED_ABSENT, Review.CONFIRMED]
    for _ in NAMES:
        host.press(Qt.Key_Z)
    assert "0 of 4" in panel.ui.reviewProgressLabel.text
    host.press(Qt.Key_Z, modifiers=Qt.ShiftModifier)
    assert "1 of 4" in panel.ui.reviewProgressLabel.text


def test_a_row_brings_all_views_its_heatmap_and_its_point_alone_unlocked(host, panel, result):
    choose_row(host, panel, "Tip")
    place = positions(result)[NAMES.index("Tip")]
    for name in ("Red", "Green", "Yellow"):
        matrix = view(name).mrmlSliceNode().GetSliceToRAS()
        normal = np.array([matrix.GetElement(row, 2) for row in range(3)])
        origin = np.array([matrix.GetElement(row, 3) for row in range(3)])
        assert abs((place - origin) @ normal) < 0.01
        composite = view(name).sliceLogic().GetSliceCompositeNode()
        assert composite.GetForegroundVolumeID() == result.heatmap_node("Tip").GetID()
    locked = [result.markups_node.GetNthControlPointLocked(n) for n in range(len(NAMES))]
    assert [name for name, is_locked in zip(NAMES, locked) if not is_locked] == ["Tip"]
    assert LANDMARKS.landmarks[2].definition in panel.ui.definitionLabel.toolTip


def test_a_point_that_is_clicked_in_a_view_brings_its_row(host, panel, result):
    choose_row(host, panel, "Head_L")
    # The other head lies in the same axial slice.
    host.click_at(view(), view().position_of(positions(result)[NAMES.index("Head_R")]))
    host.process(20)
    assert chosen(panel) == "Head_R"


def test_a_dragged_point_is_corrected_and_the_table_says_how_far(host, panel, result):
    choose_row(host, panel, "Head_L")
    drag(host, result, "Head_L", (25, 10))
    assert result.review("Head_L") is Review.CORRECTED
    assert state(panel, "Head_L") == "corrected"
    moved = np.linalg.norm(positions(result)[0] - predicted(result)[0])
    assert panel.ui.reviewTable.item(0, MOVED).text() == f"{moved:.1f}"
    host.click(panel.ui.undoButton)
    assert result.review("Head_L") is Review.UNTOUCHED
    np.testing.assert_allclose(positions(result)[0], predicted(result)[0], atol=1e-3)


def predicted(result):
    return np.array([result.predicted_annotation().position_lps(n) for n in NAMES[:3]]) * [
        -1,
        -1,
        1,
    ]


def test_a_middle_drag_of_the_whole_list_is_undone_in_one_step(host, panel, result):
    choose_row(host, panel, "Head_L")
    before = positions(result)
    drag(host, result, "Head_L", (30, 12), Qt.MiddleButton)
    assert np.linalg.norm(positions(result)[0] - before[0]) > 1
    host.press(Qt.Key_Z, view())
    np.testing.assert_allclose(positions(result)[:3], before[:3], atol=1e-3)
    assert "0 of 4" in panel.ui.reviewProgressLabel.text


def test_a_point_that_was_deleted_comes_back(host, panel, result, complaints):
    choose_row(host, panel, "Head_L")
    place = view().position_of(positions(result)[0])
    host.drag(view(), place, place, steps=0)
    view().setFocus()
    host.press(Qt.Key_Delete, view())
    host.process(20)
    assert result.markups_node.GetNumberOfControlPoints() == len(NAMES)
    if result.review("Head_L") is not Review.UNTOUCHED:
        host.press(Qt.Key_Z, view())
    np.testing.assert_allclose(positions(result)[0], predicted(result)[0], atol=1e-3)
    assert result.review("Head_L") is Review.UNTOUCHED
    # Slicer says in the log that a list of a fixed length keeps its points.
    complaints.texts[:] = [text for text in complaints.texts if "RemoveNthControl" not in text]


def test_back_to_the_prediction_and_snapping_to_the_peak(host, panel, result):
    choose_row(host, panel, "Head_L")
    drag(host, result, "Head_L", (12, 0))
    host.click(panel.ui.snapButton)
    np.testing.assert_allclose(positions(result)[0], predicted(result)[0], atol=1.5)
    host.click(panel.ui.restoreButton)
    assert result.review("Head_L") is Review.UNTOUCHED


def click_header(host, panel, column):
    header = panel.ui.reviewTable.horizontalHeader()
    x = header.sectionViewportPosition(column) + header.sectionSize(column) // 2
    host.click_at(header.viewport(), host.point(x, header.height // 2))


def test_a_click_on_a_header_sorts_this_way_that_way_and_as_in_the_model(host, panel, result):
    panel.ui.deskTabs.setCurrentWidget(panel.ui.reviewTab)
    host.process()
    for column, first, last in ((NAME, "Gone", "Tip"), (CONFIDENCE, "Gone", "Head_L")):
        click_header(host, panel, column)
        assert (listed(panel)[0], listed(panel)[-1]) == (first, last)
        click_header(host, panel, column)
        assert (listed(panel)[0], listed(panel)[-1]) == (last, first)
        click_header(host, panel, column)
        assert listed(panel) == NAMES


def test_a_click_on_the_signs_puts_first_what_most_needs_a_look(host, panel, result):
    choose_row(host, panel, "Gone")
    host.press(Qt.Key_C, view())
    click_header(host, panel, SIGN)
    assert listed(panel) == ["Tip", "Head_R", "Head_L", "Gone"]


def test_keys_are_letters_in_a_text_field_and_nothing_in_another_module(host, panel, result):
    panel.ui.caseNameLineEdit.setFocus()
    host.type("can", panel.ui.caseNameLineEdit)
    assert panel.ui.caseNameLineEdit.text == "can"
    slicer.util.selectModule("")
    view().setFocus()
    host.press(Qt.Key_C, view())
    assert result.reviews() == dict.fromkeys(NAMES, Review.UNTOUCHED)


def test_a_result_that_is_removed_ends_its_review(host, panel, result):
    choose_row(host, panel, "Tip")
    slicer.mrmlScene.RemoveNode(result.node)
    host.process()
    assert panel.ui.reviewTable.rowCount == 0
    assert not panel.ui.confirmButton.enabled
    host.press(Qt.Key_C, view())
