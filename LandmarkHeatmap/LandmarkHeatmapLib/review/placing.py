"""Putting a landmark elsewhere: with the next click, or to the peak of its heatmap."""

from __future__ import annotations

from landmark_heatmap.detection.locate import nearest_peak

from ..result import markups
from ..result.detection_result import DetectionResult
from ..volumes import image_of


class Placing:
    """Lets the next click in a slice view put a landmark there, wherever it is now, if anywhere.

    Until then it has no position and counts as not judged. on_end: called without arguments when the
    click has come, or when the user left the placing of points without one. Call `stop` to end it
    before.
    """

    def __init__(self, result: DetectionResult, name: str, on_end):
        index = result.landmarks.index(name)
        self._result, self._index, self._on_end = result, index, on_end
        node, scene = result.markups_node, result.scene
        # Slicer places points that are undefined; it passes over those that are missing.
        node.UnsetNthControlPointPosition(index)
        node.SetControlPointPlacementStartIndex(index)
        selection = scene.GetFirstNodeByClass("vtkMRMLSelectionNode")
        selection.SetReferenceActivePlaceNodeClassName(node.GetClassName())
        selection.SetActivePlaceNodeID(node.GetID())
        self._interaction = scene.GetFirstNodeByClass("vtkMRMLInteractionNode")
        self._interaction.SetPlaceModePersistence(0)
        self._interaction.SetCurrentInteractionMode(self._interaction.Place)
        self._tag = self._interaction.AddObserver(
            self._interaction.InteractionModeChangedEvent, self._mode_changed
        )

    @property
    def is_waiting(self) -> bool:
        """Whether the click has not come yet."""
        node = self._result.markups_node
        status = node.GetNthControlPointPositionStatus(self._index)
        return status != node.PositionDefined

    def stop(self) -> None:
        if self._is_on():
            self._interaction.SetCurrentInteractionMode(self._interaction.ViewTransform)

    def _is_on(self) -> bool:
        return self._tag is not None

    def _mode_changed(self, caller, event):
        if self._is_on() and caller.GetCurrentInteractionMode() != caller.Place:
            caller.RemoveObserver(self._tag)
            self._tag = None
            self._on_end()


def peak_near(result: DetectionResult, name: str):
    """The world position (3,), RAS, of the peak of a landmark's heatmap that is nearest; or None."""
    heatmap = result.heatmap_node(name)
    if heatmap is None:
        return None
    positions = markups.positions_in(result.markups_node, heatmap)
    peak = nearest_peak(image_of(heatmap), positions[result.landmarks.index(name)])
    return None if peak is None else markups.world_of(heatmap, peak)
