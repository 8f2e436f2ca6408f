"""Every fault of a dataset folder, by file and reason. Nothing is changed.

Training reads the newest revisions only, and stops at the first fault; here all revisions are read,
and every image is unpacked, so that a fault is known before the day on which the data are needed.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..annotation.annotation_files import read_annotation
from ..annotation.landmarks import Annotation, LandmarkSet, PointState
from ..errors import DatasetError, LandmarkHeatmapError, quoted
from ..files import sha256_of
from ..images.imageio import read_image
from ..leftovers import is_leftover
from .documents import RECORD_SCHEMA, read_document
from .folder import check_case_name, is_dataset, read_landmark_set, revision_number
from .record import STATES_OF_REVIEW, Review, image_name_in

_LANDMARKS, _PREDICTION, _RECORD = "landmarks.mrk.json", "prediction.mrk.json", "record.json"
_MEASUREMENTS = "measurements.csv"
_IMAGE = re.compile(r"image(-[0-9]{1,9})?\.nrrd")
_DESKTOP = (".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file or a folder of a dataset, and what can be done about it."""

    path: Path
    reason: str


def check_dataset(folder) -> list:
    """All Faults of a dataset, in the order of its files; empty if it is whole.

    Raises DatasetError for a folder that is no dataset.
    """
    folder = Path(folder)
    if not is_dataset(folder):
        raise DatasetError(f"'{folder}' is no dataset: it has no dataset.json.")
    faults, landmarks = [], None
    try:
        landmarks = read_landmark_set(folder)
    except LandmarkHeatmapError as error:
        faults.append(Fault(folder / "dataset.json", str(error)))
    faults += _strangers(folder, ("dataset.json", "README.txt", "cases"))
    cases = folder / "cases"
    if not cases.is_dir():
        return [*faults, Fault(cases, "This folder of all cases is missing.")]
    found = sorted(cases.iterdir())
    for path in found:
        faults += _faults_of_case(path, landmarks)
    if not any(path.is_dir() for path in found):
        faults.append(Fault(cases, "It holds no case yet: there is nothing to train on."))
    faults += _same_letters(cases)
    return faults


def _faults_of_case(case: Path, landmarks: LandmarkSet) -> list:
    """landmarks: None if the dataset does not say them in a way that can be read."""
    if not case.is_dir():
        return [] if case.name in _DESKTOP else [_stranger(case)]
    if is_leftover(case):
        return [_stranger(case)]
    faults = []
    try:
        check_case_name(case.name)
    except DatasetError as error:
        faults.append(Fault(case, str(error)))
    revisions = sorted(
        (path for path in case.iterdir() if revision_number(path) and path.is_dir()),
        key=revision_number,
    )
    if not revisions:
        faults.append(Fault(case, "It has no revision: training does not see it. Export it again."))
    faults += _gaps(case, revisions)
    named = {}
    for revision in revisions:
        faults += _faults_of_revision(revision, landmarks, named)
    for name, sums in named.items():
        faults += _faults_of_image(case / name, sums)
    for image in sorted(path for path in case.iterdir() if _IMAGE.fullmatch(path.name)):
        if image.name not in named:
            told = "No revision names this image: its export was stopped. It is used when the same"
            faults.append(Fault(image, f"{told} image is exported again; else it can be deleted."))
    known = {*named, *(path.name for path in revisions)}
    return faults + _strangers(case, known, _IMAGE)


def _gaps(case: Path, revisions) -> list:
    counts = Counter(map(revision_number, revisions))
    missing = [n for n in range(1, max(counts, default=0)) if n not in counts][:10]
    faults = [
        Fault(case, f"revision-{number:03d} is missing, though there are later ones.")
        for number in missing
    ]
    twice = [number for number, count in counts.items() if count > 1]
    return faults + [Fault(case, f"There are several revisions of number {n}.") for n in twice]


