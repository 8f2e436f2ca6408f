"""Annotations into the formats of other programs: positions and order exact, and what is lost is told.

    tps       one file of all images, for geomorph, MorphoJ and tpsDig; names in a file beside it
    csv       one table with a row an image, for MorphoJ, R and spreadsheets
    fcsv      a file an image, for SlicerMorph and older Slicers
    mrk.json  a file an image, for Slicer

In 2D .tps and .csv are in pixels, of tps from the bottom left and of csv from the top left, as programs
for pictures count: their images have to be there. In 3D they are in mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..annotation.annotation_files import MARKUPS_SUFFIX, markups_document, read_annotation
from ..annotation.formats.fcsv import fcsv_text
from ..annotation.formats.row_table import write_rows
from ..annotation.formats.slicer_points import TO_LPS
from ..annotation.formats.tps import MISSING, write_blocks
from ..annotation.landmarks import Annotation
from ..annotation.on_image import on_image, stated_spacing
from ..errors import AnnotationError, LandmarkHeatmapError, some
from ..files import replacing
from ..images.geometry import Grid
from ..images.imageio import image_stem, is_image_file, read_grid
from .cases import read_cases
from .folder import is_dataset

ONE_FILE = ("tps", "csv")
# Of a long list, so many are named.
_NAMED = 5
_SUFFIXES = (MARKUPS_SUFFIX, ".fcsv", ".csv")
# A SCALE of a millimetre a pixel says nothing.
_NO_SCALE_MM = 1.0


@dataclass(frozen=True, eq=False)
class Item:
    """An annotation to be written. image: the path of its image, or None where it is not known.
    spacing_mm: the size of its voxels that was stated when the annotation was made."""

    name: str
    annotation: Annotation
    image: Path = None
    spacing_mm: float = None


def find_items(inputs, images=None) -> list:
    """What files, folders of them and datasets annotate, by name.

    images: a folder of the images, or one image; by default each lies beside its annotation.
    Raises AnnotationError or DatasetError for what cannot be read or is of one name.
    """
    items = []
    for path in map(Path, inputs):
        if is_dataset(path):
            items += [Item(c.name, c.annotation, c.image_path) for c in read_cases(path)]
            continue
        if not path.exists():
            raise AnnotationError(f"There is no file or folder '{path}'.")
        files = _files_below(path) if path.is_dir() else [path]
        if not files:
            raise AnnotationError(f"'{path}' holds no annotations ({', '.join(_SUFFIXES)}).")
        items += [_item(file, images) for file in files]
    names = [item.name.lower() for item in items]
    for item in items:
        if names.count(item.name.lower()) > 1:
            raise AnnotationError(
                f"Two annotations are of '{item.name}'; convert them into separate places."
            )
    return items


def convert(items, form: str, output, system: str = "LPS", overwrite: bool = False) -> list:
    """Write items in one of formats.WRITTEN; returns the sentences that say what was written, and how.

    output: the new file for tps and csv, a folder for the others. system: of positions in mm, LPS or
    RAS. What is there with the same content is kept; anything else is refused, unless `overwrite`.
    Raises LandmarkHeatmapError for nothing placed, or for points in 2D without their image.
    """
    output = Path(output)
    placed = sum(p.position_lps is not None for i in items for p in i.annotation.points.values())
    if not placed:
        raise LandmarkHeatmapError(
            f"None of the {len(items)} annotations has a landmark that is placed: there is nothing to"
            " convert."
        )
    if form in ONE_FILE:
        files, told = _one_file(items, form, output, system)
    else:
        files, told = _file_each(items, form, output, system)
    for path, content in files.items():
        if path.exists() and not overwrite and not _is(path, content):
            raise LandmarkHeatmapError(
                f"'{path}' is there already, with other content; nothing was written. Choose another"
                " place."
            )
    for path, content in files.items():
        if not path.exists() or not _is(path, content):
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path, new=not overwrite) as temporary:
                temporary.write_bytes(content)
    return [f"{placed} points of {len(items)} images as {form} in {output}", *told, *_gaps(items)]


def _gaps(items) -> list:
    """Which landmarks have no place in which images: shapes can be compared only where all have one."""
    names = dict.fromkeys(name for item in items for name in item.annotation.names)
    lacking = {
        name: [item.name for item in items if item.annotation.position_lps(name) is None]
        for name in names
    }
    told = [
        f"{name} in {len(images)} of {len(items)} ({some(images, most=_NAMED)})"
        for name, images in lacking.items()
        if images
    ]
    if not told:
        return []
    return [
        f"Without a place: {some(told, most=_NAMED)}. A Procrustes analysis (GPA) needs each landmark in"
        " each image: estimate what is missing there, or leave that landmark or image out."
    ]


def _one_file(items, form: str, output: Path, system: str) -> tuple:
    names = list(dict.fromkeys(name for item in items for name in item.annotation.names))
    grids = _grids(items)
    rows = [_row(item, grid, names, form, system) for item, grid in zip(items, grids)]
    missing = sum(point is None for points in rows for point in points)
    flat = grids[0] is not None and grids[0].is_2d
    origin = "bottom left" if form == "tps" else "top left"
    told = [
        f"The numbers are {f'px from the {origin}' if flat else f'mm in {system}'}; the landmarks, in"
        f" their order: {', '.join(names)}."
    ]
    if missing:
        words = " ".join([MISSING] * (2 if flat else 3)) if form == "tps" else "empty cells"
        told.append(f"Missing points ({missing}) are written as {words}.")
    if form == "csv":
        text = write_rows(names, [(item.name, points) for item, points in zip(items, rows)])
        return {output: text.encode("utf-8")}, told
    values = [_values(item, grid) for item, grid in zip(items, grids)]
    if any("SCALE" in each for each in values):
        told.append("SCALE is in mm: import takes it with --scale-unit mm.")
    listed = output.with_name(output.stem + "-names.txt")
    told.append(f"A .tps has no names; they are in {listed}, which import takes with --names.")
    files = {output: write_blocks(list(zip(rows, values))).encode("utf-8")}
    return {**files, listed: ("\n".join(names) + "\n").encode("utf-8")}, told


def _file_each(items, form: str, output: Path, system: str) -> tuple:
    import json

    if form == "fcsv":
        texts = {i.name: fcsv_text(i.annotation, system) for i in items}
    else:
        system = "LPS"
        documents = {i.name: markups_document(i.annotation) for i in items}
        texts = {n: json.dumps(d, indent=1, ensure_ascii=False) for n, d in documents.items()}
    told = [f"The numbers are mm in {system}, as each file says."]
    ending = "." + form
    return {output / (n + ending): text.encode("utf-8") for n, text in texts.items()}, told


def _item(file: Path, images) -> Item:
    annotation, image = read_annotation(file), _image_of(file, images)
    stated = stated_spacing(file)
    if image is not None and stated is None:
        annotation = on_image(annotation, image)
    return Item(_stem(file), annotation, image, stated)


def _grids(items) -> list:
    """The grid of each item's image, None in 3D without one. Raises for 2D without, and for both."""
    grids = [
        None if item.image is None else read_grid(item.image, item.spacing_mm) for item in items
    ]
    for item, grid in zip(items, grids):
        positions = item.annotation.positions_lps(item.annotation.names)
        positions = positions[np.isfinite(positions).all(1)]
        if grid is None and len(positions) and not positions[:, 2].any():
            raise LandmarkHeatmapError(
                f"'{item.name}' lies in a plane, as landmarks of pictures do: to count pixels, its image"
                " is needed. Give the images' folder with --images."
            )
    flat = {grid is not None and grid.is_2d for grid in grids}
    if len(flat) > 1:
        raise LandmarkHeatmapError("Some images are 2D and some 3D; convert them separately.")
    return grids


