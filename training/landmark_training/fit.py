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
from landmark_heatmap.description import IntensityNormalisation, ModelDescription
from landmark_heatmap.errors import DatasetError, LandmarkHeatmapError
from landmark_heatmap.files import write_json
from landmark_heatmap.imageio import read_image
from landmark_heatmap.landmarks import PointState
from landmark_heatmap.model_file import Model, read_model
from landmark_heatmap.network import network_for
from landmark_heatmap.pose import align
from landmark_heatmap.prepare import intensity_window, prepare_with_window
from landmark_heatmap.prior import ShapePrior, fit_prior

from . import parallel
from .coarse import CoarseTask
from .comparison import compare
from .config import TrainConfig
from .data import (
    check_free,
    find_cases,
    image_id,
    label_of,
    landmark_set_of,
    new_folder,
    split_cases,
    without_never_placed,
)
from .feed import TrainingCase
from .fine import FineTask, fine_case
from .judge import How, judge, told_apart
from .model import ModelWriter
from .plan import ANY_POSE_DEGREES, Plan, device_for, plan_run
from .run import Run

RUN_RECORD, COMPARISON_RECORD = "run.json", "comparison.json"


def fit(data, output, config: TrainConfig = None, parent_path=None, say=print, left_out=()) -> Path:
    """Train on the folders `data`, or continue from a model; returns the path of the new model.

    output: a new or empty folder. say: called with each line for the user. left_out: image ids
    (data.image_id) of cases that this run is not to see at all.
    Ctrl-C ends the run early and keeps the best model so far. Raises LandmarkHeatmapError for data
    or settings that cannot be used, before anything is trained.
    """
    team = parallel.team()
    say = team.voice(say)
    team.decided(lambda: check_free(output))
    job = _Job([str(Path(folder).resolve()) for folder in data], config or TrainConfig(), None)
    job = replace(job, left_out=tuple(left_out))
    if parent_path is not None:
        job = replace(job, parent=str(Path(parent_path).resolve()))
    ready = _ready(job, Path(output), say)
    record = {
        "data": job.data,
        "started_from": job.parent,
        "left_out": list(job.left_out),
        "config": job.config.to_json(),
        "config_in_full": ready.plan.config.to_json(),
        "training_cases": [case.name for case in ready.training],
        "validation_cases": [case.name for case in ready.held_out],
    }
    # Made so late, the folder is not in the way if the data have to be mended first.
    if team.is_first:
        write_json(new_folder(output) / RUN_RECORD, record)
    return _finished(job, _trained(ready, say), ready.held_out, say)


def resume(output, say=print) -> Path:
    """Go on with an interrupted run from its last epoch; returns the path of the model.

    Raises DatasetError if the folder holds no run, or its data are no longer what they were.
    """
    output, say = Path(output), parallel.team().voice(say)
    try:
        record = json.loads((output / RUN_RECORD).read_text(encoding="utf-8"))
        # In full: what was measured when it began might be measured differently now.
        config = TrainConfig().with_settings(record["config_in_full"], str(output / RUN_RECORD))
        left_out = tuple(record.get("left_out", ()))
        job = _Job(record["data"], config, record["started_from"], left_out)
        names = record["training_cases"], record["validation_cases"]
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(f"'{output}' holds no run to go on with ({error!r}).") from error
    ready = _ready(job, output, say)
    if ([c.name for c in ready.training], [c.name for c in ready.held_out]) != names:
        raise DatasetError(f"The data of '{output}' have changed since; start a new run.")
    return _finished(job, _trained(ready, say), ready.held_out, say)


@dataclass(frozen=True)
class _Job:
    """What a run is asked to do. data: folders. parent: path of a model, or None. left_out: ids of
    images that are not to be seen."""

    data: list
    config: TrainConfig
    parent: str
    left_out: tuple = ()


@dataclass(frozen=True)
class _Ready:
    """All that a run needs. networks: of each stage, as they start."""

    plan: Plan
    networks: list
    training: list
    held_out: list
    writer: ModelWriter


def _ready(job: _Job, output: Path, say) -> _Ready:
    config = job.config
    parent = None if job.parent is None else read_model(job.parent)
    if parent is not None and parent.description.members > 1:
        raise DatasetError(
            f"'{job.parent}' is an ensemble of {parent.description.members} models; start from one of"
            " those it was made of."
        )
    cases, landmarks, plan = _prepared(job, parent, say)
    chosen, held_out = split_cases(len(cases), config.validation_share, config.seed)
    say(f"{len(chosen)} cases to train on, {len(held_out)} to judge by while training.")
    training = [cases[i] for i in chosen]
    # Whatever drew at random before, the weights start alike, in every process.
    torch.manual_seed(config.seed)
    networks = [network_for(stage) for stage in (plan.stage, plan.fine) if stage is not None]
    for index, network in enumerate(networks if parent is not None else ()):
        network.load_state_dict(parent.networks[index].state_dict())
    judged = [cases[i] for i in held_out]
    description = _description(job.data, training, landmarks, plan, parent, judged)
    any_pose = plan.config.rotation_degrees >= ANY_POSE_DEGREES
    prior = _prior(training, parent, any_pose) if config.prior else None
    writer = ModelWriter(output, description, prior)
    return _Ready(plan, networks, training, judged, writer)


