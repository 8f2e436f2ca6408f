"""A case of a worklist in the scene: its image as a volume, its newest revision as a result."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from landmark_heatmap.annotation.annotation_files import read_annotation
from landmark_heatmap.annotation.landmarks import Annotation, LandmarkSet, PointState
from landmark_heatmap.annotation.on_image import moved
from landmark_heatmap.dataset.folder import read_landmark_set, revision_folder
from landmark_heatmap.dataset.record import CaseRecord, Review, read_record
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.geometry import Image, apply_affine

from .export import CaseExport, keep_opened_as, stored_image
from .journal.document import Beginning, Mark
from .journal.restoring import moment_of
from .result import markups
from .result.as_prediction import prediction_from
from .result.detection_result import DetectionResult
from .review.snapshot import Snapshot
from .volumes import add_volume, grid_of, ijk_to_ras, remove_with_display, unit_of

_RAS_OF_LPS = np.array([-1, -1, 1])
# What a person says; that a point was corrected is told from where it is.
_SAID = (Review.CONFIRMED, Review.MARKED_ABSENT)


def add_case_volume(scene, entry, dataset, image: Image, is_hidden: bool = False):
    """A new volume node with the image of an Entry of a worklist; its export goes to that case.

    Called after its file, which is the user's own business, and not after the case.
    """
    name = Path(entry.title).name
    is_free = scene.GetFirstNodeByName(name) is None
    node = add_volume(scene, image, name, is_hidden=is_hidden)
    if is_free:
        node.SetName(name)  # the scene gives no name twice, also after its node is gone
    keep_opened_as(node, dataset, entry.case)
    return node


def open_case(
    scene, worklist, lock, image: Image, is_hidden: bool = False, afresh: bool = False
) -> CaseAtWork:
    """A case of a Worklist in the scene, with its newest revision, if there is one, as a result.

    lock: its CaseLock. image: of `image_to_open`. is_hidden: from the lists of volumes, as long as it is
    not its turn. afresh: without what was judged in it before. Raises DatasetError or
    AnnotationError for a revision that cannot be read; then nothing of it is in the scene.
    """
    entry = worklist.entry(lock.case)
    volume = add_case_volume(scene, entry, worklist.dataset, image, is_hidden)
    work = CaseAtWork(lock, entry.title, volume)
    try:
        if lock.revision and not afresh:
            result = reopened(volume, worklist.dataset, lock.case, lock.revision)
            markups.show(result.markups_node, not is_hidden)
            work.see(result)
    except Exception:
        work.remove()
        raise
    return work


def image_to_open(worklist, lock):
    """The path, or the DicomSeries, of the image of a case. Raises DatasetError if it is not there."""
    entry = worklist.entry(lock.case)
    if entry is None or entry.image is None:
        raise DatasetError(
            f"The image of '{lock.case}' is not here: it was exported without. Choose the folder that"
            " holds it."
        )
    return entry.image


def reopened(volume_node, dataset, case: str, revision: int) -> DetectionResult:
    """A revision of a case as a result beside its volume, with all that was judged, without heatmaps.

    Raises DatasetError or AnnotationError for one that cannot be read.
    """
    folder = revision_folder(Path(dataset) / "cases" / case, revision)
    landmarks = read_landmark_set(dataset)
    record = read_record(folder / "record.json").in_names_of(landmarks)
    annotation = in_volume(volume_node, read_annotation(folder / "landmarks.mrk.json", landmarks))
    path, prediction = folder / "prediction.mrk.json", None
    if path.is_file():
        said = in_volume(volume_node, read_annotation(path, landmarks))
        prediction = _prediction(volume_node, landmarks, said, record)
    result = DetectionResult.publish(volume_node, prediction, landmarks)
    predicted, to_ijk = Beginning.of(result).predicted, np.linalg.inv(ijk_to_ras(volume_node))
    marks = _marks(annotation, record, landmarks, predicted, to_ijk)
    moment_of(result, marks, predicted).put_back(result)
    return result


def in_volume(volume_node, annotation: Annotation) -> Annotation:
    """An annotation of a case, as the dataset has it, in the case's volume's own coordinates, LPS."""
    _image, motion = stored_image(volume_node)
    return moved(annotation, np.linalg.inv(motion), unit_of(volume_node))


def _prediction(volume_node, landmarks: LandmarkSet, predicted: Annotation, record: CaseRecord):
    known = []
    for mark in landmarks.landmarks:
        point = predicted.points.get(mark.name)
        if point is not None:
            place = (np.nan,) * 3 if point.position_lps is None else point.position_lps
            confidence = 0.0 if point.confidence is None else point.confidence
            known.append((mark, np.array(place), confidence, point.doubt))
    return prediction_from(known, grid_of(volume_node, unit_of(volume_node)), record.model)


def _marks(annotation: Annotation, record: CaseRecord, landmarks, predicted, ras_to_ijk) -> tuple:
    """predicted: the Marks of the model. What nobody judged and has no place is as that has it: absent,
    or waiting to be placed."""
    marks = []
    for name, then in zip(landmarks.names, predicted):
        point, said = annotation.points.get(name), record.reviews.get(name)
        ijk = None
        if point is not None and point.position_lps is not None:
            ras = np.asarray(point.position_lps) * _RAS_OF_LPS
            ijk = tuple(apply_affine(ras_to_ijk, ras).tolist())
        if ijk is None and annotation.state(name) is not PointState.ABSENT:
            marks.append(then if then.ijk is None else Mark())
            continue
        is_missing = ijk is None
        told = said.value if said in _SAID else None
        marks.append(Mark(ijk, is_missing, told, record.followed.get(name, ())))
    return tuple(marks)


class CaseAtWork:
    """A case that is in hand here. lock: its CaseLock. revision: the number of the newest when it was
    opened, or that was exported here since."""

    def __init__(self, lock, title: str, volume_node):
        self.lock, self.title, self.volume_node = lock, title, volume_node
        self.revision, self._seen = lock.revision, {}

    @property
    def case(self) -> str:
        return self.lock.case

    @property
    def is_there(self) -> bool:
        """Whether its volume is still in the scene."""
        return self.volume_node.GetScene() is not None

    @property
    def is_touched(self) -> bool:
        """Whether anything was judged, moved or taken back that no revision has yet."""
        return any(map(self._is_touched, self._results()))

    def exported(self, export: CaseExport, revision: int) -> None:
        """A result was exported as a revision."""
        self.revision = revision
        self._seen[export.result.node.GetID()] = export.moment

    def remove(self) -> None:
        """Take the volume and its results out of the scene, if nobody has done so."""
        for result in self._results():
            result.remove()
        if self.is_there:
            remove_with_display(self.volume_node)

    def see(self, result: DetectionResult) -> None:
        """What is judged in a result now is in the dataset already."""
        self._seen[result.node.GetID()] = Snapshot.take(result)

    def _results(self) -> list:
        if not self.is_there:
            return []
        every = DetectionResult.all(self.volume_node.GetScene())
        return [each for each in every if each.volume_node is self.volume_node]

    def _is_touched(self, result: DetectionResult) -> bool:
        seen = self._seen.get(result.node.GetID())
        if seen is None:
            return any(said is not Review.UNTOUCHED for said in result.reviews().values())
        return bool(Snapshot.take(result).touched_since(seen, result.landmarks.names))
