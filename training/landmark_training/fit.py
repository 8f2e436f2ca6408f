"""A training run, from folders of cases to a model file."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from landmark_heatmap.errors import DatasetError, LandmarkHeatmapError, TrainingError
from landmark_heatmap.files import real_path, write_json
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.leftovers import tidy
from landmark_heatmap.model.model_file import Model, read_model
from landmark_heatmap.model.network import network_for

from . import parallel, progress
from .data.cases import Case, find_cases, split_cases, told_apart
from .data.digests import changes
from .data.prepare import model_to_start_from, planned, training_case
from .data.telling import told_confirmed
from .judging.comparison import compare
from .judging.judge import How, judge
from .judging.runs import RUN_RECORD, RunFolder, read_run
from .learning.calibrating import calibrated
from .learning.clock import Clock
from .learning.coarse import CoarseTask
from .learning.fine import FineTask, fine_case
from .learning.growing import begin_channels, grown
from .learning.losses import check_losses
from .learning.model import ModelWriter, description_of_run, joint_of_run, prior_of_run
from .learning.outcome import BY_USER, FAILED, TIME, RunOutcome, nothing_yet
from .learning.run import Run
from .outputs import alone_in, check_free, new_folder
from .planning.config import TrainConfig
from .planning.plan import ANY_POSE_DEGREES, Plan

COMPARISON_RECORD = "comparison.json"
# What it takes to prepare the fine stage and to judge it, in validations of the coarse one.
_TO_PREPARE = 3
# What it takes to calibrate the belief, in validations.
_TO_CALIBRATE = 2


class Stopped(KeyboardInterrupt):
    """Ctrl-C, after what is kept and how to go on was told."""


def fit(
    data, output, config: TrainConfig = None, parent_path=None, say=print, left_out=(), started=None
) -> Path:
    """Train on the folders `data`, or continue from a model; returns the path of the new model.

    output: a new or empty folder. say: called with each line for the user. left_out: image ids
    (data.image_id) of cases that this run is not to see at all. started: of time.monotonic, from when
    on the minutes count; by default from now.
    Ctrl-C ends the run early and keeps the best model so far, if there is one: Stopped is raised then,
    and TrainingError where it cannot go on. Raises LandmarkHeatmapError for data
    or settings that cannot be used, before anything is trained.
    """
    started = time.monotonic() if started is None else started
    team = parallel.team()
    say = progress.voice(team.voice(say))
    team.decided(lambda: check_free(output))
    job = Job([str(real_path(folder)) for folder in data], config or TrainConfig(), None)
    job = replace(job, left_out=tuple(left_out))
    if parent_path is not None:
        job = replace(job, parent=str(real_path(parent_path)))
    with progress.shown(hidden=not team.is_first):
        progress.anew()
        ready = get_ready(job, Path(output), say)
        # Made so late, the folder is not in the way if the data have to be mended first.
        if team.is_first:
            new_folder(output)
            progress.settled()
        with alone_in(output, team.is_first):
            if team.is_first:
                write_json(Path(output) / RUN_RECORD, _record_of(job, ready))
            return _finished(job, _trained(job, ready, started, say), ready.held_out, say)


def _record_of(job: Job, ready: Ready) -> dict:
    """What it takes to begin the same run once more, and to notice if it would be another."""
    return {
        "data": job.data,
        "started_from": job.parent,
        "parent_sha256": ready.parent_sha256,
        "left_out": list(job.left_out),
        "config": job.config.to_json(),
        "config_in_full": ready.plan.config.to_json(),
        "step_seconds": ready.plan.step_seconds,
        "training_cases": [case.name for case in ready.training],
        "validation_cases": [case.name for case in ready.held_out],
        "cases": ready.digests,
    }


def resume(output, say=print, started=None) -> Path:
    """Go on with an interrupted run from its last epoch; returns the path of the model.

    Raises DatasetError if the folder holds no run, or its data are no longer what they were, with
    all that has changed.
    """
    started = time.monotonic() if started is None else started
    team = parallel.team()
    output, say = Path(output), progress.voice(team.voice(say))
    run = read_run(output)
    with progress.shown(hidden=not team.is_first), alone_in(output, team.is_first):
        progress.anew()
        progress.settled()
        # In full: what was measured when it began might be measured differently now.
        config = _config_of(run)
        job = Job(list(run.data), config, run.started_from, run.left_out)
        ready = get_ready(job, output, say)
        _check_unchanged(run, ready, say)
        plan = replace(ready.plan, step_seconds=run.step_seconds)
        ready = replace(ready, plan=plan)
        if team.is_first:
            tidy(output, alone=True)
        return _finished(job, _trained(job, ready, started, say), ready.held_out, say)


def _config_of(run: RunFolder) -> TrainConfig:
    record = run.path / RUN_RECORD
    try:
        return TrainConfig().with_settings(run.config, "it")
    except DatasetError as error:
        raise DatasetError(f"'{record}' is damaged, or from another version: {error}") from error


def _check_unchanged(run: RunFolder, ready: Ready, say) -> None:
    """Raises DatasetError with all that is no longer as it was when the run began."""
    told = []
    if run.parent_sha256 not in (None, ready.parent_sha256):
        told.append(f"the model that it started from, '{run.started_from}'")
    if run.cases is None:
        say("This run does not say what its cases were; only their names are compared.")
    else:
        try:
            told += changes(run.cases, ready.digests)
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise DatasetError(
                f"'{run.path / RUN_RECORD}' is damaged: what it says of its cases cannot be read"
                f" ({error!r})."
            ) from error
    names = tuple(tuple(c.name for c in each) for each in (ready.training, ready.held_out))
    if not told and names != (run.training_cases, run.validation_cases):
        told.append("which cases there are")
    if told:
        raise DatasetError(
            f"The data of '{run.path}' have changed since it began:\n  "
            + "\n  ".join(told)
            + "\nUndo that to go on, or start a new run, --from its model if there is one."
        )


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
    """All that a run needs. networks: of each stage, as they start. digests: of each case's name
    what it is. parent_sha256: of the model that it starts from, None without one."""

    plan: Plan
    networks: list
    training: list
    held_out: list
    writer: ModelWriter
    digests: dict
    parent_sha256: str


def get_ready(job: Job, output: Path, say) -> Ready:
    config = job.config
    check_losses(config.losses, config.head)
    parent = None if job.parent is None else model_to_start_from(job.parent)
    cases, landmarks, plan, digests, going_on = prepared(job, parent, say)
    parent = parent if going_on is None else grown(parent, going_on)
    names = [case.name for case in cases]
    chosen, held_out = split_cases(names, config.validation_share, config.seed, config.held_out)
    say(f"{len(chosen)} cases to train on, {len(held_out)} to judge by while training.")
    if not held_out:
        say(
            "None is held out, so nothing tells how good the model becomes: landmark-train starts tells"
            " what the cases alone reach, each with the others laid over it."
        )
    training = [cases[i] for i in chosen]
    # Whatever drew at random before, the weights start alike, in every process.
    torch.manual_seed(config.seed)
    networks = [network_for(stage) for stage in (plan.stage, plan.fine) if stage is not None]
    for index, network in enumerate(networks if parent is not None else ()):
        network.load_state_dict(parent.networks[index].state_dict())
    if going_on is not None and going_on.new:
        begin_channels(networks, training, going_on)
    judged = [cases[i] for i in held_out]
    description = description_of_run(job.data, training, landmarks, plan, parent, judged)
    any_pose = plan.config.rotation_degrees >= ANY_POSE_DEGREES
    prior = prior_of_run(training, parent, any_pose) if config.prior else None
    joint = joint_of_run(training, parent) if config.prior else None
    writer = ModelWriter(output, description, prior, joint)
    sha256 = None if parent is None else parent.identity.sha256
    return Ready(plan, networks, training, judged, writer, digests, sha256)


def _trained(job: Job, ready: Ready, started: float, say) -> Path:
    """Train the stages one after the other, from checkpoints where there are any, and tell what came
    of it. Raises Stopped for Ctrl-C, TrainingError if there is no model or it cannot go on."""
    plan, writer = ready.plan, ready.writer
    comparisons = _TO_CALIBRATE + (0 if job.parent is None else 2)
    nothing = nothing_yet(plan, len(ready.held_out))
    progress.note(held_out=len(ready.held_out))
    clock = Clock(nothing.planned, plan.config, started, plan.step_seconds, comparisons)
    runs, cut_short, belief = [], "", None
    try:
        task = CoarseTask(plan, ready.networks[0], ready.training, ready.held_out, writer)
        _run_stage(runs, Run(task, plan, clock, writer.folder, say, nothing))
        if plan.fine is not None and runs[0].choice.kept_epoch:
            if parallel.team().decided(lambda: clock.allows(_TO_PREPARE)):
                run = Run(fine_task(ready, task), plan, clock, writer.folder, say, runs[0].outcome)
                _run_stage(runs, run)
            else:
                cut_short = TIME
        belief = _calibrated(ready)
    except (KeyboardInterrupt, TrainingError) as error:
        cut_short = FAILED if isinstance(error, TrainingError) else BY_USER
        if not runs and writer.path.exists():
            say(f"Nothing was trained; what '{writer.folder}' holds is as it was.")
            say(f"To go on: landmark-train fit --resume {writer.folder}")
        else:
            outcome = runs[-1].outcome if runs else nothing
            _tell_what_is_kept(writer, replace(outcome, cut_short=cut_short), say)
        if isinstance(error, TrainingError):
            raise
        raise Stopped from error
    outcome = replace(runs[-1].outcome, cut_short=cut_short)
    if outcome.kept is None:
        raise TrainingError(
            f"The {plan.config.minutes or 0:g} minutes were over before the first step: reading the"
            f" images and preparing took {progress.duration(clock.began)}. Give it more --minutes."
        )
    _tell_what_is_kept(writer, outcome, say, belief)
    return writer.path


def _calibrated(ready: Ready):
    """The form of the belief, by the held-out cases; None where there is none, or no model."""
    path, device = ready.writer.path, ready.plan.config.device
    if not parallel.team().is_first or not ready.held_out or not path.exists():
        return None
    cases = [Case(case.name, case.image_path, case.label) for case in ready.held_out]
    return calibrated(read_model(path), cases, device)


def _run_stage(runs: list, run: Run) -> None:
    """Noted among the `runs` before it begins: they tell what was reached if it is stopped."""
    run.restore()
    runs.append(run)
    run.train()


def _tell_what_is_kept(writer: ModelWriter, outcome: RunOutcome, say, belief=None) -> None:
    """On the console and in the model file; and what comes next."""
    if not parallel.team().is_first:
        return
    try:
        told = writer.finish(outcome, belief)
    except (OSError, LandmarkHeatmapError) as error:
        if isinstance(error, LandmarkHeatmapError) and not outcome.cut_short:
            raise
        # What is in the file stays, and is good; only its last words are missing.
        told = [*outcome.sentences({}), f"The model file could not be told so: {error}"]
    for line in told:
        say(line)
    folder = writer.folder
    if outcome.ended == BY_USER:
        say(f"To go on: landmark-train fit --resume {folder}")
    elif outcome.kept is not None:
        others = "" if outcome.cases else " --data CASES..."
        say(f"To judge it: landmark-train report {folder}{others}")
        if outcome.ended == TIME:
            say(f"To train it further: landmark-train fit --from {writer.path} --data ...")


def _finished(job: Job, model: Path, held_out, say) -> Path:
    """The model, compared with the one that it started from on the cases that were held out."""
    if job.parent is None or not parallel.team().is_first:
        return model
    if not held_out:
        say("No case was held out, so whether it is better than before cannot be told.")
        return model
    wanted = {case.image_path for case in held_out}
    cases = [case for case in told_apart(find_cases(job.data)) if case.image_path in wanted]
    new, old = (
        judge(path, cases, How(device=job.config.device), partial(progress.each, what=what))
        for path, what in ((model, "judging the new model"), (job.parent, "judging the one before"))
    )
    comparison = compare(new.evaluation, old.evaluation, ("the new model", "the one before"))
    agreed = told_confirmed(cases, old.model.sha256)
    comparison = replace(comparison, note=f"The one before: {agreed}" if agreed else "")
    say(comparison.sentence[0].upper() + comparison.sentence[1:])
    for which, judged in (("The new model", new), ("The one before", old)):
        for warning in judged.warnings:
            if warning != agreed:  # the sentence above has said it
                say(f"{which}: {warning}")
    write_json(model.with_name(COMPARISON_RECORD), comparison.to_json())
    return model


def fine_task(ready: Ready, coarse: CoarseTask) -> FineTask:
    """On top of the best coarse network, which is the one in the file. Images are read once more."""
    best = read_model(ready.writer.path)
    names, fine = ready.writer.landmarks.names, ready.plan.fine
    cases = [
        fine_case(case, read_image(case.image_path), fine, names)
        for case in progress.each(ready.training, "reading images for the fine stage")
    ]
    judged = ready.held_out if parallel.team().is_first else []
    images = [
        read_image(case.image_path)
        for case in progress.each(judged, "reading held-out images for the fine stage")
    ]
    network = best.networks[0].to(ready.plan.device)
    return FineTask(coarse, network, best.description.stages[0], ready.networks[1], cases, images)


def prepared(job: Job, parent: Model, say) -> tuple:
    """(TrainingCases, LandmarkSet, Plan, digests, Continued or None). Every bad case is named at once,
    not the first alone."""
    ready = planned(job.data, job.config, parent, say, job.left_out)
    landmarks, plan = ready.landmarks, ready.plan
    progress.note(reasons=plan.reasons)
    for reason in plan.reasons:
        say(f"  {reason}")
    labelled = list(zip(ready.checked.cases, ready.checked.labels))
    cases = [
        training_case(case, label, landmarks, plan)
        for case, label in progress.each(labelled, "preparing images")
    ]
    return cases, landmarks, plan, ready.checked.digests, ready.going_on
