"""The list of a review: what is known of each landmark, and in which order they stand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from landmark_heatmap.annotation.doubt import Doubt
from landmark_heatmap.dataset.record import Review
from landmark_heatmap.errors import LandmarkHeatmapError

# "need": what nobody has looked at first; at the top of it what breaks the shape, then what is
# expected to be farthest off. "confidence": the most doubtful first.
ORDERS = ("anatomy", "name", "need", "confidence", "moved")


@dataclass(frozen=True)
class Row:
    """One landmark of the list. moved_mm: from where it was predicted, in `unit`; NaN without
    a place. is_found: whether the network placed it at all. doubt: of that place; None in results
    from before there were any."""

    name: str
    definition: str
    confidence: float
    review: Review
    moved_mm: float
    unit: str
    is_found: bool = True
    doubt: Doubt = None

    @property
    def breaks_the_shape(self) -> bool:
        """Whether it is far from where the other landmarks have it, and nobody has judged that."""
        is_there = not math.isnan(self.moved_mm)
        is_odd = self.doubt is not None and self.doubt.is_odd
        return is_odd and is_there and self.review is Review.UNTOUCHED


def rows_of(result) -> list:
    """A Row for each landmark of a result, as in the model."""
    reviews = result.reviews()
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
        )
        for mark, confidence, distance, is_found, doubt in zip(
            result.landmarks.landmarks, result.confidences(), moved, found, result.doubts()
        )
    ]


def check_order(order: str) -> str:
    """The order, if it is one. Raises LandmarkHeatmapError."""
    if order.removeprefix("-") not in ORDERS:
        raise LandmarkHeatmapError(
            f"'{order}' is none of the orders {', '.join(ORDERS)}, nor one of them after a '-'."
        )
    return order


def names_in_order(result, order: str) -> list:
    """The names of a result's landmarks in one of ORDERS; after a "-", the other way round."""
    rows = rows_of(result)
    keys = {
        "name": lambda row: row.name.casefold(),
        "need": _need,
        "confidence": lambda row: (-_shown(row), row.confidence),
        # Who has no place is not the one that moved least.
        "moved": lambda row: -1.0 if math.isnan(row.moved_mm) else row.moved_mm,
    }
    wanted = check_order(order).removeprefix("-")
    if wanted in keys:
        rows.sort(key=keys[wanted])
    if order.startswith("-"):
        rows.reverse()
    return [row.name for row in rows]


def _need(row) -> tuple:
    expected = math.inf if row.doubt is None else row.doubt.expected_mm
    is_judged = row.review is not Review.UNTOUCHED
    return (is_judged, not row.breaks_the_shape, -expected, row.confidence)


def _shown(row) -> float:
    """What the list says of it; of what nothing is known, the most."""
    return math.inf if row.doubt is None else row.doubt.shown_mm
