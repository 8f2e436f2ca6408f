"""From a reviewed result in the scene to a case in a dataset folder."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landmark_heatmap.annotation.landmarks import Annotation
from landmark_heatmap.annotation.on_image import moved
from landmark_heatmap.dataset.cases import add_case, check_not_revised
from landmark_heatmap.dataset.folder import (
    check_case_name,
    create_dataset,
    dataset_id,
    is_dataset,
    suggest_case_name,
)
from landmark_heatmap.dataset.record import CaseRecord
from landmark_heatmap.files import real_path
from landmark_heatmap.images.geometry import Image, in_pixels
from landmark_heatmap.worklist.sources import case_name_of

from .result.detection_result import DetectionResult
from .review.snapshot import Snapshot
from .volumes import file_of, image_of

# As which case a volume was exported into which dataset, kept with the volume: the next export there
# is a revision, and in another dataset no case of somebody else's.
_CASES_ATTRIBUTE = "LandmarkHeatmap.Cases"
# The same of the one dataset whose worklist it was opened from, which may be no dataset yet.
_OPENED_ATTRIBUTE = "LandmarkHeatmap.OpenedAs"


@dataclass(frozen=True, eq=False)
class CaseExport:
    """All that has to be asked of the scene for the export of a case; `write` asks nothing of it, and may
    be called in a thread. result: what is exported. moment: what is judged in it."""

    result: DetectionResult
    moment: Snapshot
    folder: Path
    case: str
    image: Image
    annotation: Annotation
    record: CaseRecord
    predicted: Annotation
    measurements: tuple
    after: int

    @classmethod
    def of(
        cls, result: DetectionResult, folder, case="", annotator="", with_image=True, after=None
    ) -> CaseExport:
        """As for export_case. Raises RevisedMeanwhileError if there is a later revision than `after`."""
        result.follow_volume()
        create_dataset(folder, result.landmarks)
        case = case or suggest_case(result.volume_node, folder)
        check_not_revised(Path(folder) / "cases" / check_case_name(case), after)
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
        image = image if with_image else None
        known = (Path(folder), case, image, annotation, record, predicted)
        measurements = result.landmarks.measurements
        return cls(result, Snapshot.take(result), *known, measurements, after)

    def write(self) -> Path:
        """Write it; returns the new revision's folder. Raises as add_case does."""
        given = (self.case, self.image, self.annotation, self.record, self.predicted)
        return add_case(self.folder, *given, self.measurements, self.after)

    def settle(self) -> None:
        """It was written: the next export of the volume is a revision of the same case."""
        volume = self.result.volume_node
        if volume is None:
            return  # somebody has removed it meanwhile
        cases = {**_cases(volume), dataset_id(self.folder): self.case}
        volume.SetAttribute(_CASES_ATTRIBUTE, json.dumps(cases))

    @property
    def is_all(self) -> bool:
        """Whether nothing else was judged in the result since."""
        if not self.result.is_whole:
            return False
        names = self.result.landmarks.names
        return not Snapshot.take(self.result).touched_since(self.moment, names)


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
    name there; by default the one under which this volume was exported there before, or that of its
    file in a worklist, or a new number; none says anything about the patient. A case that is there
    already gets a further revision. What the landmarks define as measurements is written, too.
    Everything is in the volume's own coordinates; of a photograph, in its pixels. after: as for
    `add_case`.
    Raises DatasetError for a folder, landmarks or a name that do not fit.
    """
    export = CaseExport.of(result, folder, case, annotator, with_image, after)
    revision = export.write()
    export.settle()
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
    """As which case a volume would be exported: that of before, that of the file that it was read from,
    which a worklist calls so, too, or a new number.

    folder: a dataset, or what may become one. Raises DatasetError for a damaged one.
    """
    before = _cases(volume_node).get(dataset_id(folder)) if is_dataset(folder) else None
    named = before or _opened_as(volume_node, folder) or _case_of_file(volume_node)
    return named or suggest_case_name(folder)


def _case_of_file(volume_node) -> str:
    """Empty where no single file is known that is this image."""
    path = file_of(volume_node)
    if path is not None:
        # It may be gone meanwhile.
        with suppress(OSError):
            return case_name_of(path)
    return ""


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
