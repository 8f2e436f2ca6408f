"""What a landmark is: its name, its definition, its mirror image; and what is known of it in a case."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from ..errors import AnnotationError, quoted
from ..images.geometry import MM
from .doubt import Doubt
from .measurements import Measurement, check_definitions
from .names import check_name
from .table import Table

# A channel each: no computer could hold the heatmaps of more.
_MOST_LANDMARKS = 10_000


class PointState(str, Enum):
    """What is known of one landmark in one image."""

    PLACED = "placed"  # a person put it, moved it or confirmed it here
    PREDICTED = "predicted"  # a network put it here; nobody has judged it
    ABSENT = "absent"  # it is not in this image
    UNJUDGED = "unjudged"  # nobody has said anything about it


@dataclass(frozen=True)
class Landmark:
    """One anatomical landmark: a unique name, and a text that says where exactly it is.

    formerly: names that it had before; what was annotated under them is of this landmark.
    """

    name: str
    definition: str = ""
    formerly: tuple = ()

    def to_json(self) -> dict:
        document = {"name": self.name, "definition": self.definition}
        if self.formerly:
            document["formerly"] = list(self.formerly)
        return document

    @classmethod
    def from_json(cls, document: dict) -> Landmark:
        """Raises KeyError or TypeError for a document of another shape."""
        landmark = cls(document["name"], document.get("definition", ""))
        if not isinstance(landmark.definition, str):
            what = f"the definition of {quoted(landmark.name)}"
            raise TypeError(f"{what} is {quoted(landmark.definition)}, no text")
        formerly = document.get("formerly", ())
        if not isinstance(formerly, (list, tuple)):
            what = f"what {quoted(landmark.name)} was called formerly"
            raise TypeError(f"{what} is {quoted(formerly)}, no list of names")
        return replace(landmark, formerly=tuple(formerly))


@dataclass(frozen=True)
class LandmarkSet:
    """Landmarks in the order of the heatmap channels, and which are left/right twins.

    mirror_pairs: pairs of names that swap when the image is mirrored. A landmark in no pair is its
    own mirror image. midline: those of them of which somebody has stated so. measurements: the
    Measurements that are taken of them. skeleton: pairs of names between which a line is drawn.
    retired: Landmarks that are not annotated any more; what was annotated of them stays readable.
    Raises AnnotationError for duplicate names or impossible pairs.
    """

    landmarks: tuple
    mirror_pairs: tuple = ()
    name: str = ""
    midline: tuple = ()
    measurements: tuple = ()
    skeleton: tuple = ()
    retired: tuple = ()

    def __post_init__(self):
        object.__setattr__(self, "measurements", tuple(self.measurements))
        object.__setattr__(self, "skeleton", tuple(tuple(line) for line in self.skeleton))
        object.__setattr__(self, "landmarks", tuple(self.landmarks))
        object.__setattr__(self, "retired", tuple(self.retired))
        object.__setattr__(self, "midline", tuple(self.midline))
        object.__setattr__(self, "mirror_pairs", tuple(tuple(p) for p in self.mirror_pairs))
        if not self.landmarks:
            raise AnnotationError("A landmark set needs at least one landmark.")
        if len(self.landmarks) > _MOST_LANDMARKS:
            raise AnnotationError(
                f"{len(self.landmarks)} landmarks are too many: {_MOST_LANDMARKS} at the most."
            )
        self._check_names()
        for pair in self.mirror_pairs:
            if len(pair) != 2:
                raise AnnotationError(f"A mirror pair needs two names, got {quoted(pair)}.")
        paired, known = [name for pair in self.mirror_pairs for name in pair], set(self.names)
        for name in paired:
            if not isinstance(name, str) or name not in known:
                raise AnnotationError(
                    f"The mirror pairs name {quoted(name)}, which is no landmark."
                )
        for name, count in Counter(paired).items():
            if count > 1:
                raise AnnotationError(f"The landmark '{name}' stands in more than one mirror pair.")
        for name in self.midline:
            if name not in self.names or name in paired:
                raise AnnotationError(
                    f"The midline names {quoted(name)}, which is"
                    f" {'in a mirror pair' if name in paired else 'no landmark'}."
                )
        check_definitions(self.names, self.measurements, self.skeleton)

    def _check_names(self) -> None:
        every = (*self.landmarks, *self.retired)
        used = [name for each in every for name in (each.name, *each.formerly)]
        for name in used:
            if not isinstance(name, str) or not name.strip():
                raise AnnotationError(f"A landmark needs a name, got {quoted(name)}.")
            check_name(name)
        for name, count in Counter(used).items():
            if count == 1:
                continue
            if self.names.count(name) > 1:
                raise AnnotationError(f"The landmark name '{name}' stands twice in the set.")
            raise AnnotationError(
                f"'{name}' is, or was, the name of another landmark of the set, too: what was annotated"
                " under it could be of either. Choose another name."
            )

    def __len__(self) -> int:
        return len(self.landmarks)

    def __repr__(self) -> str:
        some = ", ".join(self.names[:3]) + (", ..." if len(self) > 3 else "")
        pairs = f"; mirror pairs: {len(self.mirror_pairs)}" if self.mirror_pairs else ""
        named = f"'{self.name}', " if self.name else ""
        return f"LandmarkSet({named}landmarks: {len(self)} ({some}){pairs})"

    @property
    def names(self) -> tuple:
        return tuple(landmark.name for landmark in self.landmarks)

    @property
    def names_ever(self) -> dict:
        """Every name that a landmark has or had, to the one it has now; None for those retired."""
        now = {name: m.name for m in self.landmarks for name in (m.name, *m.formerly)}
        return {**{name: None for m in self.retired for name in (m.name, *m.formerly)}, **now}

    def by_names_now(self, values: dict) -> dict:
        """Values by name, by the names of now, less those of what is retired. A name that the set never
        had stays."""
        ever = self.names_ever
        now = {name: ever.get(name, name) for name in values}
        return {now[name]: value for name, value in values.items() if now[name] is not None}

    def index(self, name: str) -> int:
        """The channel of a landmark. Raises AnnotationError for a name that is not in the set."""
        if name not in self.names:
            raise AnnotationError(f"'{name}' is not one of the landmarks {', '.join(self.names)}.")
        return self.names.index(name)

    def mirror_permutation(self) -> np.ndarray:
        """For each channel, the channel of its mirror image: shape (landmarks,), its own inverse."""
        permutation = np.arange(len(self))
        for left, right in self.mirror_pairs:
            i, j = self.index(left), self.index(right)
            permutation[i], permutation[j] = j, i
        return permutation

    def to_json(self) -> dict:
        document = {
            "name": self.name,
            "landmarks": [landmark.to_json() for landmark in self.landmarks],
            "mirror_pairs": [list(pair) for pair in self.mirror_pairs],
        }
        # Most sets state none of these, and then say what they always said.
        if self.midline:
            document["midline"] = list(self.midline)
        if self.measurements:
            document["measurements"] = [each.to_json() for each in self.measurements]
        if self.skeleton:
            document["skeleton"] = [list(line) for line in self.skeleton]
        if self.retired:
            document["retired"] = [landmark.to_json() for landmark in self.retired]
        return document

    @classmethod
    def from_json(cls, document: dict) -> LandmarkSet:
        """Raises KeyError or TypeError for a document of another shape, AnnotationError as above."""
        landmarks = tuple(map(Landmark.from_json, document["landmarks"]))
        name = document.get("name", "")
        if not isinstance(name, str):
            raise TypeError(f"the name of the set is {quoted(name)}, no text")
        return cls(
            landmarks,
            tuple(document.get("mirror_pairs", ())),
            name,
            tuple(document.get("midline", ())),
            measurements=tuple(map(Measurement.from_json, document.get("measurements", ()))),
            skeleton=tuple(document.get("skeleton", ())),
            retired=tuple(map(Landmark.from_json, document.get("retired", ()))),
        )

    def with_definitions(self, document: dict) -> LandmarkSet:
        """The same landmarks with the measurements and the skeleton of a document, beside its own.

        What needs a landmark that is not in this set is left out; a measurement of the same name is
        replaced. Raises KeyError, TypeError or AnnotationError as `from_json` does.
        """
        new = [Measurement.from_json(each) for each in document.get("measurements", ())]
        new = {each.name: each for each in new if set(each.names) <= set(self.names)}
        kept = [each for each in self.measurements if each.name not in new]
        lines = [tuple(line) for line in document.get("skeleton", ())]
        lines = [line for line in lines if set(line) <= set(self.names)]
        return replace(
            self,
            measurements=(*kept, *new.values()),
            skeleton=tuple(dict.fromkeys((*self.skeleton, *lines))),
        )


@dataclass(frozen=True)
class Point:
    """What is known of one landmark in one image.

    position_lps: (x, y, z) in mm in LPS for a placed or predicted point, None for the others.
    confidence: 0 to 1, as the network gave it, or None; so is doubt.
    """

    state: PointState
    position_lps: tuple = None
    confidence: float = None
    definition: str = ""
    doubt: Doubt = None

    def __post_init__(self):
        located = self.state in (PointState.PLACED, PointState.PREDICTED)
        if located != (self.position_lps is not None):
            raise AnnotationError(
                f"A point that is {self.state.value} {'needs a' if located else 'has no'} position,"
                f" got {self.position_lps}."
            )
        if located:
            position = _floats(self.position_lps)
            if len(position) != 3 or not np.isfinite(position).all():
                raise AnnotationError(
                    f"A position needs three finite numbers, got {quoted(self.position_lps)}."
                )
            object.__setattr__(self, "position_lps", position)
        if self.confidence is not None:
            confidence = _floats([self.confidence])
            if not confidence or not np.isfinite(confidence[0]):
                raise AnnotationError(
                    f"A confidence needs a finite number, got {quoted(self.confidence)}."
                )
            object.__setattr__(self, "confidence", confidence[0])

    def __repr__(self) -> str:
        told = [self.state.value]
        if self.position_lps is not None:
            told.append(position_told(self.position_lps))
        if self.confidence is not None:
            told.append(f"confidence {self.confidence:.2f}")
        return f"Point({', '.join(told)})"


def _floats(values) -> tuple:
    """The values as numbers; empty if one is none, or larger than a computer's."""
    try:
        return tuple(float(value) for value in values)
    except (TypeError, ValueError, OverflowError):
        return ()


