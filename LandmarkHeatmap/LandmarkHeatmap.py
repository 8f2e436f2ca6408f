"""The Slicer module: its panel, its logic and its test. The only file that knows qt.

Everything that needs no window lies below: detection in landmark_heatmap, results and corrections in
LandmarkHeatmapLib. Both are torch-free to import; torch is looked for on the click that needs it.
"""

# No `from __future__ import annotations`: parameterNodeWrapper reads the types of the fields.

import importlib.util
import json
import logging
import re
import shutil
import tempfile
import unittest
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import qt
import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScriptedModuleNode
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

from landmark_heatmap.dataset import Review, read_cases
from landmark_heatmap.errors import LandmarkHeatmapError, ModelFileError, PredictionError
from landmark_heatmap.model_file import MODEL_SUFFIX, read_description
from LandmarkHeatmapLib.export import export_case
from LandmarkHeatmapLib.overlay import (
    DEFAULT_OPACITY,
    DEFAULT_THRESHOLD,
    hide_heatmaps,
    set_threshold,
    show_heatmap,
)
from LandmarkHeatmapLib.result import MODULE_NAME, DetectionResult
from LandmarkHeatmapLib.review import CorrectionTracker
from LandmarkHeatmapLib.volumes import add_volume, image_of

RESOURCES = Path(__file__).parent / "Resources"
# The models a user added, as JSON: a list setting of one element would come back as a plain string.
ADDED_MODELS_SETTING = "LandmarkHeatmap/AddedModels"
ANNOTATOR_SETTING = "LandmarkHeatmap/Annotator"


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
            " documentation</a>."
        )
        self.parent.acknowledgementText = _(
            "Made by the LandmarkHeatmap contributors; under the MIT licence."
        )


