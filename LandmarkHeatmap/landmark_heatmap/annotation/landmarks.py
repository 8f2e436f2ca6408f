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
from .table import Table

# Names become parts of file names, rows of tables and keys of files.
LONGEST_NAME = 200
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
    """One anatomical landmark: a unique name, and a text that says where exactly it is."""

    name: str
    definition: str = ""


@dataclass(frozen=True)
class LandmarkSet:
    """Landmarks in the order of the heatmap channels, and which are left/right twins.

    mirror_pairs: pairs of names that swap when the image is mirrored. A landmark in no pair is its
    own mirror image. midline: those of them of which somebody has stated so. measurements: the
    Measurements that are taken of them. skeleton: pairs of names between which a line is drawn.
    Raises AnnotationError for duplicate names or impossible pairs.
    """

    landmarks: tuple
    mirror_pairs: tuple = ()
    name: str = ""
    midline: tuple = ()
    measurements: tuple = ()
    skeleton: tuple = ()

    def __post_init__(self):
        object.__setattr__(self, "measurements", tuple(self.measurements))
        object.__setattr__(self, "skeleton", tuple(tuple(line) for line in self.skeleton))
        object.__setattr__(self, "landmarks", tuple(self.landmarks))
        object.__setattr__(self, "midline", tuple(self.midline))
        object.__setattr__(self, "mirror_pairs", tuple(tuple(p) for p in self.mirror_pairs))
        if not self.landmarks:
            raise AnnotationError("A landmark set needs at least one landmark.")
        if len(self.landmarks) > _MOST_LANDMARKS:
            raise AnnotationError(
                f"{len(self.landmarks)} landmarks are too many: {_MOST_LANDMARKS} at the most."
            )
        for name in self.names:
            if not isinstance(name, str) or not name.strip():
                raise AnnotationError(f"A landmark needs a name, got {quoted(name)}.")
            check_name(name)
        for name, count in Counter(self.names).items():
            if count > 1:
                raise AnnotationError(f"The landmark name '{name}' stands twice in the set.")
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
            "landmarks": [{"name": m.name, "definition": m.definition} for m in self.landmarks],
            "mirror_pairs": [list(pair) for pair in self.mirror_pairs],
        }
        # Most sets state none of these, and then say what they always said.
        if self.midline:
            document["midline"] = list(self.midline)
        if self.measurements:
            document["measurements"] = [each.to_json() for each in self.measurements]
        if self.skeleton:
            document["skeleton"] = [list(line) for line in self.skeleton]
        return document

    @classmethod
    def from_json(cls, document: dict) -> LandmarkSet:
        """Raises KeyError or TypeError for a document of another shape, AnnotationError as above."""
        landmarks = [Landmark(m["name"], m.get("definition", "")) for m in document["landmarks"]]
        name = document.get("name", "")
        if not isinstance(name, str):
            raise TypeError(f"the name of the set is {quoted(name)}, no text")
        for landmark in landmarks:
            if not isinstance(landmark.definition, str):
                what = f"the definition of {quoted(landmark.name)}"
                raise TypeError(f"{what} is {quoted(landmark.definition)}, no text")
        return cls(
            tuple(landmarks),
            tuple(document.get("mirror_pairs", ())),
            name,
            tuple(document.get("midline", ())),
            measurements=tuple(map(Measurement.from_json, document.get("measurements", ()))),
            skeleton=tuple(document.get("skeleton", ())),
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


def check_name(name: str, where: str = "") -> None:
    """Raises AnnotationError for a landmark's name that no table, file or screen could hold.

    where: what the message begins with.
    """
    if len(name) > LONGEST_NAME:
        raise AnnotationError(
            f"{where}a landmark's name has {len(name)} letters, '{name[:30]}...'; {LONGEST_NAME} are"
            " possible at the most. Put the rest into its definition."
        )
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise AnnotationError(
            f"{where}the landmark's name {quoted(name)} is no Unicode: it has half a character."
        ) from error


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
