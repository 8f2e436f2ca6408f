"""Slicer's .fcsv, a file a case, in mm; each file says itself whether in RAS or LPS.

A file belongs to the image of the same name. Where the names end differently ('a_afids.fcsv' and
'a_T1w.nii.gz') the endings have to be stated; a single image can be given itself.
"""

from __future__ import annotations

from pathlib import Path

from landmark_heatmap.annotations import read_annotation
from landmark_heatmap.errors import DatasetError

from .frames import WorldFrame
from .table import Marks, Stated, Table

TAKES = ("endings",)


def recognises(path: Path) -> bool:
    return bool(_files(path))


def read(path: Path, stated: Stated) -> Table:
    """Raises AnnotationError, naming file and point, for a file that leaves a point in doubt."""
    files = _files(path)
    if not files:
        raise DatasetError(f"'{path}' is no .fcsv, and no folder with some.")
    marks = tuple(_read_file(file) for file in files)
    names = dict.fromkeys(name for each in marks for name in each.points)
    return Table(marks, tuple(names))


def _files(path: Path) -> list:
    if path.is_dir():
        return sorted(p for p in path.iterdir() if p.suffix.lower() == ".fcsv" and p.is_file())
    return [path] if path.suffix.lower() == ".fcsv" and path.is_file() else []


def _read_file(path: Path) -> Marks:
    annotation = read_annotation(path)
    points = {name: point.position_lps or point.state for name, point in annotation.points.items()}
    definitions = {name: point.definition for name, point in annotation.points.items()}
    # The annotation is in LPS, whatever the file was in.
    frame = WorldFrame("LPS", "mm in RAS or LPS, as each .fcsv says")
    return Marks(path.stem, points, frame, f"'{path}'", None, True, definitions)