def position_told(position_lps) -> str:
    """A position (3,) in mm in LPS, for a person to read."""
    return "LPS " + " ".join(f"{mm:.2f}" for mm in position_lps) + " mm"


@dataclass(frozen=True)
class Annotation:
    """The landmarks of one image by name. A name that is not there has not been judged.

    read_as: the Convention (not_marked.py) of each point that its file did not say to be plainly
    placed; it is no part of what the annotation says. unit: of the positions, 'mm' or 'px'.
    """

    points: dict = field(default_factory=dict)
    read_as: dict = field(default_factory=dict, compare=False, repr=False)
    unit: str = MM

    def __repr__(self) -> str:
        states = [point.state for point in self.points.values()]
        counts = [f"{each.value}: {states.count(each)}" for each in PointState if each in states]
        return f"Annotation({', '.join(counts) or 'no points'})"

    def to_table(self) -> Table:
        """A row each: name, x, y, z (mm in LPS), confidence, state; None where there is none."""
        return Table(
            {
                "name": name,
                **dict(zip("xyz", point.position_lps or (None,) * 3)),
                "confidence": point.confidence,
                "state": point.state.value,
            }
            for name, point in self.points.items()
        )

    def in_names_of(self, landmarks: LandmarkSet) -> Annotation:
        """The same as LandmarkSet.by_names_now has it."""
        points, read_as = map(landmarks.by_names_now, (self.points, self.read_as))
        return Annotation(points, read_as, self.unit)

    @property
    def names(self) -> tuple:
        return tuple(self.points)

    def state(self, name: str) -> PointState:
        return self.points[name].state if name in self.points else PointState.UNJUDGED

    def position_lps(self, name: str):
        """The position (3,) of a placed or predicted point as an array, None for any other."""
        point = self.points.get(name)
        return None if point is None or point.position_lps is None else np.array(point.position_lps)

    def positions_lps(self, names) -> np.ndarray:
        """The positions (len(names), 3) of the named points; NaN where there is none."""
        positions = [self.position_lps(name) for name in names]
        return np.array([np.full(3, np.nan) if p is None else p for p in positions]).reshape(-1, 3)

    def without(self, names, convention) -> Annotation:
        """The same with these landmarks in the state that a Convention means, none of them placed."""
        found = {
            name: Point(convention.state, definition=self.points[name].definition) for name in names
        }
        read_as = {**self.read_as, **dict.fromkeys(names, convention)}
        return Annotation({**self.points, **found}, read_as, self.unit)
