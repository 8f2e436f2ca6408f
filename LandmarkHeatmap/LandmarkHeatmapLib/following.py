"""Following a result: what observes its nodes, and lets go of them again."""

from __future__ import annotations

from contextlib import contextmanager

import slicer
import vtk


@contextmanager
def told_once(result):
    """Who observes a result's own nodes hears of what is done in this context when all is done."""
    with slicer.util.NodeModify(result.markups_node), slicer.util.NodeModify(result.node):
        yield


def is_there(result) -> bool:
    """Not while the scene is being closed, or when parts of the result have been deleted."""
    return result.node.GetScene() is not None and result.is_whole


class Follower:
    """Observes nodes of a result until `release`. A subclass says which, with `_observe`."""

    def __init__(self, result):
        self.result = result
        self._observed = []

    @property
    def is_alive(self) -> bool:
        return is_there(self.result)

    def release(self) -> None:
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed = []

    def _observe(self, node, event, callback) -> None:
        self._observed.append((node, node.AddObserver(event, callback)))

    def _observe_points(self, callback) -> None:
        """Whatever changes where a landmark is in its list, or what is stated of it."""
        markups_class = slicer.vtkMRMLMarkupsNode
        for event in (
            markups_class.PointModifiedEvent,
            markups_class.PointPositionDefinedEvent,
            markups_class.PointPositionUndefinedEvent,
            markups_class.PointPositionMissingEvent,
        ):
            self._observe(self.result.markups_node, event, callback)
        self._observe(self.result.node, vtk.vtkCommand.ModifiedEvent, callback)


class Updater(Follower):
    """Brings something up to date, by `update`, whenever a landmark of a result is elsewhere."""

    def __init__(self, result):
        super().__init__(result)
        self._observe_points(self._follow)
        moved = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
        self._observe(result.markups_node, moved, self._follow)

    def update(self) -> None:
        raise NotImplementedError

    # Batched changes send events without call data.
    def _follow(self, caller, event, calldata=None):
        if self.is_alive:
            self.update()
