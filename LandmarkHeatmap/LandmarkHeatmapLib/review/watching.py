"""Watching a result: what a mouse, another module or a script does to it."""

from __future__ import annotations

from contextlib import contextmanager

import slicer
import vtk

from ..following import Follower
from ..result.detection_result import DetectionResult


class ResultWatch(Follower):
    """Tells when landmarks may have changed, and which one was pressed. Call `release` when done.

    An interaction's own events do not say what moved: a middle-drag moves the whole list, a plain
    click ends like a drag, and points of a locked list have interactions, too. So only that
    something may have changed is told, after the interaction and not in its middle.

    Where the volume goes, the result goes along, and nothing is told of that.

    on_touch: called without arguments. on_press: called with the index of the point that a mouse
    button went down and up on, whether or not it is locked, after on_touch.
    """

    def __init__(self, result: DetectionResult, on_touch, on_press):
        super().__init__(result)
        self._on_touch, self._on_press = on_touch, on_press
        self._is_quiet = self._is_pressed = False
        result.follow_volume()
        markups_class = slicer.vtkMRMLMarkupsNode
        self._observe(result.markups_node, markups_class.PointStartInteractionEvent, self._pressed)
        self._observe(result.markups_node, markups_class.PointEndInteractionEvent, self._let_go)
        self._observe_points(self._touched)
        for event in (
            slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
            vtk.vtkCommand.ModifiedEvent,
        ):
            self._observe(result.volume_node, event, self._volume_changed)

    @contextmanager
    def quiet(self):
        """Nothing is told of what is done in this context."""
        before, self._is_quiet = self._is_quiet, True
        try:
            yield
        finally:
            self._is_quiet = before

    # Batched changes send events without call data.
    def _touched(self, caller, event, calldata=None):
        if not self._is_quiet and not self._is_pressed and self.is_alive:
            self._on_touch()

    def _pressed(self, caller, event, calldata=None):
        self._is_pressed = True

    def _let_go(self, caller, event, calldata=None):
        self._is_pressed = False
        if self._is_quiet or not self.is_alive:
            return
        self._on_touch()
        display = self.result.markups_node.GetDisplayNode()
        if display.GetActiveComponentType() == display.ComponentControlPoint:
            self._on_press(display.GetActiveComponentIndex())

    def _volume_changed(self, caller, event, calldata=None):
        if not self._is_quiet and self.is_alive:
            with self.quiet():
                self.result.follow_volume()
