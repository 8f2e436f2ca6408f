"""From a reviewed result in the scene to a case in a dataset folder."""

from __future__ import annotations

from pathlib import Path

from landmark_heatmap.dataset import CaseRecord, add_case, create_dataset, suggest_case_name

from .result import DetectionResult
from .volumes import image_of


def export_case(
    result: DetectionResult, folder, case: str = "", annotator: str = "", with_image: bool = True
) -> Path:
    """Write the landmarks as they stand as a case of a dataset; returns the new revision's folder.

    folder: a dataset of the same landmarks, or a new or empty folder that becomes one. case: its
    name there; by default one that says nothing about the patient. A case that is there already
    gets a further revision. Everything is in the volume's own coordinates.
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
    return add_case(
        folder,
        case or suggest_case_name(folder),
        image,
        result.annotation(),
        record,
        result.predicted_annotation(),
    )
