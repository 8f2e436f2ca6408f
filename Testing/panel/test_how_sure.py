"""How sure a landmark is, and which one breaks the shape: what the panel says and shows of it."""

import pytest
import slicer
from beliefs import with_beliefs

from landmark_heatmap.annotation.doubt import Doubt
from LandmarkHeatmapLib.display.contours import contour_nodes
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.volumes import add_volume
from mrml_examples import LANDMARKS, make_image, make_many, make_prediction

SIGN, NAME, SURE = 0, 1, 2
ODD = {"Tip": Doubt(9.0, 0.9, 14.2, 14.4, 2.5), "Head_R": Doubt(3.0, 0.9, 6.0, 8.0, 1.2)}


@pytest.fixture
def show(host, panel):
    """Puts a result into the scene and under review; doubts: as for with_beliefs."""

    def put(doubts=(), prediction=None, image=None, **how):
        image = image or make_image()
        volume = add_volume(host.app.mrmlScene(), image, "Scan")
        prediction = with_beliefs(prediction or make_prediction(image), doubts, **how)
        result = DetectionResult.publish(volume, prediction)
        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        panel.ui.deskTabs.setCurrentWidget(panel.ui.reviewTab)
        host.process(50)
        return result

    return put


def cell(panel, name, column):
    table = panel.ui.reviewTable
    rows = {table.item(row, NAME).text(): row for row in range(table.rowCount)}
    return table.item(rows[name], column)


def head(panel):
    return panel.ui.reviewTable.horizontalHeaderItem(SURE).text()


def names_in(panel):
    table = panel.ui.reviewTable
    return [table.item(row, NAME).text() for row in range(table.rowCount)]


def test_a_row_says_within_what_and_how_surely_and_the_tip_says_it_in_full(panel, show):
    show({"Tip": Doubt(0.9, 0.8, 2.13)})
    assert cell(panel, "Tip", SURE).text() == "80 %: 2.1 mm"
    tip = cell(panel, "Tip", SURE).toolTip()
    assert "80 %: within 2.1 mm of where an expert would click; 0.90 mm on average" in tip
    assert head(panel) == "How sure"


@pytest.mark.parametrize("doubt", [Doubt(0.9, 0.95, 2.13), Doubt(2.13)])
def test_what_all_rows_share_is_said_by_the_head(panel, show, doubt):
    show(dict.fromkeys(LANDMARKS.names, doubt))
    assert head(panel) == ("95 % within" if doubt.is_calibrated else "Off by about")
    assert cell(panel, "Tip", SURE).text() == "2.1 mm"
    show()
    assert head(panel) == "90 % within" and cell(panel, "Tip", SURE).text() == "4.0 mm"


def test_without_calibration_only_about_is_said_and_that_it_is_not_calibrated(panel, show):
    show({"Tip": Doubt(2.13)})
    assert cell(panel, "Tip", SURE).text() == "about 2.1 mm"
    assert cell(panel, "Head_L", SURE).text() == "90 %: 2.0 mm"
    assert "Not calibrated" in cell(panel, "Tip", SURE).toolTip()
    assert "90 %" not in cell(panel, "Tip", SURE).toolTip()


def test_what_nothing_backs_is_grey_and_no_longer_than_it_is_so(panel, show):
    show(dict.fromkeys(LANDMARKS.names, Doubt(4.0)))
    grey = cell(panel, "Tip", SURE).foreground().color().name()
    assert grey == "#8a8a8a"
    show(dict.fromkeys(LANDMARKS.names, Doubt(2.0, 0.9, 4.0)))
    assert cell(panel, "Tip", SURE).text() == "4.0 mm"
    assert cell(panel, "Tip", SURE).foreground().color().name() != grey


def test_an_image_without_mm_is_spoken_of_in_px(panel, show):
    image = make_image()
    image = type(image)(image.array, image.ijk_to_lps, "px")
    show({"Tip": Doubt(2.13, 0.9, 17.2, 31.0, 2.0)}, image=image)
    assert cell(panel, "Tip", SURE).text() == "17 px"
    assert "Tip is 31 px from" in panel.review._shape.text


def test_a_result_from_before_there_were_doubts_shows_its_confidence(panel, result):
    assert cell(panel, "Tip", SURE).text() == "70%"
    assert "Confidence 70%" in cell(panel, "Tip", SURE).toolTip()
    assert not panel.ui.shapeLabel.isVisible()


def test_need_is_the_expected_error_and_what_breaks_the_shape_comes_first(host, panel, show):
    lengths = {"Head_L": 5.0, "Head_R": 1.0, "Tip": 3.0, "Gone": 4.0}
    doubts = {name: Doubt(length, 0.9, 2 * length) for name, length in lengths.items()}
    doubts["Head_R"] = Doubt(1.0, 0.9, 2.0, 9.0, 1.5)
    show(doubts)
    panel.ui.reviewTable.horizontalHeader().sectionClicked.emit(SIGN)
    # How far off it is where there is none, nobody knows.
    assert names_in(panel) == ["Head_R", "Gone", "Head_L", "Tip"]
    panel.review.session.select("Head_R")
    panel.review.session.confirm()
    panel.review.session.order = "need"
    panel.review.update()
    assert names_in(panel) == ["Gone", "Head_L", "Tip", "Head_R"]
    panel.ui.reviewTable.horizontalHeader().sectionClicked.emit(SURE)
    assert names_in(panel) == ["Gone", "Head_L", "Tip", "Head_R"]


