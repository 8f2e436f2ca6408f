"""One result in the scene, of a detection or begun by hand: everything hangs on one node, so that it
is saved and found again.

What that node holds is in state.py, how it comes about in publishing.py.
"""

from __future__ import annotations

import numpy as np
import slicer

from landmark_heatmap.annotation.landmarks import Annotation, LandmarkSet, Point, PointState
from landmark_heatmap.dataset.record import Review
from landmark_heatmap.detection.prediction import Prediction
from landmark_heatmap.errors import PredictionError
from landmark_heatmap.images.geometry import MM, PX, apply_affine
from landmark_heatmap.model.description import ModelIdentity

from ..display.anatomy import ANATOMY
from ..display.contours import INNER, OUTER
from ..display.skeleton import SKELETON
from ..volumes import ijk_to_ras, remove_with_display, size_ijk
from . import markups, state
from .publishing import leave_folder, publish_nodes
from .state import MODULE_NAME

# Role of the reference to the table of measurements.
MEASUREMENTS = "measurements"
# Files round; what has moved by less has not moved.
_ROUNDING_MM = 1e-4


class DetectionResult:
    """The nodes of one detection, and what a person has said about its landmarks.

    Two wrappers of the same node see the same state; none is kept outside the scene.
    """

    def __init__(self, node):
        self.node = node

    # --- making and finding

    @classmethod
    def publish(
        cls, volume_node, prediction: Prediction = None, landmarks: LandmarkSet = None
    ) -> DetectionResult:
        """Put a prediction into the volume's scene, beside what is there already.

        landmarks: of the result, if they are not just the prediction's: those that it does not know,
        all if there is none, are not judged and wait to be placed by hand.
        An earlier result for the same volume, with its corrections, stays as it is.
        """
        return cls(publish_nodes(volume_node, prediction, landmarks))

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
        scene = self.scene
        # These two follow the landmarks, not the volume.
        others = [self.node.GetNodeReference(role) for role in (SKELETON, MEASUREMENTS)]
        there = [*self._nodes_beside_the_volume(), *(each for each in others if each is not None)]
        leave_folder(scene, there)
        for each in (*there, self.node):
            remove_with_display(each)

    # --- the nodes

    @property
    def scene(self):
        return self.node.GetScene()

    @property
    def is_whole(self) -> bool:
        """Whether the volume and both lists with all their points are there, and can be understood."""
        nodes = (self.volume_node, self.markups_node, self.predicted_node)
        try:
            count = len(self.landmarks)
        except PredictionError:
            return False
        return None not in nodes and all(
            node.GetNumberOfControlPoints() == count for node in nodes[1:]
        )

    @property
    def volume_node(self):
        return self.node.GetNodeReference(state.INPUT)

    @property
    def markups_node(self):
        """The landmarks as they stand now; what the user drags."""
        return self.node.GetNodeReference(state.MARKUPS)

    @property
    def predicted_node(self):
        """The landmarks as the model had put them: hidden and locked."""
        return self.node.GetNodeReference(state.PREDICTED)

    @property
    def combined_node(self):
        return self.node.GetNodeReference(state.COMBINED)

    def heatmap_node(self, name: str):
        """The heatmap of one landmark, or None if it was deleted."""
        return self.node.GetNodeReference(state.HEATMAP.format(index=self.landmarks.index(name)))

    def belief_node(self, name: str):
        """The belief about one landmark, or None if it was deleted or there never was one."""
        return self.node.GetNodeReference(state.BELIEF.format(index=self.landmarks.index(name)))

    @property
    def belief_nodes(self) -> list:
        """All beliefs that are still there."""
        return [node for node in map(self.belief_node, self.landmarks.names) if node is not None]

    @property
    def overlay_nodes(self) -> list:
        """All heatmap volumes that are still there, the combined one first."""
        reference = self.node.GetNodeReference
        nodes = [reference(state.HEATMAP.format(index=n)) for n in range(len(self.landmarks))]
        return [node for node in (self.combined_node, *nodes) if node is not None]

    def _nodes_beside_the_volume(self) -> list:
        models = [self.node.GetNodeReference(role) for role in (INNER, OUTER, ANATOMY)]
        volumes = (*self.overlay_nodes, *self.belief_nodes)
        nodes = (*volumes, self.markups_node, self.predicted_node, *models)
        return [node for node in nodes if node is not None]

    def follow_volume(self) -> None:
        """Bring everything to where the volume is now, if that was put elsewhere.

        That happens by another parent transform, by hardening one, or by centring the volume. What
        a person has put under a transform of its own is left there.
        """
        document, volume = state.read(self.node), self.volume_node
        old_parent, parent = self.node.GetNodeReferenceID(state.PARENT), volume.GetTransformNodeID()
        old, new = np.array(document["volume_ijk_to_ras"]), ijk_to_ras(volume)
        is_shifted = abs(new - old).max() > _ROUNDING_MM
        if parent == old_parent and not is_shifted:
            return
        if is_shifted and size_ijk(volume) != document["volume_size_ijk"]:
            return  # another image altogether: nothing says where a point would be in it
        motion = slicer.util.vtkMatrixFromArray(new @ np.linalg.inv(old))
        for node in self._nodes_beside_the_volume():
            if node.GetTransformNodeID() == old_parent:
                if is_shifted:
                    node.ApplyTransformMatrix(motion)
                node.SetAndObserveTransformNodeID(parent)
        self.node.SetNodeReferenceID(state.PARENT, parent)
        document["volume_ijk_to_ras"] = new.tolist()
        state.write(self.node, document)

    # --- what is known

    @property
    def landmarks(self) -> LandmarkSet:
        return state.landmarks(self.node)

    @property
    def model(self) -> ModelIdentity:
        """Which model predicted it; None if it was begun by hand."""
        model = state.read(self.node)["model"]
        return None if model is None else ModelIdentity(**model)

    @property
    def image_note(self) -> str:
        """Which part of a volume with several components was used; empty for just one."""
        return state.read(self.node)["image_note"]

    @property
    def unit(self) -> str:
        """Of lengths in the image, 'mm' or 'px'."""
        # Scenes from before there were units do not say it.
        return state.read(self.node).get("unit", MM)

    def confidence(self, name: str) -> float:
        """0 to 1, as predicted; None if no model was asked for it."""
        return state.read(self.node)["confidences"][self.landmarks.index(name)]

    def confidences(self) -> list:
        """Those of all landmarks, as in the model."""
        return state.read(self.node)["confidences"]

    def doubts(self) -> tuple:
        """A Doubt, or None where nothing is known, of all landmarks, as in the model."""
        return state.doubts(state.read(self.node))

    def review(self, name: str) -> Review:
        return self.reviews()[name]

    def reviews(self) -> dict:
        """Name to Review, for every landmark: what a person has done, told from where it is now."""
        said = state.read(self.node)["said"]
        now, then = self.positions_lps(), self.predicted_positions_lps()
        missing = markups.are_missing(self.markups_node)
        was_missing, tolerance = markups.are_missing(self.predicted_node), self._tolerance_mm()
        known, following = (now, then, missing, was_missing), self.followed()
        return {
            name: state.told(*each, said.get(name), tolerance, name in following)
            for name, *each in zip(self.landmarks.names, *known)
        }

    def followed(self) -> dict:
        """Of those that are where an accepted proposal has put them: name to the names of the landmarks
        because of which they moved."""
        known = state.followed(state.read(self.node))
        return known and state.still_followed(known, self.landmarks.names, self.positions_ijk())

    def asked(self) -> list:
        """For each landmark whether a model was asked for it."""
        return [not is_waiting for is_waiting in markups.are_waiting(self.predicted_node)]

    def waiting(self) -> list:
        """The names of those that wait to be placed: that nobody and no model put anywhere yet, nor
        said to be absent."""
        waiting = markups.are_waiting(self.markups_node)
        return [name for name, is_so in zip(self.landmarks.names, waiting) if is_so]

    def moved_mm(self, name: str) -> float:
        """How far a landmark lies from where it was predicted; NaN if it has no place in one."""
        return float(self.all_moved_mm()[self.landmarks.index(name)])

    def all_moved_mm(self) -> np.ndarray:
        """(L,) the same of all landmarks; in pixels, if that is the unit.

        In the volume's own coordinates: a parent transform that scales does not count.
        """
        moved = self.positions_lps() - self.predicted_positions_lps()
        if self.unit == PX:
            # What Slicer takes for the size of a photograph's pixels is none.
            to_ijk = np.linalg.inv(ijk_to_ras(self.volume_node)[:3, :3])
            moved = moved * markups.RAS_OF_LPS @ to_ijk.T
        return np.linalg.norm(moved, axis=1)

    def positions_lps(self) -> np.ndarray:
        """(L, 3) where the landmarks are, LPS, in the volume's own coordinates; NaN if nowhere."""
        return markups.positions_in(self.markups_node, self.volume_node)

    def positions_ijk(self) -> np.ndarray:
        """(L, 3) the same as voxel indices of the volume, which stay where the volume is moved."""
        ras = markups.ras_positions_in(self.markups_node, self.volume_node)
        return apply_affine(np.linalg.inv(ijk_to_ras(self.volume_node)), ras)

    def predicted_positions_lps(self) -> np.ndarray:
        """(L, 3) where the model had put them, likewise."""
        return markups.positions_in(self.predicted_node, self.volume_node)

    def annotation(self) -> Annotation:
        """The landmarks as they stand, in LPS in the volume's own coordinates.

        Placed, or absent, where a person said so; predicted, or unjudged, where nobody did anything.
        """
        positions = self.positions_lps()
        points = {}
        for landmark, position, review in zip(
            self.landmarks.landmarks, positions, self.reviews().values()
        ):
            judged = review is not Review.UNTOUCHED
            there = bool(np.isfinite(position).all())
            if there:
                known = PointState.PLACED if judged else PointState.PREDICTED
            else:
                known = PointState.ABSENT if judged else PointState.UNJUDGED
            points[landmark.name] = Point(
                known, tuple(position) if there else None, definition=landmark.definition
            )
        return Annotation(points)

    def predicted_annotation(self) -> Annotation:
        """The landmarks as predicted, in LPS in the volume's own coordinates; without those for which
        no model was asked."""
        positions = self.predicted_positions_lps()
        points = {}
        for landmark, position, confidence, doubt, is_asked in zip(
            self.landmarks.landmarks, positions, self.confidences(), self.doubts(), self.asked()
        ):
            if not is_asked:
                continue
            there = bool(np.isfinite(position).all())
            points[landmark.name] = Point(
                PointState.PREDICTED if there else PointState.ABSENT,
                tuple(position) if there else None,
                confidence,
                landmark.definition,
                doubt,
            )
        return Annotation(points)

    # --- what a person says

    def confirm(self, name: str) -> None:
        """The landmark has been looked at and is right as it is, where it is or absent."""
        self._say(name, Review.CONFIRMED)

    def mark_absent(self, name: str) -> None:
        """The landmark is not in this image."""
        # What is said comes before what is seen: who watches the list then finds both.
        self._say(name, Review.MARKED_ABSENT)
        markups.make_missing(self.markups_node, self.landmarks.index(name))

    def restore_prediction(self, name: str) -> None:
        """Back to what the model had said, or to nothing at all; as if nobody had touched it."""
        self._say(name, None)
        state.keep_followed(self.node, name, None)
        index = self.landmarks.index(name)
        markups.copy_point(self.predicted_node, self.markups_node, index)

    def move(self, name: str, position_world_ras) -> None:
        """Put a landmark to a world position (3,), RAS, mm."""
        index = self.landmarks.index(name)
        self.markups_node.SetNthControlPointPositionWorld(index, *map(float, position_world_ras))

    def follow(self, name: str, ijk, because_of) -> None:
        """Put a landmark where an accepted proposal has it, which is no judgement. ijk: three floats,
        voxel indices. because_of: the names of the landmarks of a person that led to it."""
        self._say(name, None)
        state.keep_followed(self.node, name, {"ijk": list(ijk), "because_of": list(because_of)})
        own_ras = apply_affine(ijk_to_ras(self.volume_node), np.asarray(ijk, float))
        there = markups.transform_between(self.volume_node, self.markups_node)
        index = self.landmarks.index(name)
        self.markups_node.SetNthControlPointPosition(index, *there.TransformPoint(own_ras))

    # --- inside

    def _say(self, name: str, review) -> None:
        self.landmarks.index(name)  # refuses an unknown name
        document = state.read(self.node)
        document["said"].pop(name, None)
        if review is not None:
            document["said"][name] = review.value
        state.write(self.node, document)

    def _tolerance_mm(self) -> float:
        """What counts as not moved: files round. A hundredth of a voxel, for tiny images less."""
        return min(0.01, 0.01 * min(self.volume_node.GetSpacing()))