@parameterNodeWrapper
class LandmarkHeatmapParameterNode:
    """What the panel remembers in the scene.

    inputVolume: the image. model: a key of LandmarkHeatmapLogic.models. result: the node of the
    DetectionResult that is shown. channel: the landmark whose heatmap is shown, all if empty.
    opacity, threshold: of the heatmaps. caseName: in the dataset; the one of
    before, or a new number, if empty.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    model: str
    result: vtkMRMLScriptedModuleNode
    channel: str
    showHeatmaps: bool = True
    opacity: Annotated[float, WithinRange(0, 1)] = DEFAULT_OPACITY
    threshold: Annotated[float, WithinRange(0, 1)] = DEFAULT_THRESHOLD
    caseName: str


class LandmarkHeatmapWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel. The parameter node is its state; `_updateFromParameterNode` follows it."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._parameterNode = None
        self._guiTag = None
        self._tracker = None
        self._followed = None
        self._models = []
        self._isUpdating = False
        self._isBusy = False

    # --- life of the panel

    def setup(self):
        """Called when the user opens the module for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/LandmarkHeatmap.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = LandmarkHeatmapLogic()

        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndBatchProcessEvent, self.onSceneEndBatchProcess)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodeRemoved)

        self.ui.modelComboBox.connect("currentIndexChanged(int)", self.onModelChosen)
        self.ui.addModelButton.connect("clicked(bool)", self.onAddModelButton)
        self.ui.detectButton.connect("clicked(bool)", self.onDetectButton)
        self.ui.resultComboBox.connect("currentIndexChanged(int)", self.onResultChosen)
        self.ui.confirmButton.connect("clicked(bool)", self.onConfirmButton)
        self.ui.channelComboBox.connect("currentIndexChanged(int)", self.onChannelChosen)
        self.ui.annotatorLineEdit.connect("editingFinished()", self.onAnnotatorEdited)
        self.ui.exportButton.connect("clicked(bool)", self.onExportButton)

        self.ui.progressBar.setVisible(False)
        self.ui.annotatorLineEdit.text = slicer.util.settingsValue(ANNOTATOR_SETTING, "")
        self.initializeParameterNode()

    def cleanup(self):
        """Called when the application closes or the module is reloaded."""
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self):
        """Called each time the user opens the module."""
        self.initializeParameterNode()

    def exit(self):
        """Called each time the user opens another module."""
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneEndBatchProcess(self, caller, event):
        """A scene was read, or much has changed at once: everything may be another."""
        if self._parameterNode:
            self.initializeParameterNode()

    def onNodeRemoved(self, caller, event):
        """It may have been a result, or a part of one."""
        self._updateFromParameterNode()

    def initializeParameterNode(self):
        """Follow the scene's parameter node, and choose what there is only one sensible choice for."""
        parameterNode = self.logic.getParameterNode()
        self._fillModels()
        keys = [key for key, _path, _description in self._models]
        if parameterNode.model not in keys:
            parameterNode.model = keys[0] if keys else ""
        if parameterNode.inputVolume is None:
            parameterNode.inputVolume = self.logic.firstInputVolume(slicer.mrmlScene)
        self.setParameterNode(parameterNode)

    def setParameterNode(self, parameterNode):
        """Follow another parameter node, or none."""
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._guiTag)
            self.removeObserver(
                self._parameterNode.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onModified
            )
            self._track(None)
        self._parameterNode = parameterNode
        if parameterNode:
            self._guiTag = parameterNode.connectGui(self.ui)
            self.addObserver(
                parameterNode.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onModified
            )
            # What the slice views show is the scene's affair until the user changes it here.
            self._followed = (parameterNode.inputVolume, self._overlayState())
            self._updateFromParameterNode()

    # --- the parameter node to the panel

    def onModified(self, caller, event):
        self._updateFromParameterNode()

    def _updateFromParameterNode(self):
        """Make panel and slice views agree with the parameter node. Safe to call at any time."""
        if self._isUpdating or self._parameterNode is None:
            return
        if slicer.mrmlScene.IsBatchProcessing():
            return  # half of the nodes may not be there yet
        self._isUpdating = True
        try:
            self._followInputVolume()
            self._hideOverlaysFromSelector()
            self._fillResults()
            self._fillChannels()
            self._followOverlay()
            self._select(self.ui.modelComboBox, self._parameterNode.model)
            self._updateModelInfo()
            self._track(self._result())
            self._updateCorrections()
            self._updateButtons()
        finally:
            self._isUpdating = False

    def _followInputVolume(self):
        """A volume comes with its own results and its own case name."""
        node = self._parameterNode
        volume = node.inputVolume
        previous, shown = self._followed
        if volume is not previous:
            self._followed = (volume, shown)
            # A name that was typed for one patient's image must not stay for the next.
            node.caseName = ""
            self.ui.exportedLabel.text = ""
        result = self._result()
        if result is None or result.volume_node is not volume:
            newest = DetectionResult.for_volume(volume) if volume else None
            node.result = newest.node if newest else None

    def _hideOverlaysFromSelector(self):
        hidden = [node.GetID() for node in self.logic.overlayNodes(slicer.mrmlScene)]
        proxy = self.ui.inputVolumeSelector.sortFilterProxyModel()
        if list(proxy.hiddenNodeIDs) != hidden:
            proxy.hiddenNodeIDs = hidden

    def _fillModels(self):
        self._models = self.logic.models()
        items = [
            (_("{name} ({count} landmarks)").format(name=d.name, count=len(d.landmarks)), key)
            for key, _path, d in self._models
        ]
        self._fill(self.ui.modelComboBox, items)

    def _fillResults(self):
        volume = self._parameterNode.inputVolume
        results = self.logic.results(volume) if volume else []
        items = [(result.node.GetName(), result.node.GetID()) for result in results]
        self._fill(self.ui.resultComboBox, items)
        result = self._result()
        self._select(self.ui.resultComboBox, result.node.GetID() if result else "")

    def _fillChannels(self):
        result = self._result()
        names = result.landmarks.names if result else ()
        items = [(_("All combined"), "")] + [(name, name) for name in names]
        self._fill(self.ui.channelComboBox, items)
        if self._parameterNode.channel not in names:
            self._parameterNode.channel = ""
        self._select(self.ui.channelComboBox, self._parameterNode.channel)

    def _overlayState(self):
        node = self._parameterNode
        resultID = node.result.GetID() if node.result else ""
        return (resultID, node.channel, node.showHeatmaps, node.opacity, node.threshold)

    def _followOverlay(self):
        """Change the slice views only when something was changed here."""
        volume, shown = self._followed
        wanted = self._overlayState()
        if wanted == shown:
            return
        self._followed = (volume, wanted)
        node, result = self._parameterNode, self._result()
        if result is None:
            return
        if not self.logic.isInSliceViews(result.volume_node):
            slicer.util.setSliceViewerLayers(background=result.volume_node, fit=True)
        self.logic.showFiducialsOf(result)
        set_threshold(result, node.threshold)
        if node.showHeatmaps:
            show_heatmap(result, node.channel or None, node.opacity)
        else:
            hide_heatmaps(result)

    def _updateModelInfo(self):
        chosen = self._parameterNode.model
        description = next((d for key, _path, d in self._models if key == chosen), None)
        if description is None:
            self.ui.modelInfoLabel.text = _("No model: add one.")
            self.ui.modelInfoLabel.toolTip = _("A model is a file that ends in .safetensors.")
            return
        facts = [
            _("{count} landmarks in {dimension}D images").format(
                count=len(description.landmarks), dimension=description.dimension
            ),
            _("version {version}").format(version=description.version),
        ]
        if description.licence:
            facts.append(_("licence: {licence}").format(licence=description.licence))
        self.ui.modelInfoLabel.text = "; ".join(facts)
        self.ui.modelInfoLabel.toolTip = "\n".join(
            f"{mark.name}: {mark.definition}" if mark.definition else mark.name
            for mark in description.landmarks.landmarks
        )

    def _updateCorrections(self):
        result = self._result()
        if result is None:
            self.ui.correctionLabel.text = _("nothing detected in this volume yet")
            return
        reviews = list(result.reviews().values())
        corrected = sum(r in (Review.CORRECTED, Review.MARKED_ABSENT) for r in reviews)
        self.ui.correctionLabel.text = _(
            "{corrected} of {total} corrected, {confirmed} confirmed"
        ).format(corrected=corrected, total=len(reviews), confirmed=reviews.count(Review.CONFIRMED))

    def _updateButtons(self):
        node, result = self._parameterNode, self._result()
        if node.inputVolume is None:
            hint = _("Choose an input volume first.")
        elif not node.model:
            hint = _("Add a model first.")
        else:
            hint = _("Find the landmarks in the input volume. Earlier results stay as they are.")
        self.ui.detectButton.toolTip = hint
        self.ui.detectButton.enabled = bool(node.inputVolume and node.model) and not self._isBusy
        self.ui.confirmButton.enabled = result is not None
        self.ui.exportButton.enabled = result is not None

    def _result(self):
        """The result that is chosen, or None if there is none or it has lost a node it needs."""
        node = self._parameterNode.result if self._parameterNode else None
        result = DetectionResult(node) if node else None
        return result if result and result.is_whole else None

    def _track(self, result):
        """Watch this result for corrections, and no other."""
        watched = self._tracker.result.node if self._tracker else None
        if result is not None and watched is result.node:
            return
        if self._tracker:
            self._tracker.release()
        self._tracker = CorrectionTracker(result, self.onCorrected) if result else None

    @staticmethod
    def _fill(comboBox, items):
        """Give a combo box these (text, data) items, unless it has them already."""
        there = [(comboBox.itemText(i), comboBox.itemData(i)) for i in range(comboBox.count)]
        if there == items:
            return
        wasBlocked = comboBox.blockSignals(True)
        comboBox.clear()
        for text, data in items:
            comboBox.addItem(text, data)
        comboBox.blockSignals(wasBlocked)

    @staticmethod
    def _select(comboBox, data):
        wasBlocked = comboBox.blockSignals(True)
        comboBox.setCurrentIndex(comboBox.findData(data))
        comboBox.blockSignals(wasBlocked)

    # --- the panel to the parameter node

    def onModelChosen(self, index):
        if self._parameterNode:
            self._parameterNode.model = self.ui.modelComboBox.itemData(index) or ""

    def onResultChosen(self, index):
        if self._parameterNode:
            nodeID = self.ui.resultComboBox.itemData(index)
            self._parameterNode.result = slicer.mrmlScene.GetNodeByID(nodeID) if nodeID else None

    def onChannelChosen(self, index):
        if self._parameterNode:
            self._parameterNode.channel = self.ui.channelComboBox.itemData(index) or ""

    def onAnnotatorEdited(self):
        qt.QSettings().setValue(ANNOTATOR_SETTING, self.ui.annotatorLineEdit.text)

    def onCorrected(self, names):
        self._updateCorrections()

    def onAddModelButton(self, checked=False):
        path = qt.QFileDialog.getOpenFileName(
            slicer.util.mainWindow(),
            _("Add a model"),
            "",
            _("Landmark models") + f" (*{MODEL_SUFFIX})",
        )
        if path:
            self.addModel(path)

    def addModel(self, path):
        """Add a model file to the list and choose it."""
        with self._showingErrors(_("The model could not be added.")):
            key = self.logic.addModel(path)
            self._fillModels()
            self._parameterNode.model = key

    def onConfirmButton(self, checked=False):
        result = self._result()
        for name, review in result.reviews().items():
            if review is Review.UNTOUCHED:
                result.confirm(name)
        self._updateCorrections()

    def onDetectButton(self, checked=False):
        """Detect, publish beside what is there, and show it."""
        with self._showingErrors(_("The detection failed.")):
            if not self.ensurePackages():
                self.ui.statusLabel.text = _(
                    "Detection needs torch, which is not installed. Review and export work without."
                )
                return
            node = self._parameterNode
            self._setBusy(True)
            try:
                with slicer.util.WaitCursor():
                    result = self.logic.detect(node.inputVolume, node.model, self.showProgress)
            finally:
                self._setBusy(False)
            node.result = result.node
            self.ui.statusLabel.text = _("{count} landmarks detected: '{name}'.").format(
                count=len(result.landmarks), name=result.node.GetName()
            )

    def showProgress(self, stage, fraction):
        """stage: what is being done. fraction: 0 to 1."""
        self.ui.progressBar.value = round(100 * fraction)
        self.ui.statusLabel.text = stage
        # Paint, but take no clicks: nothing may change under a detection that is running.
        slicer.app.processEvents(qt.QEventLoop.ExcludeUserInputEvents)

    def _setBusy(self, isBusy):
        self._isBusy = isBusy
        self.ui.progressBar.setVisible(isBusy)
        self._updateButtons()

    def onExportButton(self, checked=False):
        with self._showingErrors(_("The export failed.")):
            folder = self.ui.datasetPathLineEdit.currentPath
            if not folder:
                raise LandmarkHeatmapError(_("Choose a dataset folder to export to."))
            node = self._parameterNode
            with slicer.util.WaitCursor():
                revision = export_case(
                    self._result(), folder, node.caseName, self.ui.annotatorLineEdit.text
                )
            self.ui.datasetPathLineEdit.addCurrentPathToHistory()
            self.ui.exportedLabel.text = _("Wrote {case}, {revision}, to {folder}").format(
                case=revision.parent.name, revision=revision.name, folder=revision
            )

    def ensurePackages(self) -> bool:
        """Whether torch and what goes with it are there; installs them if the user agrees.

        On the main thread, as pip needs it. Raises what the installer raises if it fails.
        """
        missing = self.logic.missingPackages()
        # Questions answer themselves with yes while testing; a test must not install gigabytes.
        if not missing or slicer.app.testingEnabled():
            return not missing
        pyTorchUtils = _pyTorchExtension()
        if "torch" in missing and pyTorchUtils:
            # It chooses the torch that fits the computer, and asks.
            if pyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True) is None:
                return False
            missing = self.logic.missingPackages()
        if missing:
            question = _(
                "Detection needs the Python packages {names}. They will be downloaded and"
                " installed into Slicer, which takes some minutes and, for torch, up to a few"
                " gigabytes. Install them now?"
            ).format(names=", ".join(missing))
            if not slicer.util.confirmOkCancelDisplay(question, _("Install packages")):
                return False
            self.logic.installPackages(missing)
        return not self.logic.missingPackages()

    @contextmanager
    def _showingErrors(self, message):
        """Show what the user can mend as it is, and anything else with its details."""
        with slicer.util.tryWithErrorDisplay(message):
            try:
                yield
            except LandmarkHeatmapError as error:
                logging.warning("%s %s", message, error)
                self.ui.statusLabel.text = str(error)
                slicer.util.errorDisplay(str(error))