def _trained(ready: _Ready, say) -> Path:
    """Train the stages one after the other, from checkpoints where there are any."""
    plan, writer = ready.plan, ready.writer
    minutes = plan.config.minutes
    if minutes and plan.fine is not None:
        minutes /= 2
    task = CoarseTask(plan, ready.networks[0], ready.training, ready.held_out, writer)
    run = Run(task, plan, minutes, writer.folder, say)
    run.restore()
    if run.train() and plan.fine is not None:
        run = Run(_fine_task(ready, task), plan, minutes, writer.folder, say)
        run.restore()
        run.train()
    return writer.path


def _finished(job: _Job, model: Path, held_out, say) -> Path:
    """The model, compared with the one that it started from on the cases that were held out."""
    if job.parent is None or not parallel.team().is_first:
        return model
    if not held_out:
        say("No case was held out, so whether it is better than before cannot be told.")
        return model
    wanted = {case.image_id for case in held_out}
    cases = [c for c in told_apart(find_cases(job.data)) if image_id(c.image_path) in wanted]
    new, old = (judge(path, cases, How(device=job.config.device)) for path in (model, job.parent))
    comparison = compare(new.evaluation, old.evaluation, ("the new model", "the one before"))
    say(comparison.sentence[0].upper() + comparison.sentence[1:])
    for which, judged in (("The new model", new), ("The one before", old)):
        for warning in judged.warnings:
            say(f"{which}: {warning}")
    write_json(model.with_name(COMPARISON_RECORD), comparison.to_json())
    return model


def _fine_task(ready: _Ready, coarse: CoarseTask) -> FineTask:
    """On top of the best coarse network, which is the one in the file. Images are read once more."""
    best = read_model(ready.writer.path)
    names, fine = ready.writer.landmarks.names, ready.plan.fine
    cases = [fine_case(case, read_image(case.image_path), fine, names) for case in ready.training]
    judged = ready.held_out if parallel.team().is_first else []
    images = [read_image(case.image_path) for case in judged]
    network = best.networks[0].to(ready.plan.device)
    return FineTask(coarse, network, best.description.stages[0], ready.networks[1], cases, images)


def _prepared(job: _Job, parent: Model, say) -> tuple:
    """(TrainingCases, LandmarkSet, Plan). Every bad case is named at once, not the first alone."""
    found, landmarks, plan = planned(job.data, job.config, parent, say, job.left_out)
    for reason in plan.reasons:
        say(f"  {reason}")
    cases = [_training_case(case, label, landmarks, plan) for case, label in found]
    return cases, landmarks, plan


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


def _training_case(case, label, landmarks, plan: Plan) -> TrainingCase:
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


def _prior(cases, parent: Model, any_pose: bool) -> ShapePrior:
    """The shapes of the training cases, together with those that the parent model has seen.

    Images that the parent was trained on count once, by what the parent knows of them; if all of
    those are here, the parent's shapes are not needed.
    """
    known = set(parent.description.training.get("training_images", ())) if parent else set()
    has_prior = parent is not None and parent.prior is not None
    if not has_prior or known and known <= {case.image_id for case in cases}:
        positions = _positions_mm(cases)
        return fit_prior(positions, align(positions)[1] if any_pose else None)
    new = [case for case in cases if case.image_id not in known]
    if not new:
        return parent.prior
    return parent.prior.merged(fit_prior(_positions_mm(new), parent.prior.shape))


def _positions_mm(cases) -> np.ndarray:
    """(N, L, D) along i, j, k."""
    centred = np.array([case.centred_mm.numpy() for case in cases], dtype=float)
    return centred[..., ::-1]  # from array axes


def _seen_by(parent: Model):
    """The images that the parent, and whatever it started from, were trained on; None if it does not
    say."""
    if parent is None:
        return []
    record = parent.description.training
    own, before = record.get("training_images"), record.get("images_seen_before", [])
    return None if own is None or before is None else sorted({*own, *before})


def _description(
    data, cases, landmarks, plan: Plan, parent: Model, held_out=()
) -> ModelDescription:
    """What the model file will say; epochs and metrics are filled in when it is saved."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    training = {
        "data": [Path(folder).resolve().name for folder in data],
        "cases": len(cases),
        # Which images they were, and not their names: those may say who it is.
        "training_images": [case.image_id for case in cases],
        "validation_images": [case.image_id for case in held_out],
        "images_seen_before": _seen_by(parent),
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
        stages=tuple(stage for stage in (plan.stage, plan.fine) if stage),
        training=training,
    )
