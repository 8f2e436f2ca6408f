"""A word where a result, taken as a whole, is unlike all that the model knows. Needs no torch.

What single landmarks are worth is told with each (annotation/doubt.py); here is told when the image
itself, or what it shows, is the likelier reason.
"""

from __future__ import annotations

import numpy as np

from ..images.geometry import Grid
from ..model.handedness import MANY, lies_mirrored
from ..model.joint_shape import JointShape
from .agreement import Frame

# Of fewer landmarks no share is told.
_FEWEST = 4


def told_implausible(points, shape: JointShape, grid: Grid) -> str:
    """In words, that many landmarks contradict each other, and whether they do so as mirrored ones do;
    empty if they do not, or the model knows no shape.

    points: LandmarkPredictions, in the order of the shape. grid: of the coarse stage.
    """
    doubts = [point.doubt for point in points if not point.is_absent]
    odd = sum(doubt is not None and doubt.is_odd for doubt in doubts)
    if shape is None or len(doubts) < _FEWEST or odd <= MANY * len(doubts):
        return ""
    frame = Frame(shape, None, grid)
    nowhere = np.full(frame.dimension, np.nan)
    positions = [nowhere if p.is_absent else frame.of_lps(p.position_lps) for p in points]
    told = f"{odd} of {len(doubts)} landmarks are not where the others have them"
    if lies_mirrored(shape, positions):
        return (
            f"{told}, but would be in a mirror image: is an axis of the image flipped, or are its slices"
            " stacked the wrong way round?"
        )
    return (
        f"{told}: the image shows something else, or only a part of what the model was trained on."
        " Look at each landmark."
    )
