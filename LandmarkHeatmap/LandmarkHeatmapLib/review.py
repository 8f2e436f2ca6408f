"""Watching a result for corrections."""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from landmark_heatmap.geometry import RAS_TO_LPS, apply_affine

from .result import DetectionResult
from .volumes import ijk_to_ras

# What has moved by less, in voxels, has not moved: a motion of the volume is computed, and rounds.
_SAME_VOXELS = 1e-4


class CorrectionTracker:
    """Tells which landmarks were moved, by comparing all of them at the end of every interaction.

    An interaction's own events do not say what moved: a middle-drag moves the whole list, a plain
    click ends like a drag, and a change from a script has no end at all.

    Where the volume goes, the result goes along, and nothing counts as moved by that.

    on_change: called with the list of names that moved, appeared or vanished. Call `release` when
    done.
    """

    def __init__(self, result: DetectionResult, on_change=None):
        self.result = result
        self.on_change = on_change
        result.follow_volume()
        self._snapshot = self._positions_ijk()
        markups_class = slicer.vtkMRMLMarkupsNode
        self._observed = []
        for event in (
            markups_class.PointEndInteractionEvent,
            markups_class.PointPositionDefinedEvent,
            markups_class.PointPositionUndefinedEvent,
            markups_class.PointPositionMissingEvent,
        ):
            self._observe(result.markups_node, event, self._interaction_ended)
        for event in (
            slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
            vtk.vtkCommand.ModifiedEvent,
        ):
            self._observe(result.volume_node, event, self._volume_changed)

    def _observe(self, node, event, callback) -> None:
        self._observed.append((node, node.AddObserver(event, callback)))

    def compare(self) -> list:
        """The names of the landmarks that are not where they were at the last comparison."""
        now = self._positions_ijk()
        same = np.isclose(now, self._snapshot, rtol=0, atol=_SAME_VOXELS, equal_nan=True).all(
            axis=1
        )
        self._snapshot = now
        names = self.result.landmarks.names
        return [name for name, unmoved in zip(names, same) if not unmoved]

    def _positions_ijk(self) -> np.ndarray:
        """In voxels of the volume: what stays the same when volume and result move together."""
        ras_to_ijk = np.linalg.inv(ijk_to_ras(self.result.volume_node))
        return apply_affine(ras_to_ijk @ RAS_TO_LPS, self.result.positions_lps())

    def release(self) -> None:
        """Stop watching."""
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed = []

    # Batched changes send events without call data.
    def _interaction_ended(self, caller, event, calldata=None):
        if not self._is_alive():
            return
        moved = self.compare()
        if moved and self.on_change is not None:
            self.on_change(moved)

    def _volume_changed(self, caller, event, calldata=None):
        if self._is_alive():
            self.result.follow_volume()

    def _is_alive(self) -> bool:
        """Not while the scene is being closed, or parts of the result have been deleted."""
        return self.result.node.GetScene() is not None and self.result.is_whole


def place_with_next_click(result: DetectionResult, name: str) -> None:
    """Let the next click in a slice view put this landmark there, wherever it is now, if anywhere.

    Until then it has no position and counts as not judged.
    """
    index = result.landmarks.index(name)
    node, scene = result.markups_node, result.scene
    # Slicer places points that are undefined; it passes over those that are missing.
    node.UnsetNthControlPointPosition(index)
    node.SetControlPointPlacementStartIndex(index)
    selection = scene.GetFirstNodeByClass("vtkMRMLSelectionNode")
    selection.SetReferenceActivePlaceNodeClassName(node.GetClassName())
    selection.SetActivePlaceNodeID(node.GetID())
    interaction = scene.GetFirstNodeByClass("vtkMRMLInteractionNode")
    interaction.SetPlaceModePersistence(0)
    interaction.SetCurrentInteractionMode(interaction.Place)
