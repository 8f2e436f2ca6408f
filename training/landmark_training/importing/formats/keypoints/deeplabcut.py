"""DeepLabCut's CollectedData_NAME.csv: pixels from the top left.

Three header rows (scorer, bodyparts, coords), or four with 'individuals' after the first, in
projects of several animals. The image is the first cell, 'labeled-data/video/img1.png', or in newer
files the first three. An empty pair of cells is a body part that nobody labelled.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from landmark_heatmap.errors import DatasetError

from ...frames import defined_frame
from ...table import Marks, Stated, Table, check_names, csv_rows, place, point_of, read_text

TAKES = ("unit", "origin", "spacing_mm")
_CONFIG, _LABELS = "config.yaml", "labeled-data"
_HEADERS = (["scorer", "bodyparts", "coords"], ["scorer", "individuals", "bodyparts", "coords"])
# The individual of body parts that belong to no animal, corners of the cage say.
_NOBODY = "single"


def recognises(path: Path) -> bool:
    """A table of labels, or a project."""
    if path.is_dir():
        return (path / _CONFIG).is_file() and (path / _LABELS).is_dir()
    return (
        path.is_file()
        and path.suffix.lower() == ".csv"
        and read_text(path).split(",", 1)[0].strip().lower() == "scorer"
    )


def read(path: Path, stated: Stated) -> Table:
    """Raises DatasetError, naming the line, for another header, and for a row that is not whole."""
    return _read_project(path, stated) if path.is_dir() else _read_file(path, stated)


def _read_project(path: Path, stated: Stated) -> Table:
    """All tables of the project's scorer, each image where it says, unless others are stated."""
    files = sorted((path / _LABELS).glob("*/CollectedData_*.csv"))
    if not files:
        raise DatasetError(
            f"'{path / _LABELS}' has no CollectedData_*.csv in its folders: is anything labelled?"
        )
    scorers = {file.stem.partition("_")[2] for file in files}
    if len(scorers) > 1:
        raise DatasetError(
            f"Several people labelled '{path}', {', '.join(sorted(scorers))}; import their tables with"
            " --combine mean."
        )
    tables = [_read_file(file, stated) for file in files]
    marks = [marks for table in tables for marks in table.marks]
    if stated.images is None:
        marks = [_found(path, each) for each in marks]
    names = dict.fromkeys(name for table in tables for name in table.names)
    # Frames of several videos have the same names, img0001.png.
    several = len({each.image.parent for each in marks if isinstance(each.image, Path)}) > 1
    marks = [
        replace(m, case=f"{m.image.parent.name}-{m.image.stem}")
        if several and isinstance(m.image, Path)
        else m
        for m in marks
    ]
    return Table(tuple(marks), tuple(names))


def _found(project: Path, marks: Marks) -> Marks:
    image = project.joinpath(*marks.image.replace("\\", "/").split("/"))
    if not image.is_file():
        raise DatasetError(f"{marks.where}: there is no '{image}'.")
    return replace(marks, image=image)


def _read_file(path: Path, stated: Stated) -> Table:
    """One CollectedData_NAME.csv."""
    rows = csv_rows(path)
    titles = [cells[0].lower() for _, cells in rows[:4]]
    header = next((h for h in _HEADERS if titles[: len(h)] == h), None)
    if header is None:
        raise DatasetError(
            f"'{path}' has rows that begin with {', '.join(titles)}; DeepLabCut's begin with"
            f" {', '.join(_HEADERS[0])}, with 'individuals' after the first for several animals."
        )
    head = {title: cells for title, (_, cells) in zip(header, rows)}
    line = rows[len(header) - 1][0]
    first = next((n for n, cell in enumerate(head["scorer"][1:], 1) if cell), len(head["scorer"]))
    names = _names_in(head, first, place(path, line))
    frame = defined_frame("DeepLabCut", stated)
    width = len(head["coords"])
    marks = []
    for line, cells in rows[len(header) :]:
        where = place(path, line)
        if len(cells) != width:
            raise DatasetError(f"{where} has {len(cells)} cells, its header {width}.")
        pairs = zip(cells[first::2], cells[first + 1 :: 2])
        points = {name: point_of(pair, where, name) for name, pair in zip(names, pairs)}
        marks.append(Marks("/".join(cells[:first]), points, frame, where))
    return Table(tuple(marks), names)


def _names_in(head: dict, first: int, where: str) -> tuple:
    """The landmarks' names from the columns from `first` on."""
    columns = {title: cells[first:] for title, cells in head.items()}
    if "likelihood" in columns["coords"]:
        raise DatasetError(
            f"{where}: a column 'likelihood' is in what DeepLabCut predicts; import what a person"
            " labelled, CollectedData_NAME.csv."
        )
    if len(set(columns["scorer"])) > 1:
        raise DatasetError(
            f"{where}: several people labelled, {', '.join(sorted(set(columns['scorer'])))}; give each"
            " a file of their own, and import those with --combine mean."
        )
    labels = list(zip(columns.get("individuals", columns["scorer"]), columns["bodyparts"]))
    if columns["coords"] != ["x", "y"] * (len(labels) // 2) or labels[::2] != labels[1::2]:
        raise DatasetError(f"{where}: each body part needs the columns x and y, side by side.")
    animals = {individual for individual, _ in labels} - {_NOBODY}
    # Only where there are several does a name have to say which animal's.
    names = [
        part if len(animals) == 1 or individual == _NOBODY else f"{individual}_{part}"
        for individual, part in labels[::2]
    ]
    return check_names(names, where)
