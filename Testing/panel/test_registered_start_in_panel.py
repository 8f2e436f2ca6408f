"""The dataset that is exported to, offered as a model: the fourth case comes with predictions."""

import pytest
from shapes import LANDMARKS, add_shape

from landmark_heatmap.annotation.sets.draft import LandmarkSetDraft
from landmark_heatmap.dataset.folder import read_landmark_set
from landmark_heatmap.dataset.landmark_changes import change_landmarks
from landmark_heatmap.errors import DatasetError


def offered(panel):
    from LandmarkHeatmapPanel.models import told

    return {told(description): key for key, _path, description in panel.logic.models()}


def test_a_dataset_is_offered_once_it_has_a_case(host, panel, tmp_path):
    from LandmarkHeatmapPanel.widgets import keep_setting

    folder = tmp_path / "wings"
    keep_setting("DatasetFolder", str(folder))
    assert not any("Registered" in text for text in offered(panel))
    add_shape(folder, "one")
    assert offered(panel)["Registered: wings (1 case)"] == str(folder)
    add_shape(folder, "two", bend=2)
    assert "Registered: wings (2 cases)" in offered(panel)


def test_choosing_it_says_what_it_is_and_training_does_not_go_on_from_it(
    host, panel, add, tmp_path
):
    folder = tmp_path / "wings"
    add_shape(folder, "one")
    add()
    panel.ui.datasetPathLineEdit.currentPath = str(folder)
    panel.logic.getParameterNode().model = str(folder)
    host.process()
    assert "cases laid over" in panel.ui.modelInfoLabel.text
    assert "--from" not in panel.ui.retrainTextEdit.toPlainText()


def test_any_dataset_can_be_added_but_an_empty_one(host, panel, tmp_path):
    from landmark_heatmap.dataset.folder import create_dataset

    add_shape(tmp_path / "wings", "one")
    assert panel.logic.addModel(tmp_path / "wings") == str(tmp_path / "wings")
    create_dataset(tmp_path / "empty", LANDMARKS)
    with pytest.raises(DatasetError, match="no cases yet"):
        panel.logic.addModel(tmp_path / "empty")


def test_the_list_has_the_landmarks_as_they_are_called_now(host, panel, tmp_path):
    add_shape(tmp_path / "wings", "one")
    key = panel.logic.addModel(tmp_path / "wings")
    assert "wings" in "".join(offered(panel))  # which was read before
    draft = LandmarkSetDraft(read_landmark_set(tmp_path / "wings"), is_in_use=True)
    draft.rename(0, "Renamed")
    change_landmarks(tmp_path / "wings", draft.to_set())
    (names,) = [each.landmarks.names for k, _path, each in panel.logic.models() if k == key]
    assert names[0] == "Renamed"
