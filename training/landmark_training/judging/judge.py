"""Judging a model on held-out cases: accuracy, consistency of the channels, calibration.

One case is in memory at a time; what stays are numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.errors import DatasetError, LandmarkHeatmapError, some
from landmark_heatmap.images.identity import ids_of
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.judging.calibration import Calibration, calibrate, calibration_points
from landmark_heatmap.judging.consistency import Consistency, measure_case, measure_shape, summarise
from landmark_heatmap.judging.evaluation import Evaluation, evaluate
from landmark_heatmap.model.description import ModelDescription, ModelIdentity
from landmark_heatmap.model.model_file import read_description

from ..data.cases import find_cases, label_of, told_apart
from ..data.telling import told_confirmed, told_of_labels
from .runs import RunFolder, run_beside


@dataclass(frozen=True)
class How:
    """How to judge. thresholds_mm: of the success rates; None: what fits the references.
    device: as the Predictor takes it.
    resamples, seed: of the bootstrap."""

    thresholds_mm: tuple = None
    device: str = "auto"
    resamples: int = 2000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Judgement:
    """What came out for one model. warnings: sentences about 'it', on what makes the figures doubtful.
    notes: sentences about the cases, the same for every model."""

    path: Path
    model: ModelIdentity
    description: ModelDescription
    evaluation: Evaluation
    consistency: Consistency
    calibration: Calibration
    warnings: tuple
    notes: tuple = ()

    def to_json(self) -> dict:
        return {
            "model": {**self.model.to_json(), "file": self.path.name},
            "warnings": [*self.warnings, *self.notes],
            "evaluation": self.evaluation.to_json(),
            "consistency": self.consistency.to_json(),
            "calibration": self.calibration.to_json(),
        }


def judge(model_path, cases, how: How = None, progress=None, shapes=None) -> Judgement:
    """Apply a model to cases, one at a time, and compare with what is known of them.

    cases: data.Cases with names of their own, as `choose_cases` gives them. progress: wraps the
    cases in whatever shows how far it is (tqdm). shapes: the ShapePrior that says what is plausible;
    by default the model's own. Raises ModelFileError for a model that cannot be
    used, DatasetError for cases that cannot, all of them named.
    """
    how, model_path = how or How(), Path(model_path)
    predictor = Predictor(model_path, how.device)
    known = predictor.description.landmarks.names
    compared, measured, points, bad, unknown = [], [], [], [], {}
    for case in (progress or iter)(cases):
        try:
            image = read_image(case.image_path)
            label = label_of(case.annotation, image.grid)
            if bad:
                continue  # nothing will come of it; the others are only looked at
            prediction = predictor.predict(image)
        except LandmarkHeatmapError as error:
            bad.append(f"{case.name}: {error}")
            continue
        placed = [n for n in label.names if label.state(n) is PointState.PLACED]
        unknown.update(dict.fromkeys(name for name in placed if name not in known))
        compared.append((case.name, prediction.annotation(), label))
        distance = measure_shape(prediction, shapes or predictor.model.prior)
        measured.append(measure_case(case.name, prediction, label, distance))
        points.append(calibration_points(prediction, label, predictor.model.belief))
    if bad:
        raise DatasetError("These cases cannot be judged:\n  " + "\n  ".join(bad))
    if not any(name in known for _, _, label in compared for name in label.names):
        raise DatasetError(
            f"The cases say nothing of any landmark that '{predictor.description.name}' knows"
            f" ({some(known)}); they name {some(unknown) or 'none'}."
        )
    evaluation = evaluate(compared, how.thresholds_mm, how.resamples, how.seed, known)
    warnings = _flattering(model_path, predictor.description, cases)
    confirmed = told_confirmed(cases, predictor.model.identity.sha256)
    warnings += [confirmed] if confirmed else []
    if unknown:
        warnings.append(f"It does not know {some(unknown)}, which are in no figure.")
    return Judgement(
        model_path,
        predictor.model.identity,
        predictor.description,
        evaluation,
        summarise(measured, known, how.resamples, how.seed),
        calibrate(points, how.resamples, how.seed),
        tuple(warnings),
        tuple(told_of_labels(cases, [label for _, _, label in compared])),
    )


def choose_cases(folders, wanted=None) -> list:
    """The cases below the folders, each with a name of its own. wanted: names; None takes all.

    Raises DatasetError for a name that is not there.
    """
    cases = told_apart(find_cases(folders))
    return cases if wanted is None else _those(cases, wanted, folders)


def _those(cases, wanted, folders) -> list:
    missing = sorted(set(wanted) - {case.name for case in cases})
    if missing:
        raise DatasetError(
            f"There is no case {some(missing)} in {', '.join(map(str, folders))}; there are"
            f" {some([case.name for case in cases])}."
        )
    return [case for case in cases if case.name in set(wanted)]


def held_out_cases(run: RunFolder, wanted=None) -> list:
    """The cases that a run held out to judge by, or of these the `wanted` names.

    Raises DatasetError if they are no longer where they were, or were never recorded.
    """
    if not run.data:
        raise DatasetError(f"'{run.path}' does not say where its data are; name them with --data.")
    if not run.validation_cases:
        raise DatasetError(f"'{run.path}' held out no cases; name some with --data.")
    names = set(run.validation_cases)
    cases = [case for case in find_cases(run.data) if case.name in names]
    # Two datasets may each have a case of the same name, of which one was held out.
    ids = read_description(run.model_path).training.get("validation_images")
    if ids:
        cases = [case for case in cases if ids_of(case.image_path) & set(ids)]
    if len(cases) < len(run.validation_cases):
        raise DatasetError(
            f"Of the {len(run.validation_cases)} cases that '{run.path}' held out, {len(cases)} are"
            f" still in {', '.join(run.data)}, unchanged; name others with --data."
        )
    cases = told_apart(cases)
    return cases if wanted is None else _those(cases, wanted, run.data)


def _flattering(model_path: Path, description: ModelDescription, cases) -> list:
    """Sentences about cases that the model knows already: they make it look better than it is."""
    trained, chosen, warnings = known_to(model_path, description)
    # A model file knows images, a run's folder names.
    ids = {case.name: {case.name, *ids_of(case.image_path)} for case in cases}
    seen = [case for case, each in ids.items() if each & trained]
    used = [case for case, each in ids.items() if each & chosen and not each & trained]
    if seen:
        warnings.append(f"It was trained on {_part(seen, cases)}, which flatters it.")
    if used:
        warnings.append(
            f"The epoch at which it was kept was chosen by {_part(used, cases)}, which flatters it a"
            " little."
        )
    return warnings


def known_to(model_path: Path, description: ModelDescription) -> tuple:
    """(what it was trained on, what chose its epoch, sentences about what is not known of that)."""
    record, run = description.training, run_beside(model_path)
    trained, chosen = record.get("training_images"), record.get("validation_images")
    before, caveats = record.get("images_seen_before", ()), []
    if trained is None and run is None:
        caveats.append(
            "It does not say which images it was trained on: whether these cases flatter it cannot"
            " be told."
        )
    elif before is None:
        caveats.append("It started from a model that does not say which images it had seen.")
    if run is not None:
        trained = run.training_cases if trained is None else trained
        chosen = run.validation_cases if chosen is None else chosen
    return {*(trained or ()), *(before or ())}, set(chosen or ()), caveats


def _part(names, cases) -> str:
    if len(names) == len(cases):
        return "all of these cases" if len(cases) > 1 else "this case"
    return f"{len(names)} of these {len(cases)} cases ({some(names)})"
