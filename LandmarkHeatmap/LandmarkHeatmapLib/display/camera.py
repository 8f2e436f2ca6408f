"""Where the 3D views look."""

from __future__ import annotations

import numpy as np

from .views import is_flat, nodes_of_class

# What is around the landmarks is seen, too; and of a single one, this share of the image.
_AIR, _LEAST = 1.35, 0.1


def look_at_landmarks(result) -> bool:
    """Let all 3D views look at all landmarks of a result, from the front, with their surroundings.

    The front is anterior, up is superior. Returns False, and does nothing, for a flat image, and
    where no landmark has a place.
    """
    positions = world_positions_of(result)
    if is_flat(result.volume_node) or not len(positions):
        return False
    bounds = np.zeros(6)
    result.volume_node.GetRASBounds(bounds)
    whole = np.linalg.norm(bounds[1::2] - bounds[::2])
    centre = (positions.min(axis=0) + positions.max(axis=0)) / 2
    radius = np.linalg.norm(positions - centre, axis=1).max()
    radius = max(_AIR * radius, _LEAST * whole / 2)
    for camera in nodes_of_class(result.scene, "vtkMRMLCameraNode"):
        _look(camera, centre, radius)
    return True


def world_positions_of(result) -> np.ndarray:
    """(N, 3) of the landmarks that have a place, in world RAS, mm."""
    node, found = result.markups_node, []
    for index in range(node.GetNumberOfControlPoints()):
        if node.GetNthControlPointPositionStatus(index) == node.PositionDefined:
            found.append(np.empty(3))
            node.GetNthControlPointPositionWorld(index, found[-1])
    return np.array(found).reshape(-1, 3)


def _look(node, centre, radius: float) -> None:
    distance = radius / np.sin(np.radians(node.GetViewAngle() / 2))
    modifying = node.StartModify()
    node.SetFocalPoint(*centre)
    node.SetPosition(*(centre + [0, distance, 0]))
    node.SetViewUp(0, 0, 1)
    node.SetParallelScale(radius)
    node.EndModify(modifying)
    node.ResetClippingRange()
