"""A table with a row an image, read and written: its name, then x1, y1, x2, y2 ..., or x, y, z each.

MorphoJ's row and column format, and what spreadsheets make of landmarks. Nothing in it says what the
numbers are.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

from ..not_marked import is_empty_word
from .text import finite_number, table_rows, written

_AXIS_FIRST = re.compile(r"(?P<axis>[xyz])[ _.-]?(?P<name>.+)", re.IGNORECASE)
_AXIS_LAST = re.compile(r"(?P<name>.+?)[ _.-]?(?P<axis>[xyz])", re.IGNORECASE)
_ID = "id"


@dataclass(frozen=True)
class Row:
    """One image. points: the texts of each landmark's numbers, x before y before z."""

    line: int
    image: str
    points: list


def read_rows(text: str, axes: int = 2) -> tuple:
    """([name of each landmark], [Row]). axes: of a table without header, 2 or 3.

    Raises ValueError, naming the line, for another header, and for a row that is not whole.
    """
    rows = table_rows(text)
    if not rows:
        raise ValueError("it is empty")
    if is_data(rows[0][1]):
        if (len(rows[0][1]) - 1) % axes:
            # A separator at the end of each line makes an empty cell of its own.
            rows = [(n, cells if cells[-1] else cells[:-1]) for n, cells in rows]
        count = (len(rows[0][1]) - 1) // axes
        names, order = [str(number) for number in range(1, count + 1)], tuple(range(axes))
    else:
        line, header = rows.pop(0)
        (_, header), *rows = without_empty_columns([(line, header), *rows])
        names, order = _names_in(header, line)
    return names, [_row(line, cells, names, order) for line, cells in rows]


def without_empty_columns(rows) -> list:
    """The same rows without the last columns that have no title, as far as they are empty throughout.

    Separators at the end of each line make them. rows: [(line, cells)], the header first.
    """
    header = rows[0][1]
    width = max((at for at, title in enumerate(header, 1) if title), default=0)
    if width == len(header) or any(any(cells[width:]) for _, cells in rows):
        return rows
    return [(line, cells[:width]) for line, cells in rows]


def is_data(cells) -> bool:
    """Whether a row is one of numbers, some of which may be missing, and no header."""
    return len(cells) > 2 and all(
        finite_number(cell) is not None or is_empty_word(cell) for cell in cells[1:]
    )


def write_rows(names, rows) -> str:
    """The text of a table with a header. rows: (image, points) each; of a point its numbers, or None.

    All points have 2 or 3 numbers. A missing one is empty cells.
    """
    axes = next((len(p) for _, points in rows for p in points if p is not None), 2)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([_ID, *(f"{name}_{axis}" for name in names for axis in "xyz"[:axes])])
    for image, points in rows:
        cells = [[""] * axes if p is None else map(written, p) for p in points]
        writer.writerow([image, *(cell for point in cells for cell in point)])
    return stream.getvalue()


def _names_in(header, line: int) -> tuple:
    """(the landmarks' names, where x, y and z stand in each's cells) from id, x1, y1, x2, y2 ..."""
    for pattern in (_AXIS_FIRST, _AXIS_LAST):
        columns = [pattern.fullmatch(title) for title in header[1:]]
        if not columns or not all(columns):
            continue
        for axes in (2, 3):
            if len(columns) % axes:
                continue
            groups = [columns[at : at + axes] for at in range(0, len(columns), axes)]
            orders = {"".join(c["axis"].lower() for c in group) for group in groups}
            order = orders.pop()
            is_one = not orders and sorted(order) == list("xyz"[:axes])
            if is_one and all(len({c["name"] for c in group}) == 1 for group in groups):
                names = [group[0]["name"] for group in groups]
                return names, tuple(order.index(axis) for axis in "xyz"[:axes])
    raise ValueError(
        f"line {line} needs the columns id, x1, y1, x2, y2 ..., has {', '.join(header)[:80]}"
    )


def _row(line: int, cells, names, order) -> Row:
    axes = len(order)
    if not cells[0]:
        raise ValueError(f"line {line}: the first cell has to name the image, and is empty")
    width = 1 + axes * len(names)
    if len(cells) != width:
        raise ValueError(
            f"line {line}: '{cells[0]}' has {len(cells)} cells; a name and {len(names)} points make"
            f" {width}"
        )
    groups = [cells[at : at + axes] for at in range(1, width, axes)]
    return Row(line, cells[0], [[group[axis] for axis in order] for group in groups])
