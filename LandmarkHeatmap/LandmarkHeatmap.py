"""The Slicer module: what Slicer lists, the life of its panel, its logic and its test.

The sections of the panel lie in LandmarkHeatmapPanel; everything that needs no window lies below:
results and corrections in LandmarkHeatmapLib, images, models and the worker process in
landmark_heatmap. All are torch-free to import; torch is looked for on the click that needs it.
"""

# No `from __future__ import annotations`: parameterNodeWrapper reads the types of the fields.

import shutil
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Annotated

import numpy as np
import qt
import slicer
import vtk
from slicer import vtkMRMLMarkupsFiducialNode, vtkMRMLScalarVolumeNode, vtkMRMLScriptedModuleNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from landmark_heatmap.dataset.cases import read_cases
from landmark_heatmap.dataset.record import Review
from landmark_heatmap.errors import PredictionError
from landmark_heatmap.images.imageio import write_image
from landmark_heatmap.worker.client import Cancelled, Failed, Finished, Progress, WorkerClient
from LandmarkHeatmapLib.display.overlay import DEFAULT_OPACITY, DEFAULT_THRESHOLD
from LandmarkHeatmapLib.result.detection_result import MODULE_NAME, DetectionResult
from LandmarkHeatmapLib.volumes import add_volume, image_of
from LandmarkHeatmapPanel.keys import SHORTCUTS, Keys
from LandmarkHeatmapPanel.models import ModelList
from LandmarkHeatmapPanel.packages import install_packages, missing_packages
from LandmarkHeatmapPanel.sample_data import add_synthetic_hip, register
from LandmarkHeatmapPanel.sections.comparison import CompareSection
from LandmarkHeatmapPanel.sections.detection import DetectionSection
from LandmarkHeatmapPanel.sections.export import ExportSection
from LandmarkHeatmapPanel.sections.inputs import InputSection, ModelDrop
from LandmarkHeatmapPanel.sections.overlay import OverlaySection
from LandmarkHeatmapPanel.sections.review import ReviewSection

PACKAGES = ("landmark_heatmap", "LandmarkHeatmapLib", "LandmarkHeatmapPanel")


class LandmarkHeatmap(ScriptedLoadableModule):
    """What Slicer lists."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Landmark Heatmap")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        self.parent.dependencies = []
        self.parent.contributors = ["The LandmarkHeatmap contributors"]
        self.parent.helpText = _(
            "Finds anatomical landmarks in 2D and 3D images with a U-Net, shows what the network"
            " believes as heatmaps, and turns your corrections into training data. Not a medical"
            ' device. See <a href="https://github.com/LandmarkHeatmap/LandmarkHeatmap#readme">the'
            " documentation</a>.<br>Keys while the module is open: N and Shift+N next and previous"
            " landmark, U next unreviewed, C confirm, A mark absent, X back to the prediction, K"
            " snap to the peak, D place by click, Z and Shift+Z undo and redo."
        )
        self.parent.acknowledgementText = _(
            "Made by the LandmarkHeatmap contributors; under the MIT licence."
        )
        # Slicer loads the modules in an order of its own: only then is Sample Data there for sure.
        slicer.app.connect("startupCompleted()", register)


@parameterNodeWrapper
class LandmarkHeatmapParameterNode:
    """What the panel remembers in the scene.

    inputVolume: the image. model: a key of LandmarkHeatmapLogic.models. result: the node of the
    DetectionResult that is shown. landmark: the one under review. order: of the list, "anatomy",
    "name" or "need". channel: whose heatmap is shown: of the landmark under review if empty, all
    combined if "*", else a name. opacity, threshold, colourMap: of the heatmaps. show3D: as a
    surface, too. caseName: in the dataset; the one of before, or a new number, if empty. withImage:
    whether it is exported. reference, thresholds: what to compare with, and the distances in mm.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    model: str
    result: vtkMRMLScriptedModuleNode
    landmark: str
    order: str = "anatomy"
    channel: str
    showHeatmaps: bool = True
    opacity: Annotated[float, WithinRange(0, 1)] = DEFAULT_OPACITY
    threshold: Annotated[float, WithinRange(0, 1)] = DEFAULT_THRESHOLD
    colourMap: str
    show3D: bool = False
    caseName: str
    withImage: bool = True
    reference: vtkMRMLMarkupsFiducialNode
    thresholds: str = "2 2.5 3 4"


class LandmarkHeatmapWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel's life. The parameter node is its state; `update` makes all sections follow it."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.parameterNode = None
        self._guiTag = None
        self._isUpdating = False

    def setup(self):
        """Called when the user opens the module for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/LandmarkHeatmap.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = LandmarkHeatmapLogic()

        self.inputs = InputSection(self)
        self.detection = DetectionSection(self, WorkerClient())
        self.review = ReviewSection(self)
        self.overlay = OverlaySection(self)
        self.export = ExportSection(self)
        self.comparison = CompareSection(self)
        self._keys = Keys(self)
        self._drop = ModelDrop(uiWidget, self.inputs.add_model)

        self._updateSoon = qt.QTimer()
        self._updateSoon.setSingleShot(True)
        self._updateSoon.connect("timeout()", self.update)

        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndBatchProcessEvent, self.onSceneEndBatchProcess)
        self.addObserver(scene, scene.NodeAddedEvent, self.onNodesChanged)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodesChanged)
        self.initializeParameterNode()

    def cleanup(self):
        """Called when the application closes or the module is reloaded."""
        self._keys.exit()
        self.detection.release()
        self._drop.release()
        self._updateSoon.stop()
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self):
        """Called each time the user opens the module."""
        self.initializeParameterNode()
        self._keys.enter()

    def exit(self):
        """Called each time the user opens another module.

        A detection that runs goes on, and what was done in the review can still be undone later.
        """
        self._keys.exit()
        self.setParameterNode(None)

    def onReload(self):
        """For developers: the packages are read anew, too."""
        for name in [each for each in sys.modules if each.split(".")[0] in PACKAGES]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, caller, event):
        self.detection.stop(_("The scene was closed; the detection was cancelled."))
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneEndBatchProcess(self, caller, event):
        """A scene was read, or much has changed at once: everything may be another."""
        if self.parameterNode:
            self.initializeParameterNode()

    def onNodesChanged(self, caller, event):
        """It may have been an image, a result, or a part of one; many nodes count as one change."""
        if self.parameterNode and not self.detection.queue.is_busy:
            self._updateSoon.start()

    def initializeParameterNode(self):
        """Follow the scene's parameter node, and choose what there is only one sensible choice for."""
        parameterNode = self.logic.getParameterNode()
        keys = [key for key, _path, _description in self.logic.models()]
        if parameterNode.model not in keys:
            parameterNode.model = keys[0] if keys else ""
        if parameterNode.inputVolume is None:
            volumes = self.logic.inputVolumes(slicer.mrmlScene)
            parameterNode.inputVolume = volumes[0] if volumes else None
        self.setParameterNode(parameterNode)

    def setParameterNode(self, parameterNode):
        """Follow another parameter node, or none."""
        if self.parameterNode:
            self.parameterNode.disconnectGui(self._guiTag)
            self.removeObserver(
                self.parameterNode.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onModified
            )
            self.review.release()
        self.parameterNode = parameterNode
        if parameterNode:
            self._guiTag = parameterNode.connectGui(self.ui)
            self.addObserver(
                parameterNode.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onModified
            )
            self.overlay.take_over()
            self.export.take_over()
            self.update()

    def onModified(self, caller, event):
        self.update()

    def update(self):
        """Make panel and views agree with the parameter node. Safe to call at any time."""
        if self._isUpdating or self.parameterNode is None:
            return
        if slicer.mrmlScene.IsBatchProcessing():
            return  # half of the nodes may not be there yet
        self._isUpdating = True
        try:
            self._followInputVolume()
            for section in (
                self.inputs,
                self.detection,
                self.review,
                self.overlay,
                self.export,
                self.comparison,
            ):
                section.update()
        finally:
            self._isUpdating = False

    def _followInputVolume(self):
        """A volume comes with its own results."""
        node, result = self.parameterNode, self.result()
        volume = node.inputVolume
        if result is None or result.volume_node is not volume:
            newest = DetectionResult.for_volume(volume) if volume else None
            node.result = newest.node if newest else None

    def result(self):
        """The result that is chosen, or None if there is none or it has lost a node it needs."""
        node = self.parameterNode.result if self.parameterNode else None
        result = DetectionResult(node) if node else None
        return result if result and result.is_whole else None

    def show_result(self, result):
        """Choose a result, and its volume with it."""
        self.parameterNode.inputVolume = result.volume_node
        self.parameterNode.result = result.node


