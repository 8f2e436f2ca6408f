"""The list of cases: a folder of images, one case after another, somebody else on the same folder."""

from __future__ import annotations

import slicer

from .stand_ins import ClientOfTruth, drag


class CasesTests:
    def test_a_folder_of_images_is_worked_through_with_next(self):
        from landmark_heatmap.dataset.cases import read_cases
        from landmark_heatmap.worklist.entries import CaseState, Worklist

        panel = self.openCases("anna", "otto")
        self.assertEqual(self.casesShown(panel), [("anna", "new"), ("otto", "new")])
        first = self.openCase(panel, 0)
        self.assertEqual(first.volume_node.GetName(), "anna")
        drag(first, first.landmarks.names[0])
        for name in first.landmarks.names[1:]:
            first.confirm(name)
        panel.ui.nextCaseButton.click()
        second = self.waitForResultOf(panel, "otto")
        self.waitFor(lambda: not panel.desk.worklist.at_work.is_exporting)
        (case,) = read_cases(self.folder / "data")
        self.assertTrue(case.name.startswith("case-"))
        self.assertEqual(case.corrected, {first.landmarks.names[0]})
        # The first one has made room, and nothing of it is left in the scene.
        self.assertEqual(slicer.util.getNodes("*anna*"), {})
        entries = Worklist(self.folder / "data", self.folder / "scans").entries()
        self.assertEqual([e.state for e in entries], [CaseState.DONE, CaseState.IN_REVIEW])

        self.casesShown(panel)
        panel.ui.putBackButton.click()
        again = self.openCase(panel, 0)
        self.assertIsNotNone(second)
        self.assertEqual(again.review(again.landmarks.names[0]).value, "corrected")
        again.move(again.landmarks.names[1], (5, 5, 5))
        panel.ui.exportButton.click()
        (entry, _other) = Worklist(self.folder / "data", self.folder / "scans").entries()
        self.assertEqual(entry.revision, 2)

    def test_a_case_of_somebody_else_is_not_opened(self):
        from landmark_heatmap.worklist.entries import Worklist
        from landmark_heatmap.worklist.locks import CaseLock

        panel = self.openCases("anna")
        (entry,) = Worklist(self.folder / "data", self.folder / "scans").entries()
        lock = CaseLock.take(self.folder / "data", entry.case, "somebody else")
        panel.ui.casesTable.setCurrentCell(0, 0)
        panel.ui.openCaseButton.click()
        self.assertIn("somebody else", panel.ui.statusLabel.toolTip)
        self.assertEqual(panel.logic.inputVolumes(slicer.mrmlScene), [])
        lock.release()
        self.assertEqual(self.openCase(panel, 0).volume_node.GetName(), "anna")

    def openCases(self, *titles):
        """The panel, with a folder of synthetic hips listed under these names."""
        from landmark_heatmap.images.imageio import write_image
        from landmark_heatmap.synthetic.hip import make_synthetic_hip

        for key in ("ImageFolder", "ImageFolders", "CasesOrder"):
            self.keepSetting(f"LandmarkHeatmap/{key}")
        (self.folder / "scans").mkdir()
        truths = []
        for seed, title in enumerate(titles):
            hip = make_synthetic_hip(seed + 7, (60, 30, 40), 6.0, whole_pelvis=True)
            write_image(self.folder / "scans" / f"{title}.nrrd", hip.image)
            truths.append(hip.annotation)
        panel = self.openPanel(*truths)
        for box, folder in (
            (panel.ui.casesFolderPathLineEdit, "scans"),
            (panel.ui.casesDatasetPathLineEdit, "data"),
        ):
            self.addCleanup(setattr, box, "currentPath", box.currentPath)
            box.currentPath = str(self.folder / folder)
        ahead = panel.desk.worklist.at_work.ahead
        self.addCleanup(setattr, ahead.queue, "client", ahead.queue.client)
        self.addCleanup(ahead.drop)
        ahead.queue.client = ClientOfTruth(truths[1:] or truths)
        # Whatever was chosen before, a model that knows the hip.
        panel.parameterNode.model = panel.logic.models()[0][0]
        panel.ui.deskTabs.setCurrentWidget(panel.ui.casesTab)
        panel.ui.casesRefreshButton.click()
        self.addCleanup(panel.desk.worklist.at_work.hand.let_go_of_all)
        return panel

    def casesShown(self, panel):
        """(title, state) of each row."""
        panel.ui.deskTabs.setCurrentWidget(panel.ui.casesTab)
        table = panel.ui.casesTable
        return [(table.item(r, 0).text(), table.item(r, 1).text()) for r in range(table.rowCount)]

    def openCase(self, panel, row):
        title = self.casesShown(panel)[row][0]
        panel.ui.casesTable.setCurrentCell(row, 0)
        panel.ui.openCaseButton.click()
        return self.waitForResultOf(panel, title)

    def waitForResultOf(self, panel, title):
        def is_there():
            result = panel.desk.state.result()
            return result is not None and result.volume_node.GetName() == title

        self.waitFor(is_there)
        self.waitFor(lambda: not panel.detection.queue.is_busy)
        return panel.desk.state.result()
