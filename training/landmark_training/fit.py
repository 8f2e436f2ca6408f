"""A training run, from folders of cases to a model file."""

from __future__ import annotations

import platform
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch

from landmark_heatmap import __version__
from landmark_heatmap.description import ModelDescription
from landmark_heatmap.errors import DatasetError, LandmarkHeatmapError
from landmark_heatmap.files import write_json
from landmark_heatmap.imageio import read_image
from landmark_heatmap.landmarks import PointState
from landmark_heatmap.model_file import Model, read_model
from landmark_heatmap.network import LandmarkUNet
from landmark_heatmap.predict import prepare
from landmark_heatmap.prior import ShapePrior, fit_prior

from .config import TrainConfig
from .data import (
    find_cases,
    label_of,
    landmark_set_of,
    new_folder,
    split_cases,
    without_never_placed,
)
from .plan import Plan, plan_run
from .run import MODEL_NAME, Run, TrainingCase


def fit(data, output, config: TrainConfig = None, parent_path=None, say=print) -> Path:
    """Train on the folders `data`, or continue from a model; returns the path of the new model.

    output: a new or empty folder. say: called with each line for the user.
    Ctrl-C ends the run early and keeps the best model so far. Raises LandmarkHeatmapError for data
    or settings that cannot be used, before anything is trained.
    """
    config = config or TrainConfig()
    output = new_folder(output)
    torch.manual_seed(config.seed)
    parent = None if parent_path is None else read_model(parent_path)
    cases, landmarks, plan = _prepared(data, config, parent, say)
    training, held_out = split_cases(len(cases), config.validation_share, config.seed)
    say(f"{len(training)} cases to train on, {len(held_out)} to judge by while training.")
    network = LandmarkUNet(plan.stage.network)
    if parent is not None:
        network.load_state_dict(parent.networks[0].state_dict())
    names = [case.name for case in cases]
    record = {
        "config": plan.config.to_json(),
        "training_cases": [names[i] for i in training],
        "validation_cases": [names[i] for i in held_out],
    }
    write_json(output / "run.json", record)
    description = _description(data, len(cases), landmarks, plan, parent)
    prior = _prior([cases[i] for i in training], parent)
    run = Run(plan, network, description, prior, output, say)
    run.train([cases[i] for i in training], [cases[i] for i in held_out])
    return output / MODEL_NAME


def _prepared(data, config: TrainConfig, parent: Model, say) -> tuple:
    """(TrainingCases, LandmarkSet, Plan). Every bad case is named at once, not the first alone."""
    found = find_cases(data)
    images, labels, bad = [], [], []
    for case in found:
        try:
            image = read_image(case.image_path)
            images.append(image)
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
    plan = plan_run(config, images, landmarks, parent and parent.description)
    for reason in plan.reasons:
        say(f"  {reason}")
    cases = [
        _training_case(case.name, image, label, landmarks, plan)
        for case, image, label in zip(found, images, labels)
    ]
    return cases, landmarks, plan


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


def _training_case(name, image, label, landmarks, plan: Plan) -> TrainingCase:
    prepared = prepare(image, plan.stage, plan.intensity)
    grid, dimension = prepared.grid, plan.stage.network.dimension
    ijk = grid.to_ijk(label.positions_lps(landmarks.names))
    centred = (ijk - (np.array(grid.size_ijk) - 1) / 2) * grid.spacing_mm
    absent = [label.state(name) is PointState.ABSENT for name in landmarks.names]
    return TrainingCase(
        name,
        prepared,
        label,
        torch.from_numpy(centred[:, :dimension][:, ::-1].copy()).float(),
        torch.tensor(absent),
    )


def _prior(cases, parent: Model) -> ShapePrior:
    """The shapes of the training cases, together with those that the parent model has seen."""
    centred = np.array([case.centred_mm.numpy() for case in cases], dtype=float)
    prior = fit_prior(centred[..., ::-1])  # from array axes to i, j, k
    if parent is not None and parent.prior is not None:
        prior = parent.prior.merged(prior)
    return prior


def _description(data, count, landmarks, plan: Plan, parent: Model) -> ModelDescription:
    """What the model file will say; epochs and metrics are filled in when it is saved."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    training = {
        "data": [Path(folder).resolve().name for folder in data],
        "cases": count,
        "started_from": None if parent is None else parent.identity.to_json(),
        "config": plan.config.to_json(),
        "software": f"LandmarkHeatmap {__version__}, torch {torch.__version__},"
        f" Python {platform.python_version()}",
    }
    old = parent.description if parent else None
    return ModelDescription(
        name=plan.config.name or (old.name if old else landmarks.name or training["data"][0]),
        version=plan.config.version,
        licence=plan.config.licence or (old.licence if old else ""),
        text=old.text if old else "",
        created=now,
        landmarks=landmarks,
        intensity=plan.intensity,
        stages=(plan.stage,),
        training=training,
    )
