"""How far what a network and registered cases say can be trusted, measured on cases left out.

Each says of each landmark how far off it may be, and with few cases that is a guess. Where a person has
judged cases that neither has learnt from, the guess is scaled to what came of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..detection.prediction import LandmarkPrediction

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


def measured(network, registered) -> Trust:
    """Trust from what was judged: of each two equally long lists of (LandmarkPrediction, true position in
    LPS and mm)."""
    if not network:
        return UNMEASURED
    ours, ours_lost = _scale_and_lost(network, UNMEASURED.network)
    theirs, theirs_lost = _scale_and_lost(registered, UNMEASURED.registered)
    return Trust(ours, theirs, len(network), network_apart=ours_lost < theirs_lost)


def expected_of(point: LandmarkPrediction) -> float:
    """mm; of a model that does not say, the width of its marker."""
    if point.doubt is not None:
        return max(point.doubt.expected_mm, 1e-6)
    return max(point.sigma_mm or 1.0, 1e-6)


def _scale_and_lost(pairs, guess: float) -> tuple:
    errors = np.array([np.linalg.norm(point.position_lps - truth) for point, truth in pairs])
    expected = np.array([expected_of(point) for point, _ in pairs])
    ratio = max(float(np.median(errors / expected)) / _MEDIAN_OF_MEAN, 1e-3)
    known = len(pairs) / (len(pairs) + _GUESSED)
    scale = math.exp(known * math.log(ratio) + (1 - known) * math.log(guess))
    return scale, float(np.mean(errors > _LOST * scale * expected))
