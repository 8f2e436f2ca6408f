"""Annotation files: Slicer's .mrk.json (read and written), .fcsv and .csv (read).

A file that leaves any doubt about where a point is gets refused, with the file, the point and the
value in the message. Nothing is guessed, a coordinate system least of all.
"""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from ..errors import AnnotationError, quoted
from ..files import read_json, read_text, write_json
from .landmarks import Annotation, LandmarkSet, Point, PointState, check_name

MARKUPS_SUFFIX = ".mrk.json"
_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/"
    "Resources/Schema/markups-schema-v1.0.3.json#"
)
# Slicer's position status and ours. A 'defined' point may be marked as predicted by our own key.
_STATE_OF_STATUS = {
    "defined": PointState.PLACED,
    "missing": PointState.ABSENT,
    "undefined": PointState.UNJUDGED,
    "preview": PointState.UNJUDGED,
}
_STATUS_OF_STATE = {
    PointState.PLACED: "defined",
    PointState.PREDICTED: "defined",
    PointState.ABSENT: "missing",
    PointState.UNJUDGED: "undefined",
}
# Slicer ignores keys it does not know, and drops them when it saves: a list that a person saved
# from Slicer therefore reads as placed, which is what it is. The confidence stands in two places: a
# measurement for Slicer, which has a number for every point, and a key that can say 'none' as well.
_STATE_KEY = "landmarkHeatmapState"
_CONFIDENCE_KEY = "landmarkHeatmapConfidence"
_CONFIDENCE = "confidence"
# Of the whole list. Slicer drops it when it saves: what a person had in hand is nobody's result.
_MADE_BY_KEY = "landmarkHeatmapMadeBy"
# The first two axes change sign between the frames; the factors lead to LPS.
_TO_LPS = {"LPS": (1, 1, 1), "RAS": (-1, -1, 1)}
_FCSV_SYSTEMS = {"0": "RAS", "1": "LPS", "RAS": "RAS", "LPS": "LPS"}
# Slicer 5 adds two cells to each row of an .fcsv that no header names; the first is the status.
_FCSV_STATUS = {"0": "undefined", "1": "preview", "2": "defined", "3": "missing"}
_FCSV_UNNAMED_CELLS = 2


def read_annotation(path, landmarks: LandmarkSet = None) -> Annotation:
    """Read .mrk.json, .fcsv or .csv, by the extension.

    landmarks: if given, a name that is not in it is refused.
    Raises AnnotationError for a file that cannot be read or that leaves a point in doubt.
    """
    path = Path(path)
    readers = {MARKUPS_SUFFIX: _read_markups_json, ".fcsv": _read_fcsv, ".csv": _read_csv}
    reader = next((r for end, r in readers.items() if path.name.lower().endswith(end)), None)
    if reader is None:
        raise AnnotationError(f"'{path}': expected a file that ends in {', '.join(readers)}.")
    points = {}
    for name, point in reader(path):
        if not name.strip():
            raise AnnotationError(f"'{path}': point {len(points) + 1} has no label.")
        check_name(name, f"'{path}', point {len(points) + 1}: ")
        if name in points:
            raise AnnotationError(f"'{path}': the label '{name}' stands there twice.")
        if landmarks is not None and name not in landmarks.names:
            raise AnnotationError(
                f"'{path}': '{name}' is not one of the landmarks {', '.join(landmarks.names)}."
            )
        points[name] = point
    if not points:
        raise AnnotationError(f"'{path}' holds no points.")
    return Annotation(points)


def write_annotation(path, annotation: Annotation, made_by: dict = None, new: bool = False) -> None:
    """Write Slicer's .mrk.json in LPS and mm, atomically.

    Slicer shows definitions as descriptions and keeps the confidence as a measurement of each
    control point. made_by: what `read_made_by` will give. new: nothing is replaced.
    Raises AnnotationError for another extension; FileExistsError if `new` and it exists.
    """
    path = Path(path)
    if not path.name.endswith(MARKUPS_SUFFIX):
        raise AnnotationError(f"'{path}': annotations are written as {MARKUPS_SUFFIX} only.")
    document = markups_document(annotation)
    if made_by is not None:
        document["markups"][0][_MADE_BY_KEY] = made_by
    write_json(path, document, new)


def read_made_by(path) -> dict:
    """What wrote an annotation file, as it was given to `write_annotation`; empty if it does not say.

    Slicer drops it from what it saves: a list that a person had in hand never says.
    """
    try:
        made_by = read_json(path, AnnotationError)["markups"][0][_MADE_BY_KEY]
    except (AnnotationError, LookupError, TypeError):
        return {}
    return made_by if isinstance(made_by, dict) else {}


def markups_document(annotation: Annotation) -> dict:
    """The JSON document that Slicer reads as one fiducial list."""
    markup = {
        "type": "Fiducial",
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "controlPoints": [
            {
                "id": str(number),
                "label": name,
                "description": point.definition,
                "position": list(point.position_lps or ()),
                "positionStatus": _STATUS_OF_STATE[point.state],
                _STATE_KEY: point.state.value,
                _CONFIDENCE_KEY: point.confidence,
            }
            for number, (name, point) in enumerate(annotation.points.items(), 1)
        ],
    }
    confidences = [point.confidence for point in annotation.points.values()]
    if any(confidence is not None for confidence in confidences):
        markup["measurements"] = [
            {
                "name": _CONFIDENCE,
                "enabled": True,
                "controlPointValues": [0.0 if c is None else c for c in confidences],
            }
        ]
    return {"@schema": _SCHEMA, "markups": [markup]}


