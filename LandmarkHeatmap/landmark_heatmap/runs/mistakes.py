"""Mistakes in the annotations of a dataset, looked for before they are learnt."""

from __future__ import annotations

from dataclasses import dataclass

from .asking import AskingForFile

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


class MistakeSearch(AskingForFile):
    """`landmark-train check` at work on a dataset. Raises TrainingError if it cannot be started."""

    def __init__(self, dataset, **how):
        super().__init__(["check", str(dataset)], **how)

    def poll(self) -> Found:
        """None as long as it is at work. Raises TrainingError, and why, if nothing can be told."""
        return self.found(_found, _ANSWERS)


def _found(document) -> Found:
    mistakes = tuple(map(_mistake, document["findings"]))
    return Found(mistakes, int(document["cases"]), tuple(map(str, document["notes"])))


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
