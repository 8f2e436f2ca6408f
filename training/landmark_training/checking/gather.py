"""All cases below folders that can be looked at, and what is wrong with the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from landmark_heatmap.annotation.annotation_files import MARKUPS_SUFFIX
from landmark_heatmap.annotation.not_marked import without_predictions
from landmark_heatmap.dataset.check import check_dataset
from landmark_heatmap.dataset.folder import is_dataset
from landmark_heatmap.errors import DatasetError, LandmarkHeatmapError
from landmark_heatmap.images.geometry import Grid
from landmark_heatmap.images.identity import ids_of, image_id
from landmark_heatmap.images.imageio import image_stem, read_image

from ..data.cases import (
    Case,
    dataset_cases,
    images_without_annotation,
    pair_paths,
    read_pair,
    told_apart,
    without_unplaced,
)
from .finding import UNUSABLE, WITHOUT, Finding


@dataclass(frozen=True, eq=False)
class Looked:
    """A case whose image was read. grid: of its voxels. image: the id of these; ids: all under which a
    model may know it."""

    case: Case
    grid: Grid
    image: str
    ids: frozenset


def gather(folders, progress=None) -> tuple:
    """(Looked of each case, Findings). progress: wraps the cases in whatever shows how far it is.

    Raises DatasetError for what is no folder, and where there is no case at all.
    """
    cases, findings = [], []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise DatasetError(f"There is no folder '{folder}'.")
        found, faults = _of_dataset(folder) if is_dataset(folder) else _of_pairs(folder)
        cases += found
        findings += faults
        if not found and not faults:
            raise DatasetError(f"'{folder}' holds no case: no image with its {MARKUPS_SUFFIX}.")
    looked = []
    for case in (progress or iter)(without_unplaced(told_apart(cases))):
        try:
            image = read_image(case.image_path)
            own_id = image_id(image)
            known_as = ids_of(case.image_path, own_id)
        except LandmarkHeatmapError as error:
            if not _is_told(case, findings):
                findings.append(Finding(UNUSABLE, str(error), case.name))
            continue
        # What nobody has judged is taught to nobody.
        judged = replace(case, annotation=without_predictions(case.annotation))
        looked.append(Looked(judged, image.grid, own_id, known_as))
    return looked, findings


def _of_dataset(folder: Path) -> tuple:
    """What `landmark-heatmap dataset check` tells of its files comes first."""
    findings = []
    for fault in check_dataset(folder):
        parts = fault.path.relative_to(folder).parts
        case = parts[1] if len(parts) > 1 and parts[0] == "cases" else ""
        findings.append(Finding(UNUSABLE, f"{fault.path}: {fault.reason}", case))
    try:
        return dataset_cases(folder, skip_unusable=True), findings
    except LandmarkHeatmapError as error:
        if not findings:
            findings.append(Finding(UNUSABLE, str(error)))
        return [], findings


def _is_told(case: Case, findings) -> bool:
    return any(str(case.image_path) in each.reason for each in findings if each.kind == UNUSABLE)


def _of_pairs(folder: Path) -> tuple:
    paths, faults = pair_paths(folder)
    cases, findings = [], [Finding(UNUSABLE, fault) for fault in faults]
    for each in paths:
        try:
            case = read_pair(*each)
        except LandmarkHeatmapError as error:
            findings.append(Finding(UNUSABLE, str(error), each[0]))
            continue
        cases.append(case)
    for path in images_without_annotation([folder]):
        reason = f"No {MARKUPS_SUFFIX} belongs to '{path}': training would leave it out."
        findings.append(Finding(WITHOUT, reason, image_stem(path)))
    return cases, findings
