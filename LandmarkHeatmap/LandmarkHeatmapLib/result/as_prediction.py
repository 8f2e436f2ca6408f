"""What a model had said of landmarks, as a prediction again: of a result, or of what was kept of one."""

from __future__ import annotations

import numpy as np

from landmark_heatmap.annotation.landmarks import LandmarkSet
from landmark_heatmap.detection.prediction import LandmarkPrediction, Prediction
from landmark_heatmap.images.geometry import Grid
from landmark_heatmap.model.description import ModelIdentity

from ..volumes import grid_of, image_of


def prediction_of(result, landmarks: LandmarkSet) -> Prediction:
    """Of those of the landmarks, by their names or former ones, for which a model was asked; None if it
    was for none of them.

    In the volume's own coordinates, with the heatmaps and beliefs that are still there.
    """
    asked = zip(
        *(result.landmarks.landmarks, result.asked(), result.predicted_positions_lps()),
        *(result.confidences(), result.doubts()),
    )
    known, ever = [], landmarks.names_ever
    for mark, is_asked, position, confidence, doubt in asked:
        now = ever.get(mark.name)
        if is_asked and now is not None:
            nodes = result.heatmap_node(mark.name), result.belief_node(mark.name)
            images = (None if node is None else image_of(node) for node in nodes)
            mark = landmarks.landmarks[landmarks.index(now)]
            known.append((mark, position, confidence, doubt, *images))
    # Where the combined heatmap was deleted, as the image has it.
    grid = grid_of(result.combined_node or result.volume_node, result.unit)
    return prediction_from(known, grid, result.model)


def prediction_from(known, grid: Grid, model: ModelIdentity) -> Prediction:
    """known: of each landmark for which the model was asked (Landmark, position (3,) in LPS, confidence,
    Doubt or None), and if they were kept its heatmap and belief; None for none of them, or no model.

    Where an absent landmark might have been is not kept, its position is NaN: it is in the middle of
    the image then.
    """
    if model is None or not known:
        return None
    middle = grid.to_lps((np.array(grid.size_ijk) - 1) / 2)
    points = []
    for mark, position, confidence, doubt, *images in known:
        heatmap, belief = images or (None, None)
        is_there = bool(np.isfinite(position).all())
        place = position if is_there else middle
        points.append(
            LandmarkPrediction(
                mark.name, place, float(is_there), confidence, heatmap, belief, doubt
            )
        )
    landmarks = LandmarkSet(tuple(mark for mark, *_rest in known))
    return Prediction(landmarks, tuple(points), grid, model)
