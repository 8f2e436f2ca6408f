"""Several models of one kind as one model file, which averages what they say."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from functools import reduce
from pathlib import Path

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.model import belief_form, joint_shape
from landmark_heatmap.model.model_file import Model, read_model, write_model
from landmark_heatmap.model.network import Ensemble
from landmark_heatmap.model.pose import degrees_of, fit_pose

from .learning.model import CALIBRATION, told_of
from .outputs import check_new_file

# Members whose crops are turned along different axes cannot be averaged.
_MOST_DEGREES = 5.0


def write_ensemble(paths, output, name: str = None, metrics: dict = None, belief=None) -> Path:
    """Write an ensemble of the model files `paths` to the new file `output`.

    name: what it is called; by default as its first member. metrics: what is known of its errors. belief:
    how what is shown is made; by default what the members' say together.
    Raises DatasetError for models that are not of one kind, or already ensembles.
    """
    output = check_new_file(output)
    models = [read_model(path) for path in paths]
    _check_alike(models, paths)
    first = models[0].description
    trained = sorted({i for m in models for i in m.description.training.get("training_images", ())})
    chosen = {i for m in models for i in m.description.training.get("validation_images", ())}
    seen = [m.description.training.get("images_seen_before", []) for m in models]
    belief = belief or belief_form.merged(model.belief for model in models)
    training = {
        **{k: v for k, v in first.training.items() if k != "outcome"},
        "members": [model.identity.to_json() for model in models],
        # Any image that one member was trained on is known to the whole.
        "training_images": trained,
        "validation_images": sorted(chosen - set(trained)),
        "images_seen_before": None if None in seen else sorted({i for each in seen for i in each}),
        "cases": len(trained),
        CALIBRATION: None if belief is None else told_of(belief),
    }
    description = replace(
        first,
        name=name or first.name,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        members=len(models),
        training=training,
        metrics=metrics or {},
    )
    networks = [Ensemble(of_one_stage) for of_one_stage in zip(*(m.networks for m in models))]
    joint = joint_shape.merged(model.joint for model in models)
    write_model(output, description, networks, _prior(models), joint, belief)
    return output


def _check_alike(models, paths) -> None:
    if len(models) < 2:
        raise DatasetError(f"An ensemble needs two models or more, got {len(models)}.")
    first = models[0]
    for model, path in zip(models, paths):
        own, others = model.description, first.description
        if own.members != 1:
            raise DatasetError(f"'{path}' is an ensemble already; name the models it was made of.")
        for what, differs in (
            ("landmarks", own.landmarks.landmarks != others.landmarks.landmarks),
            ("mirror pairs", own.landmarks.mirror_pairs != others.landmarks.mirror_pairs),
            ("intensities", own.intensity != others.intensity),
            ("stages", own.stages != others.stages),
            ("units of length", own.unit != others.unit),
            ("axes of the mean shape", not _lie_alike(model, first)),
        ):
            if differs:
                raise DatasetError(
                    f"'{path}' has other {what} than '{paths[0]}': they cannot be averaged."
                )


def _lie_alike(model: Model, other: Model) -> bool:
    """Whether the mean shapes, if there are any, have the same axes, so that crops mean the same."""
    shapes = [m.prior.shape if m.prior is not None else None for m in (model, other)]
    if all(shape is None for shape in shapes):
        return True
    if any(shape is None for shape in shapes):
        return False
    return degrees_of(fit_pose(*shapes).rotation) <= _MOST_DEGREES


def _prior(models):
    """What all of them know; a case that several were trained on counts for each of them."""
    priors = [model.prior for model in models]
    return None if None in priors else reduce(lambda a, b: a.merged(b), priors)
