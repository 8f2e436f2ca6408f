"""Names beside the landmarks: of the current one and its neighbours, or of all.

Slicer shows the labels of all points of a list or of none. So the list of the landmarks shows none,
and those that are wanted stand in a second list, which is in no file and in no tree, and which a
mouse does not touch.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from ..volumes import remove_with_display
from .views import nodes_of_class

_NEIGHBOURS = 4
# What a name takes on the screen, pixels: for each letter, and in height.
_LETTER, _LINE = 9, 22
# In the 3D views names of points that are nearer, in shares of the landmarks' extent, would overlap.
_APART = 0.2


class Captions:
    """The names that are shown of one list of landmarks. Call `release` when done."""

    def __init__(self, markups_node):
        self._markups, self._scene = markups_node, markups_node.GetScene()
        self._node, self._indices = None, []
        events = (
            slicer.vtkMRMLMarkupsNode.PointModifiedEvent,
            slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
        )
        self._tags = [markups_node.AddObserver(event, self._follow) for event in events]
        display = markups_node.GetDisplayNode()
        self._tags_of_display = [display.AddObserver(vtk.vtkCommand.ModifiedEvent, self._show)]
        self._display = display

    def release(self) -> None:
        """All names are shown again by the list itself, as other modules expect it."""
        for tag in self._tags:
            self._markups.RemoveObserver(tag)
        for tag in self._tags_of_display:
            self._display.RemoveObserver(tag)
        self._tags = self._tags_of_display = []
        if self._node is not None and self._node.GetScene() is not None:
            remove_with_display(self._node)
        self._node = None
        if self._markups.GetScene() is not None:
            self._display.SetPointLabelsVisibility(True)

    def show(self, index, positions, show_all: bool = False) -> None:
        """Name the point of this index, and those around it whose names do not cover each other.

        positions: (L, 3) of all, world RAS, mm; NaN for those without one. show_all: name all.
        """
        self._display.SetPointLabelsVisibility(show_all)
        there = np.isfinite(positions).all(axis=1)
        self._indices = []
        if not show_all and index is not None and there[index]:
            names = [self._markups.GetNthControlPointLabel(i) for i in range(len(positions))]
            self._indices = chosen(index, positions, names, _views(self._scene))
        self._fill()

    def _fill(self) -> None:
        if self._node is None or self._node.GetScene() is None:
            if not self._indices:
                return
            self._node = self._new_node()
        names = [self._markups.GetNthControlPointLabel(index) for index in self._indices]
        node = self._node
        modifying = node.StartModify()
        if [
            node.GetNthControlPointLabel(i) for i in range(node.GetNumberOfControlPoints())
        ] != names:
            node.RemoveAllControlPoints()
            for name in names:
                node.AddControlPoint(vtk.vtkVector3d(0, 0, 0), name)
            for number in range(len(names)):
                node.SetNthControlPointSelected(number, number == 0)
        self._place()
        node.EndModify(modifying)
        self._show()

    def _place(self) -> None:
        position = np.empty(3)
        for number, index in enumerate(self._indices):
            self._markups.GetNthControlPointPositionWorld(index, position)
            if not np.array_equal(self._node.GetNthControlPointPosition(number), position):
                self._node.SetNthControlPointPosition(number, *position)

    def _follow(self, caller, event, calldata=None):
        """A point is being dragged, or the whole list was moved."""
        if self._node is not None and self._node.GetScene() is not None:
            defined = self._markups.PositionDefined
            status = self._markups.GetNthControlPointPositionStatus
            if all(status(index) == defined for index in self._indices):
                self._place()

    def _show(self, *_args) -> None:
        """Only where the landmarks themselves are shown."""
        if self._node is not None and self._node.GetScene() is not None:
            is_shown = bool(self._indices) and bool(self._display.GetVisibility())
            self._node.GetDisplayNode().SetVisibility(is_shown)

    def _new_node(self):
        node = self._scene.CreateNodeByClass("vtkMRMLMarkupsFiducialNode")
        node.UnRegister(None)  # CreateNodeByClass leaves a reference to its caller
        node.SetName("Names of landmarks")
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        node.SetSelectable(False)
        node.SetLocked(True)
        node.SetAttribute("SubjectHierarchy.ExcludeFromTree", "1")
        node = self._scene.AddNode(node)
        node.CreateDefaultDisplayNodes()
        display, like = node.GetDisplayNode(), self._display
        display.SetSaveWithScene(False)
        display.SetGlyphTypeFromString("Vertex2D")
        display.SetGlyphScale(0.1)
        display.SetTextScale(like.GetTextScale())
        display.SetSelectedColor(*like.GetSelectedColor())
        display.SetColor(*like.GetColor())
        display.SetOccludedVisibility(True)
        display.SetOccludedOpacity(like.GetOccludedOpacity())
        return node


def chosen(index: int, positions, names, views) -> list:
    """The indices of the points to name: `index` first, then the nearest whose names leave the
    others free.

    positions: (L, 3), world, mm. views: a 4x4 matrix each, from world to pixels and slices.
    """
    extent = np.linalg.norm(np.nanmax(positions, axis=0) - np.nanmin(positions, axis=0))
    distances = np.linalg.norm(positions - positions[index], axis=1)
    places = [_places(view, positions) for view in views]
    there = np.isfinite(distances)
    if any((abs(place[there, 2]) < 0.5).all() for place in places):
        extent = 0.0  # a flat image: what is seen of it is that one view
    taken = [index]
    for other in np.argsort(distances):
        if len(taken) > _NEIGHBOURS or not np.isfinite(distances[other]):
            break
        if other not in taken and not any(
            _cover(int(other), each, positions, names, places, _APART * extent) for each in taken
        ):
            taken.append(int(other))
    return taken


def _places(view, positions) -> np.ndarray:
    """(L, 3) in pixels and slices of a view."""
    return positions @ view[:3, :3].T + view[:3, 3]


def _cover(one, other, positions, names, places, apart_mm) -> bool:
    if np.linalg.norm(positions[one] - positions[other]) < apart_mm:
        return True
    for place in places:
        x, y, z = abs(place[one] - place[other])
        both_in_slice = max(abs(place[one][2]), abs(place[other][2])) < 0.5
        left = one if place[one][0] < place[other][0] else other
        if both_in_slice and y < _LINE and x < _LETTER * len(names[left]):
            return True
    return False


def _views(scene) -> list:
    """From world to pixels and slices, of each slice view."""
    found = []
    for node in nodes_of_class(scene, "vtkMRMLSliceNode"):
        matrix = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(node.GetXYToRAS(), matrix)
        found.append(slicer.util.arrayFromVTKMatrix(matrix))
    return found
