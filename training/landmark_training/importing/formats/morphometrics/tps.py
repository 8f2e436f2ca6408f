"""The .tps files of tpsDig: pixels from the bottom left, unless another frame is stated.

A block an image: 'LM=12' and a line 'x y' for each landmark, then 'IMAGE=63001.jpg', 'ID=0' and
maybe 'SCALE=0.0123', by which a pixel is multiplied to become - the file does not say what: the unit
has to be stated. 'LM3=' are points of x, y, z; whether in RAS or LPS has to be stated too. Curves
and outlines are no landmarks, and left out. geomorph writes no IMAGE=: there the ID is the image's
name. tpsUtil writes LM=0 for an image that nobody has digitised yet.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from landmark_heatmap.annotation.formats.tps import Block, read_blocks
from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.errors import DatasetError

from ...frames import PictureFrame, WorldFrame
from ...table import Marks, Stated, Table, number_of, parsed, place, point_of, read_text

TAKES = ("unit", "origin", "system", "spacing_mm", "scale_unit")
MM_OF = {"um": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1e3, "inch": 25.4}


def recognises(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() not in (".tps", ".txt"):
        return False
    if path.suffix.lower() == ".tps":
        return True
    return read_text(path).lstrip().upper().startswith(("LM=", "LM3="))


def read(path: Path, stated: Stated) -> Table:
    """Raises DatasetError, naming the line, for what cannot be read, and for a frame not stated."""
    blocks = parsed(path, read_blocks)
    digitised = [block for block in blocks if block.rows]
    curves = sum(block.has_curves for block in blocks)
    if not digitised:
        raise DatasetError(
            f"{place(path, blocks[0].line)}: there are no landmarks"
            + (", only curves, whose points slide along them and are none." if curves else ".")
        )
    first = digitised[0]
    for block in digitised:
        if (block.axes, len(block.rows)) != (first.axes, len(first.rows)):
            raise DatasetError(
                f"{place(path, block.line)}: {len(block.rows)} landmarks of {block.axes} numbers,"
                f" where the first image has {len(first.rows)} of {first.axes}. Landmarks are known by"
                " their place in the list; write a missing one as -1 -1."
            )
    names = tuple(str(number) for number in range(1, len(first.rows) + 1))
    marks = tuple(_marks(path, block, names, stated) for block in digitised)
    notes = []
    if curves:
        notes.append(f"'{path}': curves and outlines of {curves} images are left out.")
    if len(digitised) < len(blocks):
        count = len(blocks) - len(digitised)
        notes.append(f"'{path}': {count} images without landmarks (LM=0) are left out.")
    return Table(marks, names, tuple(notes))


def _marks(path: Path, block: Block, names, stated: Stated) -> Marks:
    where = place(path, block.line)
    image = block.value("IMAGE") or block.value("ID")
    if not image:
        raise DatasetError(
            f"{where}: this image has no line IMAGE= with the name of its file, and no ID=."
        )
    frame = _frame(path, block, stated)
    points = {
        name: _point(cells, block.axes, place(path, line), name)
        for name, (line, cells) in zip(names, block.rows)
    }
    return Marks(image, points, frame, where)


def _frame(path: Path, block: Block, stated: Stated):
    line, scale = block.values.get("SCALE", (block.line, None))
    where = place(path, line)
    if block.axes == 3:
        if stated.system is None:
            raise DatasetError(f"{where}: points of x, y, z in which world? --system RAS, or LPS.")
        if scale is not None or stated.unit == "px":
            raise DatasetError(f"{where}: points of x, y, z have to be in mm, without a SCALE.")
        return WorldFrame(stated.system, spacing_mm=stated.spacing_mm)
    if stated.system is not None:
        raise DatasetError(f"{where}: points of x and y lie on a picture; leave --system out.")
    frame = PictureFrame(stated.unit or "px", stated.origin or "bottom-left", stated.spacing_mm)
    if stated.spacing_mm is not None and stated.scale_unit is not None:
        raise DatasetError("--spacing and --scale-unit both say how large a pixel is; give one.")
    if stated.spacing_mm is not None:
        return frame
    if stated.scale_unit is None:
        if scale is None:
            return frame
        raise DatasetError(
            f"{where}: SCALE={scale} does not say in which unit; state --scale-unit"
            f" {' or '.join(MM_OF)}, or --spacing MM instead of it."
        )
    size = number_of(scale) if scale is not None else None
    if size is None or size <= 0:
        raise DatasetError(
            f"{where}: {'no SCALE=' if scale is None else f'SCALE={scale}'}, where --scale-unit needs"
            " a positive number for every image; or state --spacing MM for all."
        )
    return replace(frame, spacing_mm=size * MM_OF[stated.scale_unit])


def _point(cells, axes: int, where: str, name: str):
    if len(cells) != axes:
        raise DatasetError(f"{where}: landmark '{name}' has {len(cells)} numbers, not {axes}.")
    point = point_of(cells, where, name)
    if isinstance(point, PointState) or axes == 3:
        return point
    # No pixel has a negative number: two of them are how tpsDig writes a missing landmark.
    if min(point) < 0 <= max(point):
        raise DatasetError(
            f"{where}: landmark '{name}' stands at ({', '.join(cells)}): one number is negative. A"
            " missing landmark has two, any other none."
        )
    return point
