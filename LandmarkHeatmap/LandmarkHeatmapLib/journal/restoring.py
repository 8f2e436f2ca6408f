"""From what a journal says back to a result in the scene, as one step that can be undone."""

from __future__ import annotations

import numpy as np

from landmark_heatmap.detection.prediction import Prediction
from landmark_heatmap.images.geometry import apply_affine

from ..result import markups
from ..result.as_prediction import prediction_from
from ..result.detection_result import DetectionResult
from ..review.history import history_of
from ..review.snapshot import DEFINED, MISSING, UNDEFINED, Snapshot
from ..volumes import grid_of, ijk_to_ras, size_ijk, unit_of
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


def _prediction(volume_node, beginning: Beginning) -> Prediction:
    """Without those for which no model was asked; None if it was begun by hand."""
    grid = grid_of(volume_node, unit_of(volume_node))
    told = zip(
        *(beginning.landmarks.landmarks, grid.to_lps(_ijk(beginning.predicted))),
        *(beginning.confidences, beginning.doubts),
    )
    asked = [each for each in told if each[2] is not None]
    return prediction_from(asked, grid, beginning.model)


def bring(result: DetectionResult, marks, beginning: Beginning) -> None:
    """Make the result what the marks say: one step of its history, whoever watches it meanwhile."""
    before, moment = Snapshot.take(result), moment_of(result, marks, beginning.predicted)
    history_of(result.node).bring(result, RESTORING, before, moment)


def moment_of(result, marks, marks_predicted) -> Snapshot:
    """The moment at which a result is what these marks say. marks_predicted: those of its prediction."""
    volume = result.volume_node
    affine = ijk_to_ras(volume)
    positions = apply_affine(affine, _ijk(marks))
    predicted = markups.ras_positions_in(result.predicted_node, volume)
    for index, (mark, then) in enumerate(zip(marks, marks_predicted)):
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
