"""The list of a review: what is known of each landmark, and in which order they stand."""

from __future__ import annotations

import math
from dataclasses import dataclass

from landmark_heatmap.dataset.record import Review
from landmark_heatmap.errors import LandmarkHeatmapError

# "need": what nobody has looked at first, the least confident of it at the top.
ORDERS = ("anatomy", "name", "need", "confidence", "moved")


@dataclass(frozen=True)
class Row:
    """One landmark of the list. moved_mm: from where it was predicted, in `unit`; NaN without
    a place."""

    name: str
    definition: str
    confidence: float
    review: Review
    moved_mm: float
    unit: str


def rows_of(result) -> list:
    """A Row for each landmark of a result, as in the model."""
    reviews = result.reviews()
    moved, unit = result.all_moved_mm(), result.unit
    return [
        Row(mark.name, mark.definition, confidence, reviews[mark.name], float(distance), unit)
        for mark, confidence, distance in zip(
            result.landmarks.landmarks, result.confidences(), moved
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
        "need": lambda row: (row.review is not Review.UNTOUCHED, row.confidence),
        "confidence": lambda row: row.confidence,
        # Who has no place is not the one that moved least.
        "moved": lambda row: -1.0 if math.isnan(row.moved_mm) else row.moved_mm,
    }
    wanted = check_order(order).removeprefix("-")
    if wanted in keys:
        rows.sort(key=keys[wanted])
    if order.startswith("-"):
        rows.reverse()
    return [row.name for row in rows]
