"""Cross-validation: as many models as folds, each judged on the cases that it has never seen.

Within the others, `fit` holds some out to choose the epoch, so that the judged cases have no part in
it either.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from landmark_heatmap.annotation.annotation_files import read_annotation, write_annotation
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.files import real_path, write_json
from landmark_heatmap.images.imageio import read_grid, read_image
from landmark_heatmap.judging.evaluation import Evaluation, evaluate
from landmark_heatmap.judging.evaluation_table import format_table
from landmark_heatmap.model.belief_form import BeliefForm, merged
from landmark_heatmap.model.model_file import read_model

from . import parallel, progress
from .data.cases import find_cases, image_id, label_of, split_cases, told_apart
from .data.digests import changes
from .data.prepare import checked, planned
from .ensemble import write_ensemble
from .fit import fit, resume
from .folds import divide, read_groups
from .judging.runs import RUN_RECORD, read_record
from .learning.calibrating import calibrated
from .learning.losses import check_losses
from .learning.model import MODEL_NAME
from .outputs import alone_in, check_free, new_folder
from .planning.config import TrainConfig

_RECORD, _FIGURES, _HELD_OUT, _ENSEMBLE = (
    "cross-validation.json",
    "figures.json",
    "held-out",
    "ensemble.safetensors",
)
_FINISHED = "finished.json"


@dataclass(frozen=True)
class CrossValidation:
    """What is to be done, as it is kept in the folder. data: folders. groups: case name to group.
    folds: the names of each fold's cases. ensemble: whether to make one file of all models. digests:
    of each case's name what it was (data.digests); None in one of an earlier version."""

    data: list
    config: TrainConfig
    groups: dict
    folds: list
    ensemble: bool
    digests: dict = None

    def to_json(self) -> dict:
        return {**vars(self), "config": self.config.to_json()}


def cross_validate(
    data, output, folds: int, config: TrainConfig = None, groups=None, ensemble=False, say=print
) -> Evaluation:
    """Train a model for each fold and judge all of them together.

    output: a new or empty folder. groups: path of a csv of patients (folds.read_groups), or None: each
    case is one by itself, unless several are of the same image. config.minutes is for all folds
    together. Raises LandmarkHeatmapError for what cannot be used, before anything is trained.
    """
    if parallel.team().size > 1:
        raise DatasetError("A cross-validation runs in one process; torchrun is for fit.")
    check_free(output)  # before minutes are spent on reading
    config = config or TrainConfig()
    check_losses(config.losses, config.head)
    data = [str(real_path(folder)) for folder in data]
    found = find_cases(data)
    cases = told_apart(found)
    names = [case.name for case in cases]
    # More folds than there are cases are refused before any image is read.
    divide({name: name for name in names}, folds, config.seed)
    if groups is None:
        grouped = {case.name: image_id(case.image_path) for case in cases}
    else:
        grouped = read_groups(groups, names)
    divided = divide(grouped, folds, config.seed)
    _check_held_out(config, dict(zip(names, (case.name for case in found))), divided)
    say = progress.voice(say)
    with progress.shown():
        settings, digests = _for_all_folds(data, config, folds, say)
        job = CrossValidation(data, settings, grouped, divided, ensemble, digests)
        output = new_folder(output)
        with alone_in(output):
            write_json(output / _RECORD, job.to_json())
            return _carried_out(job, cases, output, say)


def _check_held_out(config: TrainConfig, own_names: dict, divided) -> None:
    """That every fold has cases to learn from and, if they are named, to choose the epoch by.

    own_names: of each case, as it is told apart from others, its name in its folder.
    """
    for number, left_out in enumerate(divided, 1):
        rest = [own for name, own in own_names.items() if name not in left_out]
        try:
            split_cases(rest, config.validation_share, config.seed, config.held_out)
        except DatasetError as error:
            raise DatasetError(
                f"Of fold {number}, {', '.join(left_out)} are left out: {error}"
            ) from error


def resume_cross_validation(output, say=print) -> Evaluation:
    """Go on with one that was interrupted. Raises DatasetError if the folder holds none."""
    output, say = Path(output), progress.voice(say)
    job = _read_record(output)
    with progress.shown(), alone_in(output):
        now = checked(job.data)
        _check_unchanged(job, now.digests, output)
        return _carried_out(job, told_apart(now.cases), output, say)


def _read_record(output: Path) -> CrossValidation:
    """Raises DatasetError if there is none, or it is damaged."""
    path = output / _RECORD
    record = read_record(path, "cross-validation")
    try:
        config = TrainConfig().with_settings(record.pop("config"), "it")
        job = CrossValidation(config=config, **record)
        names = [name for fold in job.folds for name in fold]
        if sorted(names) != sorted(job.groups) or not all(map(os.fspath, (*names, *job.data))):
            raise ValueError("its folds are not those of its cases")
    except (DatasetError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"'{path}' is damaged ({str(error)[:100]}); start a new cross-validation."
        ) from error
    return job


