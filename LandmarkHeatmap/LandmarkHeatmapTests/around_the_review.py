"""What stands around a review: its journal, the measurements, and what is shown after Detect."""

from __future__ import annotations

import slicer

from .stand_ins import put_synthetic_hip


class AroundTheReviewTests:
    def test_an_unfinished_review_is_offered_and_restored(self):
        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        self.detect(panel, volume)
        panel.ui.confirmButton.click()
        slicer.mrmlScene.Clear()
        volume, _truth = put_synthetic_hip()
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        slicer.app.processEvents()
        self.assertIn("1 of", panel.ui.unfinishedLabel.toolTip)
        self.assertFalse(panel.ui.unfinishedWidget.isHidden())
        panel.ui.restoreReviewButton.click()
        slicer.app.processEvents()
        self.assertIn("1 of", panel.ui.reviewProgressLabel.text)
        self.assertTrue(panel.ui.unfinishedWidget.isHidden())
        panel.ui.undoButton.click()
        self.assertIn("0 of", panel.ui.reviewProgressLabel.text)

    def test_a_scene_that_is_saved_or_a_case_that_is_exported_needs_no_journal(self):
        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        self.detect(panel, volume)
        journals = panel.desk.journal.journals
        panel.ui.confirmButton.click()
        self.assertEqual(len(list(journals.folder.glob("*"))), 1)
        panel.ui.datasetPathLineEdit.currentPath = str(self.folder / "data")
        panel.ui.exportButton.click()
        self.assertEqual(list(journals.folder.glob("*")), [])
        panel.ui.confirmButton.click()
        self.assertEqual(len(list(journals.folder.glob("*"))), 1)
        # What is made after a scene was saved is not saved.
        self.waitFor(lambda: not panel.desk.surroundings.is_busy)
        slicer.util.saveScene(str(self.folder / "scene.mrb"))
        # Left, it looks by itself, whether or not it was told of the saving.
        slicer.util.selectModule("Data")
        slicer.util.selectModule("LandmarkHeatmap")
        self.assertEqual(list(journals.folder.glob("*")), [])

    def test_a_distance_follows_its_landmarks(self):
        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        result = self.detect(panel, volume)
        ui = panel.ui
        ui.measureFirstComboBox.setCurrentText(truth.names[0])
        ui.measureSecondComboBox.setCurrentText(truth.names[1])
        ui.addDistanceButton.click()
        slicer.app.processEvents()
        self.assertEqual(ui.measurementsTable.rowCount, 1)
        before = ui.measurementsTable.item(0, 0).text()
        self.assertIn("mm", before)
        node = result.markups_node
        x, y, z = node.GetNthControlPointPosition(0)
        node.SetNthControlPointPosition(0, x + 7, y + 5, z)
        self.assertNotEqual(ui.measurementsTable.item(0, 0).text(), before)
        ui.measurementsTable.selectRow(0)
        ui.removeMeasurementButton.click()
        self.assertEqual(ui.measurementsTable.rowCount, 0)

    def test_after_a_detection_the_anatomy_is_around_the_landmarks(self):
        from LandmarkHeatmapLib.display.anatomy import ANATOMY
        from LandmarkHeatmapLib.display.models import model_of

        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        box = panel.ui.anatomyComboBox
        box.setCurrentIndex(box.findData("surface"))
        result = self.detect(panel, volume)
        self.waitFor(lambda: not panel.desk.surroundings.is_busy)
        surface = model_of(result, ANATOMY)
        self.assertGreater(surface.GetPolyData().GetNumberOfPolys(), 100)
        self.assertTrue(surface.GetDisplayNode().GetVisibility())
        box.setCurrentIndex(box.findData(""))
        self.assertFalse(surface.GetDisplayNode().GetVisibility())
        box.setCurrentIndex(box.findData("surface"))
        self.waitFor(lambda: not panel.desk.surroundings.is_busy)
        self.assertTrue(surface.GetDisplayNode().GetVisibility())
