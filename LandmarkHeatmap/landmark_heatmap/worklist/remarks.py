"""That a case needs another look, and why: set by hand, settled by the next revision or by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..dataset.folder import check_case_name, newest_revision
from ..errors import DatasetError
from . import beside

_KIND, _ENDING = "remark", ".remark.json"


@dataclass(frozen=True)
class Remark:
    """created: ISO 8601 in UTC. revision: the newest of the case when it was made, 0 for none."""

    text: str
    annotator: str
    created: str
    revision: int


def set_remark(dataset, case: str, text: str, annotator: str = "") -> None:
    """Say why a case needs another look. Raises DatasetError for an empty text, or no name of a case."""
    check_case_name(case)
    if not text.strip():
        raise DatasetError(f"Say why '{case}' needs another look.")
    document = {
        "text": text.strip(),
        "annotator": annotator,
        "created": beside.now(),
        "revision": newest_revision(Path(dataset) / "cases" / case),
    }
    beside.write(beside.folder_of(dataset) / (case + _ENDING), _KIND, case, document)


def clear_remark(dataset, case: str) -> None:
    """It needs no other look any more."""
    (beside.folder_of(dataset) / (check_case_name(case) + _ENDING)).unlink(missing_ok=True)


def remark_of(dataset, case: str, names, revision: int):
    """The Remark of a case, or None; one that was made before its newest revision holds no more.

    names: of all files of the worklist, a set. revision: the number of the newest.
    """
    if case + _ENDING not in names:
        return None
    document = beside.read(beside.folder_of(dataset) / (case + _ENDING), _KIND)
    said = [beside.text(document, key) for key in ("text", "annotator", "created")]
    remark = Remark(*said, beside.whole(document, "revision"))
    return remark if remark.text and revision <= remark.revision else None
