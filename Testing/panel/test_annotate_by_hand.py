"""Landmarks of one's own, made and annotated by hand, with mouse and keys and without any model."""

import json

import numpy as np
import pytest
import slicer
from PySide6.QtCore import Qt

from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet, PointState
from landmark_heatmap.annotation.sets.set_file import read_set, write_set
from landmark_heatmap.dataset.cases import read_cases
from landmark_heatmap.dataset.folder import create_dataset, read_landmark_set
from landmark_heatmap.dataset.record import Review
from LandmarkHeatmapLib.display.views import look_at
from mrml_examples import LANDMARKS
from qt_host.story import place_at, press, type_names

NAME, TWIN, DEFINITION = range(3)
SIGN = 0
# World RAS, all in one axial slice of the image.
PLACES = {
    "Eye_L": [-30.0, -36.0, 46.0],
    "Eye_R": [-50.0, -36.0, 46.0],
    "Tip": [-40.0, -60.0, 46.0],
    "Base": [-40.0, -20.0, 46.0],
}


@pytest.fixture
def section(host, panel):
    """The part of the panel where sets are made, unfolded."""
    panel.ui.setCollapsibleButton.collapsed = False
    host.process()
    return panel.desk.landmark_set


def table(panel) -> list:
    """(name, twin, definition) of each row."""
    shown = panel.ui.setTable
    return [
        tuple(shown.item(row, column).text() for column in range(3))
        for row in range(shown.rowCount)
    ]


def view():
    return slicer.app.layoutManager().sliceWidget("Red")


def place(host, name):
    """Click where a landmark is in the axial view."""
    place_at(host, PLACES[name])


def edit(host, panel, row, column, text):
    shown = panel.ui.setTable
    shown.item(row, column).setText(text)
    host.process()


@pytest.fixture
def begun(host, panel, add, section):
    """Four landmarks, all waiting to be placed, in an image that fills the views."""
    volume = add()
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    look_at(slicer.mrmlScene, np.array(PLACES["Tip"]))
    type_names(host, panel, "Eye_L; inner corner", "Eye_R; inner corner", "Tip", "Base")
    press(host, panel.ui.annotateButton)
    return panel.logic.results(volume)[-1]


def test_three_clicks_and_an_absent_one_make_a_case(host, panel, begun, tmp_path):
    assert panel.ui.deskTabs.currentWidget() is panel.ui.reviewTab
    assert begun.model is None
    shown = panel.ui.reviewTable
    assert [shown.item(row, 1).text() for row in range(4)] == list(PLACES)
    assert {shown.item(row, SIGN).toolTip() for row in range(4)} == {"not judged yet"}
    assert "Click where Eye_L is: inner corner." in panel.ui.definitionLabel.toolTip
    for name in ("Eye_L", "Eye_R", "Tip"):
        assert panel.review.session.current == name
        assert panel.review.session.is_placing
        place(host, name)
        assert begun.review(name) is Review.CORRECTED
        np.testing.assert_allclose(
            begun.annotation().position_lps(name) * [-1, -1, 1], PLACES[name], atol=1.0
        )
    assert "3 of 4" in panel.ui.reviewProgressLabel.text
    assert panel.review.session.current == "Base"
    host.press(Qt.Key_A, view())
    host.process(20)
    assert begun.review("Base") is Review.MARKED_ABSENT
    assert not panel.review.session.is_placing
    # Taken back, it is waited for again; and absent once more.
    host.press(Qt.Key_Z, view())
    host.process(20)
    assert begun.waiting() == ["Base"]
    host.press(Qt.Key_A, view())
    host.process(20)
    assert "4 of 4" in panel.ui.reviewProgressLabel.text
    panel.ui.datasetPathLineEdit.currentPath = str(tmp_path / "data")
    press(host, panel.ui.exportButton)
    (case,) = read_cases(tmp_path / "data")
    states = {name: case.annotation.state(name) for name in PLACES}
    assert states == {
        **dict.fromkeys(("Eye_L", "Eye_R", "Tip"), PointState.PLACED),
        "Base": PointState.ABSENT,
    }
    dataset = json.loads((tmp_path / "data" / "dataset.json").read_text(encoding="utf-8"))
    assert dataset["landmark_set"]["mirror_pairs"] == [["Eye_L", "Eye_R"]]
    # A training of these landmarks does not begin with a model of others.
    assert "--from" not in panel.ui.retrainTextEdit.toPlainText()


