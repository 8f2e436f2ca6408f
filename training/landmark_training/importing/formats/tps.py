"""The .tps files of tpsDig: pixels from the bottom left, unless another frame is stated.

A block an image: 'LM=12' and a line 'x y' for each landmark, then 'IMAGE=63001.jpg', 'ID=0' and
maybe 'SCALE=0.0123', by which a pixel is multiplied to become - the file does not say what: the unit
has to be stated. 'LM3=' are points of x, y, z; whether in RAS or LPS has to be stated too. Curves
and outlines are no landmarks, and left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.errors import DatasetError

from ..frames import PictureFrame, WorldFrame
from ..table import Marks, Stated, Table, count_of, number_of, place, point_of, read_text

TAKES = ("unit", "origin", "system", "spacing_mm", "scale_unit")
MM_OF = {"um": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1e3, "inch": 25.4}
_AXES = {"LM": 2, "LM3": 3}
# What may follow the landmarks, and brings lines of numbers of its own.
_LINES_FOLLOW = ("CURVES", "OUTLINES", "POINTS", "POINTS3", "CHAIN", "RADII")


def recognises(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() not in (".tps", ".txt"):
        return False
    begin = read_text(path).lstrip().upper()
    return path.suffix.lower() == ".tps" or begin.startswith(("LM=", "LM3="))


@dataclass
class _Block:
    """The lines of one image. line: where it begins. rows: [(line, cells)] of the landmarks.

    values: KEY -> (line, text), in the order of the file.
    """

    line: int
    axes: int
    rows: list
    values: dict = field(default_factory=dict)


def read(path: Path, stated: Stated) -> Table:
    """Raises DatasetError, naming the line, for what cannot be read, and for a frame not stated."""
    blocks = _blocks(path)
    first = blocks[0]
    for block in blocks:
        if (block.axes, len(block.rows)) != (first.axes, len(first.rows)):
            raise DatasetError(
                f"{place(path, block.line)}: {len(block.rows)} landmarks of {block.axes} numbers,"
                f" where the first image has {len(first.rows)} of {first.axes}. Landmarks are known by"
                " their place in the list; write a missing one as -1 -1."
            )
    if not first.rows:
        raise DatasetError(f"{place(path, first.line)}: there are no landmarks.")
    names = tuple(str(number) for number in range(1, len(first.rows) + 1))
    marks = tuple(_marks(path, block, names, stated) for block in blocks)
    curves = sum("CURVES" in block.values or "OUTLINES" in block.values for block in blocks)
    notes = (f"'{path}': curves and outlines of {curves} images are left out.",) if curves else ()
    return Table(marks, names, notes)


def _blocks(path: Path) -> list:
    lines = [(n, text.strip()) for n, text in enumerate(read_text(path).splitlines(), 1)]
    lines = [(number, text) for number, text in lines if text]
    starts = [at for at, (_, text) in enumerate(lines) if _split(text)[0] in _AXES]
    if not starts or starts[0] > 0:
        raise DatasetError(f"'{path}' does not begin with a line LM= or LM3=.")
    return [_block(path, lines[a:b]) for a, b in zip(starts, [*starts[1:], len(lines)])]


def _block(path: Path, lines) -> _Block:
    """lines: [(number, text)], the first with LM= or LM3=."""
    line, text = lines[0]
    key, count = _split(text)
    number = count_of(count)
    if number is None:
        raise DatasetError(f"{place(path, line)}: '{text}' needs a whole number.")
    rows, rest = lines[1 : number + 1], lines[number + 1 :]
    follow = next((n for n, (_, row) in enumerate(rows) if "=" in row), len(rows))
    if follow < number:
        raise DatasetError(f"{place(path, line)}: '{text}' is followed by {follow} landmarks.")
    block = _Block(line, _AXES[key], [(at, row.split()) for at, row in rows])
    for at, text in rest:
        key, value = _split(text)
        if key in block.values and key in ("IMAGE", "SCALE"):
            raise DatasetError(f"{place(path, at)}: a second {key} for one image.")
        last = next(reversed(block.values), None)
        if not key and last not in _LINES_FOLLOW:
            raise DatasetError(
                f"{place(path, at)}: '{text[:60]}' is neither KEY=value nor one of the {count}"
                f" landmarks that line {line} announces."
            )
        if key:
            # A second POINTS= has to become the last again.
            block.values.pop(key, None)
            block.values[key] = (at, value)
    return block


def _split(text: str) -> tuple:
    """(KEY, value) of a line KEY=value, ('', the line) of any other."""
    key, equals, value = text.partition("=")
    return (key.strip().upper(), value.strip()) if equals else ("", text)


def _marks(path: Path, block: _Block, names, stated: Stated) -> Marks:
    where = place(path, block.line)
    if not block.values.get("IMAGE", (0, ""))[1]:
        raise DatasetError(f"{where}: this image has no line IMAGE= with the name of its file.")
    frame = _frame(path, block, stated)
    points = {
        name: _point(cells, block.axes, place(path, line), name)
        for name, (line, cells) in zip(names, block.rows)
    }
    return Marks(block.values["IMAGE"][1], points, frame, where)


def _frame(path: Path, block: _Block, stated: Stated):
    line, scale = block.values.get("SCALE", (block.line, None))
    where = place(path, line)
    if block.axes == 3:
        if stated.system is None:
            raise DatasetError(f"{where}: points of x, y, z in which world? --system RAS, or LPS.")
        if scale is not None or stated.unit == "px":
            raise DatasetError(f"{where}: points of x, y, z have to be in mm, without a SCALE.")
        return WorldFrame(stated.system)
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
    # No pixel has a negative number: so tpsDig writes what it calls a missing landmark.
    if axes == 2 and isinstance(point, tuple) and max(point) < 0:
        return PointState.UNJUDGED
    if axes == 2 and isinstance(point, tuple) and min(point) < 0:
        raise DatasetError(
            f"{where}: landmark '{name}' stands at ({', '.join(cells)}): one number is negative. A"
            " missing landmark has two, any other none."
        )
    return point
