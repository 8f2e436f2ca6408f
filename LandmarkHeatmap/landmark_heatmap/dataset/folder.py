"""A dataset folder as a whole: what makes it one, its landmark set, its cases and their revisions."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

from ..annotation.landmarks import LandmarkSet
from ..errors import AnnotationError, DatasetError, quoted
from ..files import replacing, write_json
from .documents import DATASET_SCHEMA, SCHEMA_VERSION, read_document

_CASE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


# Windows keeps these names for devices, whatever the case and whatever follows a dot.
_RESERVED_NAME = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


# What a worklist keeps of the cases in work, and others need not know (see landmark_heatmap/worklist).
WORKLIST = "worklist"


_REVISION = re.compile(r"revision-([0-9]{3,9})")


_README = """A dataset of LandmarkHeatmap: images with anatomical landmarks.

dataset.json says which landmarks there are. Each folder in cases/ is one image with one or more
revisions of its landmarks; the highest revision is the newest. landmarks.mrk.json opens in 3D
Slicer; positions are in mm, LPS. record.json says which model had predicted the points, which of
them a person corrected, confirmed or marked as absent, who, and when. Points that nobody looked at
are no labels, and training leaves them out. worklist/, if it is there, says who works on which case
just now and which cases need another look; training does not need it.
"""


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
    """Make `folder` a dataset of these landmarks; one that is there already has to know them.

    Raises DatasetError if it does not, or is not ours.
    """
    folder = Path(folder)
    if (folder / "dataset.json").exists():
        _check_known(folder, read_landmark_set(folder), landmarks)
        return
    if folder.exists() and not folder.is_dir():
        raise DatasetError(f"'{folder}' is a file; a dataset is a folder.")
    # Hidden files do not count: the desktop's, and what a crash of an earlier attempt left; nor does
    # what a worklist has kept since before the first export.
    inside = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    if any(not name.startswith(".") and name != WORKLIST for name in inside):
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
    return str(read_document(Path(folder) / "dataset.json", DATASET_SCHEMA).get("id", ""))


def read_landmark_set(folder) -> LandmarkSet:
    """The landmark set of a dataset. Raises DatasetError if the description cannot be used."""
    path = Path(folder) / "dataset.json"
    document = read_document(path, DATASET_SCHEMA)
    try:
        return LandmarkSet.from_json(document["landmark_set"])
    except (KeyError, TypeError, AttributeError, AnnotationError) as error:
        raise DatasetError(
            f"'{path}' has no usable landmark set ({quoted(error, 300)})."
        ) from error


def _check_known(folder, existing: LandmarkSet, wanted: LandmarkSet) -> None:
    ever = existing.names_ever
    unknown = [name for name in wanted.names if name not in ever]
    if unknown:
        raise DatasetError(
            f"The dataset '{folder}' has the landmarks {', '.join(existing.names)}, and not"
            f" {', '.join(unknown)}; choose another folder, or add them to the dataset's landmarks."
        )
    if all(ever[name] is None for name in wanted.names):
        raise DatasetError(
            f"In the dataset '{folder}' all of these landmarks are retired: {', '.join(wanted.names)}."
        )


def revision_number(path: Path) -> int:
    """The number of a revision by its folder's name, 0 if it is none."""
    named = _REVISION.fullmatch(path.name)
    return int(named[1]) if named else 0


def revision_folder(case_folder: Path, number: int) -> Path:
    return Path(case_folder) / f"revision-{number:03d}"


def newest_revision(case_folder: Path) -> int:
    """The highest number of a revision, 0 if there is none."""
    return max(map(revision_number, case_folder.glob("revision-*")), default=0)


def newest_revisions(folder):
    """(case folder, folder of its newest revision) of every case, by name."""
    cases = Path(folder) / "cases"
    for case_folder in sorted(cases.iterdir()) if cases.is_dir() else ():
        number = newest_revision(case_folder)
        if number:
            yield case_folder, revision_folder(case_folder, number)