def test_undo_takes_back_the_click_before_and_escape_ends_it(host, panel, begun):
    place(host, "Eye_L")
    host.press(Qt.Key_Z, view())
    host.process(20)
    session = panel.review.session
    assert (session.current, session.is_placing) == ("Eye_L", True)
    assert begun.waiting() == list(PLACES)
    place(host, "Eye_L")
    host.press(Qt.Key_N, view())
    host.process(20)
    assert (session.current, session.is_placing) == ("Tip", True)
    host.press(Qt.Key_Escape, view())
    host.process(20)
    assert not session.is_placing
    assert begun.waiting() == ["Eye_R", "Tip", "Base"]
    # A click places nothing now; D goes on.
    place(host, "Tip")
    assert begun.waiting() == ["Eye_R", "Tip", "Base"]
    host.press(Qt.Key_D, view())
    host.process(20)
    place(host, session.current)
    assert len(begun.waiting()) == 2 and session.is_placing


def test_what_has_no_place_is_not_confirmed(host, panel, begun):
    host.press(Qt.Key_Escape, view())
    host.process(20)
    host.press(Qt.Key_C, view())
    assert "'Eye_L' has no place yet" in panel.ui.statusLabel.toolTip
    assert begun.review("Eye_L") is Review.UNTOUCHED
    assert panel.review.session.current == "Eye_L"


def test_the_same_button_goes_on_and_without_the_tick_begins_anew(host, panel, begun):
    place(host, "Eye_L")
    press(host, panel.ui.annotateButton)
    volume = begun.volume_node
    assert len(panel.logic.results(volume)) == 1
    assert panel.review.session.current == "Eye_R"
    host.open_tab_of(panel.ui.takeOverCheckBox)
    panel.ui.takeOverCheckBox.checked = False
    press(host, panel.ui.annotateButton)
    first, second = panel.logic.results(volume)
    assert first.review("Eye_L") is Review.CORRECTED
    assert second.waiting() == list(PLACES)


def test_a_set_with_more_landmarks_takes_over_what_is_there(host, panel, begun):
    place(host, "Eye_L")
    host.open_tab_of(panel.ui.newLandmarkLineEdit)
    type_names(host, panel, "Apex")
    press(host, panel.ui.annotateButton)
    new = panel.logic.results(begun.volume_node)[-1]
    assert new.node is not begun.node
    assert new.review("Eye_L") is Review.CORRECTED
    assert new.waiting() == ["Eye_R", "Tip", "Base", "Apex"]
    assert panel.review.session.current == "Eye_R"


def test_a_model_for_some_and_the_hand_for_the_others(host, panel, result, section, tmp_path):
    result.confirm("Tip")
    more = LandmarkSet((*LANDMARKS.landmarks, Landmark("Base")), LANDMARKS.mirror_pairs)
    section.take(more)
    press(host, panel.ui.annotateButton)
    mixed = panel.logic.results(result.volume_node)[-1]
    assert mixed.model == result.model
    assert panel.review.session.current == "Base"
    place(host, "Base")
    assert not panel.review.session.is_placing
    assert mixed.review("Base") is Review.CORRECTED
    assert mixed.review("Tip") is Review.CONFIRMED
    shown = panel.ui.reviewTable
    tips = [shown.item(row, SIGN).toolTip() for row in range(5)]
    assert tips == ["predicted", "predicted", "confirmed", "predicted", "corrected"]
    assert shown.item(4, 2).text() == "" and shown.item(0, 2).text() == "90%"


def test_a_module_that_is_left_waits_for_no_click(host, panel, begun):
    place(host, "Eye_L")
    slicer.util.selectModule("")
    interaction = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLInteractionNode")
    assert interaction.GetCurrentInteractionMode() != interaction.Place
    assert begun.waiting() == ["Eye_R", "Tip", "Base"]


def test_names_are_typed_one_after_another_and_pairs_are_proposed(host, panel, section):
    type_names(host, panel, "Eye_L; inner corner", "Eye_R", "Tip")
    assert table(panel) == [
        ("Eye_L", "Eye_R", "inner corner"),
        ("Eye_R", "Eye_L", ""),
        ("Tip", "", ""),
    ]
    assert "3 landmarks, 1 left/right pairs" in panel.ui.setInfoLabel.toolTip
    # It is there in the next image, too, and the next time.
    before = table(panel)
    section.take(None)
    assert table(panel) == before  # not saved, and the user does not agree
    section.recall()
    assert table(panel) == before


