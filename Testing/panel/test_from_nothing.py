"""The whole story with mouse and keys: from landmarks that no model knows to a model that is used."""

from dataclasses import replace

import numpy as np
import pytest
import slicer

pytest.importorskip("torch")

from test_annotate_by_hand import PLACES

from landmark_heatmap.dataset.cases import read_cases
from landmark_heatmap.images.imageio import write_image
from landmark_heatmap.runs.command import Fit
from landmark_heatmap.worker.client import WorkerClient
from mrml_examples import make_image
from qt_host.story import Story

TITLES = ("First", "Second", "Third")
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


@pytest.fixture
def images(tmp_path):
    """Three of the same body, a little brighter each."""
    (tmp_path / "scans").mkdir()
    for number, name in enumerate(TITLES):
        image = picture()
        write_image(
            tmp_path / "scans" / f"{name}.nrrd", replace(image, array=image.array + 5 * number)
        )
    return tmp_path / "scans"


def test_from_an_empty_scene_to_a_model_that_is_used(
    host, panel, worker, images, tmp_path, monkeypatch
):
    words = Fit.words
    monkeypatch.setattr(Fit, "words", lambda fit: [*words(fit), *SHORT])
    dataset, truth = tmp_path / "mine", {n: np.array(p) for n, p in PLACES.items()}
    story = Story(host, panel, tolerance_mm=5.0)
    # Landmarks of one's own, and the first case by hand.
    story.load(images / "First.nrrd")
    story.say_landmarks("Eye_L; inner corner", "Eye_R; inner corner", "Tip", "Base")
    story.begin_by_hand()
    story.place_all(truth)
    story.export_to(dataset, "AB")
    first = read_cases(dataset)[0].annotation
    for name in PLACES:
        assert np.linalg.norm(first.position_lps(name) * [-1, -1, 1] - truth[name]) < 2
    # The next image begins with the first case, registered; and so does the one after it.
    story.list_cases(images, dataset)
    assert states(panel) == {"First": "done", "Second": "new", "Third": "new"}
    story.choose_model("Registered")
    story.open("Second")
    assert "mine" in story.result.model.name
    for name in PLACES:
        found = story.result.annotation().position_lps(name)
        assert np.linalg.norm(found - first.position_lps(name)) < 5  # the image is the same
    assert story.review(truth) == 0
    story.next()
    assert story.title == "Third"
    assert len(read_cases(dataset)) == 2
    # What was left has made room.
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert [each.GetName() for each in volumes if each.GetName() in TITLES] == ["First", "Third"]
    lists = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    assert not any("Second" in each.GetName() for each in lists)
    # And a network is trained, and used.
    panel.ui.trainDatasetPathLineEdit.currentPath = str(dataset)
    story.train(minutes=1)
    story.use_model()
    assert panel.ui.modelComboBox.currentText.startswith("mine-run")
    story.detect()
    assert story.result.model.name == "mine-run"
    assert set(story.result.landmarks.names) == set(PLACES)


def states(panel) -> dict:
    table = panel.ui.casesTable
    return {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount)}
