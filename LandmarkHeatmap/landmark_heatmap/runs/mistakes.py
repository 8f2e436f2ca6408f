"""Mistakes in the annotations of a dataset, looked for before they are learnt."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..errors import TrainingError
from .asking import Asking

# Nothing was found; something was.
_ANSWERS = (0, 1)


@dataclass(frozen=True)
class Mistake:
    """What is probably one. kind, reason: in words. case: its name, empty where it is of none. landmarks:
    the names that it is about, empty where it is of a whole case. size: how far off, in `unit`, or None.
    """

    kind: str
    reason: str
    case: str
    landmarks: tuple
    size: float
    unit: str


@dataclass(frozen=True)
class Found:
    """mistakes: the worst first. cases: how many were looked at. notes: sentences on what could not be
    looked at."""

    mistakes: tuple
    cases: int
    notes: tuple


class MistakeSearch(Asking):
    """`landmark-train check` at work on a dataset. Raises TrainingError if it cannot be started."""

    def __init__(self, dataset, **how):
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name) / "findings.json"
        super().__init__(["check", str(dataset), "--json", str(self._path)], **how)

    def poll(self) -> Found:
        """None as long as it is at work. Raises TrainingError, and why, if nothing can be told."""
        code = self.code()
        if code is None:
            return None
        if code not in _ANSWERS:
            raise TrainingError(self.reason())
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            return Found(
                tuple(map(_mistake, document["findings"])),
                int(document["cases"]),
                tuple(map(str, document["notes"])),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(f"what was found cannot be read ({error})") from error

    def close(self) -> None:
        super().close()
        self._folder.cleanup()


def _mistake(document) -> Mistake:
    size = document["size"]
    return Mistake(
        str(document["kind"]),
        str(document["reason"]),
        str(document["case"]),
        tuple(map(str, document["landmarks"])),
        None if size is None else float(size),
        str(document["unit"]),
    )
