"""Training in the panel, by clicks: a plan, a process that trains nothing, its end, its model."""

import time

import pytest
import slicer
from training_stand_in import LET_GO

from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.dataset.folder import create_dataset
from landmark_heatmap.runs.command import Fit
from landmark_heatmap.runs.live import LiveState, folder_of
from landmark_heatmap.runs.run import TrainingRun, begin
from places import ROOT

STAND_IN = {"command": [ROOT / "Testing" / "support" / "training_stand_in.py"]}


@pytest.fixture
def train(host, panel, tmp_path):
    """Chooses a dataset of this name, whose trainings do what it says, and opens the tab."""
    panel.desk.training.how = STAND_IN
    panel.desk.training._timer.setInterval(20)

    def choose(what):
        (tmp_path / what).mkdir(exist_ok=True)
        panel.ui.trainDatasetPathLineEdit.currentPath = str(tmp_path / what)
        panel.ui.deskTabs.setCurrentWidget(panel.ui.trainTab)
        host.process()
        return tmp_path / what

    yield choose
    for run in panel.desk.training.trainings.all():
        run.cancel()
        host.wait_until(lambda run=run: run.look().state not in ("starting", "running"))
        (folder_of(run.folder) / LET_GO).touch()
        host.wait_until(lambda run=run: run.is_left)


def state_of(panel):
    return panel.ui.trainStateLabel.toolTip


def test_without_a_dataset_there_is_nothing_to_train(host, panel):
    panel.ui.trainDatasetPathLineEdit.currentPath = ""
    host.process()
    for button in (panel.ui.trainButton, panel.ui.trainPlanButton, panel.ui.trainCopyButton):
        assert not button.enabled
    for button in (panel.ui.trainCancelButton, panel.ui.trainResumeButton):
        assert not button.enabled
    assert not panel.ui.trainUseButton.enabled


def test_what_it_will_do_is_told_before_it_begins(host, panel, train):
    train("quick")
    host.click(panel.ui.trainPlanButton)
    host.wait_until(lambda: "spacing 3 mm" in panel.ui.trainPlanTextEdit.plainText)
    assert "--minutes 30" in panel.ui.trainPlanTextEdit.plainText
    # Another question is not answered by it.
    panel.ui.trainMinutesSpinBox.value = 45
    host.process()
    assert panel.ui.trainPlanTextEdit.plainText == ""
    assert panel.desk.training.trainings.all() == []


def test_a_dataset_that_cannot_be_used_says_why(host, panel, train):
    train("bad")
    host.click(panel.ui.trainPlanButton)
    host.wait_until(lambda: "has no image" in panel.ui.trainPlanTextEdit.plainText)
    assert "4 s gone" not in panel.ui.trainPlanTextEdit.plainText
    host.click(panel.ui.trainButton)
    host.wait_until(lambda: "These cases cannot be used" in panel.ui.trainOutcomeLabel.toolTip)
    assert not panel.ui.trainUseButton.enabled and not panel.ui.trainResumeButton.enabled
    assert panel.ui.trainButton.enabled


def test_a_model_is_trained_and_used_and_the_old_one_stays(host, panel, train):
    before = [key for key, _path, _description in panel.logic.models()]
    train("quick")
    host.click(panel.ui.trainButton)
    host.wait_until(lambda: panel.ui.trainUseButton.enabled)
    assert "better than the one before" in panel.ui.trainOutcomeLabel.toolTip
    host.wait_until(lambda: "better than the one before" in panel.ui.statusLabel.toolTip)
    assert panel.ui.trainProgressBar.value == 100
    assert "because of the data" in panel.ui.trainPlanTextEdit.plainText
    assert not panel.ui.trainCurveLabel.pixmap.isNull()
    assert not panel.ui.trainCasesLabel.pixmap.isNull()
    host.click(panel.ui.trainUseButton)
    keys = [key for key, _path, _description in panel.logic.models()]
    assert keys[:-1] == before and keys[-1].endswith("model.safetensors")
    assert panel.parameterNode.model == keys[-1]
    assert not panel.ui.trainUseButton.enabled