class LandmarkHeatmapLogic(ScriptedLoadableModuleLogic):
    """What scripts call. Needs no window.

        logic = slicer.util.getModuleLogic("LandmarkHeatmap")
        result = logic.detect(volumeNode, "synthetic_hip.safetensors")

    `detect` works in the calling process and returns when it is done. `detectInWorker` does the
    same in a process of its own, which a script can share between calls.
    """

    def __init__(self, makePredictor=None):
        """makePredictor: from a model's path to something with `predict`; for tests."""
        ScriptedLoadableModuleLogic.__init__(self)
        self._makePredictor = makePredictor
        self._predictors = {}
        self._models = ModelList()

    def getParameterNode(self):
        return LandmarkHeatmapParameterNode(super().getParameterNode())

    # --- models and packages

    def models(self) -> list:
        """(key, path, ModelDescription) of each model: shipped first, then added by the user."""
        return self._models.all()

    def addModel(self, path) -> str:
        """Add a model file to the user's list; returns its key. Raises ModelFileError."""
        return self._models.add(path)

    def modelPath(self, key) -> Path:
        """The file of a key of `models`; any other text is taken for a path."""
        return self._models.path(key)

    def missingPackages(self) -> list:
        """The names of the packages that detection needs and that are not there."""
        return [] if self._makePredictor else missing_packages()

    def installPackages(self, names) -> None:
        """Install these of the required packages. Ask the user first."""
        install_packages(names)

    # --- results

    def results(self, volumeNode) -> list:
        """The results of a volume, the oldest first."""
        every = DetectionResult.all(volumeNode.GetScene())
        return [result for result in every if result.volume_node is volumeNode]

    def overlayNodes(self, scene) -> list:
        """All heatmap volumes in the scene: they are no images to detect in."""
        # Those too whose result is no longer whole.
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode", scene)
        results = [DetectionResult(node) for node in nodes if node.GetModuleName() == MODULE_NAME]
        return [node for result in results for node in result.overlay_nodes]

    def inputVolumes(self, scene) -> list:
        """The scene's volumes that are images: no heatmaps, no label maps, nothing hidden."""
        overlays = self.overlayNodes(scene)
        volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", scene)
        return [
            volume
            for volume in volumes
            if volume not in overlays
            and not volume.IsA("vtkMRMLLabelMapVolumeNode")
            and not volume.GetHideFromEditors()
        ]

    def showFiducialsOf(self, result) -> None:
        """Show this result's landmarks, and hide those of the volume's other results."""
        for other in self.results(result.volume_node):
            other.markups_node.GetDisplayNode().SetVisibility(other.node is result.node)

    def isInSliceViews(self, volumeNode) -> bool:
        composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode", volumeNode.GetScene())
        return any(node.GetBackgroundVolumeID() == volumeNode.GetID() for node in composites)

    # --- detection

    def detect(self, volumeNode, modelPath, progress=None) -> DetectionResult:
        """Detect the landmarks of a volume and publish them beside it; earlier results stay.

        modelPath: a model file, or a key of `models`. progress: called with (what is being done,
        fraction 0 to 1). Needs torch. Raises ModelFileError, GeometryError or PredictionError.
        """
        progress = progress or (lambda stage, fraction: None)
        progress(_("Loading the model"), 0.0)
        predictor = self._predictor(self.modelPath(modelPath))
        prediction = predictor.predict(
            image_of(volumeNode), lambda stage, fraction: progress(stage, 0.1 + 0.8 * fraction)
        )
        if volumeNode.GetScene() is None:
            raise PredictionError(_("The volume was removed while landmarks were being detected."))
        progress(_("Showing"), 0.9)
        result = DetectionResult.publish(volumeNode, prediction)
        progress(_("Done"), 1.0)
        return result

    def detectInWorker(self, volumeNode, modelPath, device="auto", client=None) -> DetectionResult:
        """The same in a process of its own: a crash there ends the detection, not the application.

        client: a WorkerClient to use, which stays warm; without one it is started and ended here.
        Waits until it is done. Raises PredictionError with what the worker says.
        """
        worker = client or WorkerClient()
        try:
            path = self.modelPath(modelPath)
            worker.detect(image_of(volumeNode), path, device=device)
            event = _lastEvent(worker)
        finally:
            if client is None:
                worker.close()
        if not isinstance(event, Finished):
            raise PredictionError(getattr(event, "message", _("The detection was cancelled.")))
        return DetectionResult.publish(volumeNode, event.prediction)

    def _predictor(self, path: Path):
        """Loading a model takes a moment, so the last one stays loaded; unless its file changed."""
        if self._makePredictor:
            return self._makePredictor(path)
        from landmark_heatmap.detection.predict import Predictor

        changed = path.stat().st_mtime_ns if path.is_file() else None
        if (path, changed) not in self._predictors:
            self._predictors = {(path, changed): Predictor(path)}
        return self._predictors[path, changed]


