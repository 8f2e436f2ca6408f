"""What comes out of the panel, and what a scene file keeps of it."""

from __future__ import annotations

import numpy as np
import slicer

from .stand_ins import drag, put_synthetic_hip


class ExportAndSceneTests:
    def test_the_panel_detects_reviews_and_exports(self):
        from landmark_heatmap.dataset.cases import read_cases
        from landmark_heatmap.dataset.record import Review

        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        self.assertFalse(panel.ui.exportButton.enabled)
        result = self.detect(panel, volume)
        count = len(result.landmarks)
        self.assertEqual(panel.ui.detectButton.text, "Detect landmarks")
        self.assertEqual(panel.ui.resultComboBox.currentText, result.node.GetName())
        self.assertEqual(panel.ui.reviewTable.rowCount, count)
        self.assertTrue(panel.logic.isInSliceViews(volume))

        name = result.landmarks.names[0]
        drag(result, name)
        self.assertIs(result.review(name), Review.CORRECTED)
        self.assertIn(f"1 of {count} reviewed", panel.ui.reviewProgressLabel.text)
        panel.ui.nextUnreviewedButton.click()
        for _number in range(count - 1):
            self.assertIn("Partial", panel.ui.partialLabel.toolTip)
            panel.ui.confirmButton.click()
        self.assertIn(f"{count} of {count} reviewed", panel.ui.reviewProgressLabel.text)

        panel.ui.datasetPathLineEdit.currentPath = str(self.folder / "data set")
        panel.ui.annotatorLineEdit.text = "tester"
        panel.ui.exportButton.click()
        panel.ui.exportButton.click()
        (case,) = read_cases(self.folder / "data set")
        self.assertIn(case.name, panel.ui.exportedLabel.toolTip)
        self.assertEqual(case.annotation_path.parent.name, "revision-002")
        there = case.annotation.position_lps(name)
        np.testing.assert_allclose(there, result.annotation().position_lps(name), atol=0.01)
        command = panel.ui.retrainTextEdit.plainText
        self.assertIn("landmark-train fit --data", command)
        panel.ui.copyCommandButton.click()
        self.assertEqual(slicer.app.clipboard().text(), command)

    def test_the_scene_file_keeps_results_and_panel(self):
        from landmark_heatmap.dataset.record import Review
        from LandmarkHeatmapLib.result.detection_result import DetectionResult

        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        result = self.detect(panel, volume)
        name = result.landmarks.names[1]
        panel.ui.reviewTable.setCurrentCell(1, 0)
        drag(result, name)
        before = result.annotation().positions_lps(result.landmarks.names)
        panel.ui.thresholdSlider.value = 0.3
        path = str(self.folder / "scene.mrb")
        self.assertTrue(slicer.util.saveScene(path))
        slicer.mrmlScene.Clear()
        slicer.util.loadScene(path)
        (result,) = DetectionResult.all(slicer.mrmlScene)
        after = result.annotation().positions_lps(result.landmarks.names)
        np.testing.assert_allclose(after, before, atol=0.001)
        self.assertIs(result.review(name), Review.CORRECTED)
        self.assertAlmostEqual(panel.logic.getParameterNode().threshold, 0.3)
        self.assertIn("1 of", panel.ui.reviewProgressLabel.text)
        self.assertEqual(panel.review.session.current, name)

    def test_the_comparison_makes_a_table(self):
        import vtk

        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        result = self.detect(panel, volume)
        reference = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Reference")
        for name in result.landmarks.names:
            x, y, z = truth.position_lps(name)
            reference.AddControlPoint(vtk.vtkVector3d(-x, -y, z), name)
        panel.ui.referenceSelector.setCurrentNode(reference)
        panel.ui.compareButton.click()
        self.assertIn("3.00 mm", panel.ui.comparisonLabel.toolTip)
        self.assertEqual(len(slicer.util.getNodesByClass("vtkMRMLTableNode")), 1)

    def test_the_sample_is_made_without_a_download(self):
        from LandmarkHeatmapPanel.sample_data import add_synthetic_hip

        self.assertIsNotNone(add_synthetic_hip().GetImageData())
