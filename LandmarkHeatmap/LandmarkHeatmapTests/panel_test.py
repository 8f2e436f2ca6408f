"""What all tests of the panel need: an empty scene, a panel without a network, a way to wait."""

from __future__ import annotations

import shutil
import tempfile
import time
import unittest
import unittest.mock
from pathlib import Path

import slicer

from .stand_ins import ClientOfTruth


class PanelTest:
    """To be mixed with a unittest.TestCase. folder: for the files of a test."""

    def setUp(self):
        slicer.mrmlScene.Clear()
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        for key in ("LandmarkHeatmap/DatasetFolders", "LandmarkHeatmap/DatasetFolder"):
            self.keepSetting(key)
        self.keepSetting("LandmarkHeatmap/Annotator")
        self.keepSetting("LandmarkHeatmap/Anatomy")
        self.addCleanup(self.recallLandmarkSet)  # when the setting is the user's again
        self.keepSetting("LandmarkHeatmap/LandmarkSet")
        self.keepJournalsApart()

    def runTest(self):
        """All tests: what 'Reload and Test' calls."""
        suite = unittest.defaultTestLoader.loadTestsFromTestCase(type(self))
        result = unittest.TextTestRunner(verbosity=2).run(suite)
        self.assertTrue(result.wasSuccessful() and result.testsRun)

    def openPanel(self, *truths):
        """The module's panel, opened, with the truth in the place of a network: one a detection."""
        slicer.util.selectModule("LandmarkHeatmap")
        panel = slicer.util.getModuleWidget("LandmarkHeatmap")
        panel.ui.batchClearButton.click()
        slicer.app.processEvents()
        queue = panel.detection.queue
        self.addCleanup(setattr, queue, "client", queue.client)
        self.addCleanup(queue.cancel)
        queue.client = ClientOfTruth(truths)
        self.addCleanup(setattr, panel.logic, "missingPackages", panel.logic.missingPackages)
        panel.logic.missingPackages = list
        return panel

    def keysOf(self, panel):
        """The keys that work now, of all that hang on the main window."""
        window = slicer.util.mainWindow() or panel.parent
        found = slicer.util.findChildren(window, className="QShortcut")
        return [each.key.toString() for each in found if each.enabled]

    def keepSetting(self, key):
        """Leave one of the user's settings after the test as it was before."""
        import qt

        settings = qt.QSettings()
        if settings.contains(key):
            self.addCleanup(settings.setValue, key, settings.value(key))
        else:
            self.addCleanup(settings.remove, key)

    def recallLandmarkSet(self):
        slicer.util.getModuleWidget("LandmarkHeatmap").desk.landmark_set.recall()

    def keepJournalsApart(self):
        """What a test reviews is not offered to the user later, nor the other way round."""
        from LandmarkHeatmapLib.journal.journals import ReviewJournals
        from LandmarkHeatmapPanel.sections import journal

        folder = self.folder / "Reviews"
        patch = unittest.mock.patch.object(journal, "journals_folder", lambda: folder)
        patch.start()
        self.addCleanup(patch.stop)
        slicer.util.selectModule("LandmarkHeatmap")
        desk = slicer.util.getModuleWidget("LandmarkHeatmap").desk
        # A test may make a panel of its own: what was there before is the first one's.
        self.addCleanup(setattr, desk.journal, "journals", desk.journal.journals)
        desk.journal.journals = ReviewJournals(folder)

    def waitFor(self, condition, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "waited in vain")
            slicer.app.processEvents()
            time.sleep(0.005)

    def batchReport(self, panel):
        """What is told of each image of the last batch, as one text."""
        shown = panel.ui.batchReportList
        return "\n".join(shown.item(row).text() for row in range(shown.count))

    def detect(self, panel, volume):
        """Click as a user does, and wait; returns the new result."""
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        panel.ui.detectButton.click()
        self.waitFor(lambda: not panel.detection.queue.is_busy)
        return panel.logic.results(volume)[-1]
