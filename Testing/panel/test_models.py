"""The models in the panel: what is told of each, and of images that are unlike those it knows."""

import shutil

import numpy as np
import slicer

from landmark_heatmap.images.geometry import Image
from landmark_heatmap.model.shipped import shipped_models
from LandmarkHeatmapLib.volumes import add_volume

HIP, SKULL = (shipped_models()[name] for name in ("synthetic_hip", "mouse_skull"))


def choose(host, panel, name):
    combo = panel.ui.modelComboBox
    texts = [combo.itemText(row) for row in range(combo.count)]
    combo.currentIndex = next(row for row, text in enumerate(texts) if text.startswith(name))
    host.wait_until(lambda: panel.ui.modelComboBox.currentText.startswith(name))


def test_the_model_of_the_sample_data_is_chosen_first(panel):
    assert panel.ui.modelComboBox.currentText.startswith("Synthetic hip")


def test_what_a_card_says_is_shown(host, panel):
    choose(host, panel, "Mouse skull")
    host.wait_until(lambda: "0.217 mm (0.193 to 0.241)" in panel.ui.modelInfoLabel.toolTip)
    told = panel.ui.modelDetailsTextBrowser.html
    for said in ("What it is not for", "mirrored numbers", "GPL-3.0", "Never tried on", "Maga"):
        assert said in told


def test_that_mirrored_images_are_not_noticed_stands_beside_the_model(host, panel):
    choose(host, panel, "Mouse skull")
    host.wait_until(lambda: "mirrored images are not noticed" in panel.ui.modelInfoLabel.toolTip)


def test_an_image_of_another_size_than_the_model_knows_gets_a_word_before(host, panel):
    affine = np.diag([10.0, 10.0, 10.0, 1.0])
    add_volume(slicer.mrmlScene, Image(np.ones((20, 20, 20), np.int16), affine), "Large")
    choose(host, panel, "Mouse skull")
    host.wait_until(lambda: "200 mm long" in panel.ui.imageNoteLabel.toolTip)
    choose(host, panel, "Synthetic hip")
    host.wait_until(lambda: not panel.ui.imageNoteLabel.isVisible())


def test_what_is_unlike_all_that_the_model_knows_is_told_after_the_detection(
    host, panel, client, add
):
    add()
    client.words = ("many landmarks contradict each other.",)
    host.click(panel.ui.detectButton)
    host.wait_until(lambda: "detected in" in panel.ui.statusLabel.toolTip)
    assert panel.ui.statusLabel.toolTip.startswith("Many landmarks contradict each other. ")


def names(panel):
    combo = panel.ui.modelComboBox
    return [combo.itemText(row).split(" (")[0] for row in range(combo.count)]


def share(host, panel, folder):
    host.user.chooses = [str(folder)]
    host.click(panel.ui.shareModelsButton)


def test_the_models_of_a_shared_folder_are_on_the_list_as_they_come_and_go(host, panel, tmp_path):
    before = names(panel)
    shutil.copy(HIP, tmp_path / "ours.safetensors")
    (tmp_path / "notes.txt").write_text("no model")
    share(host, panel, tmp_path)
    host.wait_until(lambda: names(panel) == [*before, "Synthetic hip"])
    shutil.copy(SKULL, tmp_path / "skull.safetensors")
    panel.desk.update()
    assert names(panel) == [*before, "Synthetic hip", "Mouse skull, micro-CT"]
    shutil.rmtree(tmp_path)
    panel.desk.update()
    assert names(panel) == before


def test_a_folder_without_models_is_refused_and_the_one_before_stays(host, panel, tmp_path):
    shared, empty = tmp_path / "shared", tmp_path / "empty"
    shared.mkdir()
    empty.mkdir()
    shutil.copy(HIP, shared / "ours.safetensors")
    share(host, panel, shared)
    listed = names(panel)
    share(host, panel, empty)
    assert "holds no model" in panel.ui.statusLabel.toolTip
    assert names(panel) == listed


def test_a_model_that_changed_since_it_was_added_says_so_until_it_is_added_again(
    host, panel, tmp_path
):
    ours = tmp_path / "ours.safetensors"
    shutil.copy(HIP, ours)
    host.user.chooses = [str(ours)]
    host.click(panel.ui.addModelButton)
    host.wait_until(lambda: panel.ui.modelComboBox.currentData == str(ours))
    assert "has changed" not in panel.ui.modelInfoLabel.toolTip

    shutil.copy(SKULL, ours)
    panel.desk.update()
    assert "45 landmarks" in panel.ui.modelInfoLabel.toolTip
    assert "has changed since it was added" in panel.ui.modelInfoLabel.toolTip

    host.user.chooses = [str(ours)]
    host.click(panel.ui.addModelButton)
    host.wait_until(lambda: "has changed" not in panel.ui.modelInfoLabel.toolTip)
