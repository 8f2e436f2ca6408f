"""Other people's annotation, into a folder of image + .mrk.json pairs.

The frame of the numbers (unit, origin, RAS or LPS) is what the file says where its format defines
it, and what the user states where it does not; what leaves a doubt is refused. Nothing is written
before everything was checked, and then all of it or nothing.

`table` is what a reader of a format returns, `frames` what its numbers mean, `formats` lists the
readers, `cases` finds the images and places the points, `readers` takes means.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from landmark_heatmap.annotation.annotation_files import MARKUPS_SUFFIX, write_annotation
from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet, PointState
from landmark_heatmap.annotation.not_marked import told_readings
from landmark_heatmap.annotation.sets.set_file import write_set
from landmark_heatmap.errors import DatasetError, ImageFileError, some
from landmark_heatmap.files import new_folder
from landmark_heatmap.images.geometry import PX, Image
from landmark_heatmap.images.imageio import read_image, write_image

from ..data.cases import LANDMARK_SET_FILE, check_stated
from ..outputs import check_free
from .cases import find_cases_of, renamed
from .formats.morphometrics.tps import MM_OF
from .formats.registry import FORMATS, read_table
from .frames import ORIGINS, SPACINGS, SYSTEMS, UNITS, told_mm
from .not_marked import judged, told_of
from .readers import distances_of_readers, mean_of_readers, told_distances, write_distances
from .table import Stated, Table

__all__ = ["FORMATS", "MM_OF", "ORIGINS", "SPACINGS", "SYSTEMS", "UNITS", "Stated", "import_tables"]

READERS_FILE = "readers.csv"
# No image file of any program that reads images: nothing takes it for a case.
CONTACT_SHEET = "contact-sheet.pdf"
# Of a long list, so many are told.
_NAMED = 10


def import_tables(
    paths,
    output,
    stated: Stated,
    form=None,
    names=None,
    rows=None,
    combine=None,
    say=print,
    sides=((), ()),
) -> int:
    """Write the images that the tables name, with their points, into the new folder `output`.

    paths: files or folders. form: the name of their format; by default what they unmistakably are.
    names: the landmarks' names in the tables' order, instead of those in the tables. rows: (first,
    last) from 1, of each table. combine: 'mean' if each table is one reader's of the same images.
    say: told what was imported. sides: (pairs, midline) of landmarks, which fit then takes from the
    folder. Returns the number of cases.
    Raises DatasetError, AnnotationError or ImageFileError, with the file and the place in it, for
    anything that cannot be read or leaves a doubt; then nothing is written.
    """
    output = Path(output)
    check_free(output)
    if combine and len(paths) < 2:
        raise DatasetError(
            "--combine mean needs the tables of at least two readers; a folder is one reader's."
        )
    tables = [_table(Path(path), stated, form, names, rows) for path in paths]
    for note in (*(note for table in tables for note in table.notes), *_unevenly_listed(tables)):
        say(note)
    told = [told_of(table) for table in tables]
    for path, line in zip(paths, told):
        if line:
            say(f"'{path}': {line[0].lower()}{line[1:]}" if len(tables) > 1 else line)
    _check_placed(tables, paths)
    distances = None
    if combine:
        readers = [find_cases_of(table, stated) for table in tables]
        cases, distances = mean_of_readers(readers), distances_of_readers(readers)
        alone = sum(sum(case.name in {c.name for c in r} for r in readers) == 1 for case in cases)
        if alone:
            say(f"{alone} of {len(cases)} cases are of one reader alone.")
    else:
        cases = find_cases_of(_joined(tables), stated)
    outside = told_readings(case.annotation for case in cases)
    if outside:
        say(f"Outside their images: {outside}")
    landmarks = _landmark_set(cases, *sides)
    has_picture = _write(cases, output, distances, landmarks)
    if distances:
        say(f"Distances between the {len(paths)} readers, also in {output / READERS_FILE}:")
        say(told_distances(distances, cases[0].grid.unit))
    for note, names in _notes(cases).items():
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        say(f"{names[0]}{others}: {note}")
    say(_told(cases, output))
    if has_picture:
        say(f"Do the points lie where they should? {output / CONTACT_SHEET}")
    else:
        say("No picture of it was made: that needs matplotlib (pip install matplotlib).")
    return len(cases)


def _landmark_set(cases, pairs, midline):
    """What is stated of left and right, as a set to be kept; None if nothing is."""
    if not pairs and not midline:
        return None
    names = dict.fromkeys(name for case in cases for name in case.annotation.names)
    check_stated(pairs, midline, names)
    return LandmarkSet(tuple(map(Landmark, names)), pairs, midline=midline)


def _table(path: Path, stated: Stated, form, names, rows) -> Table:
    table = read_table(path, stated, form)
    if rows is not None:
        first, last = rows
        if not 1 <= first <= last <= len(table.marks):
            raise DatasetError(
                f"--rows {first} {last}: '{path}' has the rows 1 to {len(table.marks)}."
            )
        table = replace(table, marks=table.marks[first - 1 : last])
    table = judged(table)
    return table if names is None else renamed(table, names)


def _unevenly_listed(tables) -> list:
    """A note on landmarks that some images do not even list: a slip of the pen looks like that."""
    all_marks = [marks for table in tables for marks in table.marks]
    counts = Counter(name for marks in all_marks for name in marks.points)
    seldom = [f"'{name}' ({count})" for name, count in counts.items() if count < len(all_marks)]
    if not seldom:
        return []
    named = some(seldom, most=_NAMED)
    return [f"Not each of the {len(all_marks)} lists has all landmarks: {named}."]


def _check_placed(tables, paths) -> None:
    """Raises DatasetError if there is no point at all: a folder without labels is no success."""
    if not any(
        isinstance(p, tuple) for t in tables for marks in t.marks for p in marks.points.values()
    ):
        named = " and ".join(f"'{path}'" for path in paths)
        told = " ".join(filter(None, map(told_of, tables)))
        raise DatasetError(
            f"No point is placed in {named}, so nothing is imported. {told}".rstrip()
        )


def _joined(tables) -> Table:
    """Several tables of different images as one."""
    marks = tuple(marks for table in tables for marks in table.marks)
    return Table(marks, tuple(dict.fromkeys(name for table in tables for name in table.names)))


def _write(cases, output: Path, distances, landmarks) -> bool:
    """One image in memory at a time; the folder appears when all is in it.

    Returns whether there is a contact sheet, too.
    """
    from tqdm import tqdm

    sheet = _contact_sheet(len(cases))
    output.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(output) as folder:
        for index, case in enumerate(tqdm(cases, unit="case", disable=None)):
            image = read_image(case.image_path)
            if image.grid.size_ijk != case.grid.size_ijk:
                raise ImageFileError(f"'{case.image_path}' is not as large as its header says.")
            image = Image(
                image.array,
                case.grid.ijk_to_lps,
                case.grid.unit,
                is_size_stated=case.is_size_stated,
            )
            write_image(folder / f"{case.name}.nrrd", image)
            write_annotation(folder / f"{case.name}{MARKUPS_SUFFIX}", case.annotation)
            if sheet is not None:
                sheet.add(index, case.name, image, case.annotation)
        if landmarks is not None:
            write_set(folder / LANDMARK_SET_FILE, landmarks)
        if sheet is not None:
            (folder / CONTACT_SHEET).write_bytes(sheet.pdf())
        if distances:
            write_distances(folder / READERS_FILE, distances)
        if output.exists():
            # It is empty, and makes place for the folder that is not; rmdir refuses any other.
            output.rmdir()
    return sheet is not None


def _contact_sheet(count: int):
    """A ContactSheet, or None without matplotlib."""
    try:
        from landmark_heatmap.pictures.contact_sheet import ContactSheet
    except ImportError:
        return None
    return ContactSheet(count)


def _notes(cases) -> dict:
    """What has to be known of how images were read, each with the names of its cases."""
    notes = {}
    for case in cases:
        if case.note:
            notes.setdefault(case.note, []).append(case.name)
    return notes


def _told(cases, output: Path) -> str:
    """What was imported, and in which frame it was read, for the user to see that it is right."""
    states = [point.state for case in cases for point in case.annotation.points.values()]
    outside = sum(int((~case.inside).sum()) for case in cases)
    flat = all(case.grid.size_ijk[2] == 1 for case in cases)
    units = sorted({case.grid.unit for case in cases})
    spacings = [case.grid.spacing_mm[: 2 if flat else 3] for case in cases]
    smallest, largest = (
        told_mm(f(np.array(spacings), axis=0), " or ".join(units)) for f in (np.min, np.max)
    )
    size = smallest if smallest == largest else f"{smallest} to {largest}"
    if any(case.grid.unit == PX for case in cases):
        size += " (nothing says how large they are: --spacing)"
    landmarks = len({name for case in cases for name in case.annotation.names})
    frames = " or ".join(sorted({case.frame for case in cases}))
    told = (
        f"{len(cases)} cases in {output}: {landmarks} landmarks, read as {frames},"
        f" {'pixels' if flat else 'voxels'} of {size}\n"
        f"{states.count(PointState.PLACED)} points placed, {outside} of them outside their image,"
        f" {states.count(PointState.ABSENT)} absent, {states.count(PointState.UNJUDGED)} not marked"
    )
    return f"{told}\n{_outside(cases)}" if outside else told


def _outside(cases) -> str:
    """Whose points lie outside their image."""
    named = some(case.name for case in cases if not case.inside.all())
    return f"Outside: in {named}. Training takes them for absent; landmark-train check names each."
