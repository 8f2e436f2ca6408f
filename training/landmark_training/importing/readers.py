"""The mean of several readers' tables, and how far apart the readers are."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from landmark_heatmap.annotation.landmarks import Point, PointState
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.lengths import length

_COLUMNS = ("landmark", "cases", "mean_mm", "largest_mm", "largest_case")


@dataclass(frozen=True)
class Distance:
    """How far apart readers put one landmark: over `cases` that at least two of them marked.

    mean_mm: over cases of the mean over pairs of readers; NaN if no two marked it.
    """

    landmark: str
    cases: int
    mean_mm: float
    largest_mm: float
    largest_case: str


def mean_of_readers(readers) -> list:
    """The mean of the readers' points, case by case; a point that some did not mark is of the others.

    readers: [[ImportCase]], one list a reader. A landmark is absent if nobody placed it and somebody
    says that it is absent. Raises DatasetError if readers give landmarks different names, or a case
    another image.
    """
    _check_names(readers)
    cases = []
    for same in _by_case(readers):
        for case in same[1:]:
            same_grid = np.allclose(case.grid.ijk_to_lps, same[0].grid.ijk_to_lps)
            if case.image_path != same[0].image_path or not same_grid:
                raise DatasetError(
                    f"{same[0].where} and {case.where} are both of '{case.name}', and not of the same"
                    " image with pixels of the same size."
                )
        names = max((case.annotation.names for case in same), key=len)
        points = {name: _mean([c.annotation.points.get(name) for c in same]) for name in names}
        cases.append(replace(same[0], annotation=replace(same[0].annotation, points=points)))
    return cases


def distances_of_readers(readers) -> list:
    """A Distance for each landmark, in the order of the first reader's."""
    found = {}
    for same in _by_case(readers):
        for name in max((case.annotation.names for case in same), key=len):
            positions = [case.annotation.position_lps(name) for case in same]
            pairs = combinations([p for p in positions if p is not None], 2)
            apart = [float(np.linalg.norm(a - b)) for a, b in pairs]
            found.setdefault(name, [])
            if apart:
                found[name].append((np.mean(apart), max(apart), same[0].name))
    return [_distance(name, values) for name, values in found.items()]


def _distance(name: str, values) -> Distance:
    if not values:
        return Distance(name, 0, float("nan"), float("nan"), "")
    _, largest, case = max(values, key=lambda value: value[1])
    return Distance(name, len(values), float(np.mean([v[0] for v in values])), largest, case)


def told_distances(distances, unit: str) -> str:
    """The distances as a table to print. unit: of the images."""
    width = max(len("landmark"), *(len(d.landmark) for d in distances))
    fine = min((d.mean_mm for d in distances if d.mean_mm > 0), default=None)
    lines = [f"{'landmark':{width}}  cases  mean {unit}  largest {unit}"]
    for d in distances:
        mean, largest = length(d.mean_mm, fine), length(d.largest_mm, fine)
        lines.append(
            f"{d.landmark:{width}}  {d.cases:5d}  {mean:>7}  {largest:>10}"
            f"  {d.largest_case if d.cases > 1 else ''}".rstrip()
        )
    means = [d.mean_mm for d in distances if d.cases]
    if means:
        lines.append(f"{'mean over landmarks':{width}}         {length(np.mean(means), fine):>7}")
    return "\n".join(lines)


def write_distances(path, distances) -> None:
    """The distances as a csv."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for d in distances:
            figures = (f"{d.mean_mm:.6g}", f"{d.largest_mm:.6g}") if d.cases else ("", "")
            writer.writerow([d.landmark, d.cases, *figures, d.largest_case])


def _by_case(readers) -> list:
    """[[the ImportCases of one case]], in the order in which the readers name them."""
    cases = {}
    for reader in readers:
        for case in reader:
            cases.setdefault(case.name, []).append(case)
    return list(cases.values())


def _check_names(readers) -> None:
    """A reader may leave landmarks out, and may not call them otherwise."""
    names = [
        dict.fromkeys(name for case in reader for name in case.annotation.names)
        for reader in readers
    ]
    for (a, first), (b, second) in combinations(enumerate(names), 2):
        only_first = [name for name in first if name not in second]
        only_second = [name for name in second if name not in first]
        if only_first and only_second:
            raise DatasetError(
                f"{readers[a][0].where} has the landmark '{only_first[0]}' and"
                f" {readers[b][0].where} has '{only_second[0]}', each without the other. If they call"
                " landmarks differently, give them common names, in their order: --names FILE."
            )


def _mean(points) -> Point:
    """points: what each reader says of one landmark, None of one who does not list it."""
    said = [point for point in points if point is not None]
    definition = next((point.definition for point in said if point.definition), "")
    placed = [point.position_lps for point in said if point.state is PointState.PLACED]
    if placed:
        return Point(PointState.PLACED, tuple(np.mean(placed, axis=0)), definition=definition)
    absent = any(point.state is PointState.ABSENT for point in said)
    return Point(PointState.ABSENT if absent else PointState.UNJUDGED, definition=definition)
