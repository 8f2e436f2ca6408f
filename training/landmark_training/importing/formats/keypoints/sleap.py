"""SLEAP's analysis csv: a row a frame and animal, with node.x, node.y and node.score of each node.

Pixels from the top left. It names frames by their number in the video: the images in the folder that
--images names have to end in that number.
"""

from __future__ import annotations

import re
from pathlib import Path

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.imageio import image_stem, is_image_file

from ...frames import defined_frame
from ...table import (
    Marks,
    Stated,
    Table,
    check_names,
    count_of,
    csv_rows,
    number_of,
    place,
    point_of,
)

TAKES = ("unit", "origin", "spacing_mm")
_FIRST = ["track", "frame_idx", "instance.score"]
_NUMBER = re.compile(r"(\d{1,9})$")


def recognises(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() != ".csv":
        return False
    try:
        return [cell.lower() for cell in csv_rows(path)[0][1][:2]] == _FIRST[:2]
    except DatasetError:
        return False


def read(path: Path, stated: Stated) -> Table:
    """Raises DatasetError, naming the line, for a frame that has no image."""
    (first, header), *rows = csv_rows(path)
    nodes = _nodes(header, place(path, first))
    tracks = list(dict.fromkeys(cells[0] for _, cells in rows))
    images = _frames(stated.images, path)
    frame = defined_frame("SLEAP", stated)
    found, lines, predicted = {}, {}, 0
    for line, cells in rows:
        where = place(path, line)
        if len(cells) != len(header):
            raise DatasetError(f"{where} has {len(cells)} cells, its header {len(header)}.")
        number = count_of(cells[1].removesuffix(".0"))
        if number not in images:
            raise DatasetError(
                f"{where}: frame {cells[1]}, and no image below '{stated.images}' ends in that number."
            )
        points = found.setdefault(images[number], {})
        lines.setdefault(images[number], where)
        predicted += bool(number_of(cells[2]))
        for node, at in nodes.items():
            # Only where there are several does a name have to say which animal's.
            name = node if len(tracks) == 1 else f"{cells[0]}_{node}"
            if name in points:
                raise DatasetError(
                    f"{where}: frame {cells[1]} has two animals of one track; a landmark can stand in an"
                    " image once."
                )
            points[name] = point_of(cells[at : at + 2], where, name)
    marks = tuple(Marks(image, points, frame, lines[image]) for image, points in found.items())
    names = dict.fromkeys(name for each in marks for name in each.points)
    notes = (f"'{path}': {predicted} of {len(rows)} rows were predicted; are they right?",)
    return Table(marks, check_names(list(names), f"'{path}'"), notes if predicted else ())


def _nodes(header, where: str) -> dict:
    """Node to the column of its x."""
    titles = [title for title in header[3:] if not title.endswith(".score")]
    nodes = {title[:-2]: header.index(title) for title in titles if title.endswith(".x")}
    for node, at in nodes.items():
        if header[at + 1 : at + 2] != [f"{node}.y"]:
            raise DatasetError(f"{where}: '{node}.x' is not followed by '{node}.y'.")
    if not nodes or len(titles) != 2 * len(nodes):
        raise DatasetError(f"{where} needs the columns {', '.join(_FIRST)}, NODE.x, NODE.y ...")
    return nodes


def _frames(folder, path: Path) -> dict:
    """Number of the frame to its image."""
    if folder is None or not folder.is_dir():
        raise DatasetError(
            f"'{path}' names frames of a video by their numbers: give --images, a folder of the frames,"
            " whose names end in their numbers, from 0."
        )
    frames = {}
    for image in sorted(p for p in folder.rglob("*") if is_image_file(p)):
        found = _NUMBER.search(image_stem(image))
        if found and frames.setdefault(int(found[1]), image) != image:
            raise DatasetError(
                f"'{frames[int(found[1])]}' and '{image}' could both be frame {int(found[1])}; give the"
                " folder of one video's frames."
            )
    return frames
