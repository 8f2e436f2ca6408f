"""Other people's tables of landmarks, into folders of image + .mrk.json pairs.

The unit and the origin are always stated by the user: a table of numbers does not say them.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landmark_heatmap.annotations import MARKUPS_SUFFIX, write_annotation
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.geometry import Image
from landmark_heatmap.imageio import image_stem, is_image_file, read_image, write_image
from landmark_heatmap.landmarks import Annotation, Point, PointState

from .data import new_folder

UNITS = ("px", "mm")
ORIGINS = ("top-left", "bottom-left")
_COLUMN = re.compile(r"([xy])[ _-]?(.+)", re.IGNORECASE)


@dataclass(frozen=True)
class TableFrame:
    """What the numbers of a 2D table mean.

    unit: 'px' or 'mm'. origin: 'top-left' (y down) or 'bottom-left' (y up, from the image's height).
    spacing_mm: the size of a pixel; the image's own is not trusted, since the dots per inch in a
    photograph say nothing about anatomy.
    """

    unit: str
    origin: str
    spacing_mm: float = 1.0

    def __post_init__(self):
        if self.unit not in UNITS or self.origin not in ORIGINS or not self.spacing_mm > 0:
            raise DatasetError(
                f"unit '{self.unit}', origin '{self.origin}', spacing {self.spacing_mm} mm: the unit"
                f" has to be {' or '.join(UNITS)}, the origin {' or '.join(ORIGINS)}, the spacing"
                " positive."
            )

    def to_lps(self, x: float, y: float, height_px: int) -> tuple:
        """The position in LPS, mm, on an image whose axes run along L and P from 0."""
        scale = self.spacing_mm if self.unit == "px" else 1.0
        x, y = x * scale, y * scale
        return (x, y if self.origin == "top-left" else height_px * self.spacing_mm - y, 0.0)


def import_table(table, images, output, frame: TableFrame, names=None, rows=None) -> int:
    """Write the images of a 2D table, and its points, as pairs; returns how many.

    table: csv with a first column that names the image, with or without extension, then pairs of
    columns x1, y1, x2, y2 ...; an empty cell is a landmark that was not marked. images: their
    folder. output: a new folder. names: the landmarks' names in the order of the columns, instead
    of those in the header. rows: (first, last) from 1, to import a part.
    Raises DatasetError for a table or an image that cannot be used, naming the row.
    """
    found = {image_stem(path): path for path in Path(images).iterdir() if is_image_file(path)}
    names, cases = _read_table(Path(table), names)
    if rows is not None:
        cases = cases[rows[0] - 1 : rows[1]]
    if not cases:
        raise DatasetError(f"'{table}' has no rows to import.")
    missing = [name for name, _ in cases if name not in found]
    if missing:
        raise DatasetError(f"'{images}' has no image for {', '.join(missing)}.")
    output = new_folder(output)
    for name, points in cases:
        _write_pair(output, name, read_image(found[name]), dict(zip(names, points)), frame)
    return len(cases)


def _write_pair(output: Path, name: str, image: Image, points: dict, frame: TableFrame) -> None:
    if not image.grid.is_2d:
        raise DatasetError(f"The image of '{name}' is not 2D.")
    height_px = image.array.shape[1]
    spacing = frame.spacing_mm
    image = Image(image.array, np.diag([spacing, spacing, 1.0, 1.0]))
    annotation = Annotation(
        {
            label: Point(PointState.UNJUDGED)
            if point is None
            else Point(PointState.PLACED, frame.to_lps(*point, height_px))
            for label, point in points.items()
        }
    )
    write_image(output / f"{name}.nrrd", image)
    write_annotation(output / f"{name}{MARKUPS_SUFFIX}", annotation)


def _read_table(path: Path, names) -> tuple:
    """(names, [(image's name, [(x, y) or None])]). Without a header the landmarks are numbered."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, ValueError) as error:
        raise DatasetError(f"'{path}' cannot be read as a table: {error}.") from error
    if not rows:
        raise DatasetError(f"'{path}' is empty.")
    if _is_number(rows[0][1:2]):
        titles = [str(number) for number in range(1, len(rows[0]) // 2 + 1)]
    else:
        titles = _titles(path, rows.pop(0))
    names = list(names or titles)
    if len(names) != len(titles):
        raise DatasetError(f"{len(names)} names are given for {len(titles)} landmarks in '{path}'.")
    return names, [_read_row(path, row, len(names)) for row in rows]


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
        return bool(cells) and np.isfinite(float(cells[0]))
    except ValueError:
        return False


def _read_row(path: Path, row, count: int) -> tuple:
    name = image_stem(row[0].strip())
    if len(row) != 1 + 2 * count:
        raise DatasetError(f"'{path}': the row '{name}' has {len(row)} cells, not {1 + 2 * count}.")
    points = []
    for x, y in zip(row[1::2], row[2::2]):
        if not x.strip() and not y.strip():
            points.append(None)
            continue
        try:
            point = float(x), float(y)
        except ValueError:
            point = (np.nan, np.nan)
        if not np.isfinite(point).all():
            raise DatasetError(f"'{path}': the row '{name}' has the point ({x}, {y}).")
        points.append(point)
    return name, points
