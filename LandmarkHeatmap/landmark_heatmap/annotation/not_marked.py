"""What "not marked" looks like: one table of conventions, for every reader of every format.

Programs that place landmarks have many ways to say that one was not placed. Each of them read as a
point would be a label far from any anatomy, and a point outside its image is taught as absent. So a
reader turns each into the Convention that it is, and what was read by which one is told.
"""

from __future__ import annotations

import re
from collections import Counter
from enum import Enum

from .landmarks import PointState


class Convention(Enum):
    """How a file said something else than 'placed here': (the state that it means, how it is told)."""

    MISSING = (PointState.ABSENT, "'missing'")
    UNDEFINED = (PointState.UNJUDGED, "'undefined'")
    PREVIEW = (PointState.PLACED, "'preview' with a position")
    PREVIEW_NOWHERE = (PointState.UNJUDGED, "'preview' without a position")
    EMPTY = (PointState.UNJUDGED, "empty")
    MINUS_ONE = (PointState.UNJUDGED, "-1 -1")
    NEGATIVE = (PointState.UNJUDGED, "negative")
    ZERO = (PointState.UNJUDGED, "0 0")
    CODE = (PointState.UNJUDGED, "a code for missing")
    INVISIBLE = (PointState.UNJUDGED, "visibility 0")
    PREDICTION = (PointState.UNJUDGED, "predicted and never judged")

    @property
    def state(self) -> PointState:
        return self.value[0]

    @property
    def told(self) -> str:
        return self.value[1]


_TOLD_AS = {
    PointState.UNJUDGED: "not marked",
    PointState.ABSENT: "absent",
    PointState.PLACED: "placed",
}
# Slicer's position statuses. A 'preview' follows the mouse, but what a tool wrote with a position is
# where the tool put it. A 'missing' point is written with a position that means nothing.
STATUSES = {
    "defined": None,
    "missing": Convention.MISSING,
    "undefined": Convention.UNDEFINED,
    "preview": Convention.PREVIEW,
}
# What stands in a cell without a number: R, Python, spreadsheets and people have words for it.
_EMPTY_WORDS = ("", "na", "nan", "n/a", "n.a.", "#n/a", "null", "none", "nil", ".", "-", "--", "?")
_LARGEST_16_BITS = 2**15 - 1
# Where all numbers of a point are one of these, it is none: no other reading is worth the risk.
_CODES = (-99.0, -999.0, -9999.0, -99999.0, 9999.0, 99999.0)
# A landmark may lie in the very corner, if it lies within this share of the largest number in others.
_BESIDE_ZERO = 0.05


def is_empty_word(text: str) -> bool:
    """Whether a cell holds a word for 'nothing' instead of a number."""
    return text.strip().lower() in _EMPTY_WORDS


def convention_of(numbers, on_picture: bool, code: float = None):
    """The Convention by which numbers are no position, or None if they are one.

    on_picture: the numbers count pixels or mm from a corner, so that none on it is negative; numbers
    in a world may be. code: what the file itself says that it writes for missing numbers.
    """
    if code is not None and all(number == code for number in numbers):
        return Convention.CODE
    if len(set(numbers)) == 1 and numbers[0] in _CODES:
        return Convention.CODE
    if not on_picture:
        return None
    if all(number == -1 for number in numbers):
        return Convention.MINUS_ONE
    return Convention.NEGATIVE if all(number < 0 for number in numbers) else None


def convention_outside(numbers):
    """The Convention of numbers that could be a position, but lie outside their image; or None.

    Zeros, ones and what looks like a code, of either sign: a frame may have changed it.
    """
    sizes = {abs(number) for number in numbers}
    if len(sizes) > 1:
        return None
    size = sizes.pop()
    found = {0.0: Convention.ZERO, 1.0: Convention.MINUS_ONE}.get(size)
    return found or (Convention.CODE if _is_like_a_code(size) else None)


def half_a_convention(numbers, on_picture: bool):
    """The number that means 'missing' and stands in some of a point's places only; None if none does.

    numbers: of a point that lies outside its image. Such a point is neither placed nor plainly not.
    """
    codes = [n for n in numbers if n in _CODES or (on_picture and n == -1)]
    return codes[0] if codes else None


def _is_like_a_code(size: float) -> bool:
    """99, 999 and so on, or the largest whole numbers of 16 bits and beyond."""
    return size >= _LARGEST_16_BITS or re.fullmatch("9{2,}", f"{size:.10g}") is not None


def zeros(cases, on_picture: bool) -> set:
    """Which positions are exactly zero and can be no points: {(number of the case, landmark)}.

    cases: for each image a dict of landmark to its numbers, of those that have some. A zero is none
    where several landmarks of one image have it, or where the landmark lies elsewhere in other
    images. on_picture: zero is the corner pixel, where a landmark that lies nowhere else is none,
    either; the origin of a world may be a landmark.
    """
    numbers = [number for points in cases for point in points.values() for number in point]
    near = _BESIDE_ZERO * max(map(abs, numbers), default=0.0)
    elsewhere = {}
    for points in cases:
        for name, point in points.items():
            if any(point):
                elsewhere.setdefault(name, []).append(max(map(abs, point)))
    found = set()
    for index, points in enumerate(cases):
        at_zero = [name for name, point in points.items() if not any(point)]
        for name in at_zero:
            others = elsewhere.get(name, ())
            is_far = min(others) > near if others else on_picture
            if len(at_zero) > 1 or is_far:
                found.add((index, name))
    return found


def without_predictions(annotation):
    """The same annotation, less what a network predicted and nobody has judged: that is no truth."""
    predicted = [n for n, p in annotation.points.items() if p.state is PointState.PREDICTED]
    return annotation.without(predicted, Convention.PREDICTION)


def told_readings(annotations, state: PointState = None) -> str:
    """One line on how many points of annotations were read by which convention; empty if there are none.

    state: only of those that were read as this.
    """
    found = [convention for each in annotations for convention in each.read_as.values()]
    return told_conventions(each for each in found if state in (None, each.state))


def told_conventions(conventions) -> str:
    """One line on how many points were read by which convention; empty if there are none.

    conventions: a Convention for each point that was not plainly placed.
    """
    counts = Counter(conventions)
    parts = []
    for state, words in _TOLD_AS.items():
        each = [f"{c.told} ({counts[c]})" for c in Convention if c.state is state and counts[c]]
        if each:
            parts.append(f"read as {words}: {', '.join(each)}")
    return f"R{'; '.join(parts)[1:]}." if parts else ""