class LandmarkHeatmapLogic(ScriptedLoadableModuleLogic):
    """All that the panel does, for scripts too. Needs no window."""

    def __init__(self, makePredictor=None):
        """makePredictor: from a model's path to something with `predict`; for tests."""
        ScriptedLoadableModuleLogic.__init__(self)
        self._makePredictor = makePredictor
        self._predictors = {}

    def getParameterNode(self):
        return LandmarkHeatmapParameterNode(super().getParameterNode())

    # --- models

    def models(self) -> list:
        """(key, path, ModelDescription) of each model that can be read: shipped first, then added.

        The key of a shipped model is its file's name, so that a scene means the same model on
        another computer; that of an added one is its path.
        """
        shipped = sorted((RESOURCES / "Models").glob(f"*{MODEL_SUFFIX}"))
        models = []
        for key, path in [(p.name, p) for p in shipped] + [(p, Path(p)) for p in _addedModels()]:
            try:
                models.append((key, path, read_description(path)))
            except ModelFileError as error:
                logging.warning(str(error))
        return models

    def addModel(self, path) -> str:
        """Add a model file to the user's list; returns its key. Raises ModelFileError."""
        read_description(path)
        key = str(Path(path))
        if key not in _addedModels():
            qt.QSettings().setValue(ADDED_MODELS_SETTING, json.dumps([*_addedModels(), key]))
        return key

    def modelPath(self, key) -> Path:
        """The file of a key of `models`; any other text is taken for a path."""
        return next((path for k, path, _description in self.models() if k == key), Path(key))

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

    def firstInputVolume(self, scene):
        """The scene's first volume that is no heatmap, or None."""
        overlays = self.overlayNodes(scene)
        volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", scene)
        images = [volume for volume in volumes if not volume.IsA("vtkMRMLLabelMapVolumeNode")]
        return next((volume for volume in images if volume not in overlays), None)

    def showFiducialsOf(self, result) -> None:
        """Show this result's landmarks, and hide those of the volume's other results."""
        for other in self.results(result.volume_node):
            other.markups_node.GetDisplayNode().SetVisibility(other.node is result.node)

    def isInSliceViews(self, volumeNode) -> bool:
        composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode", volumeNode.GetScene())
        return any(node.GetBackgroundVolumeID() == volumeNode.GetID() for node in composites)

    # --- detection and export

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

    def _predictor(self, path: Path):
        """Loading a model takes a moment, so the last one stays loaded; unless its file changed."""
        if self._makePredictor:
            return self._makePredictor(path)
        from landmark_heatmap.predict import Predictor

        changed = path.stat().st_mtime_ns if path.is_file() else None
        if (path, changed) not in self._predictors:
            self._predictors = {(path, changed): Predictor(path)}
        return self._predictors[path, changed]

    # --- packages

    def missingPackages(self) -> list:
        """The names of the packages that detection needs and that are not there."""
        if self._makePredictor:
            return []
        importlib.invalidate_caches()
        return [name for name in _requirements() if importlib.util.find_spec(name) is None]

    def installPackages(self, names) -> None:
        """Install these of the required packages. Ask the user first."""
        try:
            from slicer.packaging import load_requirements, pip_ensure
        except ImportError:  # before Slicer 5.11
            slicer.util.pip_install([_requirements()[name] for name in names])
        else:
            required = load_requirements(RESOURCES / "requirements.txt")
            pip_ensure(
                [requirement for requirement in required if requirement.name in names],
                prompt_install=False,
                requester="Landmark Heatmap",
            )


