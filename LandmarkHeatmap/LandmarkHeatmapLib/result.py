"""One detection in the scene: everything hangs on one node, so that it is saved and found again.

That node is a vtkMRMLScriptedModuleNode. It refers to the other nodes by node references, which
MRML maps to new IDs when a scene is imported into another, and keeps the rest as JSON parameters.
"""

from __future__ import annotations

import json

import numpy as np
import slicer
import vtk

from landmark_heatmap.dataset import Review
from landmark_heatmap.errors import PredictionError
from landmark_heatmap.landmarks import Annotation, LandmarkSet, Point, PointState
from landmark_heatmap.prediction import ModelIdentity, Prediction

from . import markups
from .overlay import style_heatmap
from .volumes import add_volume, component_note

MODULE_NAME = "LandmarkHeatmapResult"
# Roles of the node references.
INPUT, MARKUPS, PREDICTED = "inputVolume", "landmarks", "predictedLandmarks"
COMBINED, HEATMAP = "combinedHeatmap", "heatmap"
_STATE = "state"
_STATE_VERSION = 1


class DetectionResult:
    """The nodes of one detection, and what a person has said about its landmarks.

    Two wrappers of the same node see the same state; none is kept outside the scene.
    """

    def __init__(self, node):
        self.node = node

    # --- making and finding

    @classmethod
    def publish(cls, volume_node, prediction: Prediction) -> DetectionResult:
        """Put a prediction into the volume's scene, beside what is there already.

        An earlier result for the same volume, with its corrections, stays as it is.
        """
        scene = volume_node.GetScene()
        base = volume_node.GetName()
        node = scene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        node.SetModuleName(MODULE_NAME)
        node.SetName(scene.GenerateUniqueName(f"{base} detection"))
        node = scene.AddNode(node)
        result = cls(node)
        node.SetNodeReferenceID(INPUT, volume_node.GetID())
        for role, heatmap, name in _heatmaps(prediction, base):
            heatmap_node = add_volume(scene, heatmap, name)
            style_heatmap(heatmap_node)
            node.AddNodeReferenceID(role, heatmap_node.GetID())
        corrected = markups.add_list(scene, f"{base} landmarks", prediction)
        predicted = markups.add_list(scene, f"{base} landmarks as predicted", prediction)
        markups.hide_and_lock(predicted)
        node.SetNodeReferenceID(MARKUPS, corrected.GetID())
        node.SetNodeReferenceID(PREDICTED, predicted.GetID())
        result._write_state(_initial_state(volume_node, prediction))
        for each in (*result.overlay_nodes, corrected, predicted):
            each.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
        _gather_in_subject_hierarchy(result)
        return result

    @classmethod
    def all(cls, scene) -> list:
        """All results in a scene, oldest first; those that lost a node they need are left out."""
        nodes = scene.GetNodesByClass("vtkMRMLScriptedModuleNode")
        nodes.UnRegister(None)
        nodes = [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]
        results = [cls(node) for node in nodes if node.GetModuleName() == MODULE_NAME]
        return [result for result in results if result.is_whole]

    @classmethod
    def for_volume(cls, volume_node):
        """The newest result for a volume, or None."""
        results = cls.all(volume_node.GetScene())
        return next((r for r in reversed(results) if r.volume_node is volume_node), None)

    def remove(self) -> None:
        """Remove the result and all its nodes from the scene; the volume stays."""
        for each in (*self.overlay_nodes, self.markups_node, self.predicted_node, self.node):
            if each is not None:
                self.scene.RemoveNode(each)

    # --- the nodes

    @property
    def scene(self):
        return self.node.GetScene()

    @property
    def is_whole(self) -> bool:
        """Whether the volume and both lists of landmarks are there, each point of them too."""
        nodes = (self.volume_node, self.markups_node, self.predicted_node)
        return None not in nodes and all(
            node.GetNumberOfControlPoints() == len(self.landmarks) for node in nodes[1:]
        )

    @property
    def volume_node(self):
        return self.node.GetNodeReference(INPUT)

    @property
    def markups_node(self):
        """The landmarks as they stand now; what the user drags."""
        return self.node.GetNodeReference(MARKUPS)

    @property
    def predicted_node(self):
        """The landmarks as the model had put them: hidden and locked."""
        return self.node.GetNodeReference(PREDICTED)

    @property
    def combined_node(self):
        return self.node.GetNodeReference(COMBINED)

    def heatmap_node(self, name: str):
        """The heatmap of one landmark, or None if it was deleted."""
        return self.node.GetNthNodeReference(HEATMAP, self.landmarks.index(name))

    @property
    def overlay_nodes(self) -> list:
        """All heatmap volumes that are still there, the combined one first."""
        count = self.node.GetNumberOfNodeReferences(HEATMAP)
        nodes = [self.node.GetNthNodeReference(HEATMAP, index) for index in range(count)]
        return [node for node in (self.combined_node, *nodes) if node is not None]

    # --- what is known

    @property
    def landmarks(self) -> LandmarkSet:
        return LandmarkSet.from_json(self._state()["landmark_set"])

    @property
    def model(self) -> ModelIdentity:
        return ModelIdentity(**self._state()["model"])

    @property
    def image_note(self) -> str:
        """Which part of a volume with several components was used; empty for just one."""
        return self._state()["image_note"]

    def confidence(self, name: str) -> float:
        """0 to 1, as predicted."""
        return self._state()["confidences"][self.landmarks.index(name)]

    def review(self, name: str) -> Review:
        """What a person has done about a landmark, told from where it is now."""
        return self.reviews()[name]

    def reviews(self) -> dict:
        """Name to Review, for every landmark."""
        said = self._state()["said"]
        names = self.landmarks.names
        now = markups.world_positions(self.markups_node)
        then = markups.world_positions(self.predicted_node)
        tolerance = self._tolerance_mm()
        return {
            name: _told(now[i], then[i], said.get(name), tolerance) for i, name in enumerate(names)
        }

    def moved_mm(self, name: str) -> float:
        """How far a landmark lies from where it was predicted; NaN if it has no place in one."""
        index = self.landmarks.index(name)
        now = markups.world_positions(self.markups_node)[index]
        return float(np.linalg.norm(now - markups.world_positions(self.predicted_node)[index]))

    def annotation(self) -> Annotation:
        """The landmarks as they stand, in LPS in the volume's own coordinates.

        Placed, or absent, where a person said so; predicted, or unjudged, where nobody did anything.
        """
        positions = self._volume_positions_lps(self.markups_node)
        points = {}
        for landmark, position, review in zip(
            self.landmarks.landmarks, positions, self.reviews().values()
        ):
            judged = review is not Review.UNTOUCHED
            there = bool(np.isfinite(position).all())
            if there:
                state = PointState.PLACED if judged else PointState.PREDICTED
            else:
                state = PointState.ABSENT if judged else PointState.UNJUDGED
            points[landmark.name] = Point(
                state, tuple(position) if there else None, definition=landmark.definition
            )
        return Annotation(points)

    def predicted_annotation(self) -> Annotation:
        """The landmarks as predicted, in LPS in the volume's own coordinates."""
        positions = self._volume_positions_lps(self.predicted_node)
        points = {}
        for landmark, position, confidence in zip(
            self.landmarks.landmarks, positions, self._state()["confidences"]
        ):
            there = bool(np.isfinite(position).all())
            points[landmark.name] = Point(
                PointState.PREDICTED if there else PointState.ABSENT,
                tuple(position) if there else None,
                confidence,
                landmark.definition,
            )
        return Annotation(points)

    # --- what a person says

    def confirm(self, name: str) -> None:
        """The landmark has been looked at and is right as it is, where it is or absent."""
        self._say(name, Review.CONFIRMED)

    def mark_absent(self, name: str) -> None:
        """The landmark is not in this image."""
        markups.make_missing(self.markups_node, self.landmarks.index(name))
        self._say(name, Review.MARKED_ABSENT)

    def restore_prediction(self, name: str) -> None:
        """Back to what the model had said; as if nobody had touched it."""
        index = self.landmarks.index(name)
        markups.copy_point(self.predicted_node, self.markups_node, index)
        self._say(name, None)

    def move(self, name: str, position_world_ras) -> None:
        """Put a landmark to a world position (3,), RAS, mm."""
        index = self.landmarks.index(name)
        self.markups_node.SetNthControlPointPositionWorld(index, *map(float, position_world_ras))

    # --- inside

    def _say(self, name: str, review) -> None:
        self.landmarks.index(name)  # refuses an unknown name
        state = self._state()
        state["said"].pop(name, None)
        if review is not None:
            state["said"][name] = review.value
        self._write_state(state)

    def _state(self) -> dict:
        state = json.loads(self.node.GetParameter(_STATE))
        if state["version"] > _STATE_VERSION:
            raise PredictionError(
                f"'{self.node.GetName()}' was made by a newer LandmarkHeatmap"
                f" (version {state['version']}); update this one."
            )
        return state

    def _write_state(self, state: dict) -> None:
        self.node.SetParameter(_STATE, json.dumps(state))

    def _tolerance_mm(self) -> float:
        """What counts as not moved: files round. A hundredth of a voxel, for tiny images less."""
        return min(0.01, 0.01 * min(self.volume_node.GetSpacing()))

    def _volume_positions_lps(self, markups_node) -> np.ndarray:
        """(L, 3) in LPS in the volume's own coordinates, whatever transforms there are; NaN if none."""
        to_volume = vtk.vtkGeneralTransform()
        slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
            None, self.volume_node.GetParentTransformNode(), to_volume
        )
        world = markups.world_positions(markups_node)
        ras = [to_volume.TransformPoint(p) if np.isfinite(p).all() else p for p in world]
        return np.array(ras).reshape(-1, 3) * [-1, -1, 1]