def _faults_of_revision(revision: Path, landmarks: LandmarkSet, named: dict) -> list:
    """named: is given the images that the record names, {file name: [sha256, ...]}."""
    faults, annotation, record = [], None, None
    path = revision / _RECORD
    try:
        record = read_document(path, RECORD_SCHEMA)
        image = image_name_in(path)
        if image is not None:
            named.setdefault(image, []).append((path, record["image"].get("sha256")))
    except LandmarkHeatmapError as error:
        faults.append(Fault(path, str(error)))
    try:
        # By the names of its time, which are those of the record beside it, once it fits the set.
        read_annotation(revision / _LANDMARKS, landmarks)
        annotation = read_annotation(revision / _LANDMARKS)
    except LandmarkHeatmapError as error:
        faults.append(Fault(revision / _LANDMARKS, str(error)))
    if (revision / _PREDICTION).exists():
        try:
            read_annotation(revision / _PREDICTION, landmarks)
        except LandmarkHeatmapError as error:
            faults.append(Fault(revision / _PREDICTION, str(error)))
    if record is not None:
        faults += [Fault(path, reason) for reason in _contradictions(record, revision, annotation)]
    return faults + _strangers(revision, (_LANDMARKS, _PREDICTION, _RECORD, _MEASUREMENTS))


def _contradictions(record: dict, revision: Path, annotation: Annotation):
    """What the record says of its place and its points, and is not so."""
    for key, is_so in (("case", revision.parent.name), ("revision", revision.name)):
        if record.get(key) != is_so:
            yield f"It states the {key} {quoted(record.get(key))}, and lies in {is_so}."
    points = record.get("points")
    if not isinstance(points, dict):
        yield f"It does not say what was done to the points, but {quoted(points)}."
        return
    for name, entry in points.items():
        entry = entry if isinstance(entry, dict) else {}
        try:
            review, state = Review(entry.get("review")), PointState(entry.get("state"))
        except ValueError:
            yield f"What it says of {quoted(name)} is not known: {quoted(points[name])}."
            continue
        if state not in STATES_OF_REVIEW[review]:
            yield f"{quoted(name)} is stated as {state.value} and as {review.value}."
        if annotation is not None and annotation.state(name) is not state:
            yield (
                f"{quoted(name)} is stated as {state.value}, and {_LANDMARKS} has it as"
                f" {annotation.state(name).value}."
            )
    labels = (PointState.PLACED, PointState.ABSENT)
    for name in () if annotation is None else annotation.names:
        if name not in points and annotation.state(name) in labels:
            yield f"It says nothing of {quoted(name)}, which {_LANDMARKS} has."


def _faults_of_image(path: Path, sums) -> list:
    """sums: [(the record, the sha256 that it states)] of each record that names the image."""
    if not path.is_file():
        return [
            Fault(path, f"The image is missing that {_short(record)} names.") for record, _ in sums
        ]
    faults = []
    try:
        found = sha256_of(path)
        for record, stated in sums:
            if stated != found:
                told = f"It is not the image that {_short(record)} names: its sha256 is {found}"
                faults.append(Fault(path, f"{told}, stated is {quoted(stated)}."))
        read_image(path)
    except (LandmarkHeatmapError, OSError) as error:
        faults.append(Fault(path, str(error)))
    except MemoryError:
        faults.append(Fault(path, "There is not enough memory to read it."))
    return faults


def _short(record: Path) -> str:
    return f"{record.parent.name}/{record.name}"


def _strangers(folder: Path, known, pattern=None) -> list:
    """Leftovers of killed exports, and files that no export writes."""
    return [
        _stranger(path)
        for path in sorted(folder.iterdir())
        if path.name not in known
        and path.name not in _DESKTOP
        and not (pattern and pattern.fullmatch(path.name))
    ]


def _stranger(path: Path) -> Fault:
    if is_leftover(path):
        return Fault(
            path,
            "An export writes this just now, or was killed while it did. The next export removes it"
            " if its process is gone, or after a week.",
        )
    return Fault(path, "This is no part of a dataset: nothing reads it. Move it elsewhere.")


def _same_letters(cases: Path) -> list:
    paths = sorted(cases.iterdir()) if cases.is_dir() else []
    counts = Counter(path.name.lower() for path in paths)
    return [
        Fault(path, "Another case differs in capitals only: on Windows and macOS they are one.")
        for path in paths
        if counts[path.name.lower()] > 1
    ]
