"""Fiducial lists: made from a prediction, read as arrays. Point i is landmark i, always."""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from landmark_heatmap.prediction import Prediction

_DEFINED = slicer.vtkMRMLMarkupsNode.PositionDefined
_RAS_OF_LPS = np.array([-1, -1, 1])
CONFIDENCE = "confidence"


def add_list(scene, name: str, prediction: Prediction):
    """A new fiducial list with one labelled control point a landmark, in the volume's coordinates.

    Definitions are descriptions; an absent landmark's point is missing; the confidence is a
    measurement of each control point. No point can be added or deleted by accident.
    """
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", scene.GenerateUniqueName(name))
    node.CreateDefaultDisplayNodes()
    confidences = vtk.vtkDoubleArray()
    confidences.SetName(CONFIDENCE)
    for landmark, point in zip(prediction.landmarks.landmarks, prediction.points):
        ras = np.asarray(point.position_lps) * _RAS_OF_LPS
        index = node.AddControlPoint(vtk.vtkVector3d(*ras), landmark.name)
        node.SetNthControlPointDescription(index, landmark.definition)
        confidences.InsertNextValue(point.confidence)
        if point.is_absent:
            make_missing(node, index)
    measurement = slicer.vtkMRMLStaticMeasurement()
    measurement.SetName(CONFIDENCE)
    measurement.SetControlPointValues(confidences)
    node.AddMeasurement(measurement)
    node.SetFixedNumberOfControlPoints(True)
    _style(node)
    return node


def hide_and_lock(node) -> None:
    node.SetLocked(True)
    node.GetDisplayNode().SetVisibility(False)


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


def positions_in(node, other) -> np.ndarray:
    """(L, 3) in LPS, mm, in the own coordinates of another node; NaN for points without a position.

    Both may lie under any transforms. Under the same one nothing is computed, nor rounded.
    """
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        node.GetParentTransformNode(), other.GetParentTransformNode(), transform
    )
    positions = np.full((node.GetNumberOfControlPoints(), 3), np.nan)
    for index in range(len(positions)):
        if node.GetNthControlPointPositionStatus(index) == _DEFINED:
            node.GetNthControlPointPosition(index, positions[index])
            positions[index] = transform.TransformPoint(positions[index]) * _RAS_OF_LPS
    return positions


def are_missing(node) -> list:
    """For each point whether it was said not to be there; one that waits to be placed was not."""
    missing = slicer.vtkMRMLMarkupsNode.PositionMissing
    count = node.GetNumberOfControlPoints()
    return [node.GetNthControlPointPositionStatus(index) == missing for index in range(count)]


def copy_point(source, target, index: int) -> None:
    """Give a control point the position, or the lack of one, that it has in another list."""
    position = positions_in(source, target)[index]
    if np.isfinite(position).all():
        target.SetNthControlPointPosition(index, *(position * _RAS_OF_LPS))
    else:
        make_missing(target, index)


def _style(node) -> None:
    """Small marks that do not hide what they mark, legible labels."""
    display = node.GetDisplayNode()
    display.SetGlyphTypeFromString("CrossDot2D")
    display.SetGlyphScale(2.0)
    display.SetTextScale(2.6)
    display.SetSelectedColor(0.35, 0.95, 1.0)
    display.SetActiveColor(0.4, 1.0, 0.4)
    # A landmark inside a bone has to be seen in the 3D view, too.
    display.SetOccludedVisibility(True)
    display.SetOccludedOpacity(0.7)
