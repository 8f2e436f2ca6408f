"""A landmark set as a file of its own, and landmark sets out of the files of annotations and tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...errors import AnnotationError, quoted
from ...files import read_bytes, read_json, write_json
from ..annotation_files import MARKUPS_SUFFIX, read_annotation
from ..formats.text import decoded, table_rows
from ..landmarks import Landmark, LandmarkSet
from ..mirror_pairs import infer_mirror_pairs

SET_SCHEMA, SCHEMA_VERSION = "landmark-heatmap-landmark-set", 1
# What can be read, by the end of the name.
SET_SUFFIXES = (".json", MARKUPS_SUFFIX, ".fcsv", ".csv", ".tsv", ".txt")
# The columns of a table, by what they may be called.
_NAMES, _DEFINITIONS = ("label", "name", "landmark"), ("definition", "description", "desc")


def write_set(path, landmarks: LandmarkSet, new: bool = False) -> None:
    """Write a landmark set as JSON (training/FORMATS.md), atomically.

    new: nothing is replaced. Raises AnnotationError for a name that does not end in .json, or that
    means an annotation; FileExistsError if `new` and it exists.
    """
    path = Path(path)
    lower = path.name.lower()
    if not lower.endswith(".json") or lower.endswith(MARKUPS_SUFFIX):
        raise AnnotationError(
            f"'{path.name}': a landmark set is written as .json, and not as {MARKUPS_SUFFIX}, which"
            " is an annotation of an image."
        )
    stated = {"schema": SET_SCHEMA, "schema_version": SCHEMA_VERSION}
    write_json(path, {**stated, **landmarks.to_json()}, new)


def read_set(path) -> LandmarkSet:
    """The landmark set of a file, whose positions, if it has any, are left alone.

    A set of ours (.json; a dataset.json, too), the labels and descriptions of an annotation
    (.mrk.json, .fcsv), or a table (.csv, .tsv, .txt) with a header 'label' and, where there are any,
    'definition'. What states no left and right gets what its names tell; what states no name has none,
    for a file may be called as its patient is.
    Raises AnnotationError for a file that holds none.
    """
    path = Path(path)
    lower = path.name.lower()
    if lower.endswith((MARKUPS_SUFFIX, ".fcsv")):
        points = read_annotation(path).points
        return named_set({name: point.definition for name, point in points.items()})
    if lower.endswith(".json"):
        return _of_document(path, read_json(path, AnnotationError))
    if lower.endswith((".csv", ".tsv", ".txt")):
        return named_set(_of_table(path))
    raise AnnotationError(
        f"'{path}' is no file of landmarks: expected one that ends in {', '.join(SET_SUFFIXES)}."
    )


def named_set(definitions: dict) -> LandmarkSet:
    """The set of these landmarks, name to definition, with the pairs that their names tell."""
    marks = tuple(Landmark(name, text) for name, text in definitions.items())
    return LandmarkSet(marks, infer_mirror_pairs(list(definitions)))


def _of_document(path: Path, document) -> LandmarkSet:
    _check_version(path, document)
    # A dataset.json holds its set under a key; an import leaves it bare.
    stated = document.get("landmark_set", document)
    try:
        landmarks = LandmarkSet.from_json(stated)
    except (KeyError, TypeError, AttributeError, AnnotationError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise AnnotationError(f"'{path}' holds no landmark set: {reason}.") from error
    if "mirror_pairs" not in stated:
        landmarks = replace(landmarks, mirror_pairs=_pairs_beside(landmarks))
    return landmarks


def _pairs_beside(landmarks: LandmarkSet) -> tuple:
    """What the names tell of those that do not lie on the midline."""
    return infer_mirror_pairs([name for name in landmarks.names if name not in landmarks.midline])


def _check_version(path: Path, document) -> None:
    if not isinstance(document, dict) or not {"landmarks", "landmark_set"} & set(document):
        raise AnnotationError(
            f"'{path}' holds no landmark set: it needs a list 'landmarks', each with a 'name'."
        )
    schema = document.get("schema", SET_SCHEMA)
    if "landmark_set" in document:
        return
    if schema != SET_SCHEMA:
        raise AnnotationError(f"'{path}' has the schema {quoted(schema)}, not '{SET_SCHEMA}'.")
    version = document.get("schema_version", SCHEMA_VERSION)
    if type(version) is not int or version < 1:
        raise AnnotationError(
            f"'{path}' has the schema version {quoted(version)}, no number of one."
        )
    if version > SCHEMA_VERSION:
        raise AnnotationError(
            f"'{path}' has schema version {version}; this program knows up to {SCHEMA_VERSION}."
            " Update LandmarkHeatmap."
        )


def _of_table(path: Path) -> dict:
    """Name to definition."""
    try:
        text = decoded(read_bytes(path, AnnotationError))
        rows = table_rows(text, _separator_of_header(text))
    except ValueError as error:
        raise AnnotationError(f"'{path}' is no table of landmarks: {error}.") from error
    header = [cell.lower() for cell in rows[0][1]] if rows else []
    at_name, at_text = (_column(header, names) for names in (_NAMES, _DEFINITIONS))
    if at_name is None:
        raise AnnotationError(
            f"'{path}' needs a header with a column 'label' and, if there are any, 'definition'; its"
            f" first line is {quoted(', '.join(header))}."
        )
    found = {}
    for line, cells in rows[1:]:
        if len(cells) > len(header) and any(cells[len(header) :]):
            raise AnnotationError(
                f"'{path}', line {line}: {len(cells)} cells for {len(header)} columns; a text with a"
                " separator in it has to stand in quotation marks."
            )
        name = cells[at_name] if at_name < len(cells) else ""
        if not name:
            raise AnnotationError(f"'{path}', line {line}: the landmark has no name.")
        if name in found:
            raise AnnotationError(f"'{path}', line {line}: '{name}' stands there twice.")
        found[name] = cells[at_text] if at_text is not None and at_text < len(cells) else ""
    if not found:
        raise AnnotationError(f"'{path}' names no landmark below its header.")
    return found


def _separator_of_header(text: str):
    """What makes a column of names of the first line; rows may be ragged. None if nothing does."""
    first = next((line for line in text.splitlines() if line.strip()), "").lower()
    for separator in "\t;,":
        cells = [cell.strip().strip('"') for cell in first.split(separator)]
        if len(cells) > 1 and set(cells) & set(_NAMES):
            return separator
    return None


def _column(header, names):
    """Where the first of these titles stands, or None."""
    return next((header.index(name) for name in names if name in header), None)
