"""The .pts of IDAV Landmark (Landmark Editor): a file a case, 'Version 1.0', a count, a line a point.

A point is a name and x, y, z; 9999 stands for missing numbers.
"""

from __future__ import annotations

from pathlib import Path

from landmark_heatmap.errors import DatasetError

from ...table import Marks, Stated, Table, check_names, count_of, place, point_of, read_text
from ..csv_points import frame_of

TAKES = ("unit", "origin", "system", "spacing_mm", "endings")
_CODE = 9999.0


def recognises(path: Path) -> bool:
    return bool(_files(path))


def read(path: Path, stated: Stated) -> Table:
    """Raises DatasetError, naming the line, for a file of another kind."""
    marks = tuple(_read_file(file, stated) for file in _files(path))
    names = dict.fromkeys(name for each in marks for name in each.points)
    return Table(marks, tuple(names))


def _files(path: Path) -> list:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [file for file in files if file.suffix.lower() == ".pts" and file.is_file()]


def _read_file(path: Path, stated: Stated) -> Marks:
    lines = [(n, line.strip()) for n, line in enumerate(read_text(path).splitlines(), 1)]
    lines = [(n, line) for n, line in lines if line]
    if (
        len(lines) < 2
        or not lines[0][1].lower().startswith("version")
        or count_of(lines[1][1]) is None
    ):
        raise DatasetError(
            f"'{path}' is no .pts of Landmark Editor, which begins with 'Version 1.0' and the number of"
            " points."
        )
    rows = [(n, line.split()) for n, line in lines[2:]]
    if len(rows) != int(lines[1][1]):
        raise DatasetError(f"'{path}' announces {lines[1][1]} points, and has {len(rows)}.")
    axes = {len(cells) - 1 for _, cells in rows}
    if axes not in ({2}, {3}):
        raise DatasetError(f"'{path}': each line needs a name and 2 or 3 numbers.")
    check_names([cells[0] for _, cells in rows], f"'{path}'")
    points = {cells[0]: point_of(cells[1:], place(path, n), cells[0]) for n, cells in rows}
    frame = frame_of(axes.pop(), stated, f"'{path}'")
    return Marks(path.stem, points, frame, f"'{path}'", is_own_file=True, code=_CODE)
