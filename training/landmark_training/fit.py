"""A training run, from folders of cases to a model file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.files import write_json
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.model.model_file import Model, read_model
from landmark_heatmap.model.network import network_for

from . import parallel
from .data.cases import find_cases, image_id, split_cases
from .data.prepare import planned, training_case
from .judging.comparison import compare
from .judging.judge import How, judge, told_apart
from .learning.coarse import CoarseTask
from .learning.fine import FineTask, fine_case
from .learning.losses import check_losses
from .learning.model import ModelWriter, description_of_run, prior_of_run
from .learning.run import Run
from .outputs import check_free, new_folder
from .planning.config import TrainConfig
from .planning.plan import ANY_POSE_DEGREES, Plan

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
    job = Job([str(Path(folder).resolve()) for folder in data], config or TrainConfig(), None)
    job = replace(job, left_out=tuple(left_out))
    if parent_path is not None:
        job = replace(job, parent=str(Path(parent_path).resolve()))
    ready = get_ready(job, Path(output), say)
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
        job = Job(record["data"], config, record["started_from"], left_out)
        names = record["training_cases"], record["validation_cases"]
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(f"'{output}' holds no run to go on with ({error!r}).") from error
    ready = get_ready(job, output, say)
    if ([c.name for c in ready.training], [c.name for c in ready.held_out]) != names:
        raise DatasetError(f"The data of '{output}' have changed since; start a new run.")
    return _finished(job, _trained(ready, say), ready.held_out, say)


@dataclass(frozen=True)
class Job:
    """What a run is asked to do. data: folders. parent: path of a model, or None. left_out: ids of
    images that are not to be seen."""

    data: list
    config: TrainConfig
    parent: str
    left_out: tuple = ()


@dataclass(frozen=True)
class Ready:
    """All that a run needs. networks: of each stage, as they start."""

    plan: Plan
    networks: list
    training: list
    held_out: list
    writer: ModelWriter


def get_ready(job: Job, output: Path, say) -> Ready:
    config = job.config
    check_losses(config.losses, config.head)
    parent = None if job.parent is None else read_model(job.parent)
    if parent is not None and parent.description.members > 1:
        raise DatasetError(
            f"'{job.parent}' is an ensemble of {parent.description.members} models; start from one of"
            " those it was made of."
        )
    cases, landmarks, plan = prepared(job, parent, say)
    chosen, held_out = split_cases(len(cases), config.validation_share, config.seed)
    say(f"{len(chosen)} cases to train on, {len(held_out)} to judge by while training.")
    training = [cases[i] for i in chosen]
    # Whatever drew at random before, the weights start alike, in every process.
    torch.manual_seed(config.seed)
    networks = [network_for(stage) for stage in (plan.stage, plan.fine) if stage is not None]
    for index, network in enumerate(networks if parent is not None else ()):
        network.load_state_dict(parent.networks[index].state_dict())
    judged = [cases[i] for i in held_out]
    description = description_of_run(job.data, training, landmarks, plan, parent, judged)
    any_pose = plan.config.rotation_degrees >= ANY_POSE_DEGREES
    prior = prior_of_run(training, parent, any_pose) if config.prior else None
    writer = ModelWriter(output, description, prior)
    return Ready(plan, networks, training, judged, writer)


def _trained(ready: Ready, say) -> Path:
    """Train the stages one after the other, from checkpoints where there are any."""
    plan, writer = ready.plan, ready.writer
    minutes = plan.config.minutes
    if minutes and plan.fine is not None:
        minutes /= 2
    task = CoarseTask(plan, ready.networks[0], ready.training, ready.held_out, writer)
    run = Run(task, plan, minutes, writer.folder, say)
    run.restore()
    if run.train() and plan.fine is not None:
        run = Run(fine_task(ready, task), plan, minutes, writer.folder, say)
        run.restore()
        run.train()
    return writer.path


def _finished(job: Job, model: Path, held_out, say) -> Path:
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


def fine_task(ready: Ready, coarse: CoarseTask) -> FineTask:
    """On top of the best coarse network, which is the one in the file. Images are read once more."""
    best = read_model(ready.writer.path)
    names, fine = ready.writer.landmarks.names, ready.plan.fine
    cases = [fine_case(case, read_image(case.image_path), fine, names) for case in ready.training]
    judged = ready.held_out if parallel.team().is_first else []
    images = [read_image(case.image_path) for case in judged]
    network = best.networks[0].to(ready.plan.device)
    return FineTask(coarse, network, best.description.stages[0], ready.networks[1], cases, images)


def prepared(job: Job, parent: Model, say) -> tuple:
    """(TrainingCases, LandmarkSet, Plan). Every bad case is named at once, not the first alone."""
    found, landmarks, plan = planned(job.data, job.config, parent, say, job.left_out)
    for reason in plan.reasons:
        say(f"  {reason}")
    cases = [training_case(case, label, landmarks, plan) for case, label in found]
    return cases, landmarks, plan