def _lastEvent(worker):
    """What a detection ended with: Finished, Failed or Cancelled."""
    while True:
        for event in worker.poll():
            if not isinstance(event, Progress):
                return event
        time.sleep(0.02)


class LandmarkHeatmapTest(ScriptedLoadableModuleTest):
    """The module's story inside the application. Only the first test needs torch."""

    def setUp(self):
        slicer.mrmlScene.Clear()
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        for key in ("LandmarkHeatmap/DatasetFolders", "LandmarkHeatmap/DatasetFolder"):
            self.keepSetting(key)
        self.keepSetting("LandmarkHeatmap/Annotator")

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
        queue.client = _ClientOfTruth(truths)
        self.addCleanup(setattr, panel.logic, "missingPackages", panel.logic.missingPackages)
        panel.logic.missingPackages = list
        return panel

    def keepSetting(self, key):
        """Leave one of the user's settings after the test as it was before."""
        settings = qt.QSettings()
        if settings.contains(key):
            self.addCleanup(settings.setValue, key, settings.value(key))
        else:
            self.addCleanup(settings.remove, key)

    def waitFor(self, condition, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "waited in vain")
            slicer.app.processEvents()
            time.sleep(0.005)

    def detect(self, panel, volume):
        """Click as a user does, and wait; returns the new result."""
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        panel.ui.detectButton.click()
        self.waitFor(lambda: not panel.detection.queue.is_busy)
        return panel.logic.results(volume)[-1]

    def test_the_shipped_model_detects_the_synthetic_hip(self):
        logic = LandmarkHeatmapLogic()
        if logic.missingPackages():
            self.skipTest(f"needs {', '.join(logic.missingPackages())}")
        volume, truth = _addSyntheticHip(spacing_mm=3.0, size=(110, 80, 90))
        result = logic.detectInWorker(volume, "synthetic_hip.safetensors")
        names = result.landmarks.names
        found = result.annotation().positions_lps(names)
        errors = np.linalg.norm(found - truth.positions_lps(names), axis=1)
        self.assertLess(np.median(errors), 5.0)
        self.assertLess(np.max(errors), 12.0)

    def test_the_panel_detects_reviews_and_exports(self):
        volume, truth = _addSyntheticHip()
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
        _drag(result, name)
        self.assertIs(result.review(name), Review.CORRECTED)
        self.assertIn(f"1 of {count} reviewed", panel.ui.reviewProgressLabel.text)
        panel.ui.nextUnreviewedButton.click()
        for _number in range(count - 1):
            self.assertIn("Partial", panel.ui.partialLabel.text)
            panel.ui.confirmButton.click()
        self.assertIn(f"{count} of {count} reviewed", panel.ui.reviewProgressLabel.text)

        panel.ui.datasetPathLineEdit.currentPath = str(self.folder / "data set")
        panel.ui.annotatorLineEdit.text = "tester"
        panel.ui.exportButton.click()
        panel.ui.exportButton.click()
        (case,) = read_cases(self.folder / "data set")
        self.assertIn(case.name, panel.ui.exportedLabel.text)
        self.assertEqual(case.annotation_path.parent.name, "revision-002")
        there = case.annotation.position_lps(name)
        np.testing.assert_allclose(there, result.annotation().position_lps(name), atol=0.01)
        command = panel.ui.retrainLineEdit.text
        self.assertIn("landmark-train fit --data", command)
        panel.ui.copyCommandButton.click()
        self.assertEqual(slicer.app.clipboard().text(), command)

    def test_a_row_follows_the_landmark_and_undo_takes_back_each_step(self):
        volume, truth = _addSyntheticHip()
        panel = self.openPanel(truth)
        result = self.detect(panel, volume)
        first, second = result.landmarks.names[:2]
        panel.ui.reviewTable.setCurrentCell(1, 0)
        self.assertEqual(panel.review.session.current, second)
        self.assertEqual(panel.parameterNode.landmark, second)
        panel.ui.previousButton.click()
        self.assertEqual(panel.ui.reviewTable.currentRow(), 0)
        _drag(result, first)
        panel.ui.absentButton.click()
        self.assertIs(result.review(first), Review.MARKED_ABSENT)
        panel.ui.undoButton.click()
        self.assertIs(result.review(first), Review.CORRECTED)
        panel.ui.undoButton.click()
        self.assertIs(result.review(first), Review.UNTOUCHED)
        self.assertFalse(panel.ui.undoButton.enabled)
        panel.ui.redoButton.click()
        self.assertIs(result.review(first), Review.CORRECTED)

    def test_the_keys_are_there_in_the_module_only(self):
        panel = self.openPanel()
        window = slicer.util.mainWindow() or panel.parent

        def keys():
            found = slicer.util.findChildren(window, className="QShortcut")
            return [each.key.toString() for each in found if each.enabled]

        self.assertTrue(set(SHORTCUTS.values()) <= set(keys()))
        panel.exit()
        self.addCleanup(panel.enter)
        self.assertEqual(set(SHORTCUTS.values()) & set(keys()), set())

    def test_detecting_again_keeps_the_corrections_of_before(self):
        volume, truth = _addSyntheticHip()
        panel = self.openPanel(truth)
        first = self.detect(panel, volume)
        name = first.landmarks.names[0]
        _drag(first, name)
        self.detect(panel, volume)
        self.assertEqual(panel.ui.resultComboBox.count, 2)
        self.assertEqual(panel.ui.resultComboBox.currentIndex, 1)
        self.assertIs(first.review(name), Review.CORRECTED)

    def test_detect_turns_into_cancel_and_nothing_is_left_behind(self):
        volume, truth = _addSyntheticHip()
        panel = self.openPanel(truth)
        panel.detection.queue.client.holds = True
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        panel.ui.detectButton.click()
        self.waitFor(lambda: panel.ui.progressBar.value > 0)
        self.assertEqual(panel.ui.detectButton.text, "Cancel")
        panel.ui.detectButton.click()
        self.waitFor(lambda: not panel.detection.queue.is_busy, seconds=1)
        self.assertIn("Cancelled", panel.ui.statusLabel.text)
        self.assertEqual(panel.logic.results(volume), [])
        panel.detection.queue.client.holds = False
        self.detect(panel, volume)

    def test_a_volume_removed_and_a_scene_closed_in_mid_run_are_told_of(self):
        volume, truth = _addSyntheticHip()
        panel = self.openPanel(truth)
        panel.detection.queue.client.holds = True
        for remove, word in (
            (slicer.mrmlScene.RemoveNode, "removed"),
            (lambda volume: slicer.mrmlScene.Clear(), "closed"),
        ):
            volume, _truth = _addSyntheticHip()
            panel.ui.inputVolumeSelector.setCurrentNode(volume)
            panel.ui.detectButton.click()
            self.waitFor(lambda: panel.ui.progressBar.value > 0)
            remove(volume)
            self.waitFor(lambda: not panel.detection.queue.is_busy, seconds=1)
            self.assertIn(word, panel.ui.statusLabel.text)

    def test_a_worker_that_dies_says_so_and_the_next_click_works(self):
        volume, truth = _addSyntheticHip()
        panel = self.openPanel(truth)
        panel.detection.queue.client.failures = ["The detection process died."]
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        panel.ui.detectButton.click()
        self.waitFor(lambda: not panel.detection.queue.is_busy)
        self.assertIn("died", panel.ui.statusLabel.text)
        self.detect(panel, volume)

    def test_one_failure_in_a_batch_is_reported_and_the_rest_go_on(self):
        volumes, truths = zip(*[_addSyntheticHip() for _number in range(3)])
        panel = self.openPanel(*truths)
        panel.detection.queue.client.failures = [None, "This one is broken.", None]
        panel.ui.batchAllButton.click()
        panel.ui.batchDetectButton.click()
        self.waitFor(lambda: not panel.detection.queue.is_busy)
        self.assertEqual([len(panel.logic.results(volume)) for volume in volumes], [1, 0, 1])
        self.assertIn("This one is broken.", panel.ui.batchReportLabel.text)
        self.assertIn("2 of 3", panel.ui.statusLabel.text)

    def test_a_folder_of_images_is_loaded_and_detected(self):
        volume, truth = _addSyntheticHip()
        write_image(self.folder / "scan.nrrd", image_of(volume))
        (self.folder / "broken.nrrd").write_bytes(b"nothing")
        panel = self.openPanel(truth)
        panel.detection.add_folder(self.folder)
        panel.ui.batchDetectButton.click()
        self.waitFor(lambda: not panel.detection.queue.is_busy)
        self.assertIn("scan: done", panel.ui.batchReportLabel.text)
        self.assertIn("1 of 2", panel.ui.statusLabel.text)
        loaded = slicer.mrmlScene.GetFirstNode("scan", "vtkMRMLScalarVolumeNode")
        self.assertEqual(len(panel.logic.results(loaded)), 1)

    def test_the_overlay_follows_the_panel(self):
        volume, truth = _addSyntheticHip()
        panel = self.openPanel(truth)
        result = self.detect(panel, volume)
        composite = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[0]
        panel.ui.channelComboBox.setCurrentIndex(1)
        self.assertEqual(composite.GetForegroundVolumeID(), result.combined_node.GetID())
        panel.ui.channelComboBox.setCurrentIndex(0)
        panel.ui.reviewTable.setCurrentCell(2, 0)
        channel = result.heatmap_node(result.landmarks.names[2])
        self.assertEqual(composite.GetForegroundVolumeID(), channel.GetID())
        panel.ui.opacitySlider.value = 0.25
        self.assertAlmostEqual(composite.GetForegroundOpacity(), 0.25)
        panel.ui.thresholdSlider.value = 0.5
        self.assertAlmostEqual(channel.GetDisplayNode().GetLowerThreshold(), 0.5)
        panel.ui.showHeatmapsCheckBox.checked = False
        self.assertIsNone(composite.GetForegroundVolumeID())

    def test_the_scene_file_keeps_results_and_panel(self):
        volume, truth = _addSyntheticHip()
        panel = self.openPanel(truth)
        result = self.detect(panel, volume)
        name = result.landmarks.names[1]
        panel.ui.reviewTable.setCurrentCell(1, 0)
        _drag(result, name)
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
        volume, truth = _addSyntheticHip()
        panel = self.openPanel(truth)
        result = self.detect(panel, volume)
        reference = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Reference")
        for name in result.landmarks.names:
            x, y, z = truth.position_lps(name)
            reference.AddControlPoint(vtk.vtkVector3d(-x, -y, z), name)
        panel.ui.referenceSelector.setCurrentNode(reference)
        panel.ui.compareButton.click()
        self.assertIn("3.00 mm", panel.ui.comparisonLabel.text)
        self.assertEqual(len(slicer.util.getNodesByClass("vtkMRMLTableNode")), 1)

    def test_without_torch_the_panel_says_so_and_stays_usable(self):
        if not slicer.app.testingEnabled():
            self.skipTest("outside testing mode this would ask to install torch")
        volume, truth = _addSyntheticHip()
        panel = self.openPanel(truth)
        panel.logic.missingPackages = lambda: ["torch"]
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        panel.ui.detectButton.click()
        self.assertIn("torch", panel.ui.statusLabel.text)
        self.assertEqual(panel.logic.results(volume), [])
        self.assertTrue(panel.ui.detectButton.enabled)

    def test_the_sample_is_made_without_a_download(self):
        self.assertIsNotNone(add_synthetic_hip().GetImageData())