def test_a_name_twice_is_refused_and_stays_to_be_mended(host, panel, section):
    type_names(host, panel, "Tip", "Tip")
    assert [row[NAME] for row in table(panel)] == ["Tip"]
    assert "already" in panel.ui.statusLabel.toolTip
    assert panel.ui.newLandmarkLineEdit.text == "Tip"


def test_cells_are_edited_and_what_cannot_be_is_put_back(host, panel, section):
    type_names(host, panel, "A", "B", "C")
    edit(host, panel, 0, NAME, "Apex")
    edit(host, panel, 0, TWIN, "C")
    edit(host, panel, 0, DEFINITION, "its highest point")
    assert table(panel)[0] == ("Apex", "C", "its highest point")
    assert table(panel)[2] == ("C", "Apex", "")
    edit(host, panel, 1, TWIN, "Nobody")
    assert "'Nobody' cannot be the mirror image" in panel.ui.statusLabel.toolTip
    edit(host, panel, 1, NAME, "C")
    assert table(panel)[1] == ("B", "", "")


def test_rows_go_up_and_down_and_away(host, panel, section):
    type_names(host, panel, "A", "B", "C")
    for button, names in (
        ("setUpButton", ["A", "C", "B"]),
        ("setUpButton", ["C", "A", "B"]),
        ("setUpButton", ["C", "A", "B"]),
        ("setDownButton", ["A", "C", "B"]),
        ("setRemoveButton", ["A", "B"]),
    ):
        press(host, getattr(panel.ui, button))
        assert [row[NAME] for row in table(panel)] == names
    assert not panel.ui.setRemoveButton.enabled


def take(host, panel, text):
    box = panel.ui.setSourceComboBox
    box.setCurrentIndex(box.findText(text))
    press(host, panel.ui.takeSetButton)


def test_a_set_is_taken_from_a_file_a_dataset_a_model_and_a_list(host, panel, section, tmp_path):
    write_set(tmp_path / "own.json", LANDMARKS)
    create_dataset(tmp_path / "data", LandmarkSet((Landmark("D"),)))
    host.user.chooses = [str(tmp_path / "own.json")]
    take(host, panel, "A file...")
    assert [row[NAME] for row in table(panel)] == list(LANDMARKS.names)
    host.user.chooses = [str(tmp_path / "data")]
    take(host, panel, "A dataset...")
    assert table(panel) == [("D", "", "")]
    _key, _path, description = panel.logic.models()[0]
    take(host, panel, f"Model: {description.name}")
    assert [row[NAME] for row in table(panel)] == list(description.landmarks.names)
    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Points")
    for name in ("Ear_L", "Ear_R"):
        points.AddControlPointWorld([0, 0, 0], name)
    points.SetNthControlPointDescription(0, "its lobe")
    panel.desk.update()
    take(host, panel, "List: Points")
    assert table(panel) == [("Ear_L", "Ear_R", "its lobe"), ("Ear_R", "Ear_L", "")]
    # A list may be called as the patient is.
    assert panel.ui.setNameLineEdit.text == ""


def test_the_landmarks_of_a_dataset_are_changed_and_its_cases_stay(
    host, panel, section, result, tmp_path
):
    panel.ui.datasetPathLineEdit.currentPath = str(tmp_path / "data")
    press(host, panel.ui.exportButton)
    host.user.chooses = [str(tmp_path / "data")]
    take(host, panel, "A dataset...")
    old = table(panel)[0][NAME]
    panel.ui.setTable.item(0, NAME).setText("Renamed")
    type_names(host, panel, "Further; the last")
    press(host, panel.ui.changeDatasetButton)
    assert f"'{old}' is now called 'Renamed'" in panel.ui.statusLabel.toolTip
    now = read_landmark_set(tmp_path / "data")
    assert (now.names[0], now.names[-1]) == ("Renamed", "Further")
    (case,) = read_cases(tmp_path / "data")
    assert case.annotation.names[0] == "Renamed"
    # And the review at hand goes on under the names of now, without losing what is there.
    press(host, panel.ui.annotateButton)
    begun = panel.desk.state.result()
    assert begun.landmarks.names[0] == "Renamed"
    assert begun.asked()[0] and not begun.asked()[-1]


