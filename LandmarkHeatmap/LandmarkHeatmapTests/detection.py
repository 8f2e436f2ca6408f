"""Detecting: one image and many, what goes wrong meanwhile, and that the next click works."""

from __future__ import annotations

import numpy as np
import slicer

from .stand_ins import drag, put_synthetic_hip


class DetectionTests:
    def test_the_shipped_model_detects_the_synthetic_hip(self):
        from LandmarkHeatmapPanel.logic import LandmarkHeatmapLogic

        logic = LandmarkHeatmapLogic()
        if logic.missingPackages():
            self.skipTest(f"needs {', '.join(logic.missingPackages())}")
        volume, truth = put_synthetic_hip(spacing_mm=3.0, size=(110, 80, 90))
        result = logic.detectInWorker(volume, "synthetic_hip.safetensors")
        names = result.landmarks.names
        found = result.annotation().positions_lps(names)
        errors = np.linalg.norm(found - truth.positions_lps(names), axis=1)
        self.assertLess(np.median(errors), 5.0)
        self.assertLess(np.max(errors), 12.0)

    def test_detecting_again_keeps_the_corrections_of_before(self):
        from landmark_heatmap.dataset.record import Review

        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        first = self.detect(panel, volume)
        name = first.landmarks.names[0]
        drag(first, name)
        self.detect(panel, volume)
        self.assertEqual(panel.ui.resultComboBox.count, 2)
        self.assertEqual(panel.ui.resultComboBox.currentIndex, 1)
        self.assertIs(first.review(name), Review.CORRECTED)

    def test_detect_turns_into_cancel_and_nothing_is_left_behind(self):
        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        panel.detection.queue.client.holds = True
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        panel.ui.detectButton.click()
        self.waitFor(lambda: panel.ui.progressBar.value > 0)
        self.assertEqual(panel.ui.detectButton.text, "Cancel")
        panel.ui.detectButton.click()
        self.waitFor(lambda: not panel.detection.queue.is_busy, seconds=1)
        self.assertIn("Cancelled", panel.ui.statusLabel.toolTip)
        self.assertEqual(panel.logic.results(volume), [])
        panel.detection.queue.client.holds = False
        self.detect(panel, volume)

    def test_a_volume_removed_and_a_scene_closed_in_mid_run_are_told_of(self):
        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        panel.detection.queue.client.holds = True
        for remove, word in (
            (slicer.mrmlScene.RemoveNode, "removed"),
            (lambda volume: slicer.mrmlScene.Clear(), "closed"),
        ):
            volume, _truth = put_synthetic_hip()
            panel.ui.inputVolumeSelector.setCurrentNode(volume)
            panel.ui.detectButton.click()
            self.waitFor(lambda: panel.ui.progressBar.value > 0)
            remove(volume)
            self.waitFor(lambda: not panel.detection.queue.is_busy, seconds=1)
            self.assertIn(word, panel.ui.statusLabel.toolTip)

    def test_a_worker_that_dies_says_so_and_the_next_click_works(self):
        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        panel.detection.queue.client.failures = ["The detection process died."]
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        panel.ui.detectButton.click()
        self.waitFor(lambda: not panel.detection.queue.is_busy)
        self.assertIn("died", panel.ui.statusLabel.toolTip)
        self.detect(panel, volume)

    def test_one_failure_in_a_batch_is_reported_and_the_rest_go_on(self):
        volumes, truths = zip(*[put_synthetic_hip() for _number in range(3)])
        panel = self.openPanel(*truths)
        panel.detection.queue.client.failures = [None, "This one is broken.", None]
        panel.ui.batchAllButton.click()
        panel.ui.batchDetectButton.click()
        self.waitFor(lambda: not panel.detection.queue.is_busy)
        self.assertEqual([len(panel.logic.results(volume)) for volume in volumes], [1, 0, 1])
        self.assertIn("This one is broken.", self.batchReport(panel))
        self.assertIn("2 of 3", panel.ui.statusLabel.toolTip)

    def test_a_folder_of_images_is_loaded_and_detected(self):
        from landmark_heatmap.images.imageio import write_image
        from LandmarkHeatmapLib.volumes import image_of

        volume, truth = put_synthetic_hip()
        write_image(self.folder / "scan.nrrd", image_of(volume))
        (self.folder / "broken.nrrd").write_bytes(b"nothing")
        panel = self.openPanel(truth)
        panel.detection.add_folder(self.folder)
        panel.ui.batchDetectButton.click()
        self.waitFor(lambda: not panel.detection.queue.is_busy)
        self.assertIn("scan: done", self.batchReport(panel))
        self.assertIn("1 of 2", panel.ui.statusLabel.toolTip)
        loaded = slicer.mrmlScene.GetFirstNode("scan", "vtkMRMLScalarVolumeNode")
        self.assertEqual(len(panel.logic.results(loaded)), 1)

    def test_without_torch_the_panel_says_so_and_stays_usable(self):
        if not slicer.app.testingEnabled():
            self.skipTest("outside testing mode this would ask to install torch")
        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        panel.logic.missingPackages = lambda: ["torch"]
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        panel.ui.detectButton.click()
        self.assertIn("torch", panel.ui.statusLabel.toolTip)
        self.assertEqual(panel.logic.results(volume), [])
        self.assertTrue(panel.ui.detectButton.enabled)
