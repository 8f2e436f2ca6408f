"""Cases of a dataset folder: added whole, read by their newest revisions."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..annotation.annotation_files import read_annotation, write_annotation
from ..annotation.landmarks import Annotation, LandmarkSet
from ..annotation.measurements import write_measurements
from ..errors import DatasetError, ImageFileError, LandmarkHeatmapError, RevisedMeanwhileError
from ..files import new_folder, rename_new, sha256_of, write_json
from ..images.geometry import Image
from ..images.imageio import read_image, storable_array, write_image
from ..leftovers import temporary_prefix, tidy
from .folder import (
    check_case_name,
    newest_revision,
    newest_revisions,
    read_landmark_set,
    revision_folder,
)
from .record import (
    STATES_OF_REVIEW,
    CaseRecord,
    Review,
    image_name_in,
    judged_names,
    read_by_whom,
    record_document,
)


@dataclass(frozen=True)
class StoredCase:
    """One case as training reads it: the newest revision of its landmarks, and its image.

    corrected: names of the landmarks that a person moved. confirmed: of those that were left where a
    model had put them; model: the SHA-256 of its file, "" if it is not known.
    """

    name: str
    image_path: Path
    annotation_path: Path
    annotation: Annotation
    corrected: frozenset
    confirmed: frozenset = frozenset()
    model: str = ""


def add_case(
    folder,
    case: str,
    image: Image,
    annotation: Annotation,
    record: CaseRecord,
    prediction: Annotation = None,
    measurements: tuple = (),
    after: int = None,
) -> Path:
    """Add a case, or a revision to one that is there; returns the folder of the new revision.

    image: None leaves the image out (the case then cannot be trained from alone). measurements:
    Measurements that are taken of the annotation and written beside it. after: the number of the
    revision that was the newest when the work on this one began, 0 for none; None: whichever is there.
    Names of former times become those that the dataset's landmarks have now; what is retired is left
    out. Raises RevisedMeanwhileError, and writes nothing, if there is a later revision than `after`.
    Raises DatasetError for names that do not fit the dataset, for no points at all, and for a
    point that is something else than the record says was done to it. Nothing is ever overwritten. What
    earlier exports left that were killed is removed; an image of theirs is used if it is this one.
    """
    folder = Path(folder)
    landmarks = read_landmark_set(folder)
    annotation, record = annotation.in_names_of(landmarks), record.in_names_of(landmarks)
    prediction = None if prediction is None else prediction.in_names_of(landmarks)
    _check_points(landmarks, annotation, record, prediction)
    case_folder = folder / "cases" / check_case_name(case)
    _check_same_letters(case_folder)
    check_not_revised(case_folder, after)
    case_folder.mkdir(parents=True, exist_ok=True)
    for each in (folder, case_folder):
        tidy(each)
    image_name = None if image is None else _store_image(case_folder, image)
    document = record_document(record, annotation, case_folder, image_name, landmarks)
    while True:
        check_not_revised(case_folder, after)
        number = newest_revision(case_folder) if after is None else after
        revision = revision_folder(case_folder, number + 1)
        try:
            with new_folder(revision) as temporary:
                write_annotation(temporary / "landmarks.mrk.json", annotation)
                if prediction is not None:
                    write_annotation(temporary / "prediction.mrk.json", prediction)
                if measurements:
                    write_measurements(temporary / "measurements.csv", measurements, annotation)
                write_json(temporary / "record.json", {**document, "revision": revision.name})
            return revision
        except OSError:
            # Somebody else may have taken the number in between; anything else is a real failure.
            if not revision.exists():
                raise


def read_cases(folder, skip_unusable: bool = False) -> list:
    """The newest revision of every case that has an image, as StoredCase, by name.

    Raises DatasetError or AnnotationError for a case that cannot be used, naming it, unless those are
    to be skipped: check.py tells of them.
    """
    landmarks, cases = read_landmark_set(folder), []
    for case_folder, revision in newest_revisions(folder):
        try:
            case = _stored_case(case_folder, revision, landmarks)
        except LandmarkHeatmapError:
            if not skip_unusable:
                raise
            continue
        if case is not None:
            cases.append(case)
    return cases


def _stored_case(case_folder: Path, revision: Path, landmarks: LandmarkSet):
    """None for a case without an image."""
    image_name = image_name_in(revision / "record.json")
    if image_name is None:
        return None
    image_path = case_folder / image_name
    if not image_path.is_file():
        raise DatasetError(f"The case '{case_folder.name}' lacks its image '{image_path}'.")
    annotation_path = revision / "landmarks.mrk.json"
    annotation = read_annotation(annotation_path, landmarks)
    judged = judged_names(revision / "record.json", landmarks)
    return StoredCase(case_folder.name, image_path, annotation_path, annotation, *judged)


def read_annotations(folder) -> dict:
    """Case name to the newest Annotation of every case, those without an image included.

    Raises DatasetError or AnnotationError for a case that cannot be used, naming it.
    """
    landmarks = read_landmark_set(folder)
    return {
        case_folder.name: read_annotation(revision / "landmarks.mrk.json", landmarks)
        for case_folder, revision in newest_revisions(folder)
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
        if state not in STATES_OF_REVIEW[review]:
            raise DatasetError(f"'{name}' is stated as {state.value} and as {review.value}.")


def check_not_revised(case_folder: Path, after: int) -> None:
    """Raises RevisedMeanwhileError, saying who and when, if a case has a later revision than `after`;
    never if that is None."""
    newest = newest_revision(case_folder)
    if after is None or newest <= after:
        return
    revision = revision_folder(case_folder, newest)
    who, when = read_by_whom(revision / "record.json")
    raise RevisedMeanwhileError(
        f"{who or 'Somebody'} has exported '{case_folder.name}' meanwhile ({revision.name},"
        f" {when or 'at a time that is not known'}). Nothing was written."
    )


def _check_same_letters(case_folder: Path) -> None:
    """'Case-1' and 'case-1' are one folder on Windows and macOS, and two elsewhere."""
    siblings = case_folder.parent.iterdir() if case_folder.parent.is_dir() else ()
    for sibling in siblings:
        if sibling.name != case_folder.name and sibling.name.lower() == case_folder.name.lower():
            raise DatasetError(
                f"'{case_folder.name}' differs from the case '{sibling.name}' in capitals only."
            )


def _store_image(case_folder: Path, image: Image) -> str:
    """Write the image unless the same one is there; returns its file name."""
    written = case_folder / f"{temporary_prefix()}{uuid.uuid4().hex}.nrrd"
    try:
        _write_image(written, image, case_folder / "image.nrrd")
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


def _write_image(written: Path, image: Image, path: Path) -> None:
    """Write it to `written`. Errors name `path`, where the user would look for it."""
    try:
        write_image(written, image)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    except ImageFileError as error:
        raise ImageFileError(str(error).replace(str(written), str(path))) from error


def _holds(path: Path, image: Image, written: Path) -> bool:
    """Whether the file at `path` is this image, which has also been written to `written`.

    Different versions of ITK compress the same voxels to different bytes: what counts is inside.
    """
    try:
        if sha256_of(path) == sha256_of(written):
            return True
        stored = read_image(path)
    except LandmarkHeatmapError:
        return False
    array = storable_array(image.array)
    return (
        stored.array.dtype == array.dtype
        and np.array_equal(stored.array, array, equal_nan=array.dtype.kind == "f")
        and np.allclose(stored.ijk_to_lps, image.ijk_to_lps, rtol=0, atol=1e-9)
    )
