"""What scripts call: models, results, and detection. Needs no window."""

from __future__ import annotations

import time
from pathlib import Path

import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from landmark_heatmap.errors import PredictionError
from LandmarkHeatmapLib.display.contours import hide_contours
from LandmarkHeatmapLib.display.overlay import hide_heatmaps
from LandmarkHeatmapLib.result import markups
from LandmarkHeatmapLib.result.detection_result import MODULE_NAME, DetectionResult
from LandmarkHeatmapLib.volumes import image_of

from .detecting.packages import TRAINING, install_packages, missing_packages
from .models import ModelList
from .state import LandmarkHeatmapParameterNode


class LandmarkHeatmapLogic(ScriptedLoadableModuleLogic):
    """What scripts call.

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
        """Add a model file, or a dataset folder whose cases are registered, to the user's list; returns
        its key. Raises ModelFileError or DatasetError."""
        return self._models.add(path)

    def shareModels(self, folder) -> int:
        """Take the models of a folder that is shared onto the list; returns how many. Raises
        ModelFileError if there is none."""
        return self._models.share(folder)

    def modelHasChanged(self, key) -> bool:
        """Whether a model's file is another than when it was added."""
        return self._models.has_changed(key)

    def modelPath(self, key) -> Path:
        """The file of a key of `models`; any other text is taken for a path."""
        return self._models.path(key)

    def missingPackages(self) -> list:
        """The names of the packages that detection needs and that are not there."""
        return [] if self._makePredictor else missing_packages()

    def installPackages(self, names) -> None:
        """Install these of the required packages. Ask the user first."""
        install_packages(names)

    def missingTrainingPackages(self) -> list:
        """The same of training, which needs more."""
        return missing_packages(TRAINING)

    def installTrainingPackages(self, names) -> None:
        """Install these of what training needs. Ask the user first."""
        install_packages(names, TRAINING)

    # --- results

    def results(self, volumeNode) -> list:
        """The results of a volume, the oldest first."""
        every = DetectionResult.all(volumeNode.GetScene())
        return [result for result in every if result.volume_node is volumeNode]

    def everyResult(self, scene) -> list:
        """All results of a scene, the oldest first."""
        return DetectionResult.all(scene)

    def annotateByHand(self, volumeNode, landmarks, source=None) -> DetectionResult:
        """A result of a LandmarkSet in which nothing is judged, to be placed by hand; needs no model.

        source: an earlier result of the volume, whose landmarks of the same names are taken over.
        """
        # Whoever starts Slicer needs no review.
        from LandmarkHeatmapLib.review.by_hand import begin_by_hand, take_over

        result = begin_by_hand(volumeNode, landmarks, source)
        if source is not None:
            take_over(result, source)
        return result

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

    def showOnly(self, result, scene) -> None:
        """Show this result's landmarks, or none (None), and nothing of the scene's other results."""
        for other in DetectionResult.all(scene):
            is_shown = result is not None and other.node is result.node
            markups.show(other.markups_node, is_shown)
            if not is_shown:
                hide_heatmaps(other)
                hide_contours(other)

    def isInSliceViews(self, volumeNode) -> bool:
        composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode", volumeNode.GetScene())
        return any(node.GetBackgroundVolumeID() == volumeNode.GetID() for node in composites)

    # --- detection

    def detect(self, volumeNode, modelPath, progress=None) -> DetectionResult:
        """Detect the landmarks of a volume and publish them beside it; earlier results stay.

        modelPath: a model file, a dataset folder, or a key of `models`. progress: called with (what is
        being done, fraction 0 to 1). A model file needs torch. Raises ModelFileError, DatasetError,
        GeometryError or PredictionError.
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
        from landmark_heatmap.worker.client import Finished, WorkerClient

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
        from landmark_heatmap.registering.models import load
        from landmark_heatmap.registering.stamp import stamp

        changed = stamp(path)
        if (path, changed) not in self._predictors:
            self._predictors = {(path, changed): load(path)}
        return self._predictors[path, changed]


def _lastEvent(worker):
    """What a detection ended with: Finished, Failed or Cancelled."""
    from landmark_heatmap.worker.client import Progress

    while True:
        for event in worker.poll():
            if not isinstance(event, Progress):
                return event
        time.sleep(0.02)