def test_what_breaks_the_shape_is_named_above_the_table_and_marked_until_it_is_judged(
    host, panel, show
):
    result, label = show(ODD), panel.ui.shapeLabel
    assert label.isVisible()
    assert panel.review._shape.text == (
        "Tip is 14 mm from where the other landmarks have it."
        " Head_R is 8.0 mm from where the other landmarks have it."
    )
    assert label.y < panel.ui.reviewTable.y
    assert [cell(panel, name, SIGN).text() for name in ("Tip", "Head_R", "Head_L")] == [
        "!",
        "!",
        "○",
    ]
    assert "Tip is 14 mm from" in cell(panel, "Tip", SIGN).toolTip()
    top = panel.ui.reviewTable.y

    session = panel.review.session
    session.select("Tip")
    session.confirm()
    assert panel.review._shape.text.startswith("Head_R is")
    assert cell(panel, "Tip", SIGN).text() == "✓"
    result.move("Head_R", [1, 2, 3])
    host.process(20)
    assert panel.review._shape.text == "" and cell(panel, "Head_R", SIGN).text() == "✎"
    # The rows do not jump under the hand.
    assert panel.ui.reviewTable.y == top
    session.undo()
    assert panel.review._shape.text.startswith("Head_R is")
    session.mark_absent(["Head_R"])
    assert panel.review._shape.text == ""


def test_of_an_absent_landmark_nothing_is_said(panel, show):
    show({"Gone": Doubt(9.0, 0.9, 14.2, 14.4, 2.5)})
    assert panel.review._shape.text == "" and cell(panel, "Gone", SIGN).text() == "○"
    assert cell(panel, "Gone", SURE).text() == "absent"
    assert cell(panel, "Gone", SURE).toolTip() == "Not in this image, as the network has it."


def test_names_are_whole_beside_doubts_on_a_small_screen(host, panel, show):
    host.window.resize_as_slicer(1366, 768)
    image = make_image()
    show({"Anterior_Superior_Point_03_L": ODD["Tip"]}, make_many(image), image)
    table = panel.ui.reviewTable
    assert table.horizontalScrollBar().maximum == 0
    widest = table.fontMetrics().horizontalAdvance(table.item(0, NAME).text())
    assert table.horizontalHeader().sectionSize(NAME) >= widest
    assert head(panel) == "90 % in"
    assert panel.parent.window().panel_area().verticalScrollBar().maximum == 0
    assert panel.ui.redoButton.isVisible()
    host.window.resize_plainly()


def inner(result):
    return contour_nodes(result)[0]


def bounds(result):
    values = [0.0] * 6
    inner(result).GetRASBounds(values)
    return values


def test_contours_are_those_of_the_landmark_under_review(host, panel, show):
    result = show()
    panel.review.session.select("Tip")
    host.process(20)
    assert inner(result).GetDisplayNode().GetVisibility2D()
    assert not inner(result).GetDisplayNode().GetVisibility3D()
    first = bounds(result)
    panel.review.session.select("Head_L")
    host.process(20)
    assert bounds(result) != first
    panel.ui.showContoursCheckBox.checked = False
    assert not inner(result).GetDisplayNode().GetVisibility()
    panel.ui.show3DCheckBox.checked = True
    assert inner(result).GetDisplayNode().GetVisibility3D()
    assert not inner(result).GetDisplayNode().GetVisibility2D()


def test_contours_do_not_go_with_the_heatmaps(host, panel, show):
    result = show()
    panel.ui.showHeatmapsCheckBox.checked = False
    assert inner(result).GetDisplayNode().GetVisibility2D()


def test_a_slider_of_the_heatmaps_makes_no_contours_anew(host, panel, show):
    result = show()
    surface = inner(result).GetPolyData()
    panel.ui.opacitySlider.value = 0.3
    panel.ui.thresholdSlider.value = 0.3
    assert inner(result).GetPolyData() is surface


def test_those_of_all_come_while_the_window_lives(host, panel, show):
    result = show()
    box, one = panel.ui.channelComboBox, bounds(result)
    box.setCurrentIndex(box.findData("*"))
    assert panel.desk.overlay.is_busy and bounds(result) == one
    host.wait_until(lambda: not panel.desk.overlay.is_busy)
    assert bounds(result)[1] - bounds(result)[0] > 2 * (one[1] - one[0])


def test_a_scene_that_is_closed_while_they_are_made_leaves_nothing_to_do(host, panel, show):
    show()
    box = panel.ui.channelComboBox
    box.setCurrentIndex(box.findData("*"))
    slicer.mrmlScene.Clear(False)
    host.process(50)
    assert not panel.desk.overlay.is_busy


def test_another_result_takes_its_contours_along(host, panel, show):
    first = show()
    assert inner(first).GetDisplayNode().GetVisibility()
    second = show()
    assert inner(second).GetDisplayNode().GetVisibility()
    assert not inner(first).GetDisplayNode().GetVisibility()
    assert len(LANDMARKS) == len(second.belief_nodes)


def test_beliefs_are_no_images_to_detect_in(panel, show):
    result = show()
    volumes = panel.logic.inputVolumes(slicer.mrmlScene)
    assert result.volume_node in volumes and not set(volumes) & set(result.belief_nodes)
