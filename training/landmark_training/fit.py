"""A training run, from folders of cases to a model file."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch

from landmark_heatmap import __version__
from landmark_heatmap.description import ModelDescription
from landmark_heatmap.errors import DatasetError, LandmarkHeatmapError
from landmark_heatmap.files import sha256_of, write_json
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
from .feed import TrainingCase
from .plan import Plan, plan_run
from .run import CHECKPOINT_NAME, MODEL_NAME, Run

RUN_RECORD = "run.json"


def fit(data, output, config: TrainConfig = None, parent_path=None, say=print) -> Path:
    """Train on the folders `data`, or continue from a model; returns the path of the new model.

    output: a new or empty folder. say: called with each line for the user.
    Ctrl-C ends the run early and keeps the best model so far. Raises LandmarkHeatmapError for data
    or settings that cannot be used, before anything is trained.
    """
    output = new_folder(output)
    job = _Job([str(Path(folder).resolve()) for folder in data], config or TrainConfig(), None)
    if parent_path is not None:
        job = replace(job, parent=str(Path(parent_path).resolve()))
    run, training, held_out = _ready(job, output, say)
    record = {
        "data": job.data,
        "started_from": job.parent,
        "config": job.config.to_json(),
        "config_in_full": run.plan.config.to_json(),
        "training_cases": [case.name for case in training],
        "validation_cases": [case.name for case in held_out],
    }
    write_json(output / RUN_RECORD, record)
    run.train(training, held_out)
    return output / MODEL_NAME


def resume(output, say=print) -> Path:
    """Go on with an interrupted run from its last epoch; returns the path of the model.

    Raises DatasetError if the folder holds no run, or its data are no longer what they were.
    """
    output = Path(output)
    try:
        record = json.loads((output / RUN_RECORD).read_text(encoding="utf-8"))
        config = TrainConfig().with_settings(record["config"], str(output / RUN_RECORD))
        job = _Job(record["data"], config, record["started_from"])
        names = record["training_cases"], record["validation_cases"]
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(f"'{output}' holds no run to go on with ({error!r}).") from error
    if not (output / CHECKPOINT_NAME).exists():
        raise DatasetError(f"'{output}' was interrupted before its first epoch; start it anew.")
    run, training, held_out = _ready(job, output, say)
    if ([c.name for c in training], [c.name for c in held_out]) != names:
        raise DatasetError(f"The data of '{output}' have changed since; start a new run.")
    run.restore()
    say(f"Going on after epoch {run.epoch} of {config.epochs}.")
    run.train(training, held_out)
    return output / MODEL_NAME


@dataclass(frozen=True)
class _Job:
    """What a run is asked to do. data: folders. parent: path of a model, or None."""

    data: list
    config: TrainConfig
    parent: str


def _ready(job: _Job, output: Path, say) -> tuple:
    """(Run, cases to train on, cases held out)."""
    config = job.config
    torch.manual_seed(config.seed)
    parent = None if job.parent is None else read_model(job.parent)
    cases, landmarks, plan = _prepared(job.data, config, parent, say)
    chosen, held_out = split_cases(len(cases), config.validation_share, config.seed)
    say(f"{len(chosen)} cases to train on, {len(held_out)} to judge by while training.")
    training = [cases[i] for i in chosen]
    network = LandmarkUNet(plan.stage.network)
    if parent is not None:
        network.load_state_dict(parent.networks[0].state_dict())
    description = _description(job.data, training, landmarks, plan, parent)
    prior = _prior(training, parent) if config.prior else None
    run = Run(plan, network, description, prior, output, say)
    return run, training, [cases[i] for i in held_out]


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
    plan = plan_run(config, images, labels, landmarks, parent and parent.description)
    for reason in plan.reasons:
        say(f"  {reason}")
    cases = [
        _training_case(case, image, label, landmarks, plan)
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


def _training_case(case, image, label, landmarks, plan: Plan) -> TrainingCase:
    prepared = prepare(image, plan.stage, plan.intensity)
    grid, dimension = prepared.grid, plan.stage.network.dimension
    ijk = grid.to_ijk(label.positions_lps(landmarks.names))
    centred = (ijk - (np.array(grid.size_ijk) - 1) / 2) * grid.spacing_mm
    absent = [label.state(name) is PointState.ABSENT for name in landmarks.names]
    heavy = plan.config.correction_weight
    weight = [heavy if name in case.corrected else 1.0 for name in landmarks.names]
    return TrainingCase(
        case.name,
        sha256_of(case.image_path)[:16],
        prepared,
        label,
        torch.from_numpy(centred[:, :dimension][:, ::-1].copy()).float(),
        torch.tensor(absent),
        torch.tensor(weight),
    )


def _prior(cases, parent: Model) -> ShapePrior:
    """The shapes of the training cases, together with those that the parent model has seen.

    Images that the parent was trained on count once, by what the parent knows of them; if all of
    those are here, the parent's shapes are not needed.
    """
    known = set(parent.description.training.get("training_images", ())) if parent else set()
    has_prior = parent is not None and parent.prior is not None
    if not has_prior or known and known <= {case.image_id for case in cases}:
        return _prior_of(cases)
    new = [case for case in cases if case.image_id not in known]
    return parent.prior.merged(_prior_of(new)) if new else parent.prior


def _prior_of(cases) -> ShapePrior:
    centred = np.array([case.centred_mm.numpy() for case in cases], dtype=float)
    return fit_prior(centred[..., ::-1])  # from array axes to i, j, k


def _description(data, cases, landmarks, plan: Plan, parent: Model) -> ModelDescription:
    """What the model file will say; epochs and metrics are filled in when it is saved."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    training = {
        "data": [Path(folder).resolve().name for folder in data],
        "cases": len(cases),
        # Which images they were, and not their names: those may say who it is.
        "training_images": [case.image_id for case in cases],
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
