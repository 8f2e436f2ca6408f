"""The dataset folder: what the Slicer module exports and training reads.

    DATASET/
      dataset.json                    schema, name, the landmark set
      README.txt                      what this folder is, for the person who finds it
      cases/CASE/
        image.nrrd                    the image, once (image-2.nrrd ... if another one comes)
        revision-001/
          landmarks.mrk.json          the points as they stood, LPS, mm
          prediction.mrk.json         what the model had said, if a model was used
          record.json                 who, when, which model, what was done to each point
        revision-002/ ...             a later export of the same case; nothing is ever overwritten

A revision is written to the side and renamed into place whole: there is none that is half written.
The newest revision is the one that counts.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path

import numpy as np

from . import __version__
from .annotations import read_annotation, write_annotation
from .errors import AnnotationError, DatasetError, ImageFileError
from .files import new_folder, rename_new, replacing, sha256_of, write_json
from .geometry import Image
from .imageio import read_image, storable_array, write_image
from .landmarks import Annotation, LandmarkSet, PointState
from .prediction import ModelIdentity

DATASET_SCHEMA = "landmark-heatmap-dataset"
RECORD_SCHEMA = "landmark-heatmap-record"
SCHEMA_VERSION = 1
_CASE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Windows keeps these names for devices, whatever the case and whatever follows a dot.
_RESERVED_NAME = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_REVISION = re.compile(r"revision-([0-9]{3,})")
_README = """A dataset of LandmarkHeatmap: images with anatomical landmarks.

dataset.json says which landmarks there are. Each folder in cases/ is one image with one or more
revisions of its landmarks; the highest revision is the newest. landmarks.mrk.json opens in 3D
Slicer; positions are in mm, LPS. record.json says which model had predicted the points, which of
them a person corrected, confirmed or marked as absent, who, and when. Points that nobody looked at
are no labels, and training leaves them out.
"""


class Review(str, Enum):
    """What a person did about one predicted landmark."""

    UNTOUCHED = "untouched"  # nothing: it is no label
    CONFIRMED = "confirmed"  # looked at and left where it was
    CORRECTED = "corrected"  # moved, or placed where the model had seen none
    MARKED_ABSENT = "marked_absent"  # said not to be in this image


# What a person did says what the point is: training reads the point, people read the record. What
# nobody looked at must never read as placed or absent, for those are labels.
_STATES_OF_REVIEW = {
    Review.UNTOUCHED: (PointState.PREDICTED, PointState.UNJUDGED),
    Review.CONFIRMED: (PointState.PLACED, PointState.ABSENT),
    Review.CORRECTED: (PointState.PLACED,),
    Review.MARKED_ABSENT: (PointState.ABSENT,),
}


@dataclass(frozen=True)
class CaseRecord:
    """All that is known of how the landmarks of a case came about.

    reviews: name to Review for every landmark. complete: whether every landmark was judged.
    annotator: as the user wishes to be called; may be empty. image_note: which part of the source
    was used, where it had several components or frames.
    """

    reviews: dict
    annotator: str = ""
    model: ModelIdentity = None
    created: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat())
    image_note: str = ""

    @property
    def complete(self) -> bool:
        return Review.UNTOUCHED not in self.reviews.values()


@dataclass(frozen=True)
class StoredCase:
    """One case as training reads it: the newest revision of its landmarks, and its image.

    corrected: names of the landmarks that a person moved.
    """

    name: str
    image_path: Path
    annotation_path: Path
    annotation: Annotation
    corrected: frozenset


def check_case_name(name: str) -> str:
    """`name`, if it can be a folder's name on every system. Raises DatasetError otherwise."""
    if not _CASE_NAME.fullmatch(name) or name.endswith("."):
        raise DatasetError(
            f"'{name}' cannot be a case name: use up to 64 letters, digits, '-', '_' and '.',"
            " beginning with a letter or a digit, and nothing that identifies a patient."
        )
    if _RESERVED_NAME.fullmatch(name):
        raise DatasetError(f"'{name}' cannot be a case name: Windows reserves it for a device.")
    return name


def suggest_case_name(folder) -> str:
    """A name that no case of the dataset has and that says nothing about a patient: 'case-0007'."""
    cases = Path(folder) / "cases"
    taken = {path.name.lower() for path in cases.iterdir()} if cases.is_dir() else set()
    number = len(taken) + 1
    while f"case-{number:04d}" in taken:
        number += 1
    return f"case-{number:04d}"


