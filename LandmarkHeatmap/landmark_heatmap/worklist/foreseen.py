"""What a model made of the image of a case before a person did: how unsure, how odd, how unlike."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..dataset.folder import check_case_name
from ..model.description import ModelIdentity
from . import beside

_KIND, _ENDING = "foreseen", ".foreseen.json"


@dataclass(frozen=True)
class Foreseen:
    """expected: for each landmark how far it may be off, in the unit of the image, None where nothing is
    known. oddness: how much it breaks the shape, more than 1 if it does; None likewise. unit: mm or px.
    model: its name. created: ISO 8601, UTC. unlike: why the image is unlike those of the training,
    empty if it is not."""

    landmarks: tuple
    expected: tuple
    oddness: tuple
    unit: str
    model: str
    created: str
    unlike: str = ""

    @property
    def largest(self) -> float:
        """Of what is expected; 0 where nothing is known."""
        return max((each for each in self.expected if each is not None), default=0.0)

    @property
    def odd(self) -> tuple:
        """The names of the landmarks that break the shape."""
        return tuple(n for n, o in zip(self.landmarks, self.oddness) if o is not None and o > 1)


def keep_foreseen(
    dataset, case: str, names, doubts, unit: str, model: ModelIdentity, unlike: str = ""
) -> None:
    """Keep it for all who work on a dataset. names, doubts: of each landmark its name and its Doubt, or
    None. Raises DatasetError for no name of a case, OSError where it cannot be written."""
    document = {
        "model": model.to_json(),
        "created": beside.now(),
        "landmarks": list(names),
        "expected": [None if each is None else _number(each.shown_mm) for each in doubts],
        "oddness": [None if each is None else _number(each.oddness) for each in doubts],
        "unit": unit,
        "unlike": unlike,
    }
    path = beside.folder_of(dataset) / (check_case_name(case) + _ENDING)
    beside.write(path, _KIND, case, document)


def foreseen_of(dataset, case: str, names):
    """The Foreseen of a case, or None. names: of all files of the worklist, a set."""
    if case + _ENDING not in names:
        return None
    document = beside.read(beside.folder_of(dataset) / (case + _ENDING), _KIND)
    lists = [document.get(key) for key in ("landmarks", "expected", "oddness")]
    if not all(isinstance(each, list) for each in lists) or len({*map(len, lists)}) != 1:
        return None
    landmarks, *figures = lists
    figures = [tuple(map(_number, each)) for each in figures]
    model = document.get("model")
    name = beside.text(model, "name") if isinstance(model, dict) else ""
    said = [beside.text(document, "unit"), name, beside.text(document, "created")]
    return Foreseen(tuple(map(str, landmarks)), *figures, *said, beside.text(document, "unlike"))


def _number(value):
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None
