"""A csv with a row an image: its name, then x1, y1, x2, y2 ...

With a header ('id,x1,y1,...' or 'id,nose_x,nose_y,...') or without one. Nothing in such a file says
what the numbers are: unit and origin have to be stated.
"""

from __future__ import annotations

import re
from pathlib import Path

from landmark_heatmap.errors import DatasetError

from ..frames import PictureFrame
from ..table import (
    Marks,
    Stated,
    Table,
    check_names,
    csv_rows,
    number_of,
    place,
    point_of,
    read_text,
)

TAKES = ("unit", "origin", "spacing_mm")
_AXIS_FIRST = re.compile(r"(?P<axis>[xy])[ _-]?(?P<name>.+)", re.IGNORECASE)
_AXIS_LAST = re.compile(r"(?P<name>.+?)[ _-]?(?P<axis>[xy])", re.IGNORECASE)


def recognises(path: Path) -> bool:
    """A .csv without DeepLabCut's header; or other text whose lines are a name and pairs of numbers."""
    if not path.is_file() or path.suffix.lower() not in (".csv", ".txt"):
        return False
    cells = [cell.strip() for cell in read_text(path).lstrip().split("\n", 1)[0].split(",")]
    if path.suffix.lower() == ".csv":
        return cells[0].lower() != "scorer"
    return len(cells) > 2 and len(cells) % 2 == 1 and _are_numbers(cells[1:])


def read(path: Path, stated: Stated) -> Table:
    """Raises DatasetError, naming the line, for a row that is not whole, and for a frame not stated."""
    if stated.unit is None or stated.origin is None:
        raise DatasetError(
            f"'{path}' does not say what its numbers are: state --unit px or mm, and --origin top-left"
            " or bottom-left."
        )
    frame = PictureFrame(stated.unit, stated.origin, stated.spacing_mm)
    rows = csv_rows(path)
    if _are_numbers(rows[0][1][1:2]):
        names = [str(number) for number in range(1, len(rows[0][1]) // 2 + 1)]
    else:
        line, header = rows.pop(0)
        names = check_names(_names_in(header, place(path, line)), place(path, line))
    marks = [_read_row(place(path, line), cells, names, frame) for line, cells in rows]
    return Table(tuple(marks), tuple(names))


def _names_in(header, where: str) -> list:
    """The landmarks' names in a header id, x1, y1, x2, y2 ..."""
    for pattern in (_AXIS_FIRST, _AXIS_LAST):
        columns = [pattern.fullmatch(title) for title in header[1:]]
        if columns and len(columns) % 2 == 0 and all(columns):
            pairs = list(zip(columns[::2], columns[1::2]))
            axes = {(x["axis"] + y["axis"]).lower() for x, y in pairs}
            if axes == {"xy"} and all(x["name"] == y["name"] for x, y in pairs):
                return [x["name"] for x, _ in pairs]
    raise DatasetError(
        f"{where} needs the columns id, x1, y1, x2, y2 ..., has {', '.join(header)[:80]}."
    )


def _read_row(where: str, cells, names, frame: PictureFrame) -> Marks:
    if not cells[0]:
        raise DatasetError(f"{where}: the first cell has to name the image, and is empty.")
    if len(cells) != 1 + 2 * len(names):
        raise DatasetError(
            f"{where}: '{cells[0]}' has {len(cells)} cells; a name and {len(names)} points make"
            f" {1 + 2 * len(names)}."
        )
    pairs = zip(cells[1::2], cells[2::2])
    points = {name: point_of(pair, where, name) for name, pair in zip(names, pairs)}
    return Marks(cells[0], points, frame, where)


def _are_numbers(cells) -> bool:
    return bool(cells) and all(number_of(cell) is not None for cell in cells)