def create_dataset(folder, landmarks: LandmarkSet, name: str = "") -> None:
    """Make `folder` a dataset of these landmarks; one that is there already has to agree.

    Raises DatasetError if it holds another landmark set or is not ours.
    """
    folder = Path(folder)
    if (folder / "dataset.json").exists():
        _check_same_landmarks(folder, read_landmark_set(folder), landmarks)
        return
    if folder.exists() and not folder.is_dir():
        raise DatasetError(f"'{folder}' is a file; a dataset is a folder.")
    # Hidden files do not count: the desktop's, and what a crash of an earlier attempt left.
    if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise DatasetError(f"'{folder}' holds other files; choose an empty folder or a dataset.")
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "schema": DATASET_SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "id": uuid.uuid4().hex,
        "name": name or folder.name,
        "coordinate_system": "LPS",
        "units": "mm",
        "landmark_set": landmarks.to_json(),
    }
    # This comes first, so that a crash leaves nothing or a dataset.
    write_json(folder / "dataset.json", document)
    (folder / "cases").mkdir(exist_ok=True)
    with replacing(folder / "README.txt") as temporary:
        temporary.write_text(_README, encoding="utf-8")


def is_dataset(folder) -> bool:
    return (Path(folder) / "dataset.json").is_file()


def dataset_id(folder) -> str:
    """What tells a dataset from every other, wherever it is moved to; empty if it has none."""
    return str(_read_json(Path(folder) / "dataset.json", DATASET_SCHEMA).get("id", ""))


def read_landmark_set(folder) -> LandmarkSet:
    """The landmark set of a dataset. Raises DatasetError if the description cannot be used."""
    path = Path(folder) / "dataset.json"
    document = _read_json(path, DATASET_SCHEMA)
    try:
        return LandmarkSet.from_json(document["landmark_set"])
    except (KeyError, TypeError, AttributeError, AnnotationError) as error:
        raise DatasetError(f"'{path}' has no usable landmark set ({error!r}).") from error


def add_case(
    folder,
    case: str,
    image: Image,
    annotation: Annotation,
    record: CaseRecord,
    prediction: Annotation = None,
) -> Path:
    """Add a case, or a revision to one that is there; returns the folder of the new revision.

    image: None leaves the image out (the case then cannot be trained from alone).
    Raises DatasetError for names that do not fit the dataset, for no points at all, and for a point
    that is something else than the record says was done to it. Nothing is ever overwritten.
    """
    folder = Path(folder)
    landmarks = read_landmark_set(folder)
    _check_points(landmarks, annotation, record, prediction)
    case_folder = folder / "cases" / check_case_name(case)
    _check_same_letters(case_folder)
    case_folder.mkdir(parents=True, exist_ok=True)
    image_name = None if image is None else _store_image(case_folder, image)
    document = _record_document(record, annotation, case_folder, image_name, landmarks)
    while True:
        revision = case_folder / f"revision-{_newest_revision(case_folder) + 1:03d}"
        try:
            with new_folder(revision) as temporary:
                write_annotation(temporary / "landmarks.mrk.json", annotation)
                if prediction is not None:
                    write_annotation(temporary / "prediction.mrk.json", prediction)
                write_json(temporary / "record.json", {**document, "revision": revision.name})
            return revision
        except OSError:
            # Somebody else may have taken the number in between; anything else is a real failure.
            if not revision.exists():
                raise


def read_cases(folder) -> list:
    """The newest revision of every case that has an image, as StoredCase, by name.

    Raises DatasetError or AnnotationError for a case that cannot be used, naming it.
    """
    landmarks = read_landmark_set(folder)
    cases = []
    for case_folder, revision in _newest_revisions(folder):
        image_name = _image_name(revision / "record.json")
        if image_name is None:
            continue
        image_path = case_folder / image_name
        if not image_path.is_file():
            raise DatasetError(f"The case '{case_folder.name}' lacks its image '{image_path}'.")
        annotation_path = revision / "landmarks.mrk.json"
        annotation = read_annotation(annotation_path, landmarks)
        corrected = _corrected(revision / "record.json")
        cases.append(
            StoredCase(case_folder.name, image_path, annotation_path, annotation, corrected)
        )
    return cases


def read_annotations(folder) -> dict:
    """Case name to the newest Annotation of every case, those without an image included.

    Raises DatasetError or AnnotationError for a case that cannot be used, naming it.
    """
    landmarks = read_landmark_set(folder)
    return {
        case_folder.name: read_annotation(revision / "landmarks.mrk.json", landmarks)
        for case_folder, revision in _newest_revisions(folder)
    }


def _check_points(landmarks: LandmarkSet, annotation, record: CaseRecord, prediction) -> None:
    """That a revision of these can be read again, and does not contradict itself."""
    if not annotation.names or prediction is not None and not prediction.names:
        raise DatasetError("A case without any points cannot be added to a dataset.")
    predicted = () if prediction is None else prediction.names
    for name in (*annotation.names, *record.reviews, *predicted):
        if name not in landmarks.names:
            raise DatasetError(
                f"The landmark '{name}' is not in this dataset, which has"
                f" {', '.join(landmarks.names)}."
            )
    for name in landmarks.names:
        review, state = record.reviews.get(name, Review.UNTOUCHED), annotation.state(name)
        if state not in _STATES_OF_REVIEW[review]:
            raise DatasetError(f"'{name}' is stated as {state.value} and as {review.value}.")


