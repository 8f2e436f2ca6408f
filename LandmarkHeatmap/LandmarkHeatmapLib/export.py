"""From a reviewed result in the scene to a case in a dataset folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from landmark_heatmap.annotation.on_image import moved
from landmark_heatmap.dataset.cases import add_case
from landmark_heatmap.dataset.folder import (
    create_dataset,
    dataset_id,
    is_dataset,
    suggest_case_name,
)
from landmark_heatmap.dataset.record import CaseRecord
from landmark_heatmap.files import real_path
from landmark_heatmap.images.geometry import in_pixels

from .result.detection_result import DetectionResult
from .volumes import image_of

# As which case a volume was exported into which dataset, kept with the volume: the next export there
# is a revision, and in another dataset no case of somebody else's.
_CASES_ATTRIBUTE = "LandmarkHeatmap.Cases"
# The same of the one dataset whose worklist it was opened from, which may be no dataset yet.
_OPENED_ATTRIBUTE = "LandmarkHeatmap.OpenedAs"


def export_case(
    result: DetectionResult,
    folder,
    case: str = "",
    annotator: str = "",
    with_image: bool = True,
    after: int = None,
) -> Path:
    """Write the landmarks as they stand as a case of a dataset; returns the new revision's folder.

    folder: a dataset of the same landmarks, or a new or empty folder that becomes one. case: its
    name there; by default the one under which this volume was exported there before, or a new
    number, which says nothing about the patient. A case that is there already gets a further
    revision. What the landmarks define as measurements is written, too. Everything is in the
    volume's own coordinates; of a photograph, in its pixels. after: as for `add_case`.
    Raises DatasetError for a folder, landmarks or a name that do not fit.
    """
    result.follow_volume()
    create_dataset(folder, result.landmarks)
    record = CaseRecord(
        reviews=result.reviews(),
        annotator=annotator,
        model=result.model,
        image_note=result.image_note,
        followed=result.followed(),
    )
    image, motion = stored_image(result.volume_node)
    annotation, predicted = (
        moved(each, motion, image.unit)
        for each in (result.annotation(), result.predicted_annotation())
    )
    if not predicted.names:
        predicted = None  # begun by hand
    case = case or suggest_case(result.volume_node, folder)
    revision = add_case(
        folder,
        case,
        image if with_image else None,
        annotation,
        record,
        predicted,
        result.landmarks.measurements,
        after,
    )
    cases = {**_cases(result.volume_node), dataset_id(folder): case}
    result.volume_node.SetAttribute(_CASES_ATTRIBUTE, json.dumps(cases))
    return revision


def stored_image(volume_node) -> tuple:
    """(the Image of a volume as a dataset keeps it, 4x4 from the volume's coordinates to its, LPS)."""
    shown = image_of(volume_node)
    image = in_pixels(shown)
    # Nothing is computed, nor rounded, of a volume that has mm.
    motion = np.eye(4)
    if image is not shown:
        motion = image.ijk_to_lps @ np.linalg.inv(shown.ijk_to_lps)
    return image, motion


def suggest_case(volume_node, folder) -> str:
    """As which case a volume would be exported: that of before, or a new number.

    folder: a dataset, or what may become one. Raises DatasetError for a damaged one.
    """
    before = _cases(volume_node).get(dataset_id(folder)) if is_dataset(folder) else None
    return before or _opened_as(volume_node, folder) or suggest_case_name(folder)


def keep_opened_as(volume_node, folder, case: str) -> None:
    """The volume was opened as a case of a folder, which is a dataset or will be one."""
    opened = {"folder": str(real_path(folder)), "case": case}
    volume_node.SetAttribute(_OPENED_ATTRIBUTE, json.dumps(opened))


def _opened_as(volume_node, folder) -> str:
    opened = json.loads(volume_node.GetAttribute(_OPENED_ATTRIBUTE) or "{}")
    return opened["case"] if opened.get("folder") == str(real_path(folder)) else ""


def _cases(volume_node) -> dict:
    """Dataset to case."""
    return json.loads(volume_node.GetAttribute(_CASES_ATTRIBUTE) or "{}")
