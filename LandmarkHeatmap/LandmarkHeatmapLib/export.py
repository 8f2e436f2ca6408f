"""From a reviewed result in the scene to a case in a dataset folder."""

from __future__ import annotations

import json
from pathlib import Path

from landmark_heatmap.dataset import (
    CaseRecord,
    add_case,
    create_dataset,
    dataset_id,
    suggest_case_name,
)

from .result import DetectionResult
from .volumes import image_of

# As which case a volume was exported into which dataset, kept with the volume: the next export there
# is a revision, and in another dataset no case of somebody else's.
_CASES_ATTRIBUTE = "LandmarkHeatmap.Cases"


def export_case(
    result: DetectionResult, folder, case: str = "", annotator: str = "", with_image: bool = True
) -> Path:
    """Write the landmarks as they stand as a case of a dataset; returns the new revision's folder.

    folder: a dataset of the same landmarks, or a new or empty folder that becomes one. case: its
    name there; by default the one under which this volume was exported there before, or a new
    number, which says nothing about the patient. A case that is there already gets a further
    revision. Everything is in the volume's own coordinates.
    Raises DatasetError for a folder, landmarks or a name that do not fit.
    """
    result.follow_volume()
    create_dataset(folder, result.landmarks)
    record = CaseRecord(
        reviews=result.reviews(),
        annotator=annotator,
        model=result.model,
        image_note=result.image_note,
    )
    image = image_of(result.volume_node) if with_image else None
    cases = json.loads(result.volume_node.GetAttribute(_CASES_ATTRIBUTE) or "{}")
    dataset = dataset_id(folder)
    case = case or cases.get(dataset) or suggest_case_name(folder)
    revision = add_case(
        folder, case, image, result.annotation(), record, result.predicted_annotation()
    )
    cases[dataset] = case
    result.volume_node.SetAttribute(_CASES_ATTRIBUTE, json.dumps(cases))
    return revision