def test_a_training_is_watched_cancelled_and_resumed(host, panel, train):
    train("slow")
    host.click(panel.ui.trainButton)
    host.wait_until(lambda: "epoch 2 of 9" in state_of(panel) and "2.5 mm" in state_of(panel))
    assert panel.ui.trainProgressBar.value == 50
    assert "left" in panel.ui.trainProgressBar.format
    assert not panel.ui.trainButton.enabled
    host.click(panel.ui.trainCancelButton)
    host.wait_until(lambda: panel.ui.trainResumeButton.enabled)
    assert "best model so far is kept" in panel.ui.trainOutcomeLabel.toolTip
    assert panel.ui.trainUseButton.enabled
    host.click(panel.ui.trainResumeButton)
    host.wait_until(lambda: panel.ui.trainProgressBar.value == 100)
    assert len(panel.desk.training.trainings.all()) == 1


def test_resume_is_offered_once_the_process_that_was_cancelled_is_gone(host, panel, train):
    train("late")
    host.click(panel.ui.trainButton)
    host.wait_until(lambda: "epoch 2 of 9" in state_of(panel))
    host.click(panel.ui.trainCancelButton)
    host.wait_until(lambda: "Cancelled" in panel.ui.trainOutcomeLabel.toolTip)
    host.process(100)
    assert not panel.ui.trainResumeButton.enabled
    assert "still ending" in panel.ui.trainResumeButton.toolTip
    (run,) = panel.desk.training.trainings.all()
    (folder_of(run.folder) / LET_GO).touch()
    host.wait_until(lambda: panel.ui.trainResumeButton.enabled)
    assert "Go on with a training" in panel.ui.trainResumeButton.toolTip
    host.click(panel.ui.trainResumeButton)
    host.wait_until(lambda: panel.ui.trainProgressBar.value == 100)


def test_an_error_that_was_not_measured_is_no_case_that_was_not_held_out(host, panel, train):
    train("early")
    host.click(panel.ui.trainButton)
    host.wait_until(lambda: panel.ui.trainUseButton.enabled)
    assert panel.ui.trainOutcomeLabel.toolTip == (
        "Done. It was stopped before an error was measured."
    )


@pytest.mark.parametrize(
    ("held_out", "told"),
    [
        (None, "Cancelled. The best model so far is kept. How good it is was not measured."),
        (0, "No case was held out, so how good it is cannot be told."),
        (2, "It was stopped before an error was measured."),
    ],
)
def test_of_a_cancelled_training_it_is_not_said_that_no_case_was_held_out_unless_it_is_known(
    panel, tmp_path, held_out, told
):
    from LandmarkHeatmapPanel.trainings import how_it_ended

    (tmp_path / "model.safetensors").touch()
    state = LiveState("cancelled", held_out=held_out)
    assert how_it_ended(TrainingRun(tmp_path), state).endswith(told)


def test_it_goes_on_while_the_panel_is_away_and_is_found_again(host, panel, train):
    train("slow")
    host.click(panel.ui.trainButton)
    host.wait_until(lambda: "epoch 2 of 9" in state_of(panel))
    (run,) = panel.desk.training.trainings.all()
    host.close_modules()
    again = host.open()
    assert "epoch 2 of 9" in state_of(again) and again.ui.trainCancelButton.enabled
    again.desk.training.how = STAND_IN
    # It ends while another module is open.
    slicer.util.selectModule("")
    run.cancel()
    host.wait_until(lambda: run.look().state == "cancelled")
    slicer.util.selectModule("LandmarkHeatmap")
    host.process()
    assert "Cancelled" in again.ui.statusLabel.toolTip
    assert run.name in again.ui.trainRunComboBox.currentText


def test_what_died_is_told_with_its_last_words(host, panel, train):
    train("crash")
    host.click(panel.ui.trainButton)
    host.wait_until(lambda: "Segmentation fault" in panel.ui.trainOutcomeLabel.toolTip)
    assert "interrupted" in panel.ui.trainRunComboBox.currentText


