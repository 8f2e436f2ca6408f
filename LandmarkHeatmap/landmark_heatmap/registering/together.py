"""A network and registered cases, one answer: where both agree, their mean; where not, one's word.

With few cases a network is the more exact of the two where it is right, and now and then it is on
another structure altogether; registration is seldom far off, and seldom exact. Each counts by the square
of what it expects to be off, as two measurements do: so one that knows little does not spoil the mean.
Where the two were judged on cases left out, what they expect is scaled to that (trust.py).
"""

from __future__ import annotations

import hashlib
import math

import numpy as np

from ..annotation.landmarks import LandmarkSet
from ..detection.prediction import LandmarkPrediction, Prediction, moved
from ..images.geometry import Grid, Image, in_pixels
from ..model.description import ModelIdentity
from .registrar import RegisteredStart
from .telling import told
from .trust import UNMEASURED, Trust, expected_of
from .views import dimension_of
from .votes import Combined

# The mean distance from a centre, in standard deviations along an axis.
_MEAN_DISTANCE = {2: math.sqrt(math.pi / 2), 3: math.sqrt(8 / math.pi)}
# Farther apart than so many of what both expect together, they speak of two places.
_APART = 3.0
# How much of the way between two places is believed to lie within a standard deviation.
_OF_THE_WAY = 0.25


class Together:
    """What Predictor is to a model file, for a model and the cases of a dataset.

    predictor: of the network. start: a RegisteredStart. trust: how far each can be believed. Landmarks
    that only one of them knows are told by that one alone.
    """

    def __init__(self, predictor, start: RegisteredStart, trust: Trust = UNMEASURED):
        self.predictor, self.start, self.trust = predictor, start, trust
        own = predictor.description.landmarks
        new = [m for m in start.atlas.landmarks.landmarks if m.name not in own.names]
        self.landmarks = LandmarkSet(
            (*own.landmarks, *new), own.mirror_pairs, own.name, own.midline
        )
        self.model = _Both(_identity(predictor.model.identity, start.atlas.identity))

    def __repr__(self) -> str:
        return f"Together({self.predictor!r}, {self.start!r})"

    @property
    def description(self):
        return self.predictor.description

    @property
    def device(self):
        return self.predictor.device

    @property
    def note(self) -> str:
        return self.predictor.note

    def predict(self, image: Image, progress=None, keep=None) -> Prediction:
        """As Predictor.predict and RegisteredStart.predict, whose errors it raises."""
        progress = progress or (lambda stage, fraction: None)
        network = self.predictor.predict(image, lambda s, f: progress(s, 0.3 * f), keep)
        registered = self.start.predict(image, lambda s, f: progress(s, 0.3 + 0.7 * f))
        placed, exact = image.ijk_to_lps, in_pixels(image).ijk_to_lps
        found = (moved(each, exact, placed) for each in (network, registered))
        return moved(self.joined(*found), placed, exact)

    def joined(self, network: Prediction, registered: Prediction) -> Prediction:
        """One Prediction of two of the same image, in which a voxel of what counts in px is 1 px."""
        ours, theirs = (
            {point.name: point for point in each.points} for each in (network, registered)
        )
        both = [n for n in ours if n in theirs and _are_there(ours[n], theirs[n])]
        points = {**theirs, **ours, **self._means(both, ours, theirs, registered.grid)}
        joined = tuple(points[name] for name in self.landmarks.names)
        return Prediction(self.landmarks, joined, network.grid, self.model.identity)

    def _means(self, names, ours, theirs, grid: Grid) -> dict:
        """grid: of the coarse view in which the cases were registered."""
        if not names:
            return {}
        dimension = dimension_of(grid)
        found = [together(ours[name], theirs[name], dimension, self.trust) for name in names]
        positions, covariances = map(np.array, zip(*found))
        known = {m.name: m for m in self.landmarks.landmarks}
        blur_mm = float(np.sqrt(np.min([np.trace(c) / 3 for c in covariances])))
        presences = [max(ours[name].presence, theirs[name].presence) for name in names]
        landmarks = LandmarkSet(tuple(known[name] for name in names))
        combined = Combined(positions, covariances, np.full(len(names), 2.0))
        return dict(zip(names, told(landmarks, combined, presences, grid, blur_mm)))


class _Both:
    def __init__(self, identity: ModelIdentity):
        self.identity = identity


def _are_there(one: LandmarkPrediction, other: LandmarkPrediction) -> bool:
    return not one.is_absent and not other.is_absent


def together(
    network: LandmarkPrediction,
    registered: LandmarkPrediction,
    dimension: int,
    trust: Trust = UNMEASURED,
) -> tuple:
    """(position (3,), covariance (3, 3)) of one landmark, in LPS and mm."""
    expected = (trust.network * expected_of(network), trust.registered * expected_of(registered))
    variances = [(each / _MEAN_DISTANCE[dimension]) ** 2 for each in expected]
    between = np.asarray(registered.position_lps) - network.position_lps
    share = variances[0] / (variances[0] + variances[1])
    is_apart = np.linalg.norm(between) > _APART * math.hypot(*expected)
    if is_apart:
        share = 0.0 if trust.network_apart else 1.0
    position = network.position_lps + share * between
    variance = (1 - share) * variances[0] + share * variances[1]
    # What both were said to be off, and, along the way from one to the other, what lies between.
    of_both = _OF_THE_WAY**2 if is_apart else share * (1 - share)
    return position, variance * np.eye(3) + of_both * np.outer(between, between)


def _identity(network: ModelIdentity, registered: ModelIdentity) -> ModelIdentity:
    digest = hashlib.sha256(f"{network.sha256} {registered.sha256}".encode()).hexdigest()
    name = f"{network.name} and {registered.name}"
    return ModelIdentity(name, f"{network.version}, {registered.version}", digest)
