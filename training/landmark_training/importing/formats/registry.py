"""The formats that can be imported: a new one is a module with two functions, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from landmark_heatmap.annotation.annotation_files import MARKUPS_SUFFIX
from landmark_heatmap.errors import DatasetError

from ..table import Stated, Table
from . import csv_points, isbi, long_table, nnlandmark, slicer_files
from .keypoints import coco, deeplabcut, sleap, yolo
from .morphometrics import landmark_editor, morphologika, nts, tps


@dataclass(frozen=True)
class Format:
    """One format. recognises: Path -> bool. read: (Path, Stated) -> Table.

    takes: the fields of Stated that mean something for it; what else is stated is refused, for it
    contradicts what the format defines, or will not be what the user thinks.
    """

    name: str
    recognises: Callable
    read: Callable
    takes: tuple


def _of(name: str, module) -> Format:
    return Format(name, module.recognises, module.read, module.TAKES)


FORMATS = (
    _of("csv", csv_points),
    _of("points", long_table),
    Format("fcsv", slicer_files.recognises_fcsv, slicer_files.read_fcsv, slicer_files.TAKES),
    Format(
        "mrk.json", slicer_files.recognises_markups, slicer_files.read_markups, slicer_files.TAKES
    ),
    _of("tps", tps),
    _of("nts", nts),
    _of("pts", landmark_editor),
    _of("morphologika", morphologika),
    _of("deeplabcut", deeplabcut),
    _of("sleap", sleap),
    _of("coco", coco),
    _of("yolo", yolo),
    _of("nnlandmark", nnlandmark),
    _of("isbi", isbi),
)
# The option by which each field of Stated is given.
OPTIONS = {f.name: "--" + f.name.replace("_mm", "").replace("_", "-") for f in fields(Stated)}


def read_table(path: Path, stated: Stated, name: str = None) -> Table:
    """Read a file or folder in the format `name`, or in the one that it unmistakably is.

    Raises DatasetError for a path that could be of several formats or of none, for a statement that
    the format has no use for, and for whatever its reader refuses.
    """
    form = _recognised(path) if name is None else next(f for f in FORMATS if f.name == name)
    useless = [
        OPTIONS[field.name]
        for field in fields(Stated)
        if field.name not in ("images", *form.takes) and getattr(stated, field.name) is not None
    ]
    if useless:
        raise DatasetError(
            f"'{path}' is of the format {form.name}, which has no use for {' and '.join(useless)};"
            " leave that out, or state another --format."
        )
    table = form.read(path, stated)
    if not table.marks:
        raise DatasetError(f"'{path}' has no rows to import.")
    return table


def _recognised(path: Path) -> Format:
    if not path.exists():
        raise DatasetError(f"There is no '{path}'.")
    found = [form for form in FORMATS if form.recognises(path)]
    if len(found) == 1:
        return found[0]
    if found:
        names = " or ".join(f"--format {form.name}" for form in found)
        raise DatasetError(f"'{path}' could be of several formats; state {names}.")
    hint = f"state --format {', '.join(form.name for form in FORMATS)}"
    if path.is_dir():
        inside = [p.name for p in sorted(path.iterdir()) if _is_known(p)]
        if any(path.rglob("*" + MARKUPS_SUFFIX)):
            hint = f"images with {MARKUPS_SUFFIX} files need no import: give them to fit"
        elif inside:
            hint = f"give one of what is in it, {', '.join(inside[:5])}"
    raise DatasetError(f"'{path}' is of no known format; {hint}.")


def _is_known(path: Path) -> bool:
    try:
        return any(form.recognises(path) for form in FORMATS)
    except DatasetError:
        return False  # text that is none: something else
