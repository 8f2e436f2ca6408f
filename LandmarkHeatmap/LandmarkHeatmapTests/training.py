"""Training in the panel: the package that trains came along, and a process of Slicer's Python runs it."""

from __future__ import annotations

import slicer

# Run by Slicer's Python in the place of landmark-train: it trains nothing, and tells as that does.
STAND_IN = """
import shutil, sys, time
from pathlib import Path
from landmark_heatmap.model.shipped import shipped_models
from landmark_training.live import told_in
run = Path(sys.argv[-1])
with told_in(run, "--resume" in sys.argv) as live:
    (run / "run.json").write_text("{}", encoding="utf-8")
    shutil.copy(shipped_models()["synthetic_hip"], run / "model.safetensors")
    live.note(epoch=2, mre=2.5, kept_epoch=2, kept_mre=2.5)
    while "slow" in run.name and "--resume" not in sys.argv:
        live.tell("coarse epoch 3 of 9", 0.25, 60.0)
        time.sleep(0.05)
"""


class TrainingTests:
    def test_what_trains_came_along(self):
        from landmark_heatmap.runs.process import start

        with open(self.folder / "said", "w+b") as said:
            process = start(["--version"], said)
            self.waitFor(lambda: process.poll() is not None, seconds=120)
            said.seek(0)
            self.assertIn(b"landmark-train", said.read())
        self.assertEqual(process.returncode, 0)

    def test_a_model_is_trained_in_a_process_and_used(self):
        panel = self.openTraining("hips")
        panel.ui.trainButton.click()
        self.waitFor(lambda: panel.ui.trainUseButton.enabled, seconds=120)
        self.assertIn("2.5 mm", panel.ui.trainOutcomeLabel.toolTip)
        self.assertEqual(panel.ui.trainProgressBar.value, 100)
        panel.ui.trainUseButton.click()
        key = panel.parameterNode.model
        self.assertTrue(key.endswith("model.safetensors"))
        self.assertIn(key, [each for each, _path, _description in panel.logic.models()])
        self.assertGreater(len(panel.logic.models()), 1)

    def test_a_training_goes_on_while_another_module_is_open(self):
        panel = self.openTraining("slow")
        panel.ui.trainButton.click()
        self.waitFor(lambda: "epoch 3 of 9" in panel.ui.trainStateLabel.toolTip, seconds=120)
        self.assertFalse(panel.ui.trainButton.enabled)
        slicer.util.selectModule("Data" if hasattr(slicer.modules, "data") else "")
        slicer.util.selectModule("LandmarkHeatmap")
        self.assertIn("epoch 3 of 9", panel.ui.trainStateLabel.toolTip)
        panel.ui.trainCancelButton.click()
        self.waitFor(lambda: panel.ui.trainResumeButton.enabled, seconds=120)
        self.assertIn("Cancelled", panel.ui.trainOutcomeLabel.toolTip)
        panel.ui.trainResumeButton.click()
        self.waitFor(lambda: panel.ui.trainProgressBar.value == 100, seconds=120)

    # --- what they have in common

    def openTraining(self, name):
        """The panel with a dataset of this name chosen, whose training is a stand-in's."""
        for key in ("Trainings", "TrainingDataset", "TrainingFrom", "AddedModels"):
            self.keepSetting(f"LandmarkHeatmap/{key}")
        import qt

        qt.QSettings().remove("LandmarkHeatmap/Trainings")
        panel = self.openPanel()
        training = panel.desk.training
        self.addCleanup(setattr, training, "how", training.how)
        self.addCleanup(self.endTrainings, training)
        training.how = {"command": ["-c", STAND_IN]}
        self.addCleanup(
            setattr,
            panel.logic,
            "missingTrainingPackages",
            panel.logic.missingTrainingPackages,
        )
        panel.logic.missingTrainingPackages = list
        (self.folder / name).mkdir()
        before = panel.ui.trainDatasetPathLineEdit.currentPath
        self.addCleanup(setattr, panel.ui.trainDatasetPathLineEdit, "currentPath", before)
        panel.ui.trainDatasetPathLineEdit.currentPath = str(self.folder / name)
        panel.ui.deskTabs.setCurrentWidget(panel.ui.trainTab)
        return panel

    def endTrainings(self, training):
        """None may write into a folder that is about to go."""
        for run, state in training.trainings.look(anew=True):
            if state.goes_on:
                run.cancel()
                self.waitFor(lambda run=run: not run.look().goes_on, seconds=120)
