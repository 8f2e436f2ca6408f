"""Where labels stand beside their points, so that they lie neither on each other nor on points."""

from __future__ import annotations

import numpy as np

# How far a label may stand from its point, in typographic points; the nearest free place is taken.
_DISTANCES = (5.0, 9.0, 14.0, 20.0, 28.0, 38.0)
# Up to here one sees which point is meant.
NEAR, FARTHEST = 10.0, _DISTANCES[-1]
_HALF_RING = 4.0
# Right, left, up, down and the corners between: the unit of each, y down.
_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1))


def place_labels(points, sizes, panel, reserved=(), farthest: float = FARTHEST) -> tuple:
    """(centres of the labels (N, 2), whether every one stands free).

    points: (N, 2), x right and y down from the panel's upper left corner; sizes: (N, 2), width and
    height of each label; panel: (width, height); reserved: boxes (left, top, right, bottom) where no
    label belongs; farthest: that a label may stand from its point; all in typographic points. A label
    for which there is no free place stands where it hides least.
    """
    points, sizes = np.reshape(points, (-1, 2)), np.reshape(sizes, (-1, 2))
    rings = np.hstack([points - _HALF_RING, points + _HALF_RING])
    taken, centres, all_free = [*rings, *reserved], np.zeros_like(points, dtype=float), True
    # Where it is crowded there is least to choose from.
    near = np.linalg.norm(points[:, None] - points, axis=-1) < 2 * FARTHEST
    for index in np.argsort(-near.sum(1), kind="stable"):
        places = _places(points[index], sizes[index], farthest)
        boxes = np.hstack([places - sizes[index] / 2, places + sizes[index] / 2])
        hidden = _overlaps(boxes, np.array(taken)) + _outside(boxes, panel)
        best = int(np.argmin(hidden))
        all_free = all_free and hidden[best] == 0
        centres[index] = places[best]
        taken.append(boxes[best])
    return centres, all_free


def _places(point, size, farthest: float) -> np.ndarray:
    """The centres that a label may have, (M, 2), nearest first."""
    return np.array(
        [
            point + np.array(direction) * (distance + size / 2)
            for distance in _DISTANCES
            if distance <= farthest
            for direction in _DIRECTIONS
        ]
    )


def _overlaps(boxes, others) -> np.ndarray:
    """(M,), the area of each box that lies on any other. Boxes: left, top, right, bottom."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.clip(high - low, 0, None).prod(-1).sum(1)


def _outside(boxes, panel) -> np.ndarray:
    """(M,), the area of each box that lies outside the panel."""
    inside = np.clip(np.minimum(boxes[:, 2:], panel) - np.maximum(boxes[:, :2], 0), 0, None)
    return (boxes[:, 2:] - boxes[:, :2]).prod(-1) - inside.prod(-1)
