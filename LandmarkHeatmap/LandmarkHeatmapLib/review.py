"""Watching a result for corrections."""

from __future__ import annotations

import numpy as np
import slicer

from . import markups
from .result import DetectionResult


class CorrectionTracker:
    """Tells which landmarks were moved, by comparing all of them at the end of every interaction.

    An interaction's own events do not say what moved: a middle-drag moves the whole list, a plain
    click ends like a drag, and a change from a script has no end at all.

    on_change: called with the list of names that moved, appeared or vanished. Call `release` when
    done.
    """

    def __init__(self, result: DetectionResult, on_change=None):
        self.result = result
        self.on_change = on_change
        self._snapshot = markups.world_positions(result.markups_node)
        self._node = result.markups_node
        node_class = slicer.vtkMRMLMarkupsNode
        self._tags = [
            self._node.AddObserver(event, self._interaction_ended)
            for event in (
                node_class.PointEndInteractionEvent,
                node_class.PointPositionDefinedEvent,
                node_class.PointPositionUndefinedEvent,
                node_class.PointPositionMissingEvent,
            )
        ]

    def compare(self) -> list:
        """The names of the landmarks that are not where they were at the last comparison."""
        now = markups.world_positions(self.result.markups_node)
        same = np.isclose(now, self._snapshot, rtol=0, atol=1e-6, equal_nan=True).all(axis=1)
        self._snapshot = now
        names = self.result.landmarks.names
        return [name for name, unmoved in zip(names, same) if not unmoved]

    def release(self) -> None:
        """Stop watching."""
        for tag in self._tags:
            self._node.RemoveObserver(tag)
        self._tags = []

    # Batched changes send events without call data.
    def _interaction_ended(self, caller, event, calldata=None):
        if self.result.node.GetScene() is None or not self.result.is_whole:
            return  # the scene is being closed
        moved = self.compare()
        if moved and self.on_change is not None:
            self.on_change(moved)
