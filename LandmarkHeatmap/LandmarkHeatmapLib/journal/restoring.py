"""From what a journal says back to a result in the scene, as one step that can be undone."""

from __future__ import annotations

import numpy as np

from landmark_heatmap.annotation.landmarks import LandmarkSet
from landmark_heatmap.detection.prediction import LandmarkPrediction, Prediction
from landmark_heatmap.images.geometry import RAS_TO_LPS, Grid, apply_affine

from ..result import markups
from ..result.detection_result import DetectionResult
from ..review.history import Step, history_of
from ..review.snapshot import DEFINED, MISSING, UNDEFINED, Snapshot
from ..volumes import ijk_to_ras, size_ijk, unit_of
from .document import Beginning

RESTORING = "restoring of the review"
# The same model gives the same points on another processor to within this, in voxels.
_SAME_VOXELS = 0.1


def result_to_restore_to(volume_node, beginning: Beginning) -> DetectionResult:
    """The volume's newest result of the same prediction; if there is none, one without heatmaps."""
    for result in reversed(DetectionResult.all(volume_node.GetScene())):
        if result.volume_node is volume_node and _is_of(result, beginning):
            return result
    prediction = _prediction(volume_node, beginning)
    return DetectionResult.publish(volume_node, prediction, beginning.landmarks)


def _is_of(result: DetectionResult, beginning: Beginning) -> bool:
    if result.model != beginning.model or result.landmarks.names != beginning.landmarks.names:
        return False
    predicted = Beginning.of(result).predicted
    if [each.is_missing for each in predicted] != [each.is_missing for each in beginning.predicted]:
        return False
    now, then = _ijk(predicted), _ijk(beginning.predicted)
    apart = np.linalg.norm(now - then, axis=1)
    return bool((np.isnan(now) == np.isnan(then)).all() and not (apart > _SAME_VOXELS).any())


def _ijk(marks) -> np.ndarray:
    """(L, 3), NaN for marks without a position."""
    return np.array([(np.nan,) * 3 if mark.ijk is None else mark.ijk for mark in marks])


def _prediction(volume_node, beginning: Beginning):
    """The Prediction, without those for which no model was asked; None if it was begun by hand."""
    if beginning.model is None:
        return None
    affine = RAS_TO_LPS @ ijk_to_ras(volume_node)
    grid = Grid(tuple(size_ijk(volume_node)), affine, unit_of(volume_node))
    # Where an absent landmark might have been is not in a journal, and nobody is shown it.
    middle = (np.array(grid.size_ijk) - 1) / 2
    landmarks, places, confidences, doubts = zip(
        *(
            each
            for each in zip(
                beginning.landmarks.landmarks,
                beginning.predicted,
                beginning.confidences,
                beginning.doubts,
            )
            if each[2] is not None
        )
    )
    points = tuple(
        LandmarkPrediction(
            mark.name,
            grid.to_lps(middle if place.ijk is None else np.array(place.ijk)),
            float(place.ijk is not None),
            confidence,
            None,
            doubt=doubt,
        )
        for mark, place, confidence, doubt in zip(landmarks, places, confidences, doubts)
    )
    return Prediction(LandmarkSet(landmarks), points, grid, beginning.model)


def bring(result: DetectionResult, marks, beginning: Beginning) -> None:
    """Make the result what the marks say: one step of its history, whoever watches it meanwhile."""
    history, node = history_of(result.node), result.markups_node
    before = Snapshot.take(result)
    moment = _moment(result, marks, beginning)
    # Who watches hears of it when all is done, and finds a step that is in the history already.
    modifying = [(each, each.StartModify()) for each in (result.node, node)]
    try:
        moment.put_back(result)
        history.add(Step(RESTORING, before, Snapshot.take(result)))
    finally:
        for each, was in modifying:
            each.EndModify(was)


def _moment(result: DetectionResult, marks, beginning: Beginning) -> Snapshot:
    volume = result.volume_node
    affine = ijk_to_ras(volume)
    positions = apply_affine(affine, _ijk(marks))
    predicted = markups.ras_positions_in(result.predicted_node, volume)
    for index, (mark, then) in enumerate(zip(marks, beginning.predicted)):
        # To the last bit where the model put it: what nobody moved has not moved.
        if mark.ijk == then.ijk:
            positions[index] = predicted[index]
    statuses = tuple(
        MISSING if mark.is_missing else (UNDEFINED if mark.ijk is None else DEFINED)
        for mark in marks
    )
    said = {
        name: mark.said
        for name, mark in zip(result.landmarks.names, marks)
        if mark.said is not None
    }
    followed = {
        name: {"ijk": list(mark.ijk), "because_of": list(mark.followed)}
        for name, mark in zip(result.landmarks.names, marks)
        if mark.followed and mark.ijk is not None
    }
    size = tuple(size_ijk(volume))
    return Snapshot(positions, positions, statuses, said, affine, size, followed)
