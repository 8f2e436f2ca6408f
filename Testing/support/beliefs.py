"""Beliefs and doubts for predictions that were made by hand, as a calibrated model would give them."""

from dataclasses import replace

import numpy as np

from landmark_heatmap.annotation.doubt import Doubt
from landmark_heatmap.images.geometry import Image


def belief_of(probability: Image) -> Image:
    """One less the share of the probability that lies where it is more probable than here."""
    values = probability.array.ravel().astype(float)
    order = np.argsort(-values, kind="stable")
    share = np.cumsum(values[order]) / values.sum()
    belief = np.empty(len(values), np.float32)
    belief[order] = 1 - np.concatenate([[0.0], share[:-1]])
    return Image(belief.reshape(probability.array.shape), probability.ijk_to_lps, probability.unit)


def with_beliefs(prediction, doubts=(), level=0.9):
    """The prediction, each heatmap taken for a probability. doubts: name to Doubt, of some points;
    the others get one that grows from point to point."""
    doubts = dict(doubts)
    points = []
    for number, point in enumerate(prediction.points):
        length = 1.0 + 0.5 * number
        made = Doubt(length, level, 2 * length, 0.5, 0.2)
        belief = None if point.heatmap is None else belief_of(point.heatmap)
        points.append(replace(point, belief=belief, doubt=doubts.get(point.name, made)))
    return replace(prediction, points=tuple(points))
