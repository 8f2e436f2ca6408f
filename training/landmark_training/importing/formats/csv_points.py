"""A table with a row an image: its name, then x1, y1, x2, y2 ..., or x, y, z each.

With a header ('id,x1,y1,...' or 'id,nose_x,nose_y,...') or without one, separated by commas,
semicolons or tabs: MorphoJ's files, too. Nothing in them says what the numbers are: unit and origin
have to be stated, or the system of numbers in 3D.
"""

from __future__ import annotations

from pathlib import Path

from landmark_heatmap.annotation.formats.row_table import is_data, read_rows
from landmark_heatmap.errors import DatasetError

from ..frames import PictureFrame, WorldFrame
from ..table import Marks, Stated, Table, check_names, csv_rows, parsed, place, point_of

TAKES = ("unit", "origin", "system", "spacing_mm")
_ENDINGS = (".csv", ".tsv", ".txt")


def recognises(path: Path) -> bool:
    """A .csv or .tsv that is no other table; or other text whose lines are a name and points."""
    if not path.is_file() or path.suffix.lower() not in _ENDINGS:
        return False
    try:
        first = csv_rows(path)[0][1]
    except DatasetError:
        return path.suffix.lower() != ".txt"
    if path.suffix.lower() != ".txt":
        return first[0].lower() not in ("scorer", "track") and not is_long(first)
    return len(first) % 2 == 1 and is_data(first)


def is_long(header) -> bool:
    """Whether a header is that of a table with a row a point."""
    titles = [title.lower() for title in header]
    return {"x", "y"} <= set(titles) and len(set(titles)) == len(titles)


def read(path: Path, stated: Stated) -> Table:
    """Raises DatasetError, naming the line, for a row that is not whole, and for a frame not stated."""
    names, rows = parsed(path, read_rows, 2 if stated.system is None else 3)
    where = f"'{path}'"
    names = check_names(names, where)
    axes = len(rows[0].points[0]) if rows else 2
    frame = frame_of(axes, stated, where)
    marks = []
    for row in rows:
        line = place(path, row.line)
        points = {name: point_of(cells, line, name) for name, cells in zip(names, row.points)}
        marks.append(Marks(row.image, points, frame, line))
    return Table(tuple(marks), names)


def frame_of(axes: int, stated: Stated, where: str):
    """What numbers of 2 or 3 axes mean, as stated. Raises DatasetError if it is not, or cannot be."""
    if axes == 3:
        if stated.system is None:
            raise DatasetError(f"{where}: points of x, y, z in which world? --system RAS, or LPS.")
        if stated.unit not in (None, "mm") or stated.origin or stated.spacing_mm:
            raise DatasetError(
                f"{where}: points of x, y, z have to be in mm in the image's world; leave --unit,"
                " --origin and --spacing out."
            )
        return WorldFrame(stated.system, spacing_mm=stated.spacing_mm)
    if stated.system is not None:
        raise DatasetError(f"{where}: points of x and y lie on a picture; leave --system out.")
    if stated.unit is None or stated.origin is None:
        raise DatasetError(
            f"{where} does not say what its numbers are: state --unit px or mm, and --origin top-left"
            " or bottom-left."
        )
    return PictureFrame(stated.unit, stated.origin, stated.spacing_mm)