class _ClientOfTruth:
    """Stands in for the worker in tests: it finds every landmark three mm beside where it is.

    holds: it works for ever. failures: what the next detections fail with, None for those that do
    not.
    """

    def __init__(self, truths):
        self._truths, self._image, self._calls = truths, None, 0
        self.holds, self.failures, self.is_cancelled = False, [], False

    @property
    def is_busy(self):
        return self._image is not None

    def detect(self, image, model_path, device="auto"):
        self._image, self.is_cancelled = image, False

    def cancel(self):
        self.is_cancelled = self.is_busy

    def close(self):
        pass

    def poll(self):
        if self._image is None:
            return []
        if self.holds and not self.is_cancelled:
            return [Progress("Detecting", 0.5, 3.0)]
        image, self._image = self._image, None
        if self.is_cancelled:
            return [Cancelled()]
        failure = self.failures.pop(0) if self.failures else None
        if failure:
            return [Failed(failure, "what the process had printed")]
        truth = self._truths[self._calls % len(self._truths)]
        self._calls += 1
        return [Progress("Detecting", 1.0, 0.0), Finished(_predict(truth, image), "cpu")]


def _predict(truth, image):
    from landmark_heatmap.detection.prediction import LandmarkPrediction, Prediction
    from landmark_heatmap.model.description import ModelIdentity
    from landmark_heatmap.synthetic.hip import SYNTHETIC_HIP_LANDMARKS as LANDMARKS

    grid = image.grid
    indices = np.stack(np.meshgrid(*map(np.arange, grid.size_ijk), indexing="ij"), axis=-1)
    voxels_lps = grid.to_lps(indices)
    points = []
    for name in LANDMARKS.names:
        position = truth.position_lps(name) + [3.0, 0, 0]
        square = ((voxels_lps - position) ** 2).sum(axis=-1).transpose(2, 1, 0)
        heatmap = np.exp(-square / (2 * 6.0**2)).astype(np.float32)
        image_of_heatmap = type(image)(heatmap, grid.ijk_to_lps)
        points.append(LandmarkPrediction(name, position, 1.0, 0.9, image_of_heatmap))
    return Prediction(LANDMARKS, tuple(points), grid, ModelIdentity("truth", "1", "0" * 64))


def _addSyntheticHip(size=(60, 30, 40), spacing_mm=6.0):
    """A volume node in the scene, and the true Annotation."""
    from landmark_heatmap.synthetic.hip import make_synthetic_hip

    hip = make_synthetic_hip(7, size, spacing_mm, whole_pelvis=True)
    return add_volume(slicer.mrmlScene, hip.image, "Hip"), hip.annotation


def _drag(result, name):
    """Move a landmark by 12 mm, as the end of a mouse drag reports it."""
    markups = result.markups_node
    index = result.landmarks.index(name)
    position = np.array(markups.GetNthControlPointPositionWorld(index)) + [0, 12.0, 0]
    result.move(name, position)
    markups.InvokeEvent(slicer.vtkMRMLMarkupsNode.PointEndInteractionEvent)