def _check_same_letters(case_folder: Path) -> None:
    """'Case-1' and 'case-1' are one folder on Windows and macOS, and two elsewhere."""
    siblings = case_folder.parent.iterdir() if case_folder.parent.is_dir() else ()
    for sibling in siblings:
        if sibling.name != case_folder.name and sibling.name.lower() == case_folder.name.lower():
            raise DatasetError(
                f"'{case_folder.name}' differs from the case '{sibling.name}' in capitals only."
            )


def _check_same_landmarks(folder, existing: LandmarkSet, wanted: LandmarkSet) -> None:
    if existing.names != wanted.names:
        raise DatasetError(
            f"The dataset '{folder}' has the landmarks {', '.join(existing.names)}, not"
            f" {', '.join(wanted.names)}; choose another folder."
        )


def _store_image(case_folder: Path, image: Image) -> str:
    """Write the image unless the same one is there; returns its file name."""
    written = case_folder / f".new-{uuid.uuid4().hex}.nrrd"
    try:
        write_image(written, image)
        number = 1
        while True:
            path = case_folder / ("image.nrrd" if number == 1 else f"image-{number}.nrrd")
            try:
                rename_new(written, path)
                return path.name
            except FileExistsError:
                if _holds(path, image, written):
                    return path.name
                number += 1
    finally:
        written.unlink(missing_ok=True)


def _holds(path: Path, image: Image, written: Path) -> bool:
    """Whether the file at `path` is this image, which has also been written to `written`.

    Different versions of ITK compress the same voxels to different bytes: what counts is inside.
    """
    if sha256_of(path) == sha256_of(written):
        return True
    try:
        stored = read_image(path)
    except ImageFileError:
        return False
    array = storable_array(image.array)
    return (
        stored.array.dtype == array.dtype
        and np.array_equal(stored.array, array, equal_nan=array.dtype.kind == "f")
        and np.allclose(stored.ijk_to_lps, image.ijk_to_lps, rtol=0, atol=1e-9)
    )


def _record_document(record, annotation, case_folder, image_name, landmarks) -> dict:
    image = None
    if image_name is not None:
        image = {"file": image_name, "sha256": sha256_of(case_folder / image_name)}
        image["note"] = record.image_note
    return {
        "schema": RECORD_SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "case": case_folder.name,
        "image": image,
        "annotator": record.annotator,
        "created": record.created,
        "software": f"LandmarkHeatmap {__version__}",
        "model": None if record.model is None else record.model.to_json(),
        "complete": record.complete and set(landmarks.names) == set(record.reviews),
        "points": {
            name: {"review": review.value, "state": annotation.state(name).value}
            for name, review in record.reviews.items()
        },
    }


def _newest_revision(case_folder: Path) -> int:
    """The highest number of a revision, 0 if there is none."""
    matches = (_REVISION.fullmatch(path.name) for path in case_folder.glob("revision-*"))
    return max((int(match[1]) for match in matches if match), default=0)


def _newest_revisions(folder):
    """(case folder, folder of its newest revision) of every case, by name."""
    cases = Path(folder) / "cases"
    for case_folder in sorted(cases.iterdir()) if cases.is_dir() else ():
        number = _newest_revision(case_folder)
        if number:
            yield case_folder, case_folder / f"revision-{number:03d}"


def _image_name(record_path: Path):
    """The file name of the image that a record states, None if it states that there is none."""
    image = _read_json(record_path, RECORD_SCHEMA).get("image")
    if image is None:
        return None
    name = image.get("file") if isinstance(image, dict) else None
    if not isinstance(name, str) or not name or Path(name).name != name:
        raise DatasetError(f"'{record_path}' names no usable image: {image!r}.")
    return name


def _corrected(record_path: Path) -> frozenset:
    """The names of the landmarks that a record states as corrected."""
    points = _read_json(record_path, RECORD_SCHEMA).get("points")
    if not isinstance(points, dict) or not all(isinstance(p, dict) for p in points.values()):
        raise DatasetError(f"'{record_path}' does not say what was done to the points.")
    return frozenset(n for n, p in points.items() if p.get("review") == Review.CORRECTED.value)


def _read_json(path: Path, schema: str) -> dict:
    """A JSON document of ours. Raises DatasetError if it is not, or is newer than this program."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        found, version = document["schema"], int(document["schema_version"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise DatasetError(f"'{path}' cannot be read ({error!r}).") from error
    if found != schema:
        raise DatasetError(f"'{path}' has the schema '{found}', not '{schema}'.")
    if version > SCHEMA_VERSION:
        raise DatasetError(
            f"'{path}' has schema version {version}; this program knows up to {SCHEMA_VERSION}."
            " Update LandmarkHeatmap."
        )
    return document
