"""The list itself: of each case its image and what is known of it, as it lies on the disk just now."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from pathlib import Path

from ..dataset.documents import RECORD_SCHEMA, read_document
from ..dataset.folder import (
    newest_revision,
    newest_revisions,
    read_landmark_set,
    revision_folder,
    revision_number,
)
from ..dataset.record import Review, image_name_in
from ..errors import LandmarkHeatmapError
from . import beside
from .foreseen import Foreseen, foreseen_of
from .locks import Holder, holder_of, numbers_by_case
from .remarks import remark_of
from .sources import cases_in, title_of


class CaseState(str, Enum):
    """How far a case is."""

    NEW = "new"  # nobody has done anything yet
    DETECTED = "detected"  # a model has looked at it, and no person
    IN_REVIEW = "in_review"  # somebody has it in work
    DONE = "done"  # exported, every landmark judged
    ANOTHER_LOOK = "needs_another_look"  # exported in part, or somebody said so


@dataclass(frozen=True)
class Entry:
    """One case of a worklist.

    title: what the user calls it: its image's file, or the case where there is none. image: a path or
    a DicomSeries; None for a case that was exported without, and whose file is not here. revision:
    the number of the newest, 0 if it was never exported. annotator, date (ISO 8601): whose doing the
    state is, and since when; empty if nobody's. remark: why it needs another look. holder: who has it
    in work. foreseen: what a model made of it.
    """

    case: str
    title: str
    image: object
    state: CaseState
    revision: int = 0
    annotator: str = ""
    date: str = ""
    remark: str = ""
    holder: Holder = None
    foreseen: Foreseen = None

    @property
    def is_free(self) -> bool:
        """Whether nobody has it in work, nor has left it in work."""
        return self.holder is None


class Worklist:
    """The cases of a dataset, and those that a folder of images brings.

    dataset: the folder that is exported to; it may be empty or not be there yet. images: a folder of
    images, or None for the cases of the dataset alone. The images are looked for once, `find_again`
    does it anew; all the rest is read from the disk with every call of `entries`.
    """

    def __init__(self, dataset, images=None):
        self.dataset = Path(dataset)
        self.images = None if images is None else Path(images)
        self.find_again()

    def find_again(self) -> None:
        """Look for images anew. Raises LandmarkHeatmapError if there are none, OSError for a folder that
        cannot be read."""
        self._sources = {} if self.images is None else cases_in(self.images, self.dataset)

    def entries(self) -> list:
        """An Entry for each case, by title. Raises OSError for a dataset that cannot be read."""
        known = self._known()
        newest = {case.name: revision for case, revision in newest_revisions(self.dataset)}
        found = [
            self._entry(case, newest.get(case), known)
            for case in {**dict.fromkeys(self._sources), **dict.fromkeys(newest)}
        ]
        return sorted(found, key=lambda entry: (entry.title.lower(), entry.title))

    def entry(self, case: str):
        """The Entry of a case, or None. Asks the disk of this one alone."""
        folder = self.dataset / "cases" / case
        number = newest_revision(folder)
        if not number and case not in self._sources:
            return None
        return self._entry(case, revision_folder(folder, number) if number else None, self._known())

    def _known(self) -> _Known:
        names = set(beside.names_in(self.dataset))
        locks, clock = numbers_by_case(names), beside.clock_of(self.dataset)
        return _Known(self.dataset, names, locks, clock, self._retired())

    def _retired(self) -> set:
        """The names of landmarks that are annotated no more: whoever left one untouched left nothing."""
        try:
            names_ever = read_landmark_set(self.dataset).names_ever
        except (LandmarkHeatmapError, OSError):
            return set()
        return {name for name, now in names_ever.items() if now is None}

    def _entry(self, case: str, revision, known: _Known) -> Entry:
        """revision: the folder of the newest one, or None."""
        source = self._sources.get(case)
        title = case if source is None else title_of(source, self.images)
        image = source
        number = 0 if revision is None else revision_number(revision)
        done = _NOTHING if revision is None else _done(revision)
        if done.image is not None:
            image = revision.parent / done.image
        holder = known.holder(case)
        if holder is not None and holder.is_stale and number > holder.revision:
            holder = None  # it was exported, and whoever did it could not let go of it
        foreseen = foreseen_of(self.dataset, case, known.names)
        base = Entry(case, title, image, CaseState.NEW, number, holder=holder, foreseen=foreseen)
        left = [name for name in done.untouched if name not in known.retired]
        return _with_state(
            base, done, len(left), remark_of(self.dataset, case, known.names, number)
        )


@dataclass(frozen=True)
class _Known:
    """What is asked of the disk once for all cases."""

    dataset: Path
    names: set
    locks: dict
    clock: float
    retired: set

    def holder(self, case: str):
        return holder_of(self.dataset, case, self.locks.get(case, ()), self.clock)[1]


@dataclass(frozen=True)
class _Done:
    """What the record of a revision says. untouched: the landmarks that nobody has judged,
    by their names of then."""

    image: str = None
    annotator: str = ""
    created: str = ""
    untouched: tuple = ()


_NOTHING = _Done()


def _done(revision: Path) -> _Done:
    """One that cannot be read is there all the same."""
    path = revision / "record.json"
    try:
        return _read(path, os.stat(path).st_mtime_ns)
    except (LandmarkHeatmapError, OSError):
        return _NOTHING


@lru_cache(maxsize=10_000)
def _read(path: Path, changed_ns: int) -> _Done:
    """changed_ns: when it was written: records never change, but folders are moved and named anew."""
    document, image = read_document(path, RECORD_SCHEMA), image_name_in(path)
    points = document.get("points")
    points = points if isinstance(points, dict) else {}
    untouched = [
        name
        for name, point in points.items()
        if isinstance(point, dict) and point.get("review") == Review.UNTOUCHED
    ]
    said = [beside.text(document, key) for key in ("annotator", "created")]
    return _Done(image, *said, tuple(untouched))


def _with_state(entry: Entry, done: _Done, left: int, remark) -> Entry:
    """What was said last comes first: who is at it, what is wrong with it, what was exported.

    What somebody has exported and still has open is as done as it will be when it is left.
    """
    holder, text = entry.holder, "" if remark is None else remark.text
    if holder is not None and entry.revision <= holder.revision:
        state, who, when = CaseState.IN_REVIEW, holder.annotator, holder.taken
    elif remark is not None:
        state, who, when = CaseState.ANOTHER_LOOK, remark.annotator, remark.created
    elif entry.revision and left:
        state, who, when = CaseState.ANOTHER_LOOK, done.annotator, done.created
        text = f"{left} landmarks were not looked at"
    elif entry.revision:
        state, who, when = CaseState.DONE, done.annotator, done.created
    elif entry.foreseen is not None:
        state, who, when = CaseState.DETECTED, "", entry.foreseen.created
    else:
        return entry
    return replace(entry, state=state, annotator=who, date=when, remark=text)
