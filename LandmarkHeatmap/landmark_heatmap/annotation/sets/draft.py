"""A landmark set while a person makes it: what an editor shows row by row, and may still be wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ...errors import AnnotationError
from ..landmarks import Landmark, LandmarkSet
from ..mirror_pairs import infer_mirror_pairs, one_sided
from ..names import check_name, is_default_label, key_of


@dataclass(eq=False)
class DraftRow:
    """One landmark. twin: the DraftRow of its mirror image, or None. is_stated: whether somebody said
    so, and the names are not asked any more. on_midline: whether it was stated to lie there. was: the
    Landmark that it began as, or None."""

    name: str
    definition: str = ""
    twin: object = None
    is_stated: bool = False
    on_midline: bool = False
    was: Landmark = None

    def names_ever(self, is_kept: bool) -> tuple:
        mark = self.to_landmark(is_kept)
        return (mark.name, *mark.formerly)

    def to_landmark(self, is_kept: bool) -> Landmark:
        """is_kept: whether the name that it began with counts as one of its former names."""
        was = self.was or Landmark(self.name)
        formerly = (*was.formerly, was.name) if is_kept else was.formerly
        formerly = tuple(name for name in dict.fromkeys(formerly) if name != self.name)
        return Landmark(self.name, self.definition, formerly)


class LandmarkSetDraft:
    """Rows in the order of the landmarks. Left and right are told from the names, anew after each
    change, until somebody states them.

    landmarks: what to begin with, or None. name: of the set. Indices are those of `rows`.
    is_in_use: whether cases are annotated by it, as in a dataset: then a landmark that is renamed keeps
    its former names, and one that is removed is retired.
    """

    def __init__(self, landmarks: LandmarkSet = None, is_in_use: bool = False):
        self.is_in_use, self._retired = is_in_use, ()
        self.name = "" if landmarks is None else landmarks.name
        self._source, self.rows = landmarks, []
        if landmarks is None:
            return
        self.rows = [DraftRow(m.name, m.definition, was=m) for m in landmarks.landmarks]
        self._retired = landmarks.retired
        by_name = dict(zip(landmarks.names, self.rows))
        for left, right in landmarks.mirror_pairs:
            _pair(by_name[left], by_name[right])
        for name in landmarks.midline:
            by_name[name].is_stated = by_name[name].on_midline = True

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> list:
        return [row.name for row in self.rows]

    def shares_with(self, landmarks: LandmarkSet) -> bool:
        """Whether any of these landmarks has a name there that one here has, or had."""
        ever = {name for row in self.rows for name in row.names_ever(self.is_in_use)}
        return not ever.isdisjoint(landmarks.names)

    # --- what a person does

    def add_lines(self, text: str) -> list:
        """Add a landmark a line, 'name' or 'name; definition' (a tab does as well); returns their
        indices. Raises AnnotationError, and adds nothing, for a name that is there or comes twice."""
        new = []
        for line in filter(str.strip, text.splitlines()):
            name, _, definition = line.replace("\t", ";", 1).partition(";")
            if not name.strip():
                raise AnnotationError(f"'{line.strip()}' has no name before the semicolon.")
            check_name(name.strip())
            new.append(self._row_for(name.strip(), definition.strip()))
        for name, count in Counter([*self.names, *(row.name for row in new)]).items():
            if count > 1 and name in [row.name for row in new]:
                raise AnnotationError(f"There is a landmark '{name}' already.")
        self.rows += new
        again = [row.was for row in new]
        self._retired = tuple(mark for mark in self._retired if mark not in again)
        self._propose()
        return list(range(len(self.rows) - len(new), len(self.rows)))

    def _row_for(self, name: str, definition: str) -> DraftRow:
        """A new one, or one that was retired and is taken up again."""
        for mark in self._retired:
            if mark.name == name:
                return DraftRow(name, definition or mark.definition, was=mark)
        return DraftRow(name, definition)

    def rename(self, index: int, name: str) -> None:
        """Raises AnnotationError for an empty name or that of another landmark."""
        name = name.strip()
        if not name:
            raise AnnotationError(f"'{self.rows[index].name}' needs a name.")
        if name in (row.name for row in self.rows if row is not self.rows[index]):
            raise AnnotationError(f"There is a landmark '{name}' already.")
        check_name(name)
        self.rows[index].name = name
        self._propose()

    def define(self, index: int, definition: str) -> None:
        self.rows[index].definition = definition.strip()

    def remove(self, indices) -> None:
        gone = [self.rows[index] for index in indices]
        for row in gone:
            if row.twin is not None:
                row.twin.twin, row.twin.is_stated = None, False
        self.rows = [row for row in self.rows if row not in gone]
        if self.is_in_use:
            self._retired += tuple(row.was for row in gone if row.was is not None)
        self._propose()

    def move(self, indices, by: int) -> list:
        """Move rows up (by -1) or down (1), together, as far as there is room; returns where they are."""
        indices = sorted(indices)
        ends = indices and (indices[0] + by < 0 or indices[-1] + by >= len(self.rows))
        if not indices or ends:
            return indices
        for index in indices if by < 0 else indices[::-1]:
            self.rows[index], self.rows[index + by] = self.rows[index + by], self.rows[index]
        return [index + by for index in indices]

    def pair(self, index: int, twin: str) -> None:
        """State the mirror image of a landmark by its name; empty: it is its own.

        Raises AnnotationError for a name that is none of the others.
        """
        row, twin = self.rows[index], twin.strip()
        others = {each.name: each for each in self.rows if each is not row}
        if twin and twin not in others:
            raise AnnotationError(
                f"'{twin}' cannot be the mirror image of '{row.name}': it is none of the other"
                " landmarks."
            )
        for each in filter(None, (row, others.get(twin))):
            if each.twin is not None:
                each.twin.twin = None
            each.twin, each.is_stated, each.on_midline = None, True, False
        if twin:
            _pair(row, others[twin])

    def propose_pairs(self) -> None:
        """Forget what was stated of left and right, and tell all of it from the names."""
        for row in self.rows:
            row.twin, row.is_stated, row.on_midline = None, False, False
        self._propose()

    def _propose(self) -> None:
        open_rows = {row.name: row for row in self.rows if not row.is_stated}
        for row in open_rows.values():
            row.twin = None
        for left, right in infer_mirror_pairs(list(open_rows)):
            open_rows[left].twin, open_rows[right].twin = open_rows[right], open_rows[left]

    # --- what comes of it

    def to_set(self) -> LandmarkSet:
        """Raises AnnotationError as LandmarkSet does."""
        if not self.rows:
            raise AnnotationError("There is no landmark yet: add one by its name.")
        marks = tuple(row.to_landmark(self.is_in_use) for row in self.rows)
        midline = tuple(row.name for row in self.rows if row.on_midline)
        landmarks = LandmarkSet(
            marks, self._pairs(), self.name.strip(), midline, retired=self._retired
        )
        return landmarks.with_definitions(self._definitions())

    def _definitions(self) -> dict:
        """The measurements and lines of before, which are kept as far as their landmarks are."""
        if self._source is None:
            return {}
        now = {row.was.name: row.name for row in self.rows if row.was is not None}

        def named(name):
            return now.get(name, name)

        return {
            "measurements": [m.renamed(named).to_json() for m in self._source.measurements],
            "skeleton": [tuple(map(named, line)) for line in self._source.skeleton],
        }

    def _pairs(self) -> tuple:
        """Left first, where the names tell; else as the rows stand."""
        told, pairs = set(infer_mirror_pairs(self.names)), []
        for row in self.rows:
            if row.twin is not None and (row.twin.name, row.name) not in pairs:
                pair = (row.name, row.twin.name)
                pairs.append(pair[::-1] if pair[::-1] in told else pair)
        return tuple(dict.fromkeys(pairs))

    def advice(self) -> list:
        """Sentences about what may be meant otherwise; empty where there is nothing to say."""
        names, told = self.names, []
        alone = one_sided(names, self._pairs())
        stated = {row.name for row in self.rows if row.is_stated}
        told += [f"'{name}' has no twin on the other side." for name in alone if name not in stated]
        told += [
            f"'{name}' is a name of Slicer's own and says nothing."
            for name in names
            if is_default_label(name)
        ]
        same = Counter(key_of(name) for name in names if not is_default_label(name))
        alike = [name for name in names if same[key_of(name)] > 1]
        if alike:
            told.append(f"These look like one: {', '.join(map(repr, alike))}.")
        return told


def _pair(row: DraftRow, other: DraftRow) -> None:
    row.twin, other.twin = other, row
    row.is_stated = other.is_stated = True
