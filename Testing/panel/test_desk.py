"""The panel as a desk: what has room on it, what it follows, and what of it the views are spared."""

import slicer
from PySide6.QtCore import Qt

from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.volumes import add_volume
from mrml_examples import make_image, make_prediction

NAME = 1


def colour_volume(name="Photograph"):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", name)
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(8, 6, 1)
    image.AllocateScalars(3, 3)  # VTK_UNSIGNED_CHAR, of three components
    image.GetPointData().GetScalars().Fill(0)
    node.SetAndObserveImageData(image)
    return node


def test_a_colour_photograph_can_be_chosen(host, panel):
    volume = colour_volume()
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    host.process()
    assert panel.ui.inputVolumeSelector.currentNode() is volume
    assert panel.parameterNode.inputVolume is volume
    assert "luminance" in panel.ui.imageNoteLabel.toolTip


def test_a_volume_that_comes_is_chosen_if_none_was(host, panel):
    first = add_volume(slicer.mrmlScene, make_image(), "First")
    host.process(20)
    assert panel.ui.inputVolumeSelector.currentNode() is first
    add_volume(slicer.mrmlScene, make_image(), "Second")
    host.process(20)
    assert panel.ui.inputVolumeSelector.currentNode() is first


def test_who_chose_no_volume_is_given_none_by_something_else_that_comes(host, panel, add):
    add()
    panel.ui.inputVolumeSelector.setCurrentNode(None)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    host.process(20)
    assert panel.ui.inputVolumeSelector.currentNode() is None


def test_with_nothing_loaded_the_sample_is_a_click_away(host, panel):
    assert "image" in panel.ui.nextStepLabel.toolTip
    host.click(panel.ui.sampleButton)
    host.process(20)
    assert panel.ui.inputVolumeSelector.currentNode().GetName() == "SyntheticHip"
    assert not panel.ui.sampleButton.isVisible()
    assert "Detect" in panel.ui.nextStepLabel.toolTip


def test_the_keys_live_after_a_reload(host, panel, result):
    slicer.util.reloadScriptedModule("LandmarkHeatmap")
    host.process()
    fresh = slicer.util.getModuleWidget("LandmarkHeatmap")
    host.press(Qt.Key_C, slicer.app.layoutManager().sliceWidget("Red"))
    assert "1 of 4" in fresh.ui.reviewProgressLabel.text


def test_only_the_points_of_the_chosen_volume_are_seen(host, panel, result):
    image = make_image()
    other = DetectionResult.publish(
        add_volume(slicer.mrmlScene, image, "Other"), make_prediction(image)
    )
    empty = add_volume(slicer.mrmlScene, image, "Not detected in")

    def seen():
        both = (result, other)
        return [bool(each.markups_node.GetDisplayNode().GetVisibility()) for each in both]

    for volume, expected in (
        (other.volume_node, [False, True]),
        (result.volume_node, [True, False]),
        (empty, [False, False]),
    ):
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        host.process()
        assert seen() == expected


def test_what_was_said_of_a_closed_scene_goes_with_it(host, panel, client, result, tmp_path):
    panel.ui.datasetPathLineEdit.currentPath = str(tmp_path / "data")
    host.click(panel.ui.exportButton)
    host.click(panel.ui.detectButton)
    host.wait_until(lambda: not panel.detection.queue.is_busy)
    panel.ui.batchReportList.addItem("Scan: done")
    assert "detected" in panel.ui.statusLabel.text
    slicer.mrmlScene.Clear(False)
    host.process()
    texts = ("statusLabel", "exportedLabel", "comparisonLabel", "deviceNoteLabel")
    assert [getattr(panel.ui, name).text for name in texts] == [""] * 4
    assert panel.ui.batchReportList.count == 0


def test_what_was_done_before_a_scene_was_saved_is_said_to_be_final(host, panel, result, tmp_path):
    host.press(Qt.Key_C)
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(path)
    host.process()
    assert "1 of 4" in panel.ui.reviewProgressLabel.text
    assert not panel.ui.undoButton.enabled
    assert "saved" in panel.ui.undoButton.toolTip


# --- room


def in_sight(panel, widget):
    """Whether all of a widget is seen without scrolling the panel."""
    area = widget.window().panel_area().viewport()
    corner = widget.mapTo(area, widget.rect.topLeft())
    return widget.isVisible() and area.rect.contains(widget.rect.translated(corner))


def test_a_laptop_shows_ten_rows_and_all_that_a_review_needs_without_scrolling(host, panel, many):
    ui, table = panel.ui, panel.ui.reviewTable
    needed = [getattr(ui, f"{name}Button") for name in ("confirm", "absent", "place", "snap")]
    needed += [getattr(ui, f"{name}Button") for name in ("previous", "next", "nextUnreviewed")]
    needed += [getattr(ui, f"{name}Button") for name in ("restore", "undo", "redo", "closeUp")]
    needed += [ui.allNamesButton, ui.definitionLabel, ui.reviewProgressLabel, ui.resultComboBox]
    needed += [ui.filterLineEdit, table, ui.statusLabel]
    assert [each.name for each in needed if not in_sight(panel, each)] == []
    assert panel.parent.width <= 383
    height = table.viewport().height
    whole = [r for r in range(45) if table.visualItemRect(table.item(r, NAME)).bottom() < height]
    assert len(whole) >= 10


def test_names_are_never_cut(host, panel, many):
    table = panel.ui.reviewTable
    assert table.textElideMode == Qt.ElideNone
    widest = max(
        table.fontMetrics().horizontalAdvance(table.item(row, NAME).text()) for row in range(45)
    )
    assert table.horizontalHeader().sectionSize(NAME) >= widest
    assert table.horizontalScrollBar().maximum == 0


def test_a_long_message_changes_no_height_and_is_told_whole(host, panel, many):
    before = {name: each.geometry for name, each in vars(panel.ui).items() if "Label" in name}
    text = "The detection failed. " * 30
    panel.inputs = panel.desk.inputs
    panel.desk.inputs.told.emit(text)
    panel.ui.definitionLabel.parent().layout().activate()
    slicer.util.selectModule("")
    slicer.util.selectModule("LandmarkHeatmap")
    host.process(20)
    assert {n: e.geometry for n, e in vars(panel.ui).items() if "Label" in n} == before
    assert panel.ui.statusLabel.text.endswith("…")
    assert panel.ui.statusLabel.toolTip == text
    host.click(panel.ui.statusButton)
    assert host.user.told == [text]


def test_a_click_on_the_words_beside_a_check_box_ticks_it(host, panel):
    host.open_tab_of(panel.ui.showHeatmapsCheckBox)
    box = panel.ui.showHeatmapsCheckBox
    before = box.checked
    host.click_at(box, host.point(90, box.height // 2))
    assert box.checked is not before
