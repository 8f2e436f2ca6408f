"""From folders to what a run trains on: every case read and checked, the plan made, images prepared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.detection.prepare import intensity_window, prepare_with_window
from landmark_heatmap.errors import DatasetError, LandmarkHeatmapError
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.model.description import IntensityNormalisation
from landmark_heatmap.model.model_file import Model

from .. import parallel
from ..planning.config import TrainConfig
from ..planning.plan import Plan, device_for, plan_run
from .cases import find_cases, image_id, label_of, landmark_set_of, without_never_placed
from .feed import TrainingCase


def planned(data, config: TrainConfig, parent: Model = None, say=print, left_out=()) -> tuple:
    """([(Case, its label)], LandmarkSet, Plan): what a run on these folders would do.

    Raises DatasetError that names every case that cannot be used.
    """
    found = find_cases(data)
    if left_out:
        found = [case for case in found if image_id(case.image_path) not in left_out]
    grids, labels, bad = [], [], []
    for case in found:
        try:
            # Read to be checked, and read again when it is needed: they may not all fit into memory.
            image = read_image(case.image_path)
            intensity_window(image.array, IntensityNormalisation())
            grids.append(image.grid)
            labels.append(label_of(case.annotation, image.grid))
        except LandmarkHeatmapError as error:
            bad.append(f"{case.name}: {error}")
    if bad:
        raise DatasetError("These cases cannot be used:\n  " + "\n  ".join(bad))
    if parent is None:
        landmarks, dropped = without_never_placed(landmark_set_of(data, found), labels)
        if dropped:
            say(f"Left out, since no case has them inside its image: {', '.join(dropped)}.")
    else:
        landmarks = parent.description.landmarks
        _check_names(found, labels, landmarks)
    _tell_labels(labels, landmarks, say)
    plan = parallel.team().decided(
        lambda: plan_run(config, grids, labels, landmarks, parent and parent.description)
    )
    plan = replace(plan, device=device_for(config))
    return list(zip(found, labels)), landmarks, plan


def _check_names(cases, labels, landmarks) -> None:
    """That every landmark placed in an image is one of the model's.

    Others may be listed: those that lay outside every image were left out of the model, too.
    """
    for case, label in zip(cases, labels):
        placed = [name for name in label.names if label.state(name) is PointState.PLACED]
        unknown = [name for name in placed if name not in landmarks.names]
        if unknown:
            raise DatasetError(
                f"The case '{case.name}' has {', '.join(unknown)}, which the model to start from"
                " does not know; train a new model instead."
            )


def _tell_labels(labels, landmarks, say) -> None:
    counts = dict.fromkeys(PointState, 0)
    for label in labels:
        for name in landmarks.names:
            counts[label.state(name)] += 1
    if counts[PointState.PLACED] == 0:
        raise DatasetError("No case has a landmark that a person placed inside its image.")
    say(
        f"{len(labels)} cases, {len(landmarks)} landmarks: {counts[PointState.PLACED]} points placed,"
        f" {counts[PointState.ABSENT]} absent, {counts[PointState.UNJUDGED]} not judged."
    )


def training_case(case, label, landmarks, plan: Plan) -> TrainingCase:
    image = read_image(case.image_path)
    prepared, window = prepare_with_window(image, plan.stage, plan.intensity)
    grid, dimension = prepared.grid, plan.stage.network.dimension
    ijk = grid.to_ijk(label.positions_lps(landmarks.names))
    centred = (ijk - (np.array(grid.size_ijk) - 1) / 2) * grid.spacing_mm
    absent = [label.state(name) is PointState.ABSENT for name in landmarks.names]
    heavy = plan.config.correction_weight
    weight = [heavy if name in case.corrected else 1.0 for name in landmarks.names]
    return TrainingCase(
        case.name,
        case.image_path,
        image_id(case.image_path),
        prepared,
        label,
        torch.from_numpy(centred[:, :dimension][:, ::-1].copy()).float(),
        torch.tensor(absent),
        torch.tensor(weight),
        window,
    )