def test_an_older_training_can_be_looked_at(host, panel, train):
    data = train("quick")
    host.click(panel.ui.trainButton)
    host.wait_until(lambda: panel.ui.trainUseButton.enabled)
    train("bad")
    host.click(panel.ui.trainButton)
    host.wait_until(lambda: "cannot be used" in panel.ui.trainOutcomeLabel.toolTip)
    assert panel.ui.trainRunComboBox.count == 2
    panel.ui.trainRunComboBox.setCurrentIndex(1)
    host.process(100)
    assert data.name in panel.ui.trainRunComboBox.currentText
    assert panel.ui.trainUseButton.enabled


def test_the_command_for_a_server_is_there_to_copy(host, panel, train):
    data = train("quick")
    panel.ui.trainFromComboBox.setCurrentIndex(1)
    host.process()
    host.click(panel.ui.trainCopyButton)
    copied = slicer.app.clipboard().text()
    assert copied == panel.ui.trainCommandTextEdit.plainText
    assert copied.startswith("landmark-train fit") and "--from synthetic_hip" in copied
    panel.ui.trainFromComboBox.setCurrentIndex(0)
    host.process()
    assert "--from" not in panel.ui.trainCommandTextEdit.plainText
    assert f"{data}-run" in panel.ui.trainCommandTextEdit.plainText


def test_a_model_of_other_landmarks_is_not_what_it_begins_with(host, panel, train, tmp_path):
    train("quick")
    assert panel.ui.trainFromComboBox.currentText == "The chosen model, Synthetic hip"
    for name, landmark in (("others", "Nose"), ("hips", "ASIS_L")):
        (tmp_path / name).mkdir()
        create_dataset(tmp_path / name, LandmarkSet((Landmark(landmark),)))
    train("others")
    assert "scratch" in panel.ui.trainFromComboBox.currentText
    assert "--from" not in panel.ui.trainCommandTextEdit.plainText
    train("hips")
    assert "--from synthetic_hip" in panel.ui.trainCommandTextEdit.plainText


def test_it_trains_from_where_was_exported_to_unless_another_was_chosen(
    host, panel, result, tmp_path
):
    for name in ("first", "second"):
        panel.ui.datasetPathLineEdit.currentPath = str(tmp_path / name)
        host.click(panel.ui.exportButton)
        assert panel.ui.trainDatasetPathLineEdit.currentPath == str(tmp_path / name)
    panel.ui.trainDatasetPathLineEdit.currentPath = str(tmp_path / "own")
    host.click(panel.ui.exportButton)
    assert panel.ui.trainDatasetPathLineEdit.currentPath == str(tmp_path / "own")


def test_training_asks_for_its_own_packages(host, panel, train):
    installed = []
    panel.logic.missingTrainingPackages = lambda: [] if installed else ["psutil"]
    panel.logic.installTrainingPackages = installed.extend
    train("quick")
    host.click(panel.ui.trainButton)
    assert "Training needs" in host.user.told[-1] and "psutil" in host.user.told[-1]
    assert installed == [] and panel.desk.training.trainings.all() == []
    host.user.agrees = True
    host.click(panel.ui.trainButton)
    assert installed == ["psutil"]
    host.wait_until(lambda: panel.ui.trainUseButton.enabled)


def test_closing_slicer_ends_it_only_if_that_is_wanted(host, panel, train, tmp_path):
    data = train("slow")
    run = begin(Fit(str(data), str(tmp_path / "run")), **STAND_IN)
    panel.desk.training.trainings.add(run)
    host.wait_until(lambda: run.look().state == "running")
    panel.desk.training._on_quit()
    time.sleep(0.2)
    assert run.look().state == "running"
    panel.ui.trainGoesOnCheckBox.checked = False
    panel.desk.training._on_quit()
    host.wait_until(lambda: run.look().state == "cancelled")
