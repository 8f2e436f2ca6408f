"""The panel as its user meets it: clicked, typed into and looked at."""

import numpy as np
import slicer

from landmark_heatmap.dataset.cases import read_cases
from mrml_examples import LANDMARKS, linear_transform


def detect(host, panel):
    """Click the button and wait; returns the newest result of the volume that is chosen."""
    volume = panel.ui.inputVolumeSelector.currentNode()
    before = len(panel.logic.results(volume))
    host.click(panel.ui.detectButton)
    host.wait_until(lambda: not panel.ui.progressBar.isVisible())
    assert len(panel.logic.results(volume)) == before + 1
    return panel.logic.results(volume)[-1]


def test_without_a_volume_the_button_says_what_is_missing(panel):
    assert not panel.ui.detectButton.enabled
    assert "volume" in panel.ui.detectButton.toolTip


def test_one_click_finds_the_landmarks_and_shows_them(host, panel, add):
    volume = add()
    result = detect(host, panel)
    assert result.landmarks.names == LANDMARKS.names
    assert panel.logic.isInSliceViews(volume)
    assert host.user.told == []


def test_all_tabs_and_the_name_of_the_model_have_room_in_a_narrow_panel(host, panel):
    host.window.resize_as_slicer(1366, 768)
    host.process(50)
    tabs, box = panel.ui.deskTabs, panel.ui.modelComboBox
    bar = tabs.tabBar()
    assert sum(bar.tabRect(n).width() for n in range(tabs.count)) <= tabs.width
    assert [tabs.tabToolTip(n) for n in range(tabs.count)] == [
        tabs.tabText(n) for n in range(tabs.count)
    ]
    arrow = 30
    assert box.fontMetrics().horizontalAdvance(box.currentText) <= box.width - arrow
    host.window.resize_plainly()


def test_where_letters_are_wide_every_tab_is_still_there(host, panel):
    host.window.resize_as_slicer(1366, 768)
    tabs = panel.ui.deskTabs
    bar, font = tabs.tabBar(), tabs.tabBar().font
    wide = type(font)(font)
    wide.setPointSizeF(1.6 * font.pointSizeF())
    bar.setFont(wide)
    host.process(50)
    assert sum(bar.tabRect(n).width() for n in range(tabs.count)) <= tabs.width
    assert all(bar.tabRect(n).width() > 20 for n in range(tabs.count))
    bar.setFont(font)
    host.window.resize_plainly()


def test_the_whole_name_of_the_chosen_model_is_in_the_tool_tip(panel):
    box = panel.ui.modelComboBox
    assert box.toolTip.startswith(f"{box.currentText}. The network that finds")


def test_each_volume_has_its_own_results(host, panel, add):
    first = add("First")
    result = detect(host, panel)
    add("Second")
    assert not panel.ui.exportButton.enabled
    panel.ui.inputVolumeSelector.setCurrentNode(first)
    host.process()
    assert panel.ui.exportButton.enabled
    assert panel.logic.getParameterNode().result is result.node


def test_heatmaps_are_not_offered_as_input(host, panel, add):
    add()
    detect(host, panel)
    assert panel.ui.inputVolumeSelector.nodeCount() == 1


def test_a_transformed_volume_is_exported_where_it_was_scanned(host, panel, add, tmp_path):
    volume = add()
    plain = detect(host, panel).annotation().positions_lps(LANDMARKS.names)
    volume.SetAndObserveTransformNodeID(linear_transform(slicer.mrmlScene).GetID())
    result = detect(host, panel)
    export(host, panel, tmp_path / "dataset")
    (case,) = read_cases(tmp_path / "dataset")
    exported = case.annotation.positions_lps(LANDMARKS.names)
    np.testing.assert_allclose(exported, result.annotation().positions_lps(LANDMARKS.names))
    np.testing.assert_allclose(exported, plain, atol=0.01)


def export(host, panel, folder):
    panel.ui.datasetPathLineEdit.currentPath = str(folder)
    host.click(panel.ui.exportButton)
    host.wait_until(lambda: (folder / "cases").exists() or list(folder.glob("*")))


def test_a_file_that_is_no_model_is_refused_in_words(host, panel, tmp_path):
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"nothing")
    count = panel.ui.modelComboBox.count
    host.user.chooses = [str(bad)]
    host.click(panel.ui.addModelButton)
    assert "bad.safetensors" in panel.ui.statusLabel.toolTip
    assert panel.ui.modelComboBox.count == count


def test_refusing_torch_leaves_review_and_export_usable(host, panel, add, tmp_path):
    add()
    detect(host, panel)
    panel.logic.missingPackages = lambda: ["torch"]
    host.user.agrees = False
    host.click(panel.ui.detectButton)
    assert "torch" in panel.ui.statusLabel.toolTip
    assert panel.ui.detectButton.enabled
    export(host, panel, tmp_path / "dataset")
    assert len(read_cases(tmp_path / "dataset")) == 1


def test_what_belongs_to_the_user_is_kept_in_the_settings(host, panel):
    panel.ui.annotatorLineEdit.setFocus()
    host.type("AB\n", panel.ui.annotatorLineEdit)
    host.close_modules()
    assert host.open().ui.annotatorLineEdit.text == "AB"


def test_closing_the_scene_leaves_an_empty_panel(host, panel, add):
    add()
    detect(host, panel)
    slicer.mrmlScene.Clear(False)
    host.process()
    assert not panel.ui.detectButton.enabled
    assert not panel.ui.exportButton.enabled
    add()
    detect(host, panel)


def test_a_scene_that_is_loaded_brings_its_results_and_corrections(host, panel, add, tmp_path):
    add()
    result = detect(host, panel)
    result.move("Tip", (1, 2, 3))
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(path)
    host.process()
    volume = panel.ui.inputVolumeSelector.currentNode()
    (again,) = panel.logic.results(volume)
    np.testing.assert_allclose(again.annotation().position_lps("Tip"), (-1, -2, 3), atol=0.001)
    assert panel.ui.exportButton.enabled


def test_reloading_the_module_shows_the_result_again(host, panel, add):
    add()
    result = detect(host, panel)
    slicer.util.reloadScriptedModule("LandmarkHeatmap")
    host.process()
    fresh = slicer.util.getModuleWidget("LandmarkHeatmap")
    assert fresh is not panel
    assert fresh.logic.getParameterNode().result is result.node
    assert fresh.ui.exportButton.enabled
