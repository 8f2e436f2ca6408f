"""The models in the panel: what is told of each, and of images that are unlike those it knows."""

import numpy as np
import slicer

from landmark_heatmap.images.geometry import Image
from LandmarkHeatmapLib.volumes import add_volume


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
