"""A heatmap in 3D: the closed surface at half of its height, made only when it is asked for."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from ..volumes import ijk_to_ras

# Role of the reference from a result to its surface.
SURFACE = "heatmapSurface"
_LEVEL = 0.5
_COLOUR, _OPACITY = (0.99, 0.62, 0.15), 0.5


def show_surface(result, name: str = None) -> None:
    """Show one landmark's heatmap, or all combined (no name), in the 3D views; the one shown before
    is replaced. Raises AnnotationError for an unknown name."""
    heatmap = result.combined_node if name is None else result.heatmap_node(name)
    if heatmap is None:
        hide_surface(result)
        return
    node = surface_node(result) or _add_node(result)
    node.SetAndObservePolyData(_surface_of(heatmap))
    node.SetAndObserveTransformNodeID(heatmap.GetTransformNodeID())
    node.GetDisplayNode().SetVisibility(True)


def hide_surface(result) -> None:
    node = surface_node(result)
    if node is not None:
        node.GetDisplayNode().SetVisibility(False)


def surface_node(result):
    """The model node, or None as long as nobody asked for one."""
    return result.node.GetNodeReference(SURFACE)


def _add_node(result):
    scene = result.scene
    name = scene.GenerateUniqueName(f"{result.volume_node.GetName()} heatmap surface")
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", name)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetColor(*_COLOUR)
    node.GetDisplayNode().SetOpacity(_OPACITY)
    node.SetSelectable(False)
    result.node.SetNodeReferenceID(SURFACE, node.GetID())
    return node


def _surface_of(heatmap) -> vtk.vtkPolyData:
    """In the coordinates of the heatmap's node. Closed: outside the heatmap there is nothing."""
    padded = np.pad(slicer.util.arrayFromVolume(heatmap), 1)
    image = vtk.vtkImageData()
    image.SetDimensions(padded.shape[::-1])
    image.SetOrigin(-1, -1, -1)
    values = numpy_support.numpy_to_vtk(padded.ravel(), deep=True)
    image.GetPointData().SetScalars(values)
    contour = vtk.vtkFlyingEdges3D()
    contour.SetInputData(image)
    # Where the network is not sure, half of what there is.
    contour.SetValue(0, _LEVEL * min(1.0, float(padded.max()) or 1.0))
    transform = vtk.vtkTransform()
    transform.SetMatrix(slicer.util.vtkMatrixFromArray(ijk_to_ras(heatmap)))
    placed = vtk.vtkTransformPolyDataFilter()
    placed.SetInputConnection(contour.GetOutputPort())
    placed.SetTransform(transform)
    placed.Update()
    return placed.GetOutput()
