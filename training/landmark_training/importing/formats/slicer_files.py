"""Slicer's .fcsv and .mrk.json, a file a case, in mm; each file says itself whether in RAS or LPS.

A file belongs to the image of the same name. Where the names end differently ('a_afids.fcsv' and
'a_T1w.nii.gz') the endings have to be stated; a single image can be given itself.
"""

from __future__ import annotations

from pathlib import Path

from landmark_heatmap.annotation.annotation_files import MARKUPS_SUFFIX, read_annotation
from landmark_heatmap.annotation.not_marked import without_predictions
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.geometry import MM

from ..frames import WorldFrame
from ..table import Marks, Stated, Table

TAKES = ("endings",)


def recognises_fcsv(path: Path) -> bool:
    return bool(_files(path, ".fcsv"))


def recognises_markups(path: Path) -> bool:
    return bool(_files(path, MARKUPS_SUFFIX))


def read_fcsv(path: Path, stated: Stated) -> Table:
    return _read(path, ".fcsv", stated)


def read_markups(path: Path, stated: Stated) -> Table:
    return _read(path, MARKUPS_SUFFIX, stated)


def _read(path: Path, ending: str, stated: Stated) -> Table:
    """Raises AnnotationError, naming file and point, for a file that leaves a point in doubt."""
    files = _files(path, ending)
    if not files:
        raise DatasetError(f"'{path}' is no {ending}, and no folder with some.")
    marks = tuple(_read_file(file, ending, stated) for file in files)
    names = dict.fromkeys(name for each in marks for name in each.points)
    return Table(marks, tuple(names))


def _files(path: Path, ending: str) -> list:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [file for file in files if file.name.lower().endswith(ending) and file.is_file()]


def _read_file(path: Path, ending: str, stated: Stated) -> Marks:
    annotation = without_predictions(read_annotation(path))
    points = {name: p.position_lps or p.state for name, p in annotation.points.items()}
    definitions = {name: point.definition for name, point in annotation.points.items()}
    # The annotation is in LPS, whatever the file was in.
    told = f"mm in RAS or LPS, as each {ending} says"
    frame = WorldFrame("LPS", told, stated.spacing_mm, annotation.unit == MM, annotation.unit != MM)
    stem = path.name[: -len(ending)]
    return Marks(stem, points, frame, f"'{path}'", None, True, definitions, annotation.read_as)
