"""The small files of a worklist beside its dataset: where they lie, how they are written and read."""

from __future__ import annotations

import os
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

from ..dataset.documents import SCHEMA_VERSION, read_document
from ..dataset.folder import WORKLIST
from ..errors import LandmarkHeatmapError
from ..files import write_json
from ..leftovers import temporary_prefix

_SCHEMA = "landmark-heatmap-worklist-"


def folder_of(dataset) -> Path:
    return Path(dataset) / WORKLIST


def now() -> str:
    """ISO 8601 in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def write(path, kind: str, case: str, document: dict, new: bool = False) -> None:
    """Write a document of a kind ('lock', 'remark', 'foreseen') of a case.

    new: nothing is replaced; FileExistsError if `path` exists.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {"schema": _SCHEMA + kind, "schema_version": SCHEMA_VERSION, "case": case}
    write_json(path, {**known, **document}, new)


def read(path, kind: str) -> dict:
    """A document of a kind; empty for what is not there, or cannot be read: no list may end with it."""
    try:
        return read_document(Path(path), _SCHEMA + kind)
    except (LandmarkHeatmapError, OSError):
        return {}


def text(document: dict, key: str) -> str:
    """What a document says under a key, if that is a text; else nothing."""
    value = document.get(key)
    return value if isinstance(value, str) else ""


def whole(document: dict, key: str) -> int:
    """What a document says under a key, if that is a whole number; else 0."""
    value = document.get(key)
    return value if type(value) is int else 0


def names_in(dataset) -> list:
    """The names of all files of a worklist; none where there is no worklist yet."""
    try:
        return os.listdir(folder_of(dataset))
    except OSError:
        return []


def clock_of(dataset) -> float:
    """Seconds since 1970 by the clock of the drive on which a dataset lies, which stamps all files there.

    The clocks of two computers may be minutes apart; that of the drive is one. Where nothing can be
    written, the computer's own.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=temporary_prefix(), dir=folder_of(dataset))
    except OSError:
        return time.time()
    try:
        os.write(handle, b" ")
        os.fsync(handle)
        return os.stat(name).st_mtime
    finally:
        os.close(handle)
        os.unlink(name)