def _pyTorchExtension():
    """The module of the PyTorch extension, or None if that is not installed."""
    try:
        import PyTorchUtils
    except ImportError:
        return None
    return PyTorchUtils


def _addedModels() -> list:
    return json.loads(slicer.util.settingsValue(ADDED_MODELS_SETTING, "[]"))


def _requirements() -> dict:
    """Package name to its line in requirements.txt."""
    lines = (RESOURCES / "requirements.txt").read_text(encoding="utf-8").splitlines()
    lines = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return {re.match(r"[A-Za-z0-9_-]+", line)[0]: line for line in lines}


class LandmarkHeatmapTest(ScriptedLoadableModuleTest):
    """The module's story inside the application. Only the first test needs torch."""

    def setUp(self):
        slicer.mrmlScene.Clear()
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def runTest(self):
        """All tests: what 'Reload and Test' calls."""
        suite = unittest.defaultTestLoader.loadTestsFromTestCase(type(self))
        result = unittest.TextTestRunner(verbosity=2).run(suite)
        self.assertTrue(result.wasSuccessful() and result.testsRun)

    def openPanel(self, truth):
        """The module's panel, opened; for this test the truth takes the place of a network."""
        slicer.util.selectModule("LandmarkHeatmap")
        panel = slicer.util.getModuleWidget("LandmarkHeatmap")
        self.addCleanup(setattr, panel, "logic", panel.logic)
        panel.logic = LandmarkHeatmapLogic(lambda path: _PredictorOfTruth(truth))
        return panel

    def keepSetting(self, key):
        """Leave one of the user's settings after the test as it was before."""
        settings = qt.QSettings()
        if settings.contains(key):
            self.addCleanup(settings.setValue, key, settings.value(key))
        else:
            self.addCleanup(settings.remove, key)

    def test_the_shipped_model_detects_the_synthetic_hip(self):
        logic = LandmarkHeatmapLogic()
        if logic.missingPackages():
            self.skipTest(f"needs {', '.join(logic.missingPackages())}")
        volume, truth = _addSyntheticHip(spacing_mm=3.0, size=(110, 80, 90))
        result = logic.detect(volume, "synthetic_hip.safetensors")
        names = result.landmarks.names
        found = result.annotation().positions_lps(names)
        errors = np.linalg.norm(found - truth.positions_lps(names), axis=1)
        self.assertLess(np.median(errors), 5.0)
        self.assertLess(np.max(errors), 12.0)

    def test_the_panel_detects_corrects_and_exports(self):
        self.keepSetting("LandmarkHeatmap/DatasetFolders")
        volume, truth = _addSyntheticHip()
        panel = self.openPanel(truth)
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        self.assertFalse(panel.ui.exportButton.enabled)
        panel.ui.detectButton.click()
        result = panel.logic.results(volume)[0]
        count = len(result.landmarks)
        self.assertEqual(panel.ui.resultComboBox.currentText, result.node.GetName())
        self.assertEqual(panel.ui.channelComboBox.count, count + 1)
        self.assertTrue(panel.logic.isInSliceViews(volume))

        name = result.landmarks.names[0]
        _drag(result, name)
        self.assertIs(result.review(name), Review.CORRECTED)
        self.assertIn(f"1 of {count} corrected", panel.ui.correctionLabel.text)
        panel.ui.confirmButton.click()
        self.assertIn(f"{count - 1} confirmed", panel.ui.correctionLabel.text)

        panel.ui.datasetPathLineEdit.currentPath = str(self.folder / "dataset")
        panel.ui.annotatorLineEdit.text = "tester"
        panel.ui.exportButton.click()
        panel.ui.exportButton.click()
        (case,) = read_cases(self.folder / "dataset")
        self.assertIn(case.name, panel.ui.exportedLabel.text)
        self.assertEqual(case.annotation_path.parent.name, "revision-002")
        there = case.annotation.position_lps(name)
        np.testing.assert_allclose(there, result.annotation().position_lps(name), atol=0.01)

    def test_detecting_again_keeps_the_corrections_of_before(self):
        volume, truth = _addSyntheticHip()
        panel = self.openPanel(truth)
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        panel.ui.detectButton.click()
        (first,) = panel.logic.results(volume)
        name = first.landmarks.names[0]
        _drag(first, name)
        panel.ui.detectButton.click()
        self.assertEqual(panel.ui.resultComboBox.count, 2)
        self.assertEqual(panel.ui.resultComboBox.currentIndex, 1)
        self.assertIs(first.review(name), Review.CORRECTED)

    def test_the_overlay_follows_the_panel(self):
        volume, truth = _addSyntheticHip()
        panel = self.openPanel(truth)
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        panel.ui.detectButton.click()
        result = panel.logic.results(volume)[0]
        composite = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[0]
        self.assertEqual(composite.GetForegroundVolumeID(), result.combined_node.GetID())
        panel.ui.channelComboBox.setCurrentIndex(1)
        channel = result.heatmap_node(result.landmarks.names[0])
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
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        panel.ui.detectButton.click()
        result = panel.logic.results(volume)[0]
        name = result.landmarks.names[1]
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
        self.assertIn("1 of", panel.ui.correctionLabel.text)

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


