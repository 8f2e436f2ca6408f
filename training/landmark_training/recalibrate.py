"""A model file calibrated on further cases, as a new file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from landmark_heatmap.errors import DatasetError, some
from landmark_heatmap.images.geometry import canonical_grid
from landmark_heatmap.images.identity import ids_of
from landmark_heatmap.images.imageio import read_grid
from landmark_heatmap.model.description import ModelDescription
from landmark_heatmap.model.handedness import symmetry_record
from landmark_heatmap.model.joint_shape import JointShape, fit_joint_shape
from landmark_heatmap.model.model_file import read_model, write_model

from .data.cases import find_cases, label_of, told_apart
from .data.telling import told_confirmed, told_of_labels
from .judging.judge import known_to
from .learning.calibrating import calibrated
from .learning.model import CALIBRATION, calibration_sentence, told_of
from .outputs import check_new_file
from .planning.config import TrainConfig
from .planning.device import device_for
from .planning.plan import positions_along


def write_calibrated(path, data, output, device: str = "auto", shape_data=()) -> list:
    """Calibrate the model file `path` on the folders `data`; write it to the new file `output`.

    shape_data: folders from whose cases the joint shape is learned anew; those that it was trained on,
    if it is of a version that had none. Returns sentences. Raises DatasetError for cases that the model
    was trained on: of those it is surer than of others; and if no landmark of theirs was found.
    """
    output = check_new_file(Path(output))
    device_for(TrainConfig(device=device))
    model = read_model(path)
    cases = told_apart(find_cases(data))
    if shape_data:
        model = replace(model, joint=_shape_of(shape_data, model.description))
    ids = {case.name: ids_of(case.image_path) for case in cases}
    caveats = _check_unseen(Path(path), model.description, ids)
    labels = [label_of(case.annotation, read_grid(case.image_path)) for case in cases]
    caveats = [*caveats, *told_of_labels(cases, labels)]
    confirmed = told_confirmed(cases, model.identity.sha256)
    caveats += [f"The model: {confirmed}"] if confirmed else []
    belief = calibrated(model, cases, device)
    if belief is None:
        raise DatasetError(
            f"In none of the {len(cases)} cases was a landmark found that has a place there; the model"
            " cannot be calibrated on them."
        )
    training = dict(model.description.training)
    chosen = {i for each in ids.values() for i in each} | set(
        training.get("validation_images") or ()
    )
    training.update(symmetry_record(model.joint))
    training.update({CALIBRATION: told_of(belief), "validation_images": sorted(chosen)})
    description = replace(model.description, training=training)
    write_model(output, description, model.networks, model.prior, model.joint, belief)
    return [*caveats, calibration_sentence(training[CALIBRATION]), f"The model: {output}"]


def _shape_of(data, model: ModelDescription) -> JointShape:
    """Raises DatasetError if there are too few cases."""
    cases = find_cases(data)
    grids = [read_grid(case.image_path) for case in cases]
    labels = [label_of(case.annotation, grid) for case, grid in zip(cases, grids)]
    along = [canonical_grid(grid) for grid in grids]
    names = model.landmarks.names
    shape = fit_joint_shape(positions_along(along, labels, names, model.dimension))
    if shape is None:
        raise DatasetError(
            f"{len(cases)} cases are too few, or have too few of the model's landmarks, to learn how"
            " these lie to each other. Name more with --shape."
        )
    return shape


def _check_unseen(path: Path, description: ModelDescription, ids: dict) -> list:
    """Sentences about what the model does not say of that. ids: by case."""
    trained, _, caveats = known_to(path, description)
    known = [name for name, each in ids.items() if ({name} | each) & trained]
    if known:
        raise DatasetError(
            f"The model was trained on {len(known)} of these {len(ids)} cases ({some(known)}), of which"
            " it is surer than of others. Name cases that it has not seen."
        )
    return caveats
