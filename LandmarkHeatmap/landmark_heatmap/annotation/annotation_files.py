"""Annotation files: Slicer's .mrk.json (read and written), and whatever `formats` reads beside it.

A file that leaves any doubt about where a point is gets refused, with the file, the point and the
value in the message. Nothing is guessed, a coordinate system least of all.
"""

from __future__ import annotations

import math
from pathlib import Path

from ..errors import AnnotationError, quoted
from ..files import read_json, write_json
from ..images.geometry import MM, PX
from .doubt import Doubt
from .formats.fcsv import read_fcsv
from .formats.slicer_csv import read_csv
from .formats.slicer_points import TO_LPS, position_of, refuse_position, slicer_convention
from .landmarks import Annotation, LandmarkSet, Point, PointState
from .names import check_name
from .not_marked import STATUSES, Convention, zeros

MARKUPS_SUFFIX = ".mrk.json"
# The type of a markup that is a list of points; curves, planes, boxes and angles have others.
_POINTS = "Fiducial"
_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/"
    "Resources/Schema/markups-schema-v1.0.3.json#"
)
# A 'defined' point may be marked as predicted by our own key.
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
# Of a point that has one: how far it may be off, as Doubt.to_json has it.
_DOUBT_KEY = "landmarkHeatmapDoubt"
_CONFIDENCE = "confidence"
# Some versions of Slicer state the unit of each axis; its schema has the unit as a code, too.
_IN_MM = ("mm", ["mm", "mm", "mm"], ["mm", "UCUM", "millimeter"])
# Of the whole list: that lengths are in px, which Slicer has no word for; it is mm elsewhere.
_UNIT_KEY = "landmarkHeatmapUnit"
# Of the whole list. Slicer drops it when it saves: what a person had in hand is nobody's result.
_MADE_BY_KEY = "landmarkHeatmapMadeBy"


def read_annotation(path, landmarks: LandmarkSet = None) -> Annotation:
    """Read .mrk.json, .fcsv or .csv, by the extension.

    landmarks: if given, a name that is not in it is refused; one of former times becomes that of now,
    and what is retired is left out.
    What is not plainly placed, and why, is in the annotation's `read_as`.
    Raises AnnotationError for a file that cannot be read or that leaves a point in doubt.
    """
    path = Path(path)
    readers = {MARKUPS_SUFFIX: _read_markups_json, ".fcsv": read_fcsv, ".csv": read_csv}
    reader = next((r for end, r in readers.items() if path.name.lower().endswith(end)), None)
    if reader is None:
        raise AnnotationError(f"'{path}': expected a file that ends in {', '.join(readers)}.")
    known = None if landmarks is None else landmarks.names_ever
    points, read_as, is_empty = {}, {}, True
    for name, point, convention in reader(path):
        is_empty = False
        if not name.strip():
            raise AnnotationError(f"'{path}': point {len(points) + 1} has no label.")
        check_name(name, f"'{path}', point {len(points) + 1}: ")
        if known is not None and name not in known:
            raise AnnotationError(
                f"'{path}': '{name}' is not one of the landmarks {', '.join(landmarks.names)}."
            )
        name = name if known is None else known[name]
        if name is None:
            continue
        if name in points:
            raise AnnotationError(f"'{path}': the label '{name}' stands there twice.")
        points[name] = point
        if convention is not None:
            read_as[name] = convention
    if is_empty:
        raise AnnotationError(f"'{path}' holds no points.")
    return without_zeros([Annotation(points, read_as, _unit_of(path))])[0]


def _unit_of(path) -> str:
    """px if a file of ours says so. Raises AnnotationError for another unit."""
    if not path.name.lower().endswith(MARKUPS_SUFFIX):
        return MM
    unit = read_json(path, AnnotationError)["markups"][0].get(_UNIT_KEY, MM)
    if unit not in (MM, PX):
        raise AnnotationError(
            f"'{path}': its positions are in {quoted(unit)}; mm or px is possible."
        )
    return unit


def without_zeros(annotations) -> list:
    """The same annotations, of one set of images, less the positions that are zero and no points."""
    positions = [
        {name: p.position_lps for name, p in a.points.items() if p.state is PointState.PLACED}
        for a in annotations
    ]
    found = zeros(positions, on_picture=False)
    kept = []
    for index, annotation in enumerate(annotations):
        names = [name for name in annotation.names if (index, name) in found]
        kept.append(annotation.without(names, Convention.ZERO) if names else annotation)
    return kept


def write_annotation(path, annotation: Annotation, made_by: dict = None, new: bool = False) -> None:
    """Write Slicer's .mrk.json in LPS and the annotation's unit, atomically.

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
                **({} if point.doubt is None else {_DOUBT_KEY: point.doubt.to_json()}),
            }
            for number, (name, point) in enumerate(annotation.points.items(), 1)
        ],
    }
    if annotation.unit == PX:
        markup[_UNIT_KEY] = PX
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
    kind = markup.get("type", _POINTS)
    if not isinstance(kind, str) or kind.lower() != _POINTS.lower():
        raise AnnotationError(
            f"'{path}' is a markup of the type {quoted(kind)}, whose control points are no landmarks;"
            " save a point list (Fiducial)."
        )
    system = markup.get("coordinateSystem")
    if system not in tuple(TO_LPS):
        raise AnnotationError(
            f"'{path}': the coordinateSystem is {quoted(system)}; it has to be 'LPS' or 'RAS'."
        )
    units = markup.get("coordinateUnits", "mm")
    if units not in _IN_MM:
        raise AnnotationError(
            f"'{path}': the coordinateUnits are {quoted(units)}; they have to be mm."
        )
    control_points = _typed(path, "'controlPoints'", markup.get("controlPoints"), list)
    confidences = _measured_confidences(path, markup, len(control_points))
    for number, (control_point, confidence) in enumerate(zip(control_points, confidences), 1):
        control_point = _typed(path, f"point {number}", control_point, dict)
        name = _typed(path, f"the label of point {number}", control_point.get("label"), str)
        yield (name, *_markups_point(path, name, control_point, system, confidence))


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
    doubt = _doubt(path, name, control_point)
    # The status comes first: a missing point is written with a position that means nothing.
    status = control_point.get("positionStatus", "defined")
    if status not in tuple(STATUSES):
        raise AnnotationError(
            f"'{path}': '{name}' has the unknown positionStatus {quoted(status)}."
        )
    values = control_point.get("position")
    convention = slicer_convention(status, values)
    if convention is not None and convention.state is not PointState.PLACED:
        return Point(convention.state, None, confidence, definition, doubt), convention
    is_predicted = control_point.get(_STATE_KEY) == PointState.PREDICTED.value
    state = PointState.PREDICTED if is_predicted else PointState.PLACED
    if not isinstance(values, list) or not all(map(_is_number, values)):
        refuse_position(path, name, values)
    position = position_of(path, name, values, system)
    return Point(state, position, confidence, definition, doubt), convention


def _doubt(path, name, control_point):
    document = control_point.get(_DOUBT_KEY)
    try:
        return None if document is None else Doubt.from_json(document)
    except ValueError as error:
        raise AnnotationError(
            f"'{path}': '{name}' has the {_DOUBT_KEY} {quoted(document)}; {error}."
        ) from error


def _is_number(value) -> bool:
    """Whether JSON gave a finite number. (Python takes true for 1, and integers of any length.)"""
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:
        return False