class _PredictorOfTruth:
    """Stands in for a network in tests: it finds every landmark three mm beside where it is."""

    def __init__(self, truth):
        self.truth = truth

    def predict(self, image, progress):
        from landmark_heatmap.prediction import LandmarkPrediction, ModelIdentity, Prediction
        from landmark_heatmap.synthetic_hip import SYNTHETIC_HIP_LANDMARKS as LANDMARKS

        grid = image.grid
        indices = np.stack(np.meshgrid(*map(np.arange, grid.size_ijk), indexing="ij"), axis=-1)
        voxels_lps = grid.to_lps(indices)
        points = []
        for number, name in enumerate(LANDMARKS.names):
            progress("Detecting", number / len(LANDMARKS))
            position = self.truth.position_lps(name) + [3.0, 0, 0]
            square = ((voxels_lps - position) ** 2).sum(axis=-1).transpose(2, 1, 0)
            heatmap = np.exp(-square / (2 * 6.0**2)).astype(np.float32)
            image_of_heatmap = type(image)(heatmap, grid.ijk_to_lps)
            points.append(LandmarkPrediction(name, position, 1.0, 0.9, image_of_heatmap))
        return Prediction(LANDMARKS, tuple(points), grid, ModelIdentity("truth", "1", "0" * 64))


def _addSyntheticHip(size=(60, 30, 40), spacing_mm=6.0):
    """A volume node in the scene, and the true Annotation."""
    from landmark_heatmap.synthetic_hip import make_synthetic_hip

    hip = make_synthetic_hip(7, size, spacing_mm, whole_pelvis=True)
    return add_volume(slicer.mrmlScene, hip.image, "Hip"), hip.annotation


def _drag(result, name):
    """Move a landmark by 12 mm, as the end of a mouse drag reports it."""
    markups = result.markups_node
    index = result.landmarks.index(name)
    position = np.array(markups.GetNthControlPointPositionWorld(index)) + [0, 12.0, 0]
    result.move(name, position)
    markups.InvokeEvent(slicer.vtkMRMLMarkupsNode.PointEndInteractionEvent)
