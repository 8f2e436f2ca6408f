"""Distances and angles on the tab Measure."""

import json

import pytest
import slicer
from PySide6.QtCore import Qt

from landmark_heatmap.annotation.measurements import Measurement
from LandmarkHeatmapLib.measurements import VALUE, add_measurement, table_of

WIDTH = {"name": "Width", "kind": "distance", "landmarks": ["Head_L", "Head_R"]}


@pytest.fixture
def tab(host, panel, result):
    host.open_tab_of(panel.ui.addDistanceButton)
    return panel.ui


def shown(ui):
    """(name, value, from) of each row."""
    table = ui.measurementsTable
    return [tuple(table.item(r, c).text() for c in (2, 0, 1)) for r in range(table.rowCount)]


def choose(ui, *names):
    boxes = (ui.measureFirstComboBox, ui.measureSecondComboBox, ui.measureThirdComboBox)
    for box, name in zip(boxes, names):
        box.setCurrentText(name)


def distance(result, *names):
    a, b = (result.annotation().position_lps(name) for name in names)
    return sum((x - y) ** 2 for x, y in zip(a, b)) ** 0.5


def test_a_distance_is_measured_and_follows_the_landmarks(host, panel, result, tab):
    assert shown(tab) == []
    choose(tab, "Head_L", "Head_R")
    host.click(tab.addDistanceButton)
    expected = distance(result, "Head_L", "Head_R")
    assert shown(tab) == [("Head_L - Head_R", f"{expected:.2f} mm", "predicted")]
    node = result.markups_node
    node.SetNthControlPointPosition(0, *[x + 5 for x in node.GetNthControlPointPosition(0)])
    moved = distance(result, "Head_L", "Head_R")
    assert abs(moved - expected) > 0.1
    assert shown(tab)[0][1] == f"{moved:.2f} mm"
    values = table_of(result).GetTable().GetColumnByName(VALUE)
    assert values.GetValue(0) == pytest.approx(moved, abs=1e-3)


def test_an_angle_is_measured_at_the_second(host, panel, result, tab):
    choose(tab, "Head_L", "Tip", "Head_R")
    tab.measurementNameLineEdit.text = "Opening"
    host.click(tab.addAngleButton)
    ((name, value, _origin),) = shown(tab)
    measurement = Measurement("Opening", "angle", ("Head_L", "Tip", "Head_R"))
    expected = measurement.value(result.annotation().position_lps)
    assert (name, value) == ("Opening", f"{expected:.1f}°")
    assert tab.measurementNameLineEdit.text == ""


def test_a_landmark_without_a_place_leaves_no_value(host, panel, result, tab):
    choose(tab, "Head_L", "Gone")
    host.click(tab.addDistanceButton)
    assert shown(tab)[0][1:] == ("-", "missing")


def test_judged_landmarks_make_a_measurement_placed(host, panel, result, tab):
    choose(tab, "Head_L", "Head_R")
    host.click(tab.addDistanceButton)
    panel.ui.reviewTable.selectAll()
    host.press(Qt.Key_C)
    assert shown(tab)[0][2] == "placed"


def test_what_makes_no_sense_is_said_and_nothing_is_replaced(host, panel, result, tab):
    choose(tab, "Tip", "Tip")
    host.click(tab.addDistanceButton)
    assert "same point twice" in tab.statusLabel.toolTip and shown(tab) == []
    choose(tab, "Head_L", "Tip")
    tab.measurementNameLineEdit.text = "Width"
    host.click(tab.addDistanceButton)
    choose(tab, "Head_L", "Head_R")
    tab.measurementNameLineEdit.text = "Width"
    before = shown(tab)
    host.click(tab.addDistanceButton)
    assert "'Width' already" in tab.statusLabel.toolTip
    assert shown(tab) == before
    assert tab.measurementNameLineEdit.text == "Width"


def test_the_chosen_one_is_removed(host, panel, result, tab):
    assert not tab.removeMeasurementButton.enabled
    for names in (("Head_L", "Head_R"), ("Head_L", "Tip")):
        choose(tab, *names)
        host.click(tab.addDistanceButton)
    tab.measurementsTable.selectRow(0)
    host.click(tab.removeMeasurementButton)
    assert [row[0] for row in shown(tab)] == ["Head_L - Tip"]


def test_definitions_come_from_a_file(host, panel, result, tab, tmp_path):
    foreign = {"name": "Other", "kind": "distance", "landmarks": ["Nasion", "Sella"]}
    path = tmp_path / "hip.json"
    path.write_text(json.dumps({"measurements": [WIDTH, foreign]}))
    host.user.chooses = [str(path)]
    host.click(tab.loadDefinitionsButton)
    assert [row[0] for row in shown(tab)] == ["Width"]
    assert "1 of 2" in tab.statusLabel.toolTip


@pytest.mark.parametrize(
    "content",
    ["no json", "[]", "{}", '{"measurements": 3}', '{"measurements": [{"name": "A"}]}'],
)
def test_a_file_that_defines_nothing_is_said(host, panel, result, tab, tmp_path, content):
    path = tmp_path / "bad.json"
    path.write_text(content)
    host.user.chooses = [str(path)]
    host.click(tab.loadDefinitionsButton)
    assert "could not be added" in tab.statusLabel.toolTip
    assert "bad.json" in tab.statusLabel.toolTip
    assert shown(tab) == []


def test_the_shipped_sets_are_offered_and_say_if_they_do_not_fit(host, panel, result, tab):
    box = tab.definitionsComboBox
    assert [box.itemText(n) for n in range(box.count)] == ["Cephalogram", "Femur"]
    host.click(tab.addDefinitionsButton)
    assert "Nothing was added" in tab.statusLabel.toolTip


def test_what_a_script_defines_is_shown_and_goes_with_its_result(host, panel, result, tab):
    add_measurement(result, Measurement(**{**WIDTH, "landmarks": ("Head_L", "Head_R")}))
    host.process(20)
    assert [row[0] for row in shown(tab)] == ["Width"]
    panel.ui.inputVolumeSelector.setCurrentNode(None)
    host.process()
    assert shown(tab) == []
    assert not tab.addDistanceButton.enabled
    panel.ui.inputVolumeSelector.setCurrentNode(result.volume_node)
    host.process()
    assert [row[0] for row in shown(tab)] == ["Width"]


def test_a_measurement_is_no_step_of_the_review_and_is_exported(host, panel, result, tab, tmp_path):
    choose(tab, "Head_L", "Head_R")
    host.click(tab.addDistanceButton)
    assert not panel.ui.undoButton.enabled
    panel.ui.datasetPathLineEdit.currentPath = str(tmp_path / "data")
    host.click(panel.ui.exportButton)
    (written,) = (tmp_path / "data").rglob("measurements.csv")
    assert "Head_L - Head_R" in written.read_text(encoding="utf-8")


def test_the_table_goes_with_the_scene_and_the_module_may_be_closed_meanwhile(
    host, panel, result, tab
):
    choose(tab, "Head_L", "Head_R")
    host.click(tab.addDistanceButton)
    slicer.util.selectModule("")
    node = result.markups_node
    node.SetNthControlPointPosition(0, *[x + 5 for x in node.GetNthControlPointPosition(0)])
    slicer.util.selectModule("LandmarkHeatmap")
    assert shown(tab)[0][1] == f"{distance(result, 'Head_L', 'Head_R'):.2f} mm"
    slicer.mrmlScene.Clear(False)
    host.process()
    assert shown(tab) == []