def _check_unchanged(job: CrossValidation, digests: dict, output: Path) -> None:
    """Raises DatasetError with all that is no longer as it was."""
    before = job.digests
    if before is None:
        # Of an earlier version: nothing but the names is known.
        before = {name: digests.get(name) for name in job.groups}
    try:
        told = changes(before, digests)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise DatasetError(
            f"'{output / _RECORD}' is damaged: what it says of its cases cannot be read ({error!r})."
        ) from error
    if told:
        raise DatasetError(
            f"The data of '{output}' have changed since it began:\n  "
            + "\n  ".join(told)
            + "\nUndo that to go on, or start a new one."
        )


def _for_all_folds(data, config: TrainConfig, folds: int, say) -> tuple:
    """(the settings that all data ask for, stated, so that the folds' models are of one kind; of each
    case's name its digest)."""
    known = planned(data, config, say=say)
    plan = known.plan
    for reason in plan.reasons:
        say(f"  {reason}")
    stated = {
        "spacing_mm": plan.stage.spacing_mm,
        "features": plan.stage.network.features,
        "fine": plan.fine is not None,
        "precision": str(plan.precision).split(".")[-1],
    }
    if plan.fine is not None:
        stated["fine_spacing_mm"] = plan.fine.spacing_mm
        stated["fine_features"] = plan.fine.network.features
        stated["crop_size"] = plan.fine.crop_size
    minutes = None if config.minutes is None else config.minutes / folds
    return replace(plan.config.replaced(minutes=minutes), **stated), known.checked.digests


def _carried_out(job: CrossValidation, found, output: Path, say) -> Evaluation:
    """found: the cases, told apart."""
    cases, models = {case.name: case for case in found}, []
    for number, names in enumerate(job.folds, 1):
        say(f"Fold {number} of {len(job.folds)}: {', '.join(names)} left out.")
        held_out = [cases[name] for name in names]
        models.append(_fold(job, held_out, output / f"fold-{number}", say))
        _predict(models[-1], held_out, output / _HELD_OUT)
    evaluation = _evaluation(job, cases, output)
    say(format_table(evaluation))
    write_json(output / _FIGURES, evaluation.to_json())
    if job.ensemble and not (output / _ENSEMBLE).exists():
        # No image is unseen by all of them: what is known are the errors of the single ones.
        figure = evaluation.overall.mean_mm.to_json()
        metrics = {"cross_validated_mre_mm_of_single_members": figure}
        name, belief = job.config.name or None, _belief(models, job, cases)
        path = write_ensemble(models, output / _ENSEMBLE, name, metrics, belief)
        say(f"The ensemble of {len(models)}: {path}")
    return evaluation


def _belief(models, job: CrossValidation, cases: dict) -> BeliefForm:
    """Calibrated on every case, each by the model that has not seen it."""
    forms = [
        calibrated(read_model(path), [cases[name] for name in names], job.config.device)
        for path, names in zip(models, job.folds)
    ]
    return merged(form for form in forms if form is not None)


def _fold(job: CrossValidation, held_out, folder: Path, say) -> Path:
    """The path of a fold's model; one that is finished is not trained again."""
    if (folder / _FINISHED).exists():
        return folder / MODEL_NAME
    if (folder / RUN_RECORD).exists():
        model = resume(folder, say)
    else:
        left_out = [image_id(case.image_path) for case in held_out]
        model = fit(job.data, folder, job.config, say=say, left_out=left_out)
    write_json(folder / _FINISHED, {"left_out": [case.name for case in held_out]})
    return model


def _predict(model: Path, cases, folder: Path) -> None:
    """Annotations of the cases that were left out, unless they are there."""
    folder.mkdir(exist_ok=True)
    targets = [(case, _annotation_path(folder, case)) for case in cases]
    targets = [(case, path) for case, path in targets if not path.exists()]
    predictor = Predictor(model) if targets else None
    for case, path in progress.each(targets, "judging the cases left out"):
        write_annotation(path, predictor.predict(read_image(case.image_path)).annotation())


def _annotation_path(folder: Path, case) -> Path:
    return folder / f"{case.name}.mrk.json"


def _evaluation(job: CrossValidation, cases: dict, output: Path) -> Evaluation:
    """Over all cases, each judged by the model that has not seen it; patients are drawn."""
    compared, names = [], {}
    for name, case in cases.items():
        predicted = read_annotation(_annotation_path(output / _HELD_OUT, case))
        names.update(dict.fromkeys(predicted.names))
        compared.append((name, predicted, label_of(case.annotation, read_grid(case.image_path))))
    return evaluate(compared, names=names, groups=job.groups)
