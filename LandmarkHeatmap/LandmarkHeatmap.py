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
from LandmarkHeatmapLib.result import DetectionResult
from LandmarkHeatmapLib.review import CorrectionTracker
from LandmarkHeatmapLib.volumes import add_volume, image_of
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

RESOURCES = Path(__file__).parent / "Resources"
# The models a user added, as JSON: a list setting of one element would come back as a plain string.
ADDED_MODELS_SETTING = "LandmarkHeatmap/AddedModels"
ANNOTATOR_SETTING = "LandmarkHeatmap/Annotator"
# Under which name a volume was exported, kept with the volume: the next export is a revision.
CASE_ATTRIBUTE = "LandmarkHeatmap.CaseName"


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
    opacity, threshold: of the heatmaps. caseName: in the dataset; a new number if empty.
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
        self.addObserver(scene, scene.EndImportEvent, self.onSceneChanged)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onSceneChanged)

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

    def onSceneChanged(self, caller, event):
        """Results or volumes have come or gone."""
        if self._parameterNode and not slicer.mrmlScene.IsBatchProcessing():
            self._updateFromParameterNode()

    def initializeParameterNode(self):
        """Follow the scene's parameter node, and choose what there is only one sensible choice for."""
        parameterNode = self.logic.getParameterNode()
        self._fillModels()
        keys = [key for key, _path, _description in self.logic.models()]
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
            node.caseName = (volume.GetAttribute(CASE_ATTRIBUTE) or "") if volume else ""
            self.ui.exportedLabel.text = ""
        result = self._result()
        if result is None or result.volume_node is not volume:
            newest = DetectionResult.for_volume(volume) if volume else None
            node.result = newest.node if newest else None

    def _hideOverlaysFromSelector(self):
        overlays = self.logic.overlayNodes(slicer.mrmlScene)
        proxy = self.ui.inputVolumeSelector.sortFilterProxyModel()
        proxy.hiddenNodeIDs = [node.GetID() for node in overlays]

    def _fillModels(self):
        items = [
            (_("{name} ({count} landmarks)").format(name=d.name, count=len(d.landmarks)), key)
            for key, _path, d in self.logic.models()
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
        set_threshold(result, node.threshold)
        if node.showHeatmaps:
            show_heatmap(result, node.channel or None, node.opacity)
        else:
            hide_heatmaps(result)

    def _updateModelInfo(self):
        description = self.logic.describe(self._parameterNode.model)
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
        ).format(
            corrected=corrected, total=len(reviews), confirmed=reviews.count(Review.CONFIRMED)
        )

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
        self.ui.detectButton.enabled = not isBusy

    def onExportButton(self, checked=False):
        with self._showingErrors(_("The export failed.")):
            folder = self.ui.datasetPathLineEdit.currentPath
            if not folder:
                raise LandmarkHeatmapError(_("Choose a dataset folder to export to."))
            node = self._parameterNode
            with slicer.util.WaitCursor():
                revision = self.logic.export(
                    self._result(), folder, node.caseName, self.ui.annotatorLineEdit.text
                )
            self.ui.datasetPathLineEdit.addCurrentPathToHistory()
            node.caseName = revision.parent.name
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
        if "torch" in missing and importlib.util.find_spec("PyTorchUtils"):
            # The PyTorch extension chooses the torch that fits the computer, and asks.
            import PyTorchUtils

            if PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True) is None:
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

    def describe(self, key):
        """The ModelDescription of a key, or None if there is no such model."""
        return next((description for k, _path, description in self.models() if k == key), None)

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
        return [node for result in DetectionResult.all(scene) for node in result.overlay_nodes]

    def firstInputVolume(self, scene):
        """The scene's first volume that is no heatmap, or None."""
        overlays = self.overlayNodes(scene)
        volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", scene)
        images = [volume for volume in volumes if not volume.IsA("vtkMRMLLabelMapVolumeNode")]
        return next((volume for volume in images if volume not in overlays), None)

    def isInSliceViews(self, volumeNode) -> bool:
        composites = slicer.util.getNodesByClass(
            "vtkMRMLSliceCompositeNode", volumeNode.GetScene()
        )
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

    def export(self, result, folder, case="", annotator="") -> Path:
        """Write a result as a case of a dataset; returns the new revision's folder.

        The volume remembers the case's name. Raises DatasetError.
        """
        revision = export_case(result, folder, case, annotator)
        result.volume_node.SetAttribute(CASE_ATTRIBUTE, revision.parent.name)
        return revision

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


def _addedModels() -> list:
    return json.loads(slicer.util.settingsValue(ADDED_MODELS_SETTING, "[]"))


def _requirements() -> dict:
    """Package name to its line in requirements.txt."""
    lines = (RESOURCES / "requirements.txt").read_text(encoding="utf-8").splitlines()
    lines = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return {re.match(r"[A-Za-z0-9_-]+", line)[0]: line for line in lines}
