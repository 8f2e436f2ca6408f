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

# The same in the place of `landmark-train starts`: the cases are better than nothing.
STARTS = """
import json, sys
from pathlib import Path
way = {"way": "registered", "cases": 2, "mean": 3.0, "median": 2.5, "unit": "mm", "seconds": 20.0}
found = {"cases": 2, "starts": [way], "best": "registered", "advice": [], "trust": None}
found["notes"] = ["So it is."]
Path(sys.argv[sys.argv.index("--json") + 1]).write_text(json.dumps(found), encoding="utf-8")
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

    def test_which_start_is_better_is_asked_and_chosen(self):
        panel = self.openTraining("hips")
        dataset = self.folder / "hips"
        self.addCase(dataset)
        starts = panel.desk.starts
        self.addCleanup(setattr, starts, "how", starts.how)
        self.addCleanup(starts.close)
        starts.how = {"command": ["-c", STARTS]}
        panel.ui.startsCollapsibleButton.collapsed = False
        panel.ui.askStartsButton.click()
        self.assertTrue(starts.is_busy)
        self.waitFor(lambda: not starts.is_busy, seconds=120)
        self.assertIn("So it is.", panel.ui.startsInfoLabel.toolTip)
        self.assertEqual(panel.ui.startsTable.item(0, 1).text(), "3.00 mm")
        panel.ui.useStartButton.click()
        self.assertEqual(panel.parameterNode.model, str(dataset))

    # --- what they have in common

    def addCase(self, dataset):
        """Makes a folder a dataset of one case."""
        import numpy as np

        from landmark_heatmap.annotation.landmarks import (
            Annotation,
            Landmark,
            LandmarkSet,
            Point,
            PointState,
        )
        from landmark_heatmap.dataset.cases import add_case
        from landmark_heatmap.dataset.folder import create_dataset
        from landmark_heatmap.dataset.record import CaseRecord, Review
        from landmark_heatmap.images.geometry import Image

        create_dataset(dataset, LandmarkSet((Landmark("Tip"),)))
        image = Image(np.zeros((4, 5, 6), np.int16), np.eye(4))
        annotation = Annotation({"Tip": Point(PointState.PLACED, (1.0, 2.0, 3.0))})
        add_case(dataset, "case-1", image, annotation, CaseRecord({"Tip": Review.CORRECTED}))

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