def test_a_new_set_begins_with_nothing(host, panel, section, tmp_path):
    section.take(LANDMARKS)
    take(host, panel, "Nowhere: a new set")
    assert table(panel) == []
    assert not panel.ui.annotateButton.enabled and not panel.ui.saveSetButton.enabled


def test_who_chooses_no_file_keeps_what_is_there(host, panel, section):
    type_names(host, panel, "A")
    take(host, panel, "A file...")
    assert table(panel) == [("A", "", "")]
    assert host.user.told == []


def test_a_damaged_file_is_told_of_and_changes_nothing(host, panel, section, tmp_path):
    type_names(host, panel, "A")
    (tmp_path / "bad.json").write_text("{}", encoding="utf-8")
    host.user.chooses = [str(tmp_path / "bad.json")]
    take(host, panel, "A file...")
    assert "needs a list 'landmarks'" in panel.ui.statusLabel.toolTip
    assert table(panel) == [("A", "", "")]


def test_a_list_with_a_name_twice_is_told_of(host, panel, section):
    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Points")
    for _ in range(2):
        points.AddControlPointWorld([0, 0, 0], "A")
    panel.desk.update()
    take(host, panel, "List: Points")
    assert "Point 2 of 'Points' is named 'A'" in panel.ui.statusLabel.toolTip


def test_typed_landmarks_are_replaced_only_when_the_user_says_so(host, panel, section, tmp_path):
    type_names(host, panel, "A", "B")
    write_set(tmp_path / "own.json", LANDMARKS)
    host.user.chooses = [str(tmp_path / "own.json")] * 2
    take(host, panel, "A file...")
    assert "Replace the 2 landmarks" in host.user.told[0]
    assert len(table(panel)) == 2
    host.user.agrees = True
    take(host, panel, "A file...")
    assert len(table(panel)) == 4


def test_a_set_is_saved_as_a_file_of_its_own(host, panel, section, tmp_path):
    type_names(host, panel, "Eye_L", "Eye_R")
    panel.ui.setNameLineEdit.text = "Eyes"
    host.press(Qt.Key_Return, panel.ui.setNameLineEdit)
    host.user.chooses = [str(tmp_path / "eyes")] * 2
    press(host, panel.ui.saveSetButton)
    saved = read_set(tmp_path / "eyes.json")
    assert (saved.name, saved.mirror_pairs) == ("Eyes", (("Eye_L", "Eye_R"),))
    # The dialog asked about another name than this: nothing is replaced.
    press(host, panel.ui.setRemoveButton)
    press(host, panel.ui.saveSetButton)
    assert len(read_set(tmp_path / "eyes.json")) == 2
    assert "not saved" in panel.ui.statusLabel.toolTip


def test_all_of_it_has_room_in_a_narrow_panel(host, panel, section):
    host.window.resize_as_slicer(1366, 768)
    type_names(host, panel, "Eye_L", "Eye_R")
    inner = panel.ui.imageScrollArea
    assert inner.horizontalScrollBar().maximum == 0
    host.window.resize_plainly()


def test_without_an_image_or_landmarks_there_is_nothing_to_annotate(host, panel, section, add):
    assert not panel.ui.annotateButton.enabled
    type_names(host, panel, "A")
    assert not panel.ui.annotateButton.enabled
    assert "volume" in panel.ui.annotateButton.toolTip
    add()
    assert panel.ui.annotateButton.enabled


def test_a_scene_that_is_closed_or_a_result_that_is_removed_ends_the_placing(host, panel, begun):
    interaction = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLInteractionNode")
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    begun.remove()
    host.process(20)
    assert panel.review.session is None
    assert interaction.GetCurrentInteractionMode() != interaction.Place
    press(host, panel.ui.annotateButton)
    assert panel.review.session.is_placing
    slicer.mrmlScene.Clear(False)
    host.process(20)
    assert panel.review.session is None
    assert not panel.ui.annotateButton.enabled


def test_a_script_begins_by_hand_and_takes_over(panel, result):
    more = LandmarkSet((LANDMARKS.landmarks[0], Landmark("Base")))
    result.mark_absent("Head_L")
    mixed = panel.logic.annotateByHand(result.volume_node, more, result)
    assert mixed.review("Head_L") is Review.MARKED_ABSENT
    assert mixed.waiting() == ["Base"]
    alone = panel.logic.annotateByHand(result.volume_node, more)
    assert (alone.model, alone.waiting()) == (None, ["Head_L", "Base"])