def _row(item: Item, grid: Grid, names, form: str, system: str) -> list:
    """For each landmark its numbers, or None."""
    row = []
    for name in names:
        position = item.annotation.position_lps(name)
        if position is None:
            row.append(None)
        elif grid is not None and grid.is_2d:
            x, y, _ = grid.to_ijk(position)
            row.append((x, grid.size_ijk[1] - y if form == "tps" else y))
        else:
            row.append(tuple(position * TO_LPS[system]))
    return row


def _values(item: Item, grid: Grid) -> dict:
    """The lines of a .tps beside the points."""
    values = {} if item.image is None else {"IMAGE": item.image.name}
    values["ID"] = item.name
    if grid is not None and grid.is_2d:
        x, y, _ = grid.spacing_mm
        if np.isclose(x, y) and not np.isclose(x, _NO_SCALE_MM):
            values["SCALE"] = repr(float(x))
    return values


def _files_below(folder: Path) -> list:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.name.lower().endswith(_SUFFIXES)
        and not path.name.startswith(".")
        and path.is_file()
    )


def _image_of(file: Path, images):
    """The image of an annotation file, or None. Raises AnnotationError if several could be."""
    if images is not None and is_image_file(images) and Path(images).is_file():
        return Path(images)
    folder = file.parent if images is None else Path(images)
    found = [
        path
        for path in (folder.iterdir() if images is None else folder.rglob("*"))
        if is_image_file(path) and image_stem(path) == _stem(file)
    ]
    if len(found) > 1:
        raise AnnotationError(
            f"'{file}' could be of {' or '.join(repr(str(path)) for path in sorted(found))}."
        )
    if not found and images is not None:
        raise AnnotationError(f"'{images}' has no image for '{file}'.")
    return found[0] if found else None


def _stem(path: Path) -> str:
    suffix = next((s for s in _SUFFIXES if path.name.lower().endswith(s)), path.suffix)
    return path.name[: len(path.name) - len(suffix)]


def _is(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content
