"""What the slice views show, and where they look: told to their nodes in the scene."""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from ..volumes import ijk_to_ras, size_ijk

# Positions nearer to a slice, in shares of half the view, lie in it: a fraction of a pixel.
_SAME_SLICE = 1e-4
# Slicer's names: the layout of one slice view, and that view.
FLAT_VIEW = "Red"


def nodes_of_class(scene, class_name: str) -> list:
    nodes = scene.GetNodesByClass(class_name)
    nodes.UnRegister(None)  # GetNodesByClass leaves a reference to its caller
    return [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]


# In shares of the way from the middle of a view to its edge: how far out a position is still seen
# well, and how far out one is brought that was not.
WELL_INSIDE, _BROUGHT_TO = 0.8, 0.5


def look_at(scene, position_ras, inside: float = WELL_INSIDE) -> list:
    """Let all slice views show a world position (3,), RAS, mm, well; returns the nodes that moved.

    A view goes to the position's slice. Its picture stays where it is as long as the position is
    well within it, and moves no further than that needs. inside: what is well, as a share of the
    way from the middle to the edge.
    """
    return [
        node
        for node in nodes_of_class(scene, "vtkMRMLSliceNode")
        if _show_well(node, np.asarray(position_ras, dtype=float), inside)
    ]


def _show_well(node, position, inside) -> bool:
    matrix = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())
    across = np.linalg.inv(matrix) @ [*position, 1.0]
    half = np.array(node.GetFieldOfView()[:2]) / 2
    shift = np.zeros(3)
    for axis in (0, 1):
        if abs(across[axis]) > inside * half[axis]:
            shift[axis] = across[axis] - _sign(across[axis]) * _BROUGHT_TO * half[axis]
    if abs(across[2]) > _SAME_SLICE * half.max():
        shift[2] = across[2]
    matrix[:3, 3] += matrix[:3, :3] @ shift
    return put_slice(node, matrix) if shift.any() else False


def put_slice(node, slice_to_ras, field_of_view=None) -> bool:
    """Give a slice view this place (4x4) and this field of view (3,), mm; returns if it moved."""
    field = np.array(node.GetFieldOfView() if field_of_view is None else field_of_view)
    is_there = np.allclose(slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()), slice_to_ras)
    if is_there and np.allclose(field, node.GetFieldOfView()):
        return False
    modifying = node.StartModify()
    node.SetFieldOfView(*map(float, field))
    node.GetSliceToRAS().DeepCopy(np.asarray(slice_to_ras, dtype=float).ravel())
    node.UpdateMatrices()
    node.EndModify(modifying)
    return True


def is_flat(volume_node) -> bool:
    """Whether a volume is one slice, along whichever of its axes."""
    return size_ijk(volume_node).count(1) == 1


def show_flat(result) -> bool:
    """Show a result's volume of a single slice in one slice view: along its plane, fitted.

    The view is the first of Slicer's, Red, in the layout of that view alone; it looks as a standard
    view would that is nearest to the image's plane, so that left and right are where one expects
    them. Returns False, and does nothing, for a volume of several slices.
    """
    volume, scene = result.volume_node, result.scene
    view = scene.GetFirstNode(FLAT_VIEW, "vtkMRMLSliceNode")
    if not is_flat(volume) or view is None:
        return False
    for composite in nodes_of_class(scene, "vtkMRMLSliceCompositeNode"):
        composite.SetBackgroundVolumeID(volume.GetID())
    for layout in nodes_of_class(scene, "vtkMRMLLayoutNode"):
        layout.SetViewArrangement(layout.SlicerLayoutOneUpRedSliceView)
    fit_flat(result)
    return True


def fit_flat(result) -> None:
    """Let the view of `show_flat` show all of the image at the size that the view has now."""
    view = result.scene.GetFirstNode(FLAT_VIEW, "vtkMRMLSliceNode")
    if view is not None:
        _align(view, result.volume_node)


def _align(view, volume) -> None:
    to_world = _to_world(volume)
    size = np.array(size_ijk(volume))
    through = int(np.flatnonzero(size == 1)[0])
    extents = np.linalg.norm(to_world[:3, :3], axis=0) * size
    directions = to_world[:3, :3] / np.linalg.norm(to_world[:3, :3], axis=0)
    first, second = (axis for axis in range(3) if axis != through)
    normal = np.cross(directions[:, first], directions[:, second])
    standard = _standard_view(view, normal / np.linalg.norm(normal))
    across = max((first, second), key=lambda axis: abs(directions[:, axis] @ standard[:, 0]))
    up = first + second - across
    matrix = np.eye(4)
    matrix[:3, 0] = directions[:, across] * _sign(directions[:, across] @ standard[:, 0])
    # Sheared images have axes that are not at right angles; views have.
    lift = directions[:, up] - (directions[:, up] @ matrix[:3, 0]) * matrix[:3, 0]
    lift /= np.linalg.norm(lift)
    matrix[:3, 1] = lift * _sign(lift @ standard[:, 1])
    matrix[:3, 2] = np.cross(matrix[:3, 0], matrix[:3, 1])
    matrix[:3, 2] *= _sign(matrix[:3, 2] @ standard[:, 2])
    matrix[:, 3] = to_world @ [*((size - 1) / 2), 1]
    width, height = view.GetDimensions()[:2]
    mm_per_pixel = max(extents[across] / max(width, 1), extents[up] / max(height, 1))
    view.SetFieldOfView(
        mm_per_pixel * max(width, 1), mm_per_pixel * max(height, 1), view.GetFieldOfView()[2]
    )
    view.GetSliceToRAS().DeepCopy(matrix.ravel())
    view.UpdateMatrices()


def _to_world(volume) -> np.ndarray:
    """From voxels to world RAS; without the parent transform, where that bends."""
    matrix = vtk.vtkMatrix4x4()
    parent = volume.GetParentTransformNode()
    if parent is not None and parent.IsTransformToWorldLinear():
        parent.GetMatrixTransformToWorld(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix) @ ijk_to_ras(volume)


def _standard_view(view, normal) -> np.ndarray:
    """(3, 3), the columns across, up and through, of the standard view that is nearest to a plane."""
    names = ("Sagittal", "Coronal", "Axial")
    preset = view.GetSliceOrientationPreset(names[int(np.argmax(abs(normal)))])
    return np.array([[preset.GetElement(r, c) for c in range(3)] for r in range(3)])


def _sign(value: float) -> float:
    return -1.0 if value < 0 else 1.0
