"""The panel as a desk: what it follows, what it keeps still, and how it is laid out."""

from __future__ import annotations

import slicer

from .stand_ins import put_synthetic_hip


class DeskTests:
    def test_a_colour_photograph_can_be_chosen(self):
        panel = self.openPanel()
        volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "Photograph")
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        slicer.app.processEvents()
        self.assertIs(panel.ui.inputVolumeSelector.currentNode(), volume)
        self.assertIs(panel.parameterNode.inputVolume, volume)

    def test_a_volume_that_comes_is_chosen_if_none_was(self):
        panel = self.openPanel()
        self.assertIsNone(panel.ui.inputVolumeSelector.currentNode())
        volume, _truth = put_synthetic_hip()
        self.waitFor(lambda: panel.ui.inputVolumeSelector.currentNode() is volume)

    def test_the_card_of_a_model_is_shown_and_what_it_cannot_notice(self):
        panel = self.openPanel()
        models = panel.ui.modelComboBox
        models.setCurrentIndex(models.findData("mouse_skull.safetensors"))
        slicer.app.processEvents()
        self.assertIn("What it is not for", panel.ui.modelDetailsTextBrowser.plainText)
        self.assertIn("mirrored images are not noticed", panel.ui.modelInfoLabel.toolTip)

    def test_only_the_points_of_the_chosen_volume_are_seen(self):
        volumes, truths = zip(*[put_synthetic_hip() for _number in range(2)])
        panel = self.openPanel(*truths)
        results = [self.detect(panel, volume) for volume in volumes]

        def seen():
            displays = [result.markups_node.GetDisplayNode() for result in results]
            return [bool(display.GetVisibility()) for display in displays]

        self.assertEqual(seen(), [False, True])
        panel.ui.inputVolumeSelector.setCurrentNode(volumes[0])
        slicer.app.processEvents()
        self.assertEqual(seen(), [True, False])

    def test_the_keys_live_in_a_panel_that_is_set_up_in_an_open_module(self):
        """As Reload does it: setup() and no enter()."""
        panel = self.openPanel()
        panel.cleanup()
        while panel.layout.count():
            widget = panel.layout.takeAt(0).widget()
            if widget:
                widget.deleteLater()
        panel.setup()
        slicer.app.processEvents()
        self.assertIsNotNone(panel.parameterNode)
        self.assertTrue({"C", "N", "E"} <= set(self.keysOf(panel)))

    def test_in_another_module_the_widgets_write_nothing_into_the_scene(self):
        panel = self.openPanel()
        panel.ui.thresholdsLineEdit.text = "5 6"
        self.assertEqual(panel.parameterNode.thresholds, "5 6")
        panel.exit()
        panel.ui.thresholdsLineEdit.text = "7"
        self.assertEqual(panel.logic.getParameterNode().thresholds, "5 6")
        panel.enter()
        self.assertEqual(panel.ui.thresholdsLineEdit.text, "5 6")

    def test_undo_ends_the_waiting_for_a_click_and_does_no_more(self):
        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        self.detect(panel, volume)
        panel.ui.confirmButton.click()
        self.assertNotIn("Esc", self.keysOf(panel))
        panel.ui.placeButton.click()
        self.assertIn("Esc", self.keysOf(panel))
        panel.ui.confirmButton.click()
        self.assertTrue(panel.review.session.is_placing)
        panel.ui.undoButton.click()
        self.assertFalse(panel.review.session.is_placing)
        self.assertIn("1 of", panel.ui.reviewProgressLabel.text)
        interaction = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLInteractionNode")
        self.assertNotEqual(interaction.GetCurrentInteractionMode(), interaction.Place)

    def test_what_was_said_of_a_closed_scene_goes_with_it(self):
        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        self.detect(panel, volume)
        self.assertIn("detected", panel.ui.statusLabel.text)
        slicer.mrmlScene.Clear()
        slicer.app.processEvents()
        self.assertEqual(panel.ui.statusLabel.text, "")
        self.assertEqual(panel.ui.reviewTable.rowCount, 0)

    def test_nothing_overlaps_after_the_module_was_left_and_entered(self):
        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        self.detect(panel, volume)
        for tab, upper, lower in (
            (panel.ui.reviewTab, panel.ui.reviewTable, panel.ui.definitionLabel),
            (panel.ui.reviewTab, panel.ui.definitionLabel, panel.ui.confirmButton),
            (panel.ui.exportTab, panel.ui.exportedLabel, panel.ui.retrainTextEdit),
        ):
            panel.ui.deskTabs.setCurrentWidget(tab)
            slicer.util.selectModule("Data")
            panel.desk.detection.told.emit("A long message. " * 40)
            slicer.util.selectModule("LandmarkHeatmap")
            slicer.app.processEvents()
            self.assertLessEqual(upper.geometry.bottom(), lower.geometry.top())
        self.assertIn("A long message.", panel.ui.statusLabel.toolTip)

    def test_ten_rows_are_seen_in_the_least_height(self):
        panel = self.openPanel()
        table = panel.ui.reviewTable
        line = table.verticalHeader().defaultSectionSize
        self.assertGreaterEqual(table.minimumHeight, 10 * line + table.horizontalHeader().height)

    def test_close_up_and_back_and_names_of_all_or_a_few(self):
        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        result = self.detect(panel, volume)
        slicer.app.processEvents()
        red = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed")
        before = red.GetFieldOfView()
        panel.ui.closeUpButton.click()
        self.assertLess(min(red.GetFieldOfView()[:2]), min(before[:2]))
        panel.ui.nextButton.click()
        panel.ui.closeUpButton.click()
        for now, then in zip(red.GetFieldOfView(), before):
            self.assertAlmostEqual(now, then, places=3)
        display = result.markups_node.GetDisplayNode()
        self.assertFalse(display.GetPointLabelsVisibility())
        panel.ui.allNamesButton.click()
        self.assertTrue(display.GetPointLabelsVisibility())
        panel.ui.allNamesButton.click()

    def test_several_rows_are_confirmed_at_once(self):
        volume, truth = put_synthetic_hip()
        panel = self.openPanel(truth)
        self.detect(panel, volume)
        panel.ui.reviewTable.selectAll()
        panel.ui.confirmButton.click()
        count = len(truth.names)
        self.assertIn(f"{count} of {count} reviewed", panel.ui.reviewProgressLabel.text)
        panel.ui.undoButton.click()
        self.assertIn(f"0 of {count} reviewed", panel.ui.reviewProgressLabel.text)
