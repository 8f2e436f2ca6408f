"""YOLO's labels of poses: a .txt an image, a row an object, all numbers shares of the image's size.

A row is the class, the box (x, y, width, height), and x, y of each key point, perhaps with a third
number, its visibility. How many there are says 'kpt_shape: [17, 3]' in the .yaml of the data set; where
none is found, the numbers themselves say it.
"""

from __future__ import annotations

import re
from pathlib import Path

from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.annotation.not_marked import Convention
from landmark_heatmap.errors import DatasetError

from ...frames import ShareFrame, defined_frame
from ...table import Marks, Stated, Table, number_of, place, point_of, read_text

TAKES = ("unit", "origin", "spacing_mm")
_BOX = 5
_VISIBILITIES = {text for number in "012" for text in (number, f"{number}.0", f"{number}.000000")}
_SHAPE = re.compile(r"^\s*kpt_shape\s*:\s*\[\s*(\d{1,6})\s*,\s*([23])\s*\]", re.MULTILINE)


def recognises(path: Path) -> bool:
    """A .txt, or a folder of some (or with labels/), whose first row is a class and shares."""
    files = _files(path)
    first = next((rows[0] for rows in map(_rows_of, files[:5]) if rows), None)
    if first is None:
        return False
    numbers = [number_of(cell) for cell in first[1]]
    is_whole = len(numbers) > _BOX + 1 and None not in numbers and first[1][0].isdigit()
    return is_whole and all(0 <= number <= 1 for number in numbers[1:_BOX])


def read(path: Path, stated: Stated) -> Table:
    """Raises DatasetError, naming the line, for an image with several objects."""
    files = [(file, _rows_of(file)) for file in _files(path)]
    files = [(file, rows) for file, rows in files if rows]
    if not files:
        raise DatasetError(f"'{path}' has no .txt with key points.")
    shape = _shape(path) or _guessed(files)
    # What is stated is checked as for pixels, which the shares are of.
    frame = ShareFrame(spacing_mm=defined_frame("YOLO", stated).spacing_mm)
    names = tuple(str(number) for number in range(1, shape[0] + 1))
    marks = tuple(_read_file(file, rows, shape, names, frame) for file, rows in files)
    return Table(marks, names)


def _files(path: Path) -> list:
    if path.is_dir():
        folder = path / "labels" if (path / "labels").is_dir() else path
        return sorted(p for p in folder.rglob("*.txt") if p.is_file())
    return [path] if path.suffix.lower() == ".txt" and path.is_file() else []


def _rows_of(path: Path) -> list:
    """[(number of the line, its cells)]; nothing for what is no text."""
    try:
        lines = read_text(path).splitlines()
    except DatasetError:
        return []
    return [(n, line.split()) for n, line in enumerate(lines, 1) if line.strip()]


def _shape(path: Path):
    """(key points, numbers of each) as a .yaml in the folder or one above it says, or None."""
    folder = path if path.is_dir() else path.parent
    for place_ in (folder, folder.parent, folder.parent.parent):
        for file in sorted((*place_.glob("*.yaml"), *place_.glob("*.yml"))):
            found = _SHAPE.search(read_text(file))
            if found:
                return int(found[1]), int(found[2])
    return None


def _guessed(files) -> tuple:
    """The same from the rows: three numbers a point if each third is 0, 1 or 2, for no share is so in
    all rows."""
    rows = [cells[_BOX:] for _, rows in files for _, cells in rows]
    if all(len(row) % 3 == 0 and set(row[2::3]) <= _VISIBILITIES for row in rows):
        return len(rows[0]) // 3, 3
    if all(len(row) % 2 == 0 for row in rows):
        return len(rows[0]) // 2, 2
    raise DatasetError(
        f"'{files[0][0]}': whether a key point has two numbers or three cannot be told; put the data"
        " set's .yaml with its line kpt_shape: beside the labels."
    )


def _read_file(path: Path, rows, shape, names, frame) -> Marks:
    count, axes = shape
    line, cells = rows[0]
    where = place(path, line)
    if len(rows) > 1:
        raise DatasetError(
            f"{place(path, rows[1][0])}: a second object in one image; a landmark can stand in an image"
            " once. Cut the objects out, an image each."
        )
    if len(cells) != _BOX + count * axes:
        raise DatasetError(
            f"{where}: {len(cells)} numbers; a class, a box and {count} key points of {axes} make"
            f" {_BOX + count * axes}."
        )
    points, read_as = {}, {}
    for at, name in enumerate(names):
        own = cells[_BOX + at * axes :][:axes]
        if axes == 3 and number_of(own[2]) == 0:
            points[name], read_as[name] = PointState.UNJUDGED, Convention.INVISIBLE
        else:
            points[name] = point_of(own[:2], where, name)
    return Marks(path.stem, points, frame, where, is_own_file=True, read_as=read_as)