def _told(now, then, said, tolerance_mm) -> Review:
    """The review of one landmark from its position now and as predicted; NaN where it has none.

    What was said holds only as long as the point is where it was said of: a point that was moved
    after it was confirmed is corrected, one that was moved back is as it was.
    """
    is_there, was_there = np.isfinite(now).all(), np.isfinite(then).all()
    if is_there and was_there:
        if np.linalg.norm(now - then) > tolerance_mm:
            return Review.CORRECTED
        return Review.CONFIRMED if said == Review.CONFIRMED.value else Review.UNTOUCHED
    if is_there:
        return Review.CORRECTED
    if was_there:
        return Review.MARKED_ABSENT
    return Review.UNTOUCHED if said is None else Review.CONFIRMED


def _heatmaps(prediction: Prediction, base: str):
    """(role, image, node name) for each volume to publish."""
    yield COMBINED, prediction.combined_heatmap(), f"{base} heatmaps combined"
    for point in prediction.points:
        yield HEATMAP, point.heatmap, f"{base} heatmap {point.name}"


def _initial_state(volume_node, prediction: Prediction) -> dict:
    return {
        "version": _STATE_VERSION,
        "landmark_set": prediction.landmarks.to_json(),
        "model": prediction.model.to_json(),
        "confidences": [float(point.confidence) for point in prediction.points],
        "image_note": component_note(volume_node),
        "said": {},
    }


def _gather_in_subject_hierarchy(result: DetectionResult) -> None:
    """Put the nodes into one folder, so that dozens of heatmaps do not crowd the scene's tree."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(result.scene)
    if hierarchy is None:
        return
    parent = hierarchy.GetSceneItemID()
    folder = hierarchy.CreateFolderItem(parent, result.node.GetName())
    for node in (result.markups_node, result.predicted_node, *result.overlay_nodes):
        # The application makes an item for each node by itself; other hosts do not.
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.SetItemParent(item, folder)
        else:
            hierarchy.CreateItem(folder, node)
    hierarchy.SetItemExpanded(folder, False)
