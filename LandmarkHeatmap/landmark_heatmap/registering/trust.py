"""How far what a network and registered cases say can be trusted, measured on cases left out.

Each says of each landmark how far off it may be, and with few cases that is a guess. Where a person has
judged cases that neither has learnt from, the guess is scaled to what came of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..annotation.landmarks import Annotation
from ..detection.prediction import LandmarkPrediction, Prediction

# Of distances that are normal along each axis, the median is so much of the mean, in 2D and 3D.
_MEDIAN_OF_MEAN = 0.95
# A guess counts as much as so many landmarks that were judged.
_GUESSED = 10
# Farther off than so many times what is usual, one spoke of another place.
_LOST = 5.0


@dataclass(frozen=True)
class Trust:
    """What `expected_mm` of each has to be multiplied by. landmarks: on how many it was measured, 0 for a
    guess. network_apart: where the two speak of different places, the network is the one to believe."""

    network: float = 1.0
    registered: float = 1.0
    landmarks: int = 0
    network_apart: bool = False


# A network of few cases knows least how far off it is, and registered cases expect too much rather than
# too little (training/BENCHMARKS.md): while nobody has judged them, the cases are the ones to believe.
UNMEASURED = Trust(network=2.0)


def judged(network: Prediction, registered: Prediction, label: Annotation) -> list:
    """What both say of one image, held against a person's word, in mm: for each landmark that both see
    and that is placed, (how far off the network is, how far it expected to be, the same two of the
    cases)."""
    ours, theirs = (
        {point.name: point for point in each.points if not point.is_absent}
        for each in (network, registered)
    )
    truths = {name: label.position_lps(name) for name in ours if name in theirs}
    return [
        (*_off(ours[name], truth), *_off(theirs[name], truth))
        for name, truth in truths.items()
        if truth is not None
    ]


def measured(judgements) -> Trust:
    """Trust from what was judged, in any number of images (see `judged`)."""
    judgements = np.array(list(judgements))
    if not len(judgements):
        return UNMEASURED
    ours, ours_lost = _scale_and_lost(*judgements.T[:2], UNMEASURED.network)
    theirs, theirs_lost = _scale_and_lost(*judgements.T[2:], UNMEASURED.registered)
    return Trust(ours, theirs, len(judgements), network_apart=ours_lost < theirs_lost)


def expected_of(point: LandmarkPrediction) -> float:
    """mm; of a model that does not say, the width of its marker."""
    if point.doubt is not None:
        return max(point.doubt.expected_mm, 1e-6)
    return max(point.sigma_mm or 1.0, 1e-6)


def _off(point: LandmarkPrediction, truth) -> tuple:
    return float(np.linalg.norm(point.position_lps - truth)), expected_of(point)


def _scale_and_lost(errors, expected, guess: float) -> tuple:
    ratio = max(float(np.median(errors / expected)) / _MEDIAN_OF_MEAN, 1e-3)
    known = len(errors) / (len(errors) + _GUESSED)
    scale = math.exp(known * math.log(ratio) + (1 - known) * math.log(guess))
    return scale, float(np.mean(errors > _LOST * scale * expected))
