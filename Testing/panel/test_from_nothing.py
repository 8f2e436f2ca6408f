"""The whole story with mouse and keys: from landmarks that no model knows to a model that is used."""

from dataclasses import replace

import numpy as np
import pytest
import slicer

pytest.importorskip("torch")

from test_annotate_by_hand import PLACES, place, press, type_names

from landmark_heatmap.dataset.cases import read_cases
from landmark_heatmap.runs.command import Fit
from landmark_heatmap.worker.client import WorkerClient
from LandmarkHeatmapLib.display.views import look_at
from mrml_examples import make_image

PATIENCE_S = 300.0
# The panel asks for minutes; so few steps are done in seconds.
SHORT = ["--set", "epochs=1", "--set", "steps_per_epoch=2", "--set", "fine=false"]


def picture():
    """Balls of different sizes and brightness where the landmarks are, along the axis and around."""
    image = make_image()
    grid = image.grid
    k, j, i = np.indices(image.array.shape)
    positions = grid.to_lps(np.stack([i, j, k], axis=-1).astype(float))
    array = np.zeros(image.array.shape)
    for number, place_ras in enumerate(PLACES.values()):
        apart = np.linalg.norm(positions - np.array(place_ras) * [-1, -1, 1], axis=-1)
        array += (100 + 60 * number) * (apart < 5 + 1.5 * number)
    return replace(image, array=array.astype(np.float32))


@pytest.fixture
def worker(panel):
    """The real one, which registers and detects."""
    stand_in, client = panel.detection.queue.client, WorkerClient()
    panel.detection.queue.client = client
    yield client
    panel.detection.queue.client = stand_in
    client.close()


def detect(host, panel):
    panel.ui.deskTabs.setCurrentWidget(panel.ui.imageTab)
    press(host, panel.ui.detectButton)
    host.wait_until(lambda: not panel.detection.queue.is_busy, PATIENCE_S)
    host.process(50)
    return panel.desk.state.result()


def choose_model(panel, text):
    box = panel.ui.modelComboBox
    (index,) = [i for i in range(box.count) if box.itemText(i).startswith(text)]
    box.setCurrentIndex(index)


def test_from_an_empty_scene_to_a_model_that_is_used(
    host, panel, add, worker, tmp_path, monkeypatch
):
    words = Fit.words
    monkeypatch.setattr(Fit, "words", lambda fit: [*words(fit), *SHORT])
    dataset = tmp_path / "mine"
    # Landmarks of one's own, and the first case by hand.
    panel.ui.setCollapsibleButton.collapsed = False
    volume = add("First", picture())
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    look_at(slicer.mrmlScene, np.array(PLACES["Tip"]))
    type_names(host, panel, "Eye_L; inner corner", "Eye_R; inner corner", "Tip", "Base")
    press(host, panel.ui.annotateButton)
    for name in PLACES:
        place(host, name)
    panel.ui.datasetPathLineEdit.currentPath = str(dataset)
    press(host, panel.ui.exportButton)
    host.wait_until(lambda: dataset.is_dir() and len(read_cases(dataset)) == 1)
    # The next image begins with the first case, registered.
    add("Second", picture())
    choose_model(panel, "Registered")
    result = detect(host, panel)
    assert "mine" in result.model.name
    first = read_cases(dataset)[0].annotation
    for name in PLACES:
        found = result.annotation().position_lps(name)
        assert np.linalg.norm(found - first.position_lps(name)) < 5  # the image is the same
    # And a network is trained, and used.
    panel.ui.trainDatasetPathLineEdit.currentPath = str(dataset)
    panel.ui.deskTabs.setCurrentWidget(panel.ui.trainTab)
    panel.ui.trainMinutesSpinBox.value = 1
    host.process()
    press(host, panel.ui.trainButton)
    host.wait_until(lambda: panel.ui.trainUseButton.enabled, PATIENCE_S)
    press(host, panel.ui.trainUseButton)
    assert panel.ui.modelComboBox.currentText.startswith("mine-run")
    add("Third", picture())
    result = detect(host, panel)
    assert result.model.name == "mine-run"
    assert set(result.landmarks.names) == set(PLACES)
