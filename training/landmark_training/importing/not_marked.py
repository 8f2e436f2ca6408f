"""The conventions of "not marked", applied to tables of every format alike, and told."""

from __future__ import annotations

from dataclasses import replace

from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.annotation.not_marked import (
    Convention,
    convention_of,
    told_conventions,
    zeros,
)

from .frames import WorldFrame
from .table import Marks, Table


def judged(table: Table) -> Table:
    """The table, with the state that they mean instead of numbers that are no position.

    Why is in each Marks' read_as.
    """
    marks = [_judged(each) for each in table.marks]
    # In a world zero may be a landmark, on a picture it is the corner: not to be judged together.
    for is_world in (False, True):
        chosen = [n for n, m in enumerate(marks) if isinstance(m.frame, WorldFrame) is is_world]
        positions = [
            {name: p for name, p in marks[n].points.items() if isinstance(p, tuple)} for n in chosen
        ]
        for index, name in zeros(positions, on_picture=not is_world):
            marks[chosen[index]] = _with(marks[chosen[index]], {name: Convention.ZERO})
    return replace(table, marks=tuple(marks))


def told_of(table: Table) -> str:
    """One line on how many points were read by which convention; empty if all are plainly placed."""
    found = []
    for marks in table.marks:
        for name, point in marks.points.items():
            convention = marks.read_as.get(name)
            if convention is None and point is PointState.UNJUDGED:
                convention = Convention.EMPTY
            found += [] if convention is None else [convention]
    return told_conventions(found)


def _judged(marks: Marks) -> Marks:
    on_picture = not isinstance(marks.frame, WorldFrame)
    found = {
        name: convention_of(point, on_picture, marks.code)
        for name, point in marks.points.items()
        if isinstance(point, tuple) and name not in marks.read_as
    }
    return _with(marks, {name: each for name, each in found.items() if each is not None})


def _with(marks: Marks, found: dict) -> Marks:
    if not found:
        return marks
    states = {name: convention.state for name, convention in found.items()}
    return replace(marks, points={**marks.points, **states}, read_as={**marks.read_as, **found})
