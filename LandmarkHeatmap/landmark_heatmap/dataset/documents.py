"""The JSON documents of a dataset folder, read in one way."""

from __future__ import annotations

from pathlib import Path

from ..errors import DatasetError, quoted
from ..files import read_json

DATASET_SCHEMA = "landmark-heatmap-dataset"


RECORD_SCHEMA = "landmark-heatmap-record"


SCHEMA_VERSION = 1


def read_document(path: Path, schema: str) -> dict:
    """A JSON document of ours. Raises DatasetError if it is not, or is newer than this program."""
    document = read_json(path, DatasetError)
    found = document.get("schema") if isinstance(document, dict) else None
    if found != schema:
        raise DatasetError(f"'{path}' has the schema {quoted(found)}, not '{schema}'.")
    version = document.get("schema_version")
    if type(version) is not int or version < 1:
        raise DatasetError(f"'{path}' has the schema version {quoted(version)}, no number of one.")
    if version > SCHEMA_VERSION:
        raise DatasetError(
            f"'{path}' has schema version {version}; this program knows up to {SCHEMA_VERSION}."
            " Update LandmarkHeatmap."
        )
    return document
