"""Tables: a row an image, two columns a landmark. Plain csv, and that of DeepLabCut."""

from __future__ import annotations

import csv
import re
from pathlib import Path, PurePosixPath

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.imageio import image_stem

from .marks import Marked, named, number, read_lines

_COLUMN = re.compile(r"([xy])[ _-]?(.+)", re.IGNORECASE)
_DEEPLABCUT_HEADS = ("scorer", "individuals", "bodyparts", "coords")


def read_csv(path: Path, names=None) -> list:
    """Marked images of a table: image, x1, y1, x2, y2 ...

    The first column names the image, with or without extension. Without a header the landmarks are
    numbered. An empty pair of cells is a landmark that was not marked.
    """
    rows = _rows(path)
    if is_deeplabcut(rows):
        raise DatasetError(f"'{path}' is a table of DeepLabCut: give --format deeplabcut.")
    if _is_number(rows[0][1:2]):
        titles = named(names, len(rows[0]) // 2, path)
    else:
        titles = _titles(path, rows.pop(0))
        titles = titles if names is None else named(names, len(titles), path)
    return [_marked(path, image_stem(row[0].strip()), row[1:], titles) for row in rows]


def read_deeplabcut(path: Path, names=None) -> list:
    """Marked images of CollectedData_*.csv: header rows scorer, (individuals), bodyparts, coords.

    The image's path is in the first column, or in the first three. Raises DatasetError for several
    individuals in an image.
    """
    rows = _rows(path)
    if not is_deeplabcut(rows):
        raise DatasetError(f"'{path}' does not begin with the rows scorer, bodyparts and coords.")
    heads = {
        row[0].strip().lower(): row for row in rows if row[0].strip().lower() in _DEEPLABCUT_HEADS
    }
    first = next((n for n, cell in enumerate(heads["coords"]) if cell.strip().lower() == "x"), 0)
    individuals = sorted(set(heads.get("individuals", [])[first:]) - {""})
    if len(individuals) > 1:
        raise DatasetError(
            f"'{path}' has several individuals in an image ({', '.join(individuals)}); each landmark"
            " may be there once only."
        )
    titles = heads["bodyparts"][first::2]
    if not titles or len(set(titles)) != len(titles):
        raise DatasetError(f"'{path}' has the body parts {titles}; each may be there once only.")
    titles = titles if names is None else named(names, len(titles), path)
    return [
        _marked(
            path,
            image_stem(PurePosixPath(row[first - 1].replace("\\", "/")).name),
            row[first:],
            titles,
        )
        for row in rows[len(heads) :]
    ]


def _stem_of(image_path: str) -> str:
    """The image's name; the path is as the system that wrote it has paths."""
    return image_stem(PurePosixPath(image_path.strip().replace("\\", "/")).name)


def is_deeplabcut(rows) -> bool:
    first = [row[0].strip().lower() for row in rows[:4]]
    return first[:1] == ["scorer"] and "bodyparts" in first and "coords" in first


def _rows(path: Path) -> list:
    rows = [row for row in csv.reader(read_lines(path)) if any(cell.strip() for cell in row)]
    if not rows:
        raise DatasetError(f"'{path}' is empty.")
    return rows


def _titles(path: Path, header) -> list:
    """The landmarks' names in a header id, x1, y1, x2, y2 ..."""
    columns = [_COLUMN.fullmatch(title.strip()) for title in header[1:]]
    pairs = list(zip(columns[::2], columns[1::2]))
    if (
        not pairs
        or len(columns) % 2
        or not all(
            x and y and x[1].lower() == "x" and y[1].lower() == "y" and x[2] == y[2]
            for x, y in pairs
        )
    ):
        raise DatasetError(f"'{path}' needs the columns id, x1, y1, x2, y2 ..., has {header}.")
    return [x[2] for x, _ in pairs]


def _is_number(cells) -> bool:
    try:
        return bool(cells) and float(cells[0]) == float(cells[0])
    except ValueError:
        return False


def _marked(path: Path, image: str, cells, titles) -> Marked:
    if len(cells) != 2 * len(titles):
        raise DatasetError(
            f"'{path}': the row '{image}' has {len(cells)} numbers, not {2 * len(titles)}."
        )
    points = {}
    for title, x, y in zip(titles, cells[::2], cells[1::2]):
        if not x.strip() and not y.strip():
            points[title] = None
        else:
            where = f"row '{image}', '{title}'"
            points[title] = (number(x, path, where), number(y, path, where))
    return Marked(image, points)
