"""The model file of a run: what it says of itself; written whenever there is a better one."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch

from landmark_heatmap import __version__
from landmark_heatmap.annotation.landmarks import LandmarkSet
from landmark_heatmap.detection.suits import BRIGHTNESS, EXTENTS, brightness_of, extents_of
from landmark_heatmap.files import real_path
from landmark_heatmap.images.geometry import PX
from landmark_heatmap.model.belief_form import BeliefForm
from landmark_heatmap.model.description import ModelDescription
from landmark_heatmap.model.handedness import symmetry_record
from landmark_heatmap.model.joint_shape import JointShape, fit_joint_shape
from landmark_heatmap.model.model_file import Model, read_model, write_model
from landmark_heatmap.model.pose import align
from landmark_heatmap.model.prior import ShapePrior, fit_prior

from ..planning.plan import Plan
from .growing import with_further
from .outcome import RunOutcome

MODEL_NAME = "model.safetensors"
_JUDGED = "validation_"
# What the description says of the belief.
CALIBRATION = "calibration"


@dataclass(frozen=True)
class ModelWriter:
    """description: all but the stages as trained, the metrics and the outcome."""

    folder: Path
    description: ModelDescription
    prior: ShapePrior
    joint: JointShape = None

    @property
    def path(self) -> Path:
        return self.folder / MODEL_NAME

    @property
    def landmarks(self) -> LandmarkSet:
        return self.description.landmarks

    def write(self, stages, networks, metrics: dict, outcome: RunOutcome) -> None:
        """metrics: of the validation. outcome: of the run so far."""
        training = {**self.description.training, "outcome": outcome.to_json(metrics)}
        training.update(symmetry_record(self.joint))
        judged = {f"{_JUDGED}{k}": v for k, v in metrics.items() if k != "score"}
        description = replace(
            self.description, stages=tuple(stages), training=training, metrics=judged
        )
        write_model(self.path, description, networks, self.prior, self.joint)

    def finish(self, outcome: RunOutcome, belief: BeliefForm = None) -> list:
        """Let the file say how the run ended, and what its belief is made like; returns that in
        sentences."""
        if outcome.kept is None:
            return outcome.sentences({})
        model = read_model(self.path)
        if model.description.stages[-1].role != outcome.kept.role:
            # Stopped before the fine stage, which is in the file, was gone on with: it says it all.
            return model.description.training["outcome"]["summary"]
        metrics = {k[len(_JUDGED) :]: v for k, v in model.description.metrics.items()}
        training = {**model.description.training, "outcome": outcome.to_json(metrics)}
        training[CALIBRATION] = None if belief is None else told_of(belief)
        description = replace(model.description, training=training)
        write_model(self.path, description, model.networks, model.prior, model.joint, belief)
        told = calibration_sentence(training[CALIBRATION], outcome.cases)
        return [*outcome.sentences(metrics), told]


def description_of_run(
    data, cases, landmarks, plan: Plan, parent: Model, held_out=()
) -> ModelDescription:
    """What the model file will say; epochs and metrics are filled in when it is saved."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    training = {
        "data": [real_path(folder).name for folder in data],
        "cases": len(cases),
        # Which images they were, and not their names: those may say who it is.
        "training_images": [case.image_id for case in cases],
        "validation_images": [case.image_id for case in held_out],
        "images_seen_before": _seen_by(parent),
        "started_from": None if parent is None else parent.identity.to_json(),
        "spacing_source": _spacing_source(cases),
        EXTENTS: extents_of(case.grid for case in cases),
        BRIGHTNESS: brightness_of(case.prepared.array for case in cases),
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
        unit=cases[0].grid.unit,
    )


def told_of(belief: BeliefForm) -> dict:
    """The form of a belief as JSON, for who reads the description alone."""
    return {
        "cases": len(belief.held_out.contents) if belief.is_calibrated else 0,
        "power": belief.power,
        "joint": belief.joint,
        "peak_power": belief.peak_power,
    }


def calibration_sentence(calibration, held_out: int = 0) -> str:
    """calibration: as `told_of` says it, or None. held_out: how many cases were."""
    if not calibration or not calibration["cases"]:
        why = (
            "it was stopped before that" if held_out and not calibration else "no case was held out"
        )
        return f"Not calibrated: {why}, so that no region of a probability is claimed."
    cases, weight = calibration["cases"], calibration["joint"]
    joint = "with" if weight else "without"
    return (
        f"Calibrated on {cases} held-out case{'s' * (cases != 1)}: up to"
        f" {100 * cases / (cases + 1):.0f} % can be claimed;"
        f" positions are found {joint} a word of the other landmarks."
    )


def joint_of_run(cases, parent: Model) -> JointShape:
    """The joint Gaussian of the training cases. That of a parent stays, unless all its cases are here:
    it is of more of them, and these tell it of landmarks that it does not know."""
    if parent is None or parent.joint is None or _are_all_here(_images_of(parent), cases):
        return fit_joint_shape(_positions_mm(cases))
    return with_further(parent.joint, _positions_mm(cases))


def _spacing_source(cases) -> str:
    """Where the size of a voxel came from: a person stated it, a device measured it, or nothing says."""
    if cases[0].grid.unit == PX:
        return "none"
    stated = {case.is_size_stated for case in cases}
    return "partly stated" if len(stated) > 1 else "stated" if stated == {True} else "measured"


def prior_of_run(cases, parent: Model, any_pose: bool) -> ShapePrior:
    """The shapes of the training cases, together with those that the parent model has seen.

    Images that the parent was trained on count once, by what the parent knows of them; if all of
    those are here, the parent's shapes are not needed.
    """
    known = _images_of(parent)
    if parent is None or parent.prior is None or _are_all_here(known, cases):
        positions = _positions_mm(cases)
        return fit_prior(positions, align(positions)[1] if any_pose else None)
    new = [case for case in cases if not case.known_as & known]
    prior = parent.prior
    if new:
        prior = prior.merged(fit_prior(_positions_mm(new), prior.shape))
    if (parent.prior.cases == 0).any():
        prior = _filled(prior, parent.prior, fit_prior(_positions_mm(cases), prior.shape))
    return prior


def _filled(prior: ShapePrior, before: ShapePrior, of_all: ShapePrior) -> ShapePrior:
    """With what all cases tell of those pairs of which the parent had known nothing."""
    unknown = before.cases == 0
    return replace(
        prior,
        mean=np.where(unknown[..., None], of_all.mean, prior.mean),
        covariance=np.where(unknown[..., None, None], of_all.covariance, prior.covariance),
        cases=np.where(unknown, of_all.cases, prior.cases),
        limit=max(prior.limit, of_all.limit),
    )


def _images_of(parent: Model) -> set:
    """Ids of those that a parent was trained on; none if it does not say."""
    return set(parent.description.training.get("training_images", ())) if parent else set()


def _are_all_here(images: set, cases) -> bool:
    return bool(images) and images <= {i for case in cases for i in case.known_as}


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
