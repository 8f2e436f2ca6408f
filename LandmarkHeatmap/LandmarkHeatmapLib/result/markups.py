"""Fiducial lists: made of what a model said, if it was asked; read as arrays. Point i is landmark i."""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from landmark_heatmap.annotation.landmarks import LandmarkSet

_DEFINED = slicer.vtkMRMLMarkupsNode.PositionDefined
RAS_OF_LPS = np.array([-1, -1, 1])
CONFIDENCE = "confidence"
_GLYPH, _FLAT_GLYPH = 3.0, 4.0


def add_list(scene, name: str, landmarks: LandmarkSet, points, is_flat: bool = False):
    """A new fiducial list with one labelled control point a landmark, in the volume's coordinates.

    points: a LandmarkPrediction for each landmark, or None where no model was asked; the control
    point is undefined then, and missing if the landmark is absent. Definitions are descriptions; the
    confidence is a measurement of each control point, 0 where there is none. No point can be added or
    deleted by accident. Hidden as long as nobody shows it. is_flat: of an image of one slice, which
    fills its view.
    """
    node = scene.CreateNodeByClass("vtkMRMLMarkupsFiducialNode")
    node.UnRegister(None)  # CreateNodeByClass leaves a reference to its caller
    node.SetName(name)
    for landmark, point in zip(landmarks.landmarks, points):
        ras = np.zeros(3) if point is None else np.asarray(point.position_lps) * RAS_OF_LPS
        index = node.AddControlPoint(vtk.vtkVector3d(*ras), landmark.name)
        node.SetNthControlPointDescription(index, landmark.definition)
        if point is None:
            node.UnsetNthControlPointPosition(index)
        elif point.is_absent:
            make_missing(node, index)
    if any(point is not None for point in points):
        _add_confidences(node, points)
    node.SetFixedNumberOfControlPoints(True)
    # Whole before it comes into the scene, so that views and trees look at it once.
    node = scene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    _style(node, is_flat)
    return node


def _add_confidences(node, points) -> None:
    confidences = vtk.vtkDoubleArray()
    confidences.SetName(CONFIDENCE)
    for point in points:
        confidences.InsertNextValue(0.0 if point is None else point.confidence)
    measurement = slicer.vtkMRMLStaticMeasurement()
    measurement.SetName(CONFIDENCE)
    measurement.SetControlPointValues(confidences)
    node.AddMeasurement(measurement)


def show(node, is_shown: bool) -> None:
    """Show or hide a list in all views; touches nothing that is so already."""
    display = node.GetDisplayNode()
    if display is not None and bool(display.GetVisibility()) != is_shown:
        display.SetVisibility(is_shown)


def make_missing(node, index: int) -> None:
    """Take a landmark out of the image: its control point stays, without a position."""
    node.SetNthControlPointPositionMissing(index)


def world_positions(node) -> np.ndarray:
    """(L, 3) in world RAS, mm, with all parent transforms applied; NaN for points without one."""
    positions = np.full((node.GetNumberOfControlPoints(), 3), np.nan)
    for index in range(len(positions)):
        if node.GetNthControlPointPositionStatus(index) == _DEFINED:
            node.GetNthControlPointPositionWorld(index, positions[index])
    return positions


def own_positions(node) -> np.ndarray:
    """(L, 3) as the list holds them: RAS, mm, in its own coordinates; NaN for points without one."""
    positions = np.full((node.GetNumberOfControlPoints(), 3), np.nan)
    for index in range(len(positions)):
        if node.GetNthControlPointPositionStatus(index) == _DEFINED:
            node.GetNthControlPointPosition(index, positions[index])
    return positions


def transform_between(node, other):
    """The transform from the own coordinates of one node to those of another, both RAS."""
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        node.GetParentTransformNode(), other.GetParentTransformNode(), transform
    )
    return transform


def ras_positions_in(node, other) -> np.ndarray:
    """(L, 3) in RAS, mm, in the own coordinates of another node; NaN for points without a position.

    Both may lie under any transforms. Under the same one nothing is computed, nor rounded.
    """
    transform, positions = transform_between(node, other), own_positions(node)
    for index in np.flatnonzero(np.isfinite(positions).all(axis=1)):
        positions[index] = transform.TransformPoint(positions[index])
    return positions


def positions_in(node, other) -> np.ndarray:
    """As `ras_positions_in`, in LPS."""
    return ras_positions_in(node, other) * RAS_OF_LPS


def world_of(node, position_lps) -> np.ndarray:
    """The world position (3,), RAS, of a point in a node's own coordinates, LPS, mm."""
    world = np.empty(3)
    node.TransformPointToWorld(np.asarray(position_lps) * RAS_OF_LPS, world)
    return world


def unlock_only(node, index) -> None:
    """Lock all points but one, or all (None), and let that one alone look as selected."""
    _lock(node, [number != index for number in range(node.GetNumberOfControlPoints())])


def unlock_all(node) -> None:
    """As the points were published: all can be moved, none stands out."""
    _lock(node, [False] * node.GetNumberOfControlPoints())


def _lock(node, locked) -> None:
    modifying = node.StartModify()
    for index, is_locked in enumerate(locked):
        if node.GetNthControlPointLocked(index) != is_locked:
            node.SetNthControlPointLocked(index, is_locked)
        if node.GetNthControlPointSelected(index) == is_locked:
            node.SetNthControlPointSelected(index, not is_locked)
    node.EndModify(modifying)


def are_missing(node) -> list:
    """For each point whether it was said not to be there; one that waits to be placed was not."""
    missing = slicer.vtkMRMLMarkupsNode.PositionMissing
    count = node.GetNumberOfControlPoints()
    return [node.GetNthControlPointPositionStatus(index) == missing for index in range(count)]


def are_waiting(node) -> list:
    """For each point whether it waits to be placed: neither placed nor said not to be there."""
    settled = (_DEFINED, slicer.vtkMRMLMarkupsNode.PositionMissing)
    count = node.GetNumberOfControlPoints()
    return [node.GetNthControlPointPositionStatus(index) not in settled for index in range(count)]


def copy_point(source, target, index: int) -> None:
    """Give a control point the position, or the lack of one, that it has in another list."""
    position = positions_in(source, target)[index]
    if np.isfinite(position).all():
        target.SetNthControlPointPosition(index, *(position * RAS_OF_LPS))
    elif are_waiting(source)[index]:
        target.UnsetNthControlPointPosition(index)
    else:
        make_missing(target, index)


def _style(node, is_flat: bool) -> None:
    """Marks that are seen and do not hide what they mark, legible labels."""
    display = node.GetDisplayNode()
    display.SetVisibility(False)
    display.SetGlyphTypeFromString("CrossDot2D")
    # In shares of the view: the one of a photograph is large, and its points are many.
    display.SetGlyphScale(_FLAT_GLYPH if is_flat else _GLYPH)
    display.SetTextScale(2.6)
    display.SetSelectedColor(0.35, 0.95, 1.0)
    # Of those that are not under review.
    display.SetColor(0.25, 0.6, 0.65)
    display.SetActiveColor(0.4, 1.0, 0.4)
    # A landmark inside a bone has to be seen in the 3D view, too.
    display.SetOccludedVisibility(True)
    display.SetOccludedOpacity(0.7)
