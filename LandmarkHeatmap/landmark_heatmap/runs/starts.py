"""Which way of beginning the next case is better now, asked of the user's own cases."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..registering.start_file import trust_in
from ..registering.trust import UNMEASURED, Trust
from .asking import AskingForFile

_ERRORS = ("mean", "median")
# The cases themselves, laid over the image; a network; both together.
REGISTERED, NETWORK, BOTH = "registered", "network", "both"


@dataclass(frozen=True)
class Reached:
    """What one way of beginning reaches. way: one of the three. cases: of so many that were left out,
    each in turn. mean, median: how far off, in `unit`. seconds: of a case."""

    way: str
    cases: int
    mean: float
    median: float
    unit: str
    seconds: float


@dataclass(frozen=True)
class Found:
    """cases: how many there are. ways: a Reached each; none where no case can be left out. best: the way
    with the least error, or empty. advice: what follows from it, sentences. notes: sentences on what
    could not be told. trust: how far network and cases can be believed where they are used together."""

    cases: int
    ways: tuple
    best: str
    advice: tuple
    notes: tuple
    trust: Trust = UNMEASURED


class StartsQuestion(AskingForFile):
    """`landmark-train starts` at work on a dataset. Raises TrainingError if it cannot be started.

    model: the path of a network to compare with, or None.
    """

    def __init__(self, dataset, model=None, **how):
        words = ["starts", str(dataset), *(("--model", str(model)) if model else ())]
        super().__init__(words, **how)

    def poll(self) -> Found:
        """None as long as it is at work. Raises TrainingError, and why, if nothing can be told."""
        return self.found(_found)


def _found(document) -> Found:
    return Found(
        int(document["cases"]),
        tuple(map(_reached, document["starts"])),
        str(document["best"]),
        tuple(map(str, document["advice"])),
        tuple(map(str, document["notes"])),
        trust_in("what was found", document["trust"]),
    )


def _reached(document) -> Reached:
    way, unit = str(document["way"]), str(document["unit"])
    # A way that found nothing has no error.
    mean, median = (math.nan if document[key] is None else float(document[key]) for key in _ERRORS)
    seconds = float(document["seconds"])
    return Reached(way, int(document["cases"]), mean, median, unit, seconds)
