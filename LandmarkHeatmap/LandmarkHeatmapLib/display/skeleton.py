"""Thin lines between landmarks, where the landmark set defines them: a model that follows them."""

from __future__ import annotations

import vtk

from ..following import Updater
from .models import add_model, model_of, show_model

# Role of the reference from a result to the model.
SKELETON = "skeleton"
_COLOUR = (0.25, 0.6, 0.65)


class Skeleton(Updater):
    """Keeps the lines of a result where its landmarks are. Call `release` when done.

    A line to a landmark that has no position is not drawn. The model comes with the first line and
    stays when the following ends.
    """

    def __init__(self, result):
        super().__init__(result)
        self._drawn = None
        # Shown and hidden with the landmarks.
        self._display = result.markups_node.GetDisplayNode()
        self._observe(self._display, vtk.vtkCommand.ModifiedEvent, self._show)
        self.update()

    def update(self) -> None:
        lines, node = self._lines(), model_of(self.result, SKELETON)
        if node is None and not lines:
            return
        if node is None:
            node = _new_model(self.result)
        parent = self.result.markups_node.GetTransformNodeID()
        if node.GetTransformNodeID() != parent:
            node.SetAndObserveTransformNodeID(parent)
        if lines != self._drawn:
            self._drawn = lines
            node.SetAndObservePolyData(_polydata(lines))
        self._show()

    def _lines(self) -> list:
        """((x, y, z), (x, y, z)) of each line, RAS, mm, as the list of landmarks holds them."""
        landmarks, node = self.result.landmarks, self.result.markups_node
        lines = []
        for line in landmarks.skeleton:
            indices = [landmarks.index(name) for name in line]
            statuses = map(node.GetNthControlPointPositionStatus, indices)
            if all(status == node.PositionDefined for status in statuses):
                lines.append(tuple(tuple(node.GetNthControlPointPosition(i)) for i in indices))
        return lines

    def _show(self, *_args) -> None:
        if self.result.node.GetScene() is not None:
            is_shown = bool(self._display.GetVisibility())
            show_model(model_of(self.result, SKELETON), is_shown)


def _new_model(result):
    node = add_model(result, SKELETON, "skeleton", _COLOUR)
    display = node.GetDisplayNode()
    display.SetLineWidth(1)
    display.LightingOff()
    # In slices, too: as a whole, for of lines that cross a slice only dots would be seen.
    display.SetVisibility2D(True)
    display.SetSliceDisplayModeToProjection()
    display.SetSliceIntersectionThickness(1)
    display.SetSliceIntersectionOpacity(0.5)
    return node


def _polydata(lines) -> vtk.vtkPolyData:
    points, cells = vtk.vtkPoints(), vtk.vtkCellArray()
    points.SetDataTypeToDouble()
    for line in lines:
        cells.InsertNextCell(2)
        for position in line:
            cells.InsertCellPoint(points.InsertNextPoint(*position))
    polydata = vtk.vtkPolyData()
    polydata.SetPoints(points)
    polydata.SetLines(cells)
    return polydata
