"""From folders to what a run trains on: every case read and checked, the plan made, images prepared."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from landmark_heatmap.annotation.landmarks import LandmarkSet, PointState
from landmark_heatmap.annotation.not_marked import told_readings
from landmark_heatmap.detection.prepare import intensity_window, prepare_with_window
from landmark_heatmap.errors import DatasetError, LandmarkHeatmapError, some
from landmark_heatmap.images.geometry import MM, PX
from landmark_heatmap.images.identity import ids_of, image_id
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.model.description import IntensityNormalisation
from landmark_heatmap.model.model_file import Model, read_model

from .. import parallel
from ..planning.config import TrainConfig
from ..planning.device import device_for
from ..planning.plan import Plan, plan_run
from ..progress import doing, each
from .cases import (
    check_stated,
    defined_by,
    find_cases,
    images_without_annotation,
    label_of,
    landmark_set_of,
    split_cases,
    told_apart,
    with_stated,
    without_never_placed,
)
from .digests import case_digest
from .feed import TrainingCase
from .further import Continued, continued
from .names import check_spelling, suspicions
from .telling import told_outside


@dataclass(frozen=True, eq=False)
class Checked:
    """Cases that can be used. labels: what each teaches. grids: of their images. digests: of each
    case's name (told apart) what it was."""

    cases: list
    labels: list
    grids: list
    digests: dict


@dataclass(frozen=True, eq=False)
class Planned:
    """What a run would do, with which cases. going_on: what it makes of the landmarks of the model that
    it starts from, if any."""

    checked: Checked
    landmarks: LandmarkSet
    plan: Plan
    going_on: Continued = None


def checked(data) -> Checked:
    """Every case below the folders `data`, read whole. Raises DatasetError that names every case that
    cannot be used."""
    return _read(_found(data))


def _found(data, left_out=()) -> list:
    """The cases below the folders, less the images whose ids are `left_out`."""
    doing("looking for cases")
    found = find_cases(data)
    if left_out:
        looked_at = each(found, "leaving out images")
        found = [case for case in looked_at if not _is_one_of(case, left_out)]
    return found


def _check_settings(config: TrainConfig, found, parent: Model = None) -> None:
    """What can be told of settings before an image is read. Raises DatasetError."""
    device_for(config)
    names = list(parent.description.landmarks.names) if parent is not None else []
    names += [name for case in found for name in case.annotation.names]
    check_stated(config.mirror_pairs or (), config.midline or (), dict.fromkeys(names))
    split_cases(
        *([case.name for case in found], config.validation_share, config.seed, config.held_out)
    )


def _read(found) -> Checked:
    grids, labels, digests, bad = [], [], {}, []
    for case, apart in each(zip(found, told_apart(found)), "reading images"):
        try:
            # Read to be checked, and read again when it is needed: they may not all fit into memory.
            image = read_image(case.image_path)
            intensity_window(image.array, IntensityNormalisation())
            grids.append(image.grid)
            labels.append(label_of(case.annotation, image.grid))
            digests[apart.name] = case_digest(case, image, labels[-1])
        except LandmarkHeatmapError as error:
            bad.append(f"{case.name}: {error}")
    if bad:
        raise DatasetError("These cases cannot be used:\n  " + "\n  ".join(bad))
    return Checked(found, labels, grids, digests)


def _is_one_of(case, ids) -> bool:
    """An image that cannot be read is none; it is told of when it is needed."""
    try:
        return not ids_of(case.image_path).isdisjoint(ids)
    except LandmarkHeatmapError:
        return False


def model_to_start_from(path) -> Model:
    """Raises ModelFileError, or DatasetError for one that cannot be trained further."""
    model = read_model(path)
    if model.description.members > 1:
        raise DatasetError(
            f"'{path}' is an ensemble of {model.description.members} models; start from one of those it"
            " was made of."
        )
    return model


def planned(data, config: TrainConfig, parent: Model = None, say=print, left_out=()) -> Planned:
    """What a run on these folders would do. Raises DatasetError for cases that cannot be used."""
    found = _found(data, left_out)
    _check_settings(config, found, parent)
    check_spelling(found)
    cases = _read(found)
    stated = config.mirror_pairs or (), config.midline or ()
    if parent is None:
        known = landmark_set_of(data, cases.cases, *stated)
        landmarks, dropped = without_never_placed(known, cases.labels)
        if dropped:
            say(f"Left out, since no case has them inside its image: {', '.join(dropped)}.")
        going_on = before = None
    else:
        going_on = continued(parent.description.landmarks, data, cases.cases, cases.labels, say)
        landmarks = with_stated(going_on.landmarks, *stated)
        before = going_on.described(parent.description)
    landmarks = defined_by(landmarks, data)
    as_read, labels = cases, [label.in_names_of(landmarks) for label in cases.labels]
    cases = replace(cases, labels=labels)
    _check_unit(cases, parent)
    _tell_labels(cases.labels, landmarks, say)
    _tell_doubts(data, as_read, landmarks, say)
    plan = parallel.team().decided(
        lambda: plan_run(config, cases.grids, cases.labels, landmarks, before)
    )
    return Planned(cases, landmarks, replace(plan, device=device_for(config)), going_on)


def _check_unit(cases: Checked, parent) -> None:
    """That all lengths are in one unit, the parent's if there is one. Raises DatasetError."""
    of_unit = {}
    for case, grid in zip(cases.cases, cases.grids):
        of_unit.setdefault(grid.unit, []).append(case.name)
    if len(of_unit) > 1:
        some = {unit: f"{len(names)} ({names[0]}, ...)" for unit, names in of_unit.items()}
        raise DatasetError(
            f"Of these cases, {some[MM]} are in mm, and {some[PX]} in px: nothing says how large a"
            " pixel of those is. Import them again with --spacing MM, or train on the others alone."
        )
    (unit,) = of_unit
    if parent is not None and parent.description.unit != unit:
        raise DatasetError(
            f"The model to start from knows lengths in {parent.description.unit}, and these cases are in"
            f" {unit}. Import them with --spacing MM if their size is known; else train a new model."
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


def _tell_doubts(data, cases: Checked, landmarks, say) -> None:
    """What the user may not know of the data, and would not see in the figures."""
    lonely = images_without_annotation(data)
    if lonely:
        say(f"{len(lonely)} images have no annotation, and are left out: {some(lonely)}.")
    read_as = told_readings(case.annotation for case in cases.cases)
    for sentence in filter(None, (read_as, told_outside(cases.cases, cases.labels))):
        say(sentence)
    for sentence in suspicions(cases.cases, landmarks):
        say(f"Is that meant? {sentence}")


def training_case(case, label, landmarks, plan: Plan) -> TrainingCase:
    image = read_image(case.image_path)
    prepared, window = prepare_with_window(image, plan.stage, plan.intensity)
    grid, dimension = prepared.grid, plan.stage.network.dimension
    ijk = grid.to_ijk(label.positions_lps(landmarks.names))
    centred = (ijk - (np.array(grid.size_ijk) - 1) / 2) * grid.spacing_mm
    absent = [label.state(name) is PointState.ABSENT for name in landmarks.names]
    heavy = plan.config.correction_weight
    weight = [heavy if name in case.corrected else 1.0 for name in landmarks.names]
    own_id = image_id(image)
    return TrainingCase(
        case.name,
        case.image_path,
        own_id,
        ids_of(case.image_path, own_id),
        image.grid,
        image.is_size_stated,
        prepared,
        label,
        torch.from_numpy(centred[:, :dimension][:, ::-1].copy()).float(),
        torch.tensor(absent),
        torch.tensor(weight),
        window,
    )
