"""Slicer's .fcsv: comments that say in which system, and a row a point."""

from __future__ import annotations

import csv
import io

from ...errors import AnnotationError
from ...files import read_text
from ..landmarks import Annotation, PointState
from .slicer_points import TO_LPS, csv_rows, table_point
from .text import written

_FCSV_SYSTEMS = {"0": "RAS", "1": "LPS", "RAS": "RAS", "LPS": "LPS"}
# Slicer 5 adds two cells to each row of an .fcsv that no header names; the first is the status.
_FCSV_STATUS = {"0": "undefined", "1": "preview", "2": "defined", "3": "missing"}
_FCSV_UNNAMED_CELLS = 2
_STATUS_OF_STATE = {
    PointState.PLACED: 2,
    PointState.PREDICTED: 2,
    PointState.ABSENT: 3,
    PointState.UNJUDGED: 0,
}
_COLUMNS = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"


def read_fcsv(path):
    system, columns, rows = None, None, []
    for line in io.StringIO(read_text(path, AnnotationError)):
        if line.startswith("#"):
            # A spreadsheet makes all lines as long as the longest by commas.
            key, _, value = line[1:].rstrip().rstrip(",").partition("=")
            if key.strip().lower() == "coordinatesystem":
                found = _FCSV_SYSTEMS.get(value.strip().upper())
                if found is None or system not in (None, found):
                    raise AnnotationError(
                        f"'{path}': the CoordinateSystem is '{value.strip()}'; it has to be"
                        " 0 or RAS, 1 or LPS, and the same throughout."
                    )
                system = found
            elif key.strip().lower() == "columns":
                columns = [column.strip() for column in value.split(",")]
        elif line.strip():
            rows.append(line)
    if system is None:
        raise AnnotationError(f"'{path}' has no line '# CoordinateSystem = RAS' (or LPS).")
    if columns is None or not {"x", "y", "z", "label"} <= set(columns):
        raise AnnotationError(f"'{path}' has no line '# columns = ...' with x, y, z and label.")
    for row in csv_rows(path, csv.reader(rows)):
        cells = dict(zip(columns, row))
        name, definition = cells.get("label", "").strip(), cells.get("desc", "").strip()
        unnamed = row[len(columns) :]
        if len(unnamed) not in (0, _FCSV_UNNAMED_CELLS):
            raise AnnotationError(
                f"'{path}': '{name}' has {len(row)} cells for {len(columns)} columns."
            )
        status = _FCSV_STATUS.get(unnamed[0].strip()) if unnamed else "defined"
        if status is None:
            raise AnnotationError(f"'{path}': '{name}' has the unknown status '{unnamed[0]}'.")
        values = [cells.get(axis) for axis in "xyz"]
        yield (name, *table_point(path, name, status, values, system, definition))


def fcsv_text(annotation: Annotation, system: str = "LPS") -> str:
    """An annotation as the text of an .fcsv of Slicer 5, in mm in LPS or RAS.

    Whether a point is a prediction, and how sure, has no place in it.
    """
    stream = io.StringIO()
    stream.write(
        f"# Markups fiducial file version = 5.6\n# CoordinateSystem = {system}\n"
        f"# columns = {_COLUMNS}\n"
    )
    writer = csv.writer(stream, lineterminator="\n")
    for number, (name, point) in enumerate(annotation.points.items(), 1):
        position = point.position_lps or (0.0, 0.0, 0.0)
        numbers = [written(sign * x) for sign, x in zip(TO_LPS[system], position)]
        # Orientation; visible, selected, locked; and the associated node, of which there is none.
        row = [number, *numbers, 0, 0, 0, 1, 1, 1, 0, name, point.definition, ""]
        writer.writerow([*row, _STATUS_OF_STATE[point.state], 0])
    return stream.getvalue()
