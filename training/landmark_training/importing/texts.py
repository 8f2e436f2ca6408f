"""Text files that are no tables: tps, ISBI 2015, nnLandmark's, and Slicer's own."""

from __future__ import annotations

import json
from pathlib import Path, PureWindowsPath

from landmark_heatmap.annotations import MARKUPS_SUFFIX, read_annotation
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.imageio import image_stem

from .marks import Marked, named, number, read_lines


def read_tps(path: Path, names=None) -> list:
    """Marked images of a tps file: LM=n, n lines of x y, IMAGE=..., in pixels from the BOTTOM left.

    Curves are passed over. Raises DatasetError for 3D, for an image without a name, and for negative
    coordinates, which some programs write for landmarks that are missing.
    """
    lines, marked, start = read_lines(path), [], 0
    while start < len(lines):
        key, _, value = lines[start].partition("=")
        key = key.strip().upper()
        if key == "LM3":
            raise DatasetError(f"'{path}', line {start + 1}: LM3 is 3D; only 2D can be imported.")
        if key != "LM":
            start += 1
            continue
        count = int(number(value, path, f"line {start + 1}"))
        points = [_tps_point(lines, n, path) for n in range(start + 1, start + 1 + count)]
        start += 1 + count
        image, start = _tps_image(lines, start, path)
        marked.append(Marked(image, dict(zip(named(names, count, path), points))))
    if not marked:
        raise DatasetError(f"'{path}' has no line LM=..., so it is no tps file.")
    return marked


def _tps_point(lines, index: int, path: Path) -> tuple:
    cells = lines[index].split() if index < len(lines) else []
    where = f"line {index + 1}"
    if len(cells) != 2:
        raise DatasetError(
            f"'{path}', {where}: two numbers are needed, there is '{' '.join(cells)}'."
        )
    x, y = (number(cell, path, where) for cell in cells)
    if x < 0 or y < 0:
        raise DatasetError(
            f"'{path}', {where}: ({x:g}, {y:g}) is outside every image. If it stands for a missing"
            " landmark, import a csv with empty cells instead."
        )
    return x, y


def _tps_image(lines, start: int, path: Path) -> tuple:
    """(the image's name, the index after what belongs to it)."""
    image, begin = None, start
    while start < len(lines) and not lines[start].strip().upper().startswith(("LM=", "LM3=")):
        key, _, value = lines[start].partition("=")
        if key.strip().upper() == "IMAGE":
            # tpsDig writes paths of Windows.
            image = image_stem(PureWindowsPath(value.strip()).name)
        start += 1
    if image is None:
        raise DatasetError(f"'{path}': the points before line {begin + 1} have no line IMAGE=...")
    return image, start


def read_isbi(path: Path, names=None) -> list:
    """The Marked image of one text file of the ISBI 2015 cephalometric challenge.

    Lines of 'x,y' in pixels from the top left; the classes that follow have no comma. The file has
    the name of its image.
    """
    pairs = [line.split(",") for line in read_lines(path) if "," in line]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise DatasetError(f"'{path}' has no lines of 'x,y'.")
    points = [
        tuple(number(cell, path, f"landmark {n}") for cell in pair)
        for n, pair in enumerate(pairs, 1)
    ]
    return [Marked(path.stem, dict(zip(named(names, len(points), path), points)))]


def read_nnlandmark(path: Path, names=None) -> list:
    """Marked images of nnLandmark's all_landmarks_voxel.json: {case: {landmark: [i, j, k]}}.

    The numbers are voxel indices in the order of the image's axes, from the first voxel's centre. A
    landmark of nulls was not marked.
    """
    if names is not None:
        raise DatasetError(f"'{path}' names its landmarks itself; leave out --names.")
    try:
        cases = json.loads("\n".join(read_lines(path)))
        listed = {case: dict(points.items()) for case, points in cases.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise DatasetError(
            f"'{path}' is not {{case: {{landmark: [i, j, k]}}}}: {error}."
        ) from error
    return [
        Marked(case, {name: _indices(path, case, name, value) for name, value in points.items()})
        for case, points in listed.items()
    ]


def _indices(path: Path, case: str, name: str, value):
    where = f"case '{case}', '{name}'"
    if not isinstance(value, list) or len(value) != 3:
        raise DatasetError(
            f"'{path}', {where}: three voxel indices are needed, there is {value!r}."
        )
    if all(each is None for each in value):
        return None
    return tuple(number(str(each), path, where) for each in value)


def read_slicer(path: Path, names=None) -> list:
    """The Marked image of one .fcsv or .mrk.json, which state their coordinate systems."""
    if names is not None:
        raise DatasetError(f"'{path}' names its landmarks itself; leave out --names.")
    annotation = read_annotation(path)
    name = path.name[: -len(MARKUPS_SUFFIX)] if path.name.endswith(MARKUPS_SUFFIX) else path.stem
    points = {each: point.position_lps for each, point in annotation.points.items()}
    return [Marked(name, points)]
