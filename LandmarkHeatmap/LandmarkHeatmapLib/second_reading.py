"""Another person's reading of a case beside the one under review: shown, measured, taken."""

from __future__ import annotations

import numpy as np

from landmark_heatmap.annotation.landmarks import Annotation, PointState
from landmark_heatmap.dataset.record import Review
from landmark_heatmap.detection.prediction import LandmarkPrediction
from landmark_heatmap.images.geometry import PX

from .display.views import is_flat
from .result import markups
from .result.detection_result import DetectionResult
from .volumes import grid_of

# The other's points: seen apart from one's own at once.
_COLOUR = (1.0, 0.6, 0.1)


def distances(result: DetectionResult, reading: Annotation) -> dict:
    """Landmark name to how far apart the two have it, in the result's unit: of those that both have
    placed; NaN where one of them has no place for it. What the other has not judged is left out.

    reading: in the volume's own coordinates, of `case_at_work.in_volume`.
    """
    grid, mine, found = grid_of(result.volume_node, result.unit), result.positions_lps(), {}
    for name, place in zip(result.landmarks.names, mine):
        if name in reading.points:
            theirs = reading.position_lps(name)
            both = np.array([place, [np.nan] * 3 if theirs is None else theirs])
            both = grid.to_ijk(both) if result.unit == PX else both
            found[name] = float(np.linalg.norm(both[0] - both[1]))
    return found


def take(result: DetectionResult, reading: Annotation, names, share: float = 1.0) -> list:
    """Bring landmarks to where the other has them (share 1), or to the mean of the two (share .5);
    returns the names of those that could be.

    Where the other says that one is absent, it is marked so; a mean needs two places. Each is a
    judgement of whoever does it, as a drag is, and can be undone.
    """
    taken = []
    for name in names:
        if name not in reading.points:
            continue
        mine = result.positions_lps()[result.landmarks.index(name)]
        if reading.state(name) is PointState.ABSENT:
            if share == 1:
                result.mark_absent(name)
                taken.append(name)
            continue
        if share < 1 and not np.isfinite(mine).all():
            continue
        theirs = np.asarray(reading.position_lps(name))
        place = theirs if share == 1 else mine + share * (theirs - mine)
        result.move(name, markups.world_of(result.volume_node, place))
        if result.review(name) is Review.UNTOUCHED:
            result.confirm(name)  # it was there already
        taken.append(name)
    return taken


def show_reading(result: DetectionResult, reading: Annotation, name: str):
    """A locked list with the other's points beside the volume, which is saved with no scene; returns its
    node, to be removed when it is not wanted any more."""
    volume, placed = result.volume_node, []
    for landmark in result.landmarks.names:
        position = reading.position_lps(landmark) if landmark in reading.points else None
        if position is not None:
            placed.append(LandmarkPrediction(landmark, np.asarray(position), 1.0, 1.0, None))
        else:
            placed.append(None)
    scene = volume.GetScene()
    node = markups.add_list(scene, name, result.landmarks, placed, is_flat(volume))
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    node.SetLocked(True)
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    node.GetDisplayNode().SetSelectedColor(*_COLOUR)
    node.GetDisplayNode().SetPointLabelsVisibility(False)
    markups.show(node, True)
    return node
