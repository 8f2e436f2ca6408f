"""What several people have said of one case: the newest annotation of each, from the revisions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..annotation.annotation_files import read_annotation
from ..annotation.landmarks import Annotation
from ..dataset.folder import read_landmark_set, revision_number
from ..dataset.record import Review, read_record
from ..errors import LandmarkHeatmapError


@dataclass(frozen=True)
class Reading:
    """annotator: who; may be empty. created: ISO 8601. annotation: as it lies in the dataset, without
    what nobody judged."""

    annotator: str
    created: str
    revision: int
    annotation: Annotation


def readings_of(dataset, case: str) -> list:
    """The newest Reading of each annotator of a case, the newest first.

    A revision that cannot be read is left out: `landmark-heatmap dataset check` says why. Raises
    DatasetError for a dataset whose landmarks cannot be read.
    """
    landmarks, found = read_landmark_set(dataset), {}
    revisions = (Path(dataset) / "cases" / case).glob("revision-*")
    for folder in sorted(filter(revision_number, revisions), key=revision_number, reverse=True):
        try:
            record = read_record(folder / "record.json").in_names_of(landmarks)
            annotation = read_annotation(folder / "landmarks.mrk.json", landmarks)
        except (LandmarkHeatmapError, OSError):
            continue
        judged = {
            name: point
            for name, point in annotation.points.items()
            if record.reviews.get(name, Review.UNTOUCHED) is not Review.UNTOUCHED
        }
        said = Annotation(judged, unit=annotation.unit)
        reading = Reading(record.annotator, record.created, revision_number(folder), said)
        found.setdefault(record.annotator, reading)
    return list(found.values())
