"""A review that begins with a landmark set and no model, or with more landmarks than a model knows."""

from __future__ import annotations

from landmark_heatmap.annotation.landmarks import LandmarkSet
from landmark_heatmap.annotation.sets.set_file import named_set
from landmark_heatmap.errors import AnnotationError

from ..result import markups, state
from ..result.as_prediction import prediction_of
from ..result.detection_result import DetectionResult
from ..volumes import ijk_to_ras, size_ijk
from .history import history_of
from .snapshot import UNDEFINED, Snapshot

TAKING_OVER = "taking over of the earlier review"


def begin_by_hand(volume_node, landmarks: LandmarkSet, source=None) -> DetectionResult:
    """A new result of these landmarks beside the volume, in which those are not judged that `source`
    does not have; `take_over` brings what a person did in it.

    source: a DetectionResult of the same volume, which stays as it is, or None. What its model said of
    landmarks of the same names, or of former ones, is taken along, heatmaps included.
    """
    prediction = None
    if source is not None:
        source.follow_volume()
        prediction = prediction_of(source, landmarks)
    return DetectionResult.publish(volume_node, prediction, landmarks)


def set_of_list(node) -> LandmarkSet:
    """The labels and descriptions of a markups list as a landmark set, without a name: that of the list
    may be a patient's. Raises AnnotationError for a label that is empty or stands there twice.
    """
    definitions = {}
    for index in range(node.GetNumberOfControlPoints()):
        label = node.GetNthControlPointLabel(index).strip()
        if not label or label in definitions:
            problem = f"is named '{label}' as one before it" if label else "has no name"
            raise AnnotationError(
                f"Point {index + 1} of '{node.GetName()}' {problem}; name it in the module Markups."
            )
        definitions[label] = node.GetNthControlPointDescription(index).strip()
    return named_set(definitions)


def take_over(result: DetectionResult, source: DetectionResult) -> None:
    """Bring what a person placed and said in another result of the same volume to the landmarks of the
    same names, or of former ones: one step of the history, if there is anything. To be called before
    the first step."""
    before = Snapshot.take(result)
    after = _taken(result, source, before)
    if after.touched_since(before, result.landmarks.names):
        history_of(result.node).bring(result, TAKING_OVER, before, after)


def _taken(result, source, before: Snapshot) -> Snapshot:
    volume, positions = result.volume_node, before.own_ras.copy()
    theirs = markups.ras_positions_in(source.markups_node, volume)
    waiting = markups.are_waiting(source.markups_node)
    said, statuses = dict(before.said), list(before.statuses)
    theirs_known = state.read(source.node)
    their_said, their_followed, followed = theirs_known["said"], state.followed(theirs_known), {}
    status_of = source.markups_node.GetNthControlPointPositionStatus
    ever = result.landmarks.names_ever
    for there, theirs_name in enumerate(source.landmarks.names):
        name = ever.get(theirs_name)
        if name is None:
            continue
        index = result.landmarks.index(name)
        positions[index], statuses[index] = theirs[there], status_of(there)
        if waiting[there]:
            statuses[index] = UNDEFINED
        if theirs_name in their_said:
            said[name] = their_said[theirs_name]
        if theirs_name in their_followed:
            entry = their_followed[theirs_name]
            led = result.landmarks.by_names_now(dict.fromkeys(entry["because_of"]))
            followed[name] = {**entry, "because_of": list(led)}
    size = tuple(size_ijk(volume))
    affine = ijk_to_ras(volume)
    return Snapshot(positions, positions, tuple(statuses), said, affine, size, followed)
