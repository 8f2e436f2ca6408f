"""What the one node of a detection holds, and how it is read again.

The node is a vtkMRMLScriptedModuleNode. It refers to the other nodes by node references, which MRML
maps to new IDs when a scene is imported into another, and keeps the rest as a JSON parameter.
"""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np

from landmark_heatmap.annotation.doubt import Doubt
from landmark_heatmap.annotation.landmarks import LandmarkSet
from landmark_heatmap.dataset.record import Review
from landmark_heatmap.detection.prediction import Prediction
from landmark_heatmap.errors import PredictionError

from ..volumes import component_note, ijk_to_ras, size_ijk, unit_of

MODULE_NAME = "LandmarkHeatmapResult"
# Roles of the node references.
INPUT, MARKUPS, PREDICTED = "inputVolume", "landmarks", "predictedLandmarks"
COMBINED = "combinedHeatmap"
# One role a landmark: in a shared role, the others would move up when the user deletes one heatmap.
HEATMAP, BELIEF = "heatmap{index}", "belief{index}"
# The transform that the volume was under when the rest was last put beside it.
PARENT = "volumeTransform"
_PARAMETER = "state"
_VERSION = 1
# What is farther from where it followed to, in voxels, was moved since.
_FOLLOWED_VOXELS = 0.01


def points_of(landmarks: LandmarkSet, prediction) -> list:
    """Of each landmark what a Prediction says of it; None where it does not know it, or is None."""
    said = {} if prediction is None else {point.name: point for point in prediction.points}
    return [said.get(name) for name in landmarks.names]


def initial(volume_node, landmarks: LandmarkSet, prediction: Prediction = None) -> dict:
    """The state of a new result; "said" is what a person says: landmark name to Review value.

    Without a prediction there is no model, and of landmarks that it does not know no confidence.
    """
    points = points_of(landmarks, prediction)
    return {
        "version": _VERSION,
        "landmark_set": landmarks.to_json(),
        "model": None if prediction is None else prediction.model.to_json(),
        "confidences": [None if point is None else float(point.confidence) for point in points],
        "doubts": [point and point.doubt and point.doubt.to_json() for point in points],
        "image_note": component_note(volume_node),
        "volume_ijk_to_ras": ijk_to_ras(volume_node).tolist(),
        "volume_size_ijk": size_ijk(volume_node),
        "unit": unit_of(volume_node) if prediction is None else prediction.grid.unit,
        "said": {},
        "followed": {},
    }


def read(node) -> dict:
    """The state that `write` kept. Raises PredictionError if it is damaged or of a newer version."""
    try:
        document = json.loads(node.GetParameter(_PARAMETER))
        version = int(document["version"])
    except (ValueError, KeyError, TypeError) as error:
        raise PredictionError(
            f"'{node.GetName()}' is damaged ({error!r}); delete it and detect again."
        ) from error
    if version > _VERSION:
        raise PredictionError(
            f"'{node.GetName()}' was made by a newer LandmarkHeatmap (version {version});"
            " update this one."
        )
    return document


def doubts(document: dict) -> tuple:
    """A Doubt or None for each landmark; what is damaged, or of an earlier version, says nothing."""
    there = document.get("doubts")
    count = len(document["confidences"])
    if not isinstance(there, list) or len(there) != count:
        return (None,) * count
    return tuple(map(_doubt, there))


def _doubt(document):
    try:
        return None if document is None else Doubt.from_json(document)
    except ValueError:
        return None


def landmarks(node) -> LandmarkSet:
    """The landmark set of a detection. Raises PredictionError as `read` does.

    Asked for with every row and every heatmap, so it is made once for each state.
    """
    try:
        return _landmarks(node.GetParameter(_PARAMETER))
    except (ValueError, KeyError, TypeError):
        read(node)  # says what is wrong
        raise


@lru_cache(maxsize=16)
def _landmarks(text: str) -> LandmarkSet:
    document = json.loads(text)
    if int(document["version"]) > _VERSION:
        raise ValueError(document["version"])
    return LandmarkSet.from_json(document["landmark_set"])


def write(node, document: dict) -> None:
    node.SetParameter(_PARAMETER, json.dumps(document))


def followed(document: dict) -> dict:
    """Landmark name to {"ijk": voxel indices, "because_of": names}: who was moved by accepting a
    proposal, where to, and which landmarks of a person led to it. Scenes of before say nothing of it."""
    return document.get("followed", {})


def still_followed(document_followed: dict, names, positions_ijk) -> dict:
    """Name to the names because of which it is where it is, of those that are still where they followed
    to. positions_ijk: (L, 3) voxel indices of the landmarks of these names; NaN where there is none."""
    return {
        name: tuple(document_followed[name]["because_of"])
        for name, ijk in zip(names, positions_ijk)
        if name in document_followed
        and np.linalg.norm(ijk - np.array(document_followed[name]["ijk"])) <= _FOLLOWED_VOXELS
    }


def keep_followed(node, name: str, entry) -> None:
    """entry: of one landmark as in `followed`, or None to forget it."""
    document = read(node)
    known = {each: kept for each, kept in followed(document).items() if each != name}
    document["followed"] = known if entry is None else {**known, name: entry}
    write(node, document)


def told(now, then, is_missing, was_missing, said, tolerance_mm, is_following=False) -> Review:
    """The review of one landmark from its position now and as predicted; NaN where it has none.

    is_missing, was_missing: whether a person, or the model, said that it is not in the image. A point
    without a position that is not missing either waits to be placed: nothing is said yet.
    is_following: it is where a proposal has put it, which is a person's only once it is confirmed.
    What was said holds only as long as the point is where it was said of: a point that was moved
    after it was confirmed is corrected, one that was moved back is as it was.
    """
    is_there, was_there = np.isfinite(now).all(), np.isfinite(then).all()
    if is_there and is_following and said != Review.CONFIRMED.value:
        return Review.UNTOUCHED
    if is_there and was_there:
        if np.linalg.norm(now - then) > tolerance_mm:
            return Review.CORRECTED
        return Review.CONFIRMED if said == Review.CONFIRMED.value else Review.UNTOUCHED
    if is_there:
        return Review.CORRECTED
    if not is_missing:
        return Review.UNTOUCHED
    # The model had it somewhere, or was not asked.
    if not was_missing:
        return Review.MARKED_ABSENT
    return Review.UNTOUCHED if said is None else Review.CONFIRMED
