"""A table with a row a point: image, landmark, x, y, and perhaps z, whatever the columns are called.

As for other tables, nothing in it says what the numbers are.
"""

from __future__ import annotations

import re
from pathlib import Path

from landmark_heatmap.annotation.formats.row_table import without_empty_columns
from landmark_heatmap.errors import DatasetError

from ..table import Marks, Stated, Table, check_names, csv_rows, place, point_of
from .csv_points import frame_of, is_long

TAKES = ("unit", "origin", "system", "spacing_mm")
_IMAGE = (
    *(
        "image",
        "img",
        "image_name",
        "image_id",
        "file",
        "filename",
        "file_name",
        "picture",
        "photo",
    ),
    *("id", "case", "specimen", "subject", "sample", "individual"),
    *("bild", "datei", "foto", "imagen", "archivo", "imagem", "arquivo", "immagine", "fichier"),
)
_LANDMARK = (
    *("landmark", "landmark_name", "landmark_id", "label", "name", "point", "lm", "keypoint"),
    *("bodypart", "node", "number"),
    *("landmarke", "punkt", "punto", "ponto"),
)


def recognises(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        return False
    try:
        return is_long(csv_rows(path)[0][1])
    except DatasetError:
        return False


def read(path: Path, stated: Stated) -> Table:
    """Raises DatasetError, naming the line, for columns that are not found, and a point twice."""
    (first, header), *rows = without_empty_columns(csv_rows(path))
    columns = [re.sub(r"[\s-]+", "_", title.lower().lstrip("# ")) for title in header]
    image, landmark = (_column(columns, which, place(path, first)) for which in (_IMAGE, _LANDMARK))
    axes = [columns.index(axis) for axis in "xyz" if axis in columns]
    frame = frame_of(len(axes), stated, f"'{path}'")
    found, lines = {}, {}
    for line, cells in rows:
        where = place(path, line)
        if len(cells) != len(columns):
            raise DatasetError(f"{where} has {len(cells)} cells, its header {len(columns)}.")
        name = cells[landmark]
        points = found.setdefault(cells[image], {})
        lines.setdefault(cells[image], where)
        if name in points:
            raise DatasetError(f"{where}: landmark '{name}' of '{cells[image]}' comes twice.")
        points[name] = point_of([cells[axis] for axis in axes], where, name)
    names = dict.fromkeys(name for points in found.values() for name in points)
    marks = [Marks(each, points, frame, lines[each]) for each, points in found.items()]
    return Table(tuple(marks), check_names(list(names), f"'{path}'"))


def _column(columns, titles, where: str) -> int:
    for title in titles:
        if title in columns:
            return columns.index(title)
    raise DatasetError(
        f"{where}: none of the columns {', '.join(columns)} is called {' or '.join(titles[:3])}."
    )
