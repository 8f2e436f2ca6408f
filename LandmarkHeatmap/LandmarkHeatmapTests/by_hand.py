"""Landmarks of the user's own: made in the panel, placed by hand, exported; no model anywhere."""

from __future__ import annotations

import slicer

from .stand_ins import put_synthetic_hip


class ByHandTests:
    def test_landmarks_of_ones_own_are_placed_one_after_another(self):
        from landmark_heatmap.dataset.cases import read_cases
        from landmark_heatmap.dataset.record import Review

        panel, result = self.annotateByHand("Mark_L; on the left", "Mark_R", "Tip")
        session = panel.review.session
        self.assertIsNone(result.model)
        self.assertEqual(panel.ui.reviewTable.rowCount, 3)
        self.assertEqual(result.landmarks.mirror_pairs, (("Mark_L", "Mark_R"),))
        for name in ("Mark_L", "Mark_R"):
            self.assertEqual((session.current, session.is_placing), (name, True))
            self.click(result, name)
            self.assertIs(result.review(name), Review.CORRECTED)
        self.assertEqual(session.current, "Tip")
        panel.ui.absentButton.click()
        self.assertIs(result.review("Tip"), Review.MARKED_ABSENT)
        self.assertFalse(session.is_placing)
        panel.ui.undoButton.click()
        self.assertEqual(result.waiting(), ["Tip"])
        panel.ui.datasetPathLineEdit.currentPath = str(self.folder / "data")
        panel.ui.exportButton.click()
        (case,) = read_cases(self.folder / "data")
        self.assertEqual(case.corrected, {"Mark_L", "Mark_R"})
        self.assertEqual(case.annotation.state("Tip").value, "unjudged")

    def test_escape_ends_the_placing_and_the_button_goes_on(self):
        panel, result = self.annotateByHand("A", "B")
        self.click(result, "A")
        panel.desk.review.give_up()
        self.assertEqual(interaction().GetCurrentInteractionMode(), interaction().ViewTransform)
        self.assertEqual(result.waiting(), ["B"])
        panel.ui.annotateButton.click()
        self.assertEqual(len(panel.logic.results(result.volume_node)), 1)
        self.assertEqual(panel.review.session.current, "B")
        self.assertTrue(panel.review.session.is_placing)
        panel.desk.review.give_up()

    def test_a_landmark_set_is_saved_and_taken_again(self):
        panel = self.openPanel()
        self.makeSet(panel, "Mark_L; on the left", "Mark_R")
        panel.desk.landmark_set.save(self.folder / "own.json")
        from landmark_heatmap.dataset.landmark_sources import landmark_set_from

        found = landmark_set_from(self.folder / "own.json")
        self.assertEqual(found.names, ("Mark_L", "Mark_R"))
        panel.ui.setTable.clearSelection()
        panel.ui.setTable.selectRow(0)
        panel.ui.setDownButton.click()
        self.assertEqual(panel.ui.setTable.item(1, 0).text(), "Mark_L")
        panel.ui.setTable.item(1, 1).setText("")
        self.assertEqual(panel.ui.setTable.item(0, 1).text(), "")
        panel.ui.setPairsButton.click()
        self.assertEqual(panel.ui.setTable.item(0, 1).text(), "Mark_L")

    # --- what they have in common

    def makeSet(self, panel, *lines):
        """Put these landmarks into an empty table."""
        import qt

        qt.QSettings().setValue("LandmarkHeatmap/LandmarkSet", "")
        panel.desk.landmark_set.recall()
        panel.desk.landmark_set.add_lines("\n".join(lines))

    def annotateByHand(self, *lines):
        """(the panel, the new result) after a click on the button."""
        volume, _truth = put_synthetic_hip()
        panel = self.openPanel()
        self.makeSet(panel, *lines)
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        panel.ui.annotateButton.click()
        return panel, panel.logic.results(volume)[-1]

    def click(self, result, name):
        """What a click in a view does: the point is put there, and Slicer leaves the place mode."""
        index = result.landmarks.index(name)
        bounds = [0.0] * 6
        result.volume_node.GetRASBounds(bounds)
        share = (index + 1) / (len(result.landmarks) + 1)
        place = [low + share * (high - low) for low, high in zip(bounds[::2], bounds[1::2])]
        result.markups_node.SetNthControlPointPositionWorld(index, *place)
        interaction().SetCurrentInteractionMode(interaction().ViewTransform)
        slicer.app.processEvents()


def interaction():
    return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLInteractionNode")