def _read_markups_json(path):
    document = read_json(path, AnnotationError)
    markups = _typed(path, "the file", document, dict).get("markups")
    if len(_typed(path, "'markups'", markups, list)) != 1:
        raise AnnotationError(f"'{path}' holds {len(markups)} lists; save one list to a file.")
    markup = _typed(path, "the list", markups[0], dict)
    system = markup.get("coordinateSystem")
    if system not in tuple(_TO_LPS):
        raise AnnotationError(
            f"'{path}': the coordinateSystem is {quoted(system)}; it has to be 'LPS' or 'RAS'."
        )
    # Some versions of Slicer state the unit of each axis.
    units = markup.get("coordinateUnits", "mm")
    if units not in ("mm", ["mm", "mm", "mm"]):
        raise AnnotationError(
            f"'{path}': the coordinateUnits are {quoted(units)}; they have to be mm."
        )
    control_points = _typed(path, "'controlPoints'", markup.get("controlPoints"), list)
    confidences = _measured_confidences(path, markup, len(control_points))
    for number, (control_point, confidence) in enumerate(zip(control_points, confidences), 1):
        control_point = _typed(path, f"point {number}", control_point, dict)
        name = _typed(path, f"the label of point {number}", control_point.get("label"), str)
        yield name, _markups_point(path, name, control_point, system, confidence)


def _typed(path, what, value, kind):
    """`value`, if JSON gave it the type that it has to have. Raises AnnotationError otherwise."""
    if not isinstance(value, kind):
        names = {dict: "an object", list: "a list", str: "a text"}
        raise AnnotationError(
            f"'{path}' is not a markups file of Slicer: {what} is {quoted(value)},"
            f" it has to be {names[kind]}."
        )
    return value


def _measured_confidences(path, markup, count) -> list:
    """For each control point what the measurement named 'confidence' says, None where none does.

    Slicer keeps the values when points are deleted: another number of them says nothing any more.
    """
    for measurement in _typed(path, "'measurements'", markup.get("measurements") or [], list):
        measurement = _typed(path, "a measurement", measurement, dict)
        values = measurement.get("controlPointValues")
        named = measurement.get("name") == _CONFIDENCE
        if named and isinstance(values, list) and len(values) == count:
            return values
    return [None] * count


def _markups_point(path, name, control_point, system, confidence):
    definition = _typed(
        path, f"the description of '{name}'", control_point.get("description") or "", str
    )
    confidence = control_point.get(_CONFIDENCE_KEY, confidence)
    if confidence is not None and not _is_number(confidence):
        raise AnnotationError(
            f"'{path}': '{name}' has the confidence {quoted(confidence)}, no number."
        )
    # The status comes first: a missing point is written with a position that means nothing.
    status = control_point.get("positionStatus", "defined")
    if status not in tuple(_STATE_OF_STATUS):
        raise AnnotationError(
            f"'{path}': '{name}' has the unknown positionStatus {quoted(status)}."
        )
    state = _STATE_OF_STATUS[status]
    if state is not PointState.PLACED:
        return Point(state, None, confidence, definition)
    if control_point.get(_STATE_KEY) == PointState.PREDICTED.value:
        state = PointState.PREDICTED
    values = control_point.get("position")
    if not isinstance(values, list) or not all(map(_is_number, values)):
        _refuse_position(path, name, values)
    return Point(state, _position(path, name, values, system), confidence, definition)


def _is_number(value) -> bool:
    """Whether JSON gave a finite number. (Python takes true for 1, and integers of any length.)"""
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:
        return False


def _read_fcsv(path):
    system, columns, rows = None, None, []
    for line in io.StringIO(read_text(path, AnnotationError)):
        if line.startswith("#"):
            key, _, value = line[1:].partition("=")
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
    for row in _csv_rows(path, csv.reader(rows)):
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
        if _STATE_OF_STATUS[status] is not PointState.PLACED:
            yield name, Point(_STATE_OF_STATUS[status], definition=definition)
            continue
        position = _position(path, name, [cells.get(axis) for axis in "xyz"], system)
        yield name, Point(PointState.PLACED, position, definition=definition)


def _read_csv(path):
    """Slicer's table of control points: a label, then r, a, s or l, p, s, in mm."""
    rows = _csv_rows(path, csv.reader(io.StringIO(read_text(path, AnnotationError))))
    header = next(rows, [])
    columns = [column.strip().lower() for column in header]
    systems = [system for system in _TO_LPS if set(system.lower()) <= set(columns)]
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
        if defined in ("0", "false"):
            yield name, Point(PointState.UNJUDGED, definition=definition)
            continue
        system = systems[0]
        position = _position(path, name, [cells.get(axis) for axis in system.lower()], system)
        yield name, Point(PointState.PLACED, position, definition=definition)


def _csv_rows(path, reader):
    """The rows that are not empty. Raises AnnotationError where Python's csv raises its own."""
    try:
        yield from (row for row in reader if any(cell.strip() for cell in row))
    except csv.Error as error:
        raise AnnotationError(f"'{path}' is not a table of text: {error}.") from error


def _position(path, name, values, system) -> tuple:
    """Three finite numbers in `system`, as a position in LPS."""
    try:
        numbers = [_number(value) for value in values]
    except (ValueError, OverflowError):
        numbers = []
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        _refuse_position(path, name, values)
    return tuple(sign * number for sign, number in zip(_TO_LPS[system], numbers))


def _number(value) -> float:
    """Python would read '1_000' and the digits of other scripts; no other program does."""
    text = value if isinstance(value, str) else repr(value)
    if not text.isascii() or "_" in text:
        raise ValueError
    return float(text)


def _refuse_position(path, name, values):
    raise AnnotationError(
        f"'{path}': '{name}' has the position {quoted(values)}; it needs three finite numbers."
    )
