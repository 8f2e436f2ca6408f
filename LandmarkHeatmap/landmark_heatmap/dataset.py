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
import os
import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path

from . import __version__
from .annotations import read_annotation, write_annotation
from .errors import DatasetError
from .files import new_folder, replacing, sha256_of, write_json
from .geometry import Image
from .imageio import write_image
from .landmarks import Annotation, LandmarkSet, PointState
from .prediction import ModelIdentity

DATASET_SCHEMA = "landmark-heatmap-dataset"
RECORD_SCHEMA = "landmark-heatmap-record"
SCHEMA_VERSION = 1
_CASE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
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
    """One case as training reads it: the newest revision of its landmarks, and its image."""

    name: str
    image_path: Path
    annotation_path: Path
    annotation: Annotation


def check_case_name(name: str) -> str:
    """`name`, if it can be a folder's name on every system. Raises DatasetError otherwise."""
    if not _CASE_NAME.fullmatch(name) or name.endswith("."):
        raise DatasetError(
            f"'{name}' cannot be a case name: use up to 64 letters, digits, '-', '_' and '.',"
            " beginning with a letter or a digit, and nothing that identifies a patient."
        )
    return name


def suggest_case_name(folder) -> str:
    """A name that no case of the dataset has and that says nothing about a patient: 'case-0007'."""
    cases = Path(folder) / "cases"
    taken = {path.name for path in cases.iterdir()} if cases.is_dir() else set()
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
    if folder.is_dir() and any(folder.iterdir()):
        raise DatasetError(f"'{folder}' holds other files; choose an empty folder or a dataset.")
    (folder / "cases").mkdir(parents=True, exist_ok=True)
    with replacing(folder / "README.txt") as temporary:
        temporary.write_text(_README, encoding="utf-8")
    document = {
        "schema": DATASET_SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "name": name or folder.name,
        "coordinate_system": "LPS",
        "units": "mm",
        "landmark_set": landmarks.to_json(),
    }
    write_json(folder / "dataset.json", document)


def is_dataset(folder) -> bool:
    return (Path(folder) / "dataset.json").is_file()


def read_landmark_set(folder) -> LandmarkSet:
    """The landmark set of a dataset. Raises DatasetError if the description cannot be used."""
    path = Path(folder) / "dataset.json"
    document = _read_json(path, DATASET_SCHEMA)
    try:
        return LandmarkSet.from_json(document["landmark_set"])
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"'{path}' has no usable landmark set ({error!r}).") from error


def add_case(
    folder, case: str, image: Image, annotation: Annotation, record: CaseRecord,
    prediction: Annotation = None,
) -> Path:
    """Add a case, or a revision to one that is there; returns the folder of the new revision.

    image: None leaves the image out (the case then cannot be trained from alone).
    Raises DatasetError for names that do not fit the dataset. Nothing is ever overwritten.
    """
    folder = Path(folder)
    landmarks = read_landmark_set(folder)
    _check_names(landmarks, annotation, record)
    case_folder = folder / "cases" / check_case_name(case)
    case_folder.mkdir(parents=True, exist_ok=True)
    image_name = None if image is None else _store_image(case_folder, image)
    document = _record_document(record, annotation, case_folder, image_name)
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
    folder = Path(folder)
    landmarks = read_landmark_set(folder)
    cases = []
    for case_folder in sorted((folder / "cases").iterdir()):
        number = _newest_revision(case_folder)
        if number == 0:
            continue
        revision = case_folder / f"revision-{number:03d}"
        record = _read_json(revision / "record.json", RECORD_SCHEMA)
        image = (record.get("image") or {}).get("file")
        if image is None:
            continue
        image_path = case_folder / Path(image).name
        if not image_path.is_file():
            raise DatasetError(f"The case '{case_folder.name}' lacks its image '{image_path}'.")
        annotation_path = revision / "landmarks.mrk.json"
        annotation = read_annotation(annotation_path, landmarks)
        cases.append(StoredCase(case_folder.name, image_path, annotation_path, annotation))
    return cases


def _check_names(landmarks: LandmarkSet, annotation: Annotation, record: CaseRecord) -> None:
    for name in (*annotation.names, *record.reviews):
        if name not in landmarks.names:
            raise DatasetError(
                f"The landmark '{name}' is not in this dataset, which has"
                f" {', '.join(landmarks.names)}."
            )
    for name, review in record.reviews.items():
        if review is Review.UNTOUCHED and annotation.state(name) is PointState.PLACED:
            raise DatasetError(f"'{name}' is stated as placed by a person and as untouched.")


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
        digest = sha256_of(written)
        number = 1
        while True:
            name = "image.nrrd" if number == 1 else f"image-{number}.nrrd"
            path = case_folder / name
            if path.exists():
                if sha256_of(path) == digest:
                    return name
                number += 1
                continue
            os.rename(written, path)
            return name
    finally:
        written.unlink(missing_ok=True)


def _record_document(record, annotation, case_folder, image_name) -> dict:
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
        "complete": record.complete,
        "points": {
            name: {"review": review.value, "state": annotation.state(name).value}
            for name, review in record.reviews.items()
        },
    }


def _newest_revision(case_folder: Path) -> int:
    numbers = [
        int(path.name[len("revision-"):])
        for path in case_folder.glob("revision-*")
        if path.name[len("revision-"):].isdigit()
    ]
    return max(numbers, default=0)


def _read_json(path: Path, schema: str) -> dict:
    """A JSON document of ours. Raises DatasetError if it is not, or is newer than this program."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        found, version = document["schema"], int(document["schema_version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"'{path}' cannot be read ({error!r}).") from error
    if found != schema:
        raise DatasetError(f"'{path}' has the schema '{found}', not '{schema}'.")
    if version > SCHEMA_VERSION:
        raise DatasetError(
            f"'{path}' has schema version {version}; this program knows up to {SCHEMA_VERSION}."
            " Update LandmarkHeatmap."
        )
    return document
