"""Slicer's table of control points."""

from __future__ import annotations

import csv
import io

from ...errors import AnnotationError
from ...files import read_text
from .slicer_points import TO_LPS, csv_rows, table_point


def read_csv(path):
    """Slicer's table of control points: a label, then r, a, s or l, p, s, in mm."""
    rows = csv_rows(path, csv.reader(io.StringIO(read_text(path, AnnotationError))))
    header = next(rows, [])
    columns = [column.strip().lower() for column in header]
    systems = [system for system in TO_LPS if set(system.lower()) <= set(columns)]
    if len(systems) != 1 or "label" not in columns or len(set(columns)) < len(columns):
        raise AnnotationError(
            f"'{path}' needs the columns label and either r, a, s or l, p, s (mm), each once; it"
            f" has {', '.join(header) or 'none'}."
        )
    for row in rows:
        cells = dict(zip(columns, row))
        name, definition = cells.get("label", "").strip(), cells.get("description", "").strip()
        # A decimal comma makes cells too many, and numbers that look right in the wrong column.
        if len(row) > len(columns):
            raise AnnotationError(
                f"'{path}': '{name}' has {len(row)} cells for {len(columns)} columns."
            )
        defined = cells.get("defined", "").strip().lower()
        if defined not in ("", "0", "1", "false", "true"):
            raise AnnotationError(f"'{path}': '{name}' has the value '{defined}' for 'defined'.")
        system, status = systems[0], "undefined" if defined in ("0", "false") else "defined"
        values = [cells.get(axis) for axis in system.lower()]
        yield (name, *table_point(path, name, status, values, system, definition))
