"""Distances and angles between landmarks: defined as data, computed from points.

A measurement goes through points, each of which is a landmark or the mean of several (a list of
names). Everything is in mm and degrees, in the image's own coordinates.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace

import numpy as np

from ..errors import AnnotationError, quoted

MM, DEGREES = "mm", "degrees"
# What lies nearer, in shares of what else there is, has no direction.
_NO_LENGTH = 1e-9
# Files come from anywhere: what is more than this is damaged.
_LONGEST_NAME, _MOST_DEFINITIONS, _MOST_MEAN_OF = 200, 10_000, 1000


def _distance(a, b) -> float:
    return float(np.linalg.norm(b - a))


def _distance_to_line(point, a, b) -> float:
    direction = _unit(b - a)
    return float(np.linalg.norm((point - a) - ((point - a) @ direction) * direction))


def _angle(a, vertex, b) -> float:
    return _between(a - vertex, b - vertex)


def _angle_difference(a, vertex, b, c) -> float:
    return _angle(a, vertex, b) - _angle(a, vertex, c)


def _angle_between_lines(a, b, c, d) -> float:
    return _between(b - a, d - c)


def _angle_in_plane(a, b, c, d, e, f) -> float:
    axis = _unit(f - e)
    first, second = (v - (v @ axis) * axis for v in (b - a, d - c))
    first, second = _unit(first, b - a), _unit(second, d - c)
    return float(np.degrees(np.arctan2(np.cross(second, first) @ axis, second @ first)))


# Kind to (function of points (3,), how many points, unit).
KINDS = {
    "distance": (_distance, 2, MM),
    "distance_to_line": (_distance_to_line, 3, MM),
    "angle": (_angle, 3, DEGREES),
    "angle_difference": (_angle_difference, 4, DEGREES),
    "angle_between_lines": (_angle_between_lines, 4, DEGREES),
    "angle_in_plane": (_angle_in_plane, 6, DEGREES),
}
# Between which of its points a kind needs some distance.
_APART = {
    "distance": ((0, 1),),
    "distance_to_line": ((1, 2),),
    "angle": ((0, 1), (1, 2)),
    "angle_difference": ((0, 1), (1, 2), (1, 3)),
    "angle_between_lines": ((0, 1), (2, 3)),
    "angle_in_plane": ((0, 1), (2, 3), (4, 5)),
}


@dataclass(frozen=True)
class Measurement:
    """One distance or angle that a landmark set defines.

    kind, and what landmarks then are, in order:
    distance: two points. distance_to_line: a point, and two of a line.
    angle: at the second of three points, 0 to 180.
    angle_difference: points a, b, c, d; the angle abc less the angle abd (ANB is SNA less SNB).
    angle_between_lines: from the first to the second point, and from the third to the fourth; 0 to
    180. angle_in_plane: the same two lines, both seen along the line from the fifth point to the
    sixth; -180 to 180, positive where the first line is turned counter-clockwise against the second
    for who looks from the sixth point to the fifth.

    landmarks: for each point a name, or a tuple of names, whose mean it is.
    Raises AnnotationError for a kind that does not exist, or points that do not fit it.
    """

    name: str
    kind: str
    landmarks: tuple

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name.strip():
            raise AnnotationError(f"A measurement needs a name, got {quoted(self.name)}.")
        if len(self.name) > _LONGEST_NAME or not _is_writable(self.name):
            raise AnnotationError(
                f"A measurement cannot be named {quoted(self.name)}: use up to {_LONGEST_NAME}"
                " letters."
            )
        if not isinstance(self.kind, str) or self.kind not in KINDS:
            raise AnnotationError(
                f"The measurement '{self.name}' is of the kind {quoted(self.kind)}; there are"
                f" {', '.join(KINDS)}."
            )
        _function, count, _unit_ = KINDS[self.kind]
        if len(self.landmarks) != count:
            raise AnnotationError(
                f"The measurement '{self.name}' needs {count} points for the kind '{self.kind}',"
                f" got {len(self.landmarks)}."
            )
        points = tuple(_checked_point(self.name, point) for point in self.landmarks)
        object.__setattr__(self, "landmarks", points)
        for first, second in _APART[self.kind]:
            if points[first] == points[second]:
                raise AnnotationError(
                    f"The measurement '{self.name}' has the same point twice:"
                    f" {quoted(told(points[first]))}."
                )

    @property
    def unit(self) -> str:
        return KINDS[self.kind][2]

    def renamed(self, named) -> Measurement:
        """The same, of landmarks whose names `named` gives from those of now."""
        points = (
            named(point) if isinstance(point, str) else tuple(map(named, point))
            for point in self.landmarks
        )
        return replace(self, landmarks=tuple(points))

    @property
    def names(self) -> tuple:
        """All landmarks that it needs, each once."""
        each = [name for point in self.landmarks for name in _names_of(point)]
        return tuple(dict.fromkeys(each))

    def value(self, position_of) -> float:
        """In mm or degrees. NaN where a landmark has no position, and for an angle between points
        that fall together. position_of: from a name to its position (3,), mm, or None."""
        points = []
        for point in self.landmarks:
            positions = [position_of(name) for name in _names_of(point)]
            if any(position is None for position in positions):
                return float("nan")
            points.append(np.mean(positions, axis=0))
        return KINDS[self.kind][0](*points)

    def to_json(self) -> dict:
        points = [list(point) if isinstance(point, tuple) else point for point in self.landmarks]
        return {"name": self.name, "kind": self.kind, "landmarks": points}

    @classmethod
    def from_json(cls, document: dict) -> Measurement:
        """Raises KeyError or TypeError for a document of another shape, AnnotationError as above."""
        landmarks = document["landmarks"]
        if not isinstance(landmarks, (list, tuple)):
            raise TypeError(f"The points of a measurement are a list, not {quoted(landmarks)}.")
        return cls(document["name"], document["kind"], tuple(landmarks))


def told(point) -> str:
    """A point of a measurement, for a person to read."""
    return f"the mean of {', '.join(point)}" if isinstance(point, tuple) else point


def check_definitions(names, measurements, skeleton) -> None:
    """Raises AnnotationError for a measurement or a line of the skeleton that these landmarks do not
    allow."""
    names, seen = set(names), set()
    for what, some in (("measurements", measurements), ("lines of the skeleton", skeleton)):
        if len(some) > _MOST_DEFINITIONS:
            raise AnnotationError(
                f"A landmark set has up to {_MOST_DEFINITIONS} {what}, got {len(some)}."
            )
    for measurement in measurements:
        if measurement.name in seen:
            raise AnnotationError(f"The measurement '{measurement.name}' stands twice in the set.")
        seen.add(measurement.name)
        for name in measurement.names:
            if name not in names:
                raise AnnotationError(
                    f"The measurement '{measurement.name}' names {quoted(name)}, which is no"
                    " landmark."
                )
    for line in skeleton:
        if len(line) != 2 or line[0] == line[1]:
            raise AnnotationError(
                f"A line of the skeleton needs two landmarks, got {quoted(line)}."
            )
        for name in line:
            if not isinstance(name, str) or name not in names:
                raise AnnotationError(f"The skeleton names {quoted(name)}, which is no landmark.")


def write_measurements(path, measurements, annotation) -> None:
    """Write a csv with a row for each: name, value, unit, from, kind, landmarks.

    value: empty where there is none. from: "placed" if a person judged all of its landmarks,
    "predicted" if not, "missing" if one has no position.
    """
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("name", "value", "unit", "from", "kind", "landmarks"))
        for each in measurements:
            value = each.value(annotation.position_lps)
            writer.writerow(
                (
                    each.name,
                    "" if np.isnan(value) else f"{value:.4f}",
                    each.unit,
                    measured_from(each, annotation),
                    each.kind,
                    "; ".join(map(told, each.landmarks)),
                )
            )


def measured_from(measurement: Measurement, annotation) -> str:
    """What a measurement rests on: "placed", "predicted" or "missing" landmarks."""
    if any(annotation.position_lps(name) is None for name in measurement.names):
        return "missing"
    states = {annotation.state(name).value for name in measurement.names}
    return "placed" if states == {"placed"} else "predicted"


def _checked_point(of: str, point):
    names = point if isinstance(point, (list, tuple)) else (point,)
    is_usable = 0 < len(names) <= _MOST_MEAN_OF and all(isinstance(name, str) for name in names)
    if not is_usable:
        raise AnnotationError(
            f"A point of the measurement '{of}' is a landmark's name or a list of some, got"
            f" {quoted(point)}."
        )
    return names[0] if len(names) == 1 else tuple(names)


def _is_writable(text: str) -> bool:
    """JSON can hold half characters, which no file takes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _names_of(point) -> tuple:
    return point if isinstance(point, tuple) else (point,)


def _between(first, second) -> float:
    """Degrees between two vectors; also where it is small or nearly 180, exact."""
    first, second = _unit(first), _unit(second)
    sine, cosine = np.linalg.norm(np.cross(first, second)), first @ second
    return float(np.degrees(np.arctan2(sine, cosine)))


def _unit(vector, compared_with=None) -> np.ndarray:
    """Its direction; NaN for a vector without length, or with next to none against another."""
    length = np.linalg.norm(vector)
    least = 0.0 if compared_with is None else _NO_LENGTH * np.linalg.norm(compared_with)
    return vector / length if length > least else np.full(3, np.nan)
