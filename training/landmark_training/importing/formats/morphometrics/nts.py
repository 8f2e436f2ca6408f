"""NTSYS's matrices, .nts, and the .dta of IDAV Landmark, which is one.

Lines of comment begin with a quotation mark. One line says what follows: '1', how many images, how many
numbers of each, 0, or 1 and the number that stands for missing ones, and 'DIM=3'. An L after the first
count announces the images' names, after the second those of the columns; B and E put an image's name at
the begin or the end of its row. Without DIM= the rows are the landmarks of one image, the file's.
"""

from __future__ import annotations

import re
from pathlib import Path

from landmark_heatmap.errors import DatasetError

from ...table import Marks, Stated, Table, number_of, place, point_of, read_text
from ..csv_points import frame_of

TAKES = ("unit", "origin", "system", "spacing_mm")
_ENDINGS = (".nts", ".dta")
_HEAD = re.compile(
    r"1\s+(?P<rows>\d{1,7})(?P<labels>[LBE]?)\s+(?P<columns>\d{1,7})(?P<titles>L?)\s+(?P<missing>[01])"
    r"(?:\s+(?P<code>[-+.\d]+))?(?:\s+DIM\s*=\s*(?P<axes>[23]))?\s*",
    re.IGNORECASE,
)


def recognises(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in _ENDINGS


def read(path: Path, stated: Stated) -> Table:
    """Raises DatasetError, naming the line, for a head that is none, and for numbers that do not fit."""
    lines = [(n, line.strip()) for n, line in enumerate(read_text(path).splitlines(), 1)]
    lines = [(n, line) for n, line in lines if line and not line.startswith('"')]
    head = _HEAD.fullmatch(lines[0][1]) if lines else None
    if head is None:
        raise DatasetError(
            f"'{path}' needs a line like '1 10L 36 0 DIM=3' first: 10 images, named, of 12 landmarks in"
            f" 3D; it has '{lines[0][1][:60] if lines else ''}'."
        )
    rows, columns = int(head["rows"]), int(head["columns"])
    if head["axes"] is None:
        if columns not in (2, 3) or head["labels"]:
            raise DatasetError(f"{place(path, lines[0][0])}: DIM=2 or DIM=3 is missing.")
        images, axes, count = [path.stem], columns, rows
        numbers = _numbers(path, lines[1:], rows * columns)
    else:
        axes = int(head["axes"])
        images, numbers = _named(path, lines[1:], head, rows, columns)
        count = columns // axes
    if count * axes * len(images) != len(numbers):
        raise DatasetError(
            f"{place(path, lines[0][0])}: {columns} numbers are no points of {axes}."
        )
    code = number_of(head["code"]) if head["missing"] == "1" and head["code"] else None
    frame = frame_of(axes, stated, f"'{path}'")
    names = tuple(str(number) for number in range(1, count + 1))
    marks = []
    for index, image in enumerate(images):
        own = numbers[index * count * axes :]
        points = {
            name: point_of(own[at * axes : (at + 1) * axes], f"'{path}', '{image}'", name)
            for at, name in enumerate(names)
        }
        marks.append(Marks(image, points, frame, f"'{path}', '{image}'", code=code))
    return Table(tuple(marks), names)


def _named(path: Path, lines, head, rows: int, columns: int) -> tuple:
    """(names of the images, all numbers in their order)."""
    where = head["labels"].upper()
    if where in ("B", "E"):
        cells = [line.split() for _, line in lines]
        names = [row[0] if where == "B" else row[-1] for row in cells]
        numbers = [cell for row in cells for cell in (row[1:] if where == "B" else row[:-1])]
        if len(names) != rows or len(numbers) != rows * columns:
            raise DatasetError(
                f"'{path}' announces {rows} rows of {columns} numbers and a name; it has {len(names)}"
                f" rows with {len(numbers)} numbers."
            )
        return names, numbers
    words = [(n, word) for n, line in lines for word in line.split()]
    begin = max(len(words) - rows * columns, 0)
    numbers = _numbers(path, lines, rows * columns, begin)
    if not where and not begin:
        return [f"{path.stem}-{number}" for number in range(1, rows + 1)], numbers
    # Names may hold spaces if they stand on lines of their own.
    last = words[begin - 1][0] if begin else 0
    labels = [line for n, line in lines if n <= last]
    if len(labels) != rows:
        labels = [word for _, word in words[:begin]][:rows]
    titles = columns if head["titles"] else 0
    if len(labels) != rows or (titles and len(words[:begin]) not in (rows, rows + titles)):
        raise DatasetError(f"'{path}' announces the names of {rows} images, and has {len(labels)}.")
    return labels, numbers


def _numbers(path: Path, lines, wanted: int, begin: int = 0) -> list:
    words = [word for _, line in lines for word in line.split()][begin:]
    if len(words) != wanted:
        raise DatasetError(f"'{path}' announces {wanted} numbers, and has {len(words)}.")
    return words
