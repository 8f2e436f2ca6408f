"""Where landmarks would be: a small mark at each place, and a thin line to it from where they are."""

from __future__ import annotations

import numpy as np
import vtk

from ..volumes import remove_with_display

_COLOUR = (1.0, 0.75, 0.2)
# Half of a mark's width, as a share of the image's longest side.
_SHARE = 0.012
# The edges of an octahedron between the two ends of each axis.
_EDGES = [(a, b) for a in range(6) for b in range(a + 1, 6) if a // 2 != b // 2]


class Ghosts:
    """A model beside a volume, in all views, that is in no list and is not saved. Call `release` when
    done."""

    def __init__(self, volume_node):
        self._volume, self.node = volume_node, None

    def show(self, steps) -> None:
        """steps: (from, to) of each landmark, (3,) each, RAS, mm, in the volume's own coordinates."""
        if not steps:
            self.release()
            return
        if self.node is None or self.node.GetScene() is None:
            self.node = _new_model(self._volume)
        parent = self._volume.GetTransformNodeID()
        if self.node.GetTransformNodeID() != parent:
            self.node.SetAndObserveTransformNodeID(parent)
        bounds = [0.0] * 6
        self._volume.GetSliceBounds(bounds, None)
        radius = _SHARE * max(np.subtract(bounds[1::2], bounds[::2]))
        self.node.SetAndObservePolyData(_polydata(steps, radius))

    def release(self) -> None:
        node, self.node = self.node, None
        if node is not None and node.GetScene() is not None:
            remove_with_display(node)


def _new_model(volume):
    scene = volume.GetScene()
    node = scene.CreateNodeByClass("vtkMRMLModelNode")
    node.UnRegister(None)  # CreateNodeByClass leaves a reference to its caller
    node.SetName(scene.GenerateUniqueName(f"{volume.GetName()} proposals"))
    # Before it comes into the scene, so that no list takes it up.
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    node.SetSelectable(False)
    node = scene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetColor(*_COLOUR)
    display.SetScalarVisibility(False)
    display.SetLineWidth(1)
    display.LightingOff()
    # In slices as a whole: of lines that cross a slice only dots would be seen.
    display.SetVisibility2D(True)
    display.SetSliceDisplayModeToProjection()
    display.SetSliceIntersectionThickness(1)
    return node


def _polydata(steps, radius: float) -> vtk.vtkPolyData:
    points, cells = vtk.vtkPoints(), vtk.vtkCellArray()
    points.SetDataTypeToDouble()
    corners = radius * np.concatenate([[axis, -axis] for axis in np.eye(3)])
    for start, end in steps:
        lines = [(start, end)]
        lines += [(end + corners[a], end + corners[b]) for a, b in _EDGES]
        for line in lines:
            cells.InsertNextCell(2)
            for position in line:
                cells.InsertCellPoint(points.InsertNextPoint(*map(float, position)))
    polydata = vtk.vtkPolyData()
    polydata.SetPoints(points)
    polydata.SetLines(cells)
    return polydata
