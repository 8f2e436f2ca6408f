"""The landmark set of a dataset, changed later: landmarks added, renamed, retired, put in another order.

Old cases are not touched. A renamed landmark keeps its former names in the set, and a retired one stays
there as that; so every revision can be read by the names of its time, and no name ever means two things.
A landmark that was added is not judged in the cases from before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from ..annotation.landmarks import LandmarkSet
from ..errors import DatasetError
from ..files import write_json
from .documents import DATASET_SCHEMA, read_document
from .folder import read_landmark_set

_EARLIER = "earlier_landmark_sets"


@dataclass(frozen=True)
class Changes:
    """Names of now. renamed: (before, now) pairs."""

    added: tuple = ()
    renamed: tuple = ()
    retired: tuple = ()

    def sentences(self) -> list:
        """For the user; empty if no landmark came, went or changed its name."""
        told = []
        if self.added:
            told.append(f"New, and not judged in earlier cases: {', '.join(self.added)}.")
        told += [f"'{before}' is now called '{now}'." for before, now in self.renamed]
        if self.retired:
            told.append(
                f"Retired: {', '.join(self.retired)}; what was annotated of them is kept, and not used."
            )
        return told


def change_landmarks(folder, landmarks: LandmarkSet) -> Changes:
    """Give a dataset another landmark set; returns what has changed. The set of before is kept in the
    dataset.json (`earlier_landmark_sets`).

    Raises DatasetError, and changes nothing, if a landmark of before is neither in the new set, by its
    name or as a former one, nor among the retired.
    """
    folder = Path(folder)
    before = read_landmark_set(folder)
    landmarks = _with_names_of_its_own(landmarks, before)
    changes = changes_between(before, landmarks)
    document = read_document(folder / "dataset.json", DATASET_SCHEMA)
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    earlier = [*document.get(_EARLIER, ()), {"until": now, "landmark_set": before.to_json()}]
    if before != landmarks:
        stated = {"landmark_set": landmarks.to_json(), _EARLIER: earlier}
        write_json(folder / "dataset.json", {**document, **stated})
    return changes


def _with_names_of_its_own(landmarks: LandmarkSet, before: LandmarkSet) -> LandmarkSet:
    """Without former names that this dataset never had: they would be taken for nothing."""
    ever = before.names_ever

    def kept(marks) -> tuple:
        formerly = (tuple(n for n in mark.formerly if n in ever) for mark in marks)
        return tuple(replace(mark, formerly=each) for mark, each in zip(marks, formerly))

    return replace(landmarks, landmarks=kept(landmarks.landmarks), retired=kept(landmarks.retired))


def changes_between(before: LandmarkSet, after: LandmarkSet) -> Changes:
    """Raises DatasetError if something of before would be lost."""
    now, then = after.names_ever, before.names_ever
    lost = [name for name in then if name not in now]
    if lost:
        raise DatasetError(
            f"{', '.join(map(repr, lost))}: of this dataset before, and not in the new landmarks. What"
            " was annotated of it would be lost; retire it, or say which landmark it is now."
        )
    return Changes(
        tuple(mark.name for mark in after.landmarks if not {mark.name, *mark.formerly} & set(then)),
        tuple((name, now[name]) for name in before.names if now[name] not in (None, name)),
        tuple(name for name in before.names if now[name] is None),
    )
