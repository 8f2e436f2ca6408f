"""What the lines of a journal say: first of what it is a review, then what each step changed.

Positions are voxel indices (i, j, k) of the image, so that they hold wherever the volume is put.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np

from landmark_heatmap.annotation.landmarks import LandmarkSet
from landmark_heatmap.dataset.record import Review
from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.images.geometry import apply_affine
from landmark_heatmap.model.description import ModelIdentity

from ..result import markups, state
from ..review.snapshot import MISSING, Snapshot
from ..volumes import ijk_to_ras
from .image_key import digest_of, shape_of

_SCHEMA, _VERSION = "landmark-heatmap-journal", 1
_DECIMALS = 6
_SAID = {None, *(review.value for review in Review)}


@dataclass(frozen=True)
class Mark:
    """One landmark at one moment. ijk: (3,) voxel indices, None without a position. is_missing:
    said not to be there. said: the Review value that a person gave it, or None. followed: the names
    because of which an accepted proposal has put it there; empty if none has."""

    ijk: tuple = None
    is_missing: bool = False
    said: str = None
    followed: tuple = ()

    def to_json(self) -> list:
        return [None if self.ijk is None else list(self.ijk), self.is_missing, self.said]

    @classmethod
    def from_json(cls, document, followed=()) -> Mark:
        """Raises ValueError or TypeError for a document that is none."""
        ijk, is_missing, said = document
        if ijk is not None:
            ijk = tuple(map(float, ijk))
            if len(ijk) != 3 or not np.isfinite(ijk).all():
                raise ValueError(ijk)
        if not isinstance(is_missing, bool) or said not in _SAID or (is_missing and ijk):
            raise ValueError(document)
        if not isinstance(followed, (list, tuple)) or not all(isinstance(f, str) for f in followed):
            raise ValueError(followed)
        return cls(ijk, is_missing, said, tuple(followed))


@dataclass(frozen=True)
class Beginning:
    """The first line: the image, and the detection that is under review.

    predicted: a Mark for each landmark, as the model had put them. doubts: a Doubt for each, or None.
    model: None for what was begun by hand; confidences: None where no model was asked.
    """

    created: str
    shape: dict
    digest: str
    landmarks: LandmarkSet
    model: ModelIdentity
    confidences: tuple
    predicted: tuple
    doubts: tuple

    @classmethod
    def of(cls, result) -> Beginning:
        node, volume = result.predicted_node, result.volume_node
        positions = markups.ras_positions_in(node, volume)
        return cls(
            datetime.now(timezone.utc).isoformat(timespec="seconds"),
            shape_of(volume),
            digest_of(volume),
            result.landmarks,
            result.model,
            tuple(map(result.confidence, result.landmarks.names)),
            _marks(positions, markups.are_missing(node), {}, ijk_to_ras(volume), result.landmarks),
            result.doubts(),
        )

    def to_json(self) -> dict:
        return {
            "schema": _SCHEMA,
            "schema_version": _VERSION,
            "created": self.created,
            "image": {**self.shape, "voxels_sha256": self.digest},
            "landmark_set": self.landmarks.to_json(),
            "model": None if self.model is None else self.model.to_json(),
            "confidences": list(self.confidences),
            "doubts": [doubt and doubt.to_json() for doubt in self.doubts],
            "predicted": [mark.to_json() for mark in self.predicted],
        }

    @classmethod
    def from_json(cls, document: dict):
        """None for a line that is not the first of a journal that this program can read."""
        try:
            if document["schema"] != _SCHEMA or document["schema_version"] != _VERSION:
                return None
            landmarks = LandmarkSet.from_json(document["landmark_set"])
            model = _model(document["model"])
            confidences = tuple(None if c is None else float(c) for c in document["confidences"])
            predicted = tuple(map(Mark.from_json, document["predicted"]))
            doubts = state.doubts(document)
            image = dict(document["image"])
            digest = str(image.pop("voxels_sha256"))
            created = datetime.fromisoformat(document["created"]).isoformat()
        except (KeyError, TypeError, ValueError, AttributeError, LandmarkHeatmapError):
            return None
        if not len(landmarks) == len(predicted) == len(confidences):
            return None
        if not np.isfinite([each for each in confidences if each is not None]).all():
            return None
        return cls(created, image, digest, landmarks, model, confidences, predicted, doubts)


def _model(document):
    if document is None:
        return None
    return ModelIdentity(**{key: str(value) for key, value in document.items()})


def marks_of(moment: Snapshot, landmarks: LandmarkSet) -> tuple:
    """A Mark for each landmark at a moment of its review."""
    missing = [status == MISSING for status in moment.statuses]
    known = moment.in_volume_ras, missing, moment.said, moment.volume_ijk_to_ras, landmarks
    return _marks(*known, moment.followed)


def _marks(positions_ras, missing, said, ijk_to_ras, landmarks, followed=None) -> tuple:
    ijk = apply_affine(np.linalg.inv(ijk_to_ras), positions_ras)
    because_of = state.still_followed(followed or {}, landmarks.names, ijk)
    return tuple(
        Mark(
            tuple(round(float(value), _DECIMALS) + 0.0 for value in place)
            if np.isfinite(place).all()
            else None,
            bool(is_missing),
            said.get(name),
            because_of.get(name, ()),
        )
        for name, place, is_missing in zip(landmarks.names, ijk, missing)
    )


def step_json(what: str, marks, before, landmarks: LandmarkSet) -> dict:
    """The line of one step: the landmarks that differ from before, and which of them followed others."""
    changed = {
        name: mark for name, mark, earlier in zip(landmarks.names, marks, before) if mark != earlier
    }
    followed = {name: list(mark.followed) for name, mark in changed.items() if mark.followed}
    line = {"step": what, "marks": {name: mark.to_json() for name, mark in changed.items()}}
    return {**line, "followed": followed} if followed else line


def apply_step(document: dict, marks, landmarks: LandmarkSet):
    """The marks after the step of a line, or None if the line says nothing that can be used."""
    changed, followed = document.get("marks"), document.get("followed", {})
    if not isinstance(changed, dict) or not set(changed) <= set(landmarks.names):
        return None
    if not isinstance(followed, dict):
        return None
    try:
        read = {
            name: Mark.from_json(each, followed.get(name, ())) for name, each in changed.items()
        }
    except (TypeError, ValueError):
        return None
    return tuple(read.get(name, mark) for name, mark in zip(landmarks.names, marks))
