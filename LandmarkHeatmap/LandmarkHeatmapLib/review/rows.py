"""The list of a review: what is known of each landmark, and in which order they stand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from landmark_heatmap.annotation.doubt import Doubt
from landmark_heatmap.dataset.record import Review
from landmark_heatmap.errors import LandmarkHeatmapError

# "need": what nobody has looked at first; at the top of it what breaks the shape, then what mends most
# if it is placed right: itself, by what it is expected to be off, and the others that follow it.
# "confidence": the most doubtful first.
ORDERS = ("anatomy", "name", "need", "confidence", "moved")


@dataclass(frozen=True)
class Row:
    """One landmark of the list. moved_mm: from where it was predicted, in `unit`; NaN without
    a place. is_asked, is_found: whether a network was asked for it, and placed it at all; confidence
    is None if not asked. doubt: of that place; None in results
    from before there were any. followed: the names because of which an accepted proposal has put it
    where it is. proposed_mm: by how much it is proposed to move, None if it is not."""

    name: str
    definition: str
    confidence: float
    review: Review
    moved_mm: float
    unit: str
    is_found: bool = True
    doubt: Doubt = None
    is_asked: bool = True
    followed: tuple = ()
    proposed_mm: float = None

    @property
    def breaks_the_shape(self) -> bool:
        """Whether it is far from where the other landmarks have it, and nobody has judged that."""
        # What was said of the place that it had does not hold of the one that it followed to.
        is_there = not math.isnan(self.moved_mm) and not self.followed
        is_odd = self.doubt is not None and self.doubt.is_odd
        return is_odd and is_there and self.review is Review.UNTOUCHED


def rows_of(result, proposed=None) -> list:
    """A Row for each landmark of a result, as in the model. proposed: name to by how much it is proposed
    to move."""
    reviews, followed, proposed = result.reviews(), result.followed(), proposed or {}
    moved, unit = result.all_moved_mm(), result.unit
    found = np.isfinite(result.predicted_positions_lps()).all(axis=1)
    return [
        Row(
            mark.name,
            mark.definition,
            confidence,
            reviews[mark.name],
            float(distance),
            unit,
            bool(is_found),
            # What is said of a place says nothing of what has none.
            doubt if is_found else None,
            is_asked,
            followed.get(mark.name, ()),
            proposed.get(mark.name),
        )
        for mark, confidence, distance, is_found, doubt, is_asked in zip(
            *(result.landmarks.landmarks, result.confidences(), moved),
            *(found, result.doubts(), result.asked()),
        )
    ]


def check_order(order: str) -> str:
    """The order, if it is one. Raises LandmarkHeatmapError."""
    if order.removeprefix("-") not in ORDERS:
        raise LandmarkHeatmapError(
            f"'{order}' is none of the orders {', '.join(ORDERS)}, nor one of them after a '-'."
        )
    return order


def progress(rows) -> tuple:
    """(how many of these have been reviewed, how many there are)."""
    return sum(row.review is not Review.UNTOUCHED for row in rows), len(rows)


def names_in_order(result, order: str) -> list:
    """The names of a result's landmarks in one of ORDERS; after a "-", the other way round."""
    rows = rows_of(result)
    keys = {
        "name": lambda row: row.name.casefold(),
        "need": _need,
        "confidence": lambda row: (-_shown(row), _confidence(row)),
        # Who has no place is not the one that moved least.
        "moved": lambda row: -1.0 if math.isnan(row.moved_mm) else row.moved_mm,
    }
    wanted = check_order(order).removeprefix("-")
    if wanted in keys:
        rows.sort(key=keys[wanted])
    if order.startswith("-"):
        rows.reverse()
    return [row.name for row in rows]


class ListedNames:
    """The names of a result's landmarks as a list shows them: `order` decided when it is set, and kept,
    so that rows do not jump under the user's hand; `text`, a part of the names; all if empty."""

    def __init__(self):
        self.order, self.text, self._every = ORDERS[0], "", []

    def set_order(self, order: str, result) -> None:
        """result: None where there is none any more. Raises LandmarkHeatmapError for no order."""
        self.order = check_order(order)
        self._every = [] if result is None else names_in_order(result, order)

    @property
    def names(self) -> list:
        wanted = self.text.strip().casefold()
        return [name for name in self._every if wanted in name.casefold()]

    def of(self, rows) -> list:
        """Of these rows those that are listed, in the order of the list."""
        known = {row.name: row for row in rows}
        return [known[name] for name in self.names if name in known]

    def step(self, name, by: int):
        """The one so many rows on, around the end; from none the first or the last. None if empty."""
        names = self.names
        if not names:
            return None
        if name not in names:
            return names[0 if by > 0 else -1]
        return names[(names.index(name) + by) % len(names)]

    def next_of(self, name, wanted):
        """The next one after `name` that is among the wanted names, from the top again after the last,
        itself last of all; None without one."""
        names = self.names
        start = names.index(name) + 1 if name in names else 0
        return next((each for each in names[start:] + names[:start] if each in wanted), None)


def _need(row) -> tuple:
    worth = math.inf if row.doubt is None else row.doubt.worth_mm
    is_judged = row.review is not Review.UNTOUCHED
    return (is_judged, not row.breaks_the_shape, -worth, _confidence(row))


def _confidence(row) -> float:
    """That of which no network said anything stands before all others."""
    return -1.0 if row.confidence is None else row.confidence


def _shown(row) -> float:
    """What the list says of it; of what nothing is known, the most."""
    return math.inf if row.doubt is None else row.doubt.shown_mm
