"""The JSON documents of a dataset folder, read in one way."""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import DatasetError

DATASET_SCHEMA = "landmark-heatmap-dataset"


RECORD_SCHEMA = "landmark-heatmap-record"


SCHEMA_VERSION = 1


def read_document(path: Path, schema: str) -> dict:
    """A JSON document of ours. Raises DatasetError if it is not, or is newer than this program."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        found, version = document["schema"], int(document["schema_version"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise DatasetError(f"'{path}' cannot be read ({error!r}).") from error
    if found != schema:
        raise DatasetError(f"'{path}' has the schema '{found}', not '{schema}'.")
    if version > SCHEMA_VERSION:
        raise DatasetError(
            f"'{path}' has schema version {version}; this program knows up to {SCHEMA_VERSION}."
            " Update LandmarkHeatmap."
        )
    return document
