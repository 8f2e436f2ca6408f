"""What the model had said of a result's landmarks, as a prediction again."""

from __future__ import annotations

import numpy as np

from landmark_heatmap.annotation.landmarks import LandmarkSet
from landmark_heatmap.detection.prediction import LandmarkPrediction, Prediction
from landmark_heatmap.images.geometry import RAS_TO_LPS, Grid

from ..volumes import ijk_to_ras, image_of, size_ijk


def prediction_of(result, names) -> Prediction:
    """Of those of the named landmarks for which a model was asked; None if it was for none of them.

    In the volume's own coordinates, with the heatmaps and beliefs that are still there. Where an
    absent landmark might have been is not kept: it is in the middle of the image then.
    """
    asked = zip(
        *(result.landmarks.landmarks, result.asked(), result.predicted_positions_lps()),
        *(result.confidences(), result.doubts()),
    )
    kept = [each for each in asked if each[1] and each[0].name in names]
    if result.model is None or not kept:
        return None
    grid = _grid_of(result)
    middle = grid.to_lps((np.array(grid.size_ijk) - 1) / 2)
    points = []
    for mark, _asked, position, confidence, doubt in kept:
        is_there = bool(np.isfinite(position).all())
        heatmap, belief = result.heatmap_node(mark.name), result.belief_node(mark.name)
        points.append(
            LandmarkPrediction(
                mark.name,
                position if is_there else middle,
                float(is_there),
                confidence,
                None if heatmap is None else image_of(heatmap),
                None if belief is None else image_of(belief),
                doubt,
            )
        )
    landmarks = LandmarkSet(tuple(mark for mark, *_rest in kept))
    return Prediction(landmarks, tuple(points), grid, result.model)


def _grid_of(result) -> Grid:
    """That of the combined heatmap; of the image where it was deleted."""
    node = result.combined_node or result.volume_node
    return Grid(tuple(size_ijk(node)), RAS_TO_LPS @ ijk_to_ras(node), result.unit)
