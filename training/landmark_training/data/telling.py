"""What cases are taken to say without saying it plainly, in the same words for whoever reads them."""

from __future__ import annotations

from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.annotation.not_marked import told_readings
from landmark_heatmap.errors import some


def told_of_labels(cases, labels) -> list:
    """Sentences about points that count as placed, or as absent, though nobody has said so plainly.

    labels: of each case what `label_of` makes of its annotation.
    """
    as_placed = told_readings([case.annotation for case in cases], PointState.PLACED)
    return [sentence for sentence in (as_placed, told_outside(cases, labels)) if sentence]


def told_confirmed(cases, sha256: str) -> str:
    """A sentence about points of cases that are where the model of this file has put them; empty if there
    are none.

    They are not left out: those that remain would be the ones in which it was wrong.
    """
    placed = [(c, n) for c in cases for n in c.annotation.names if _is_placed(c, n)]
    count = sum(case.model == sha256 and name in case.confirmed for case, name in placed)
    if not count:
        return ""
    return (
        f"{count} of the {len(placed)} points were confirmed where it had put them: there it counts as"
        " exact, which flatters it."
    )


def _is_placed(case, name: str) -> bool:
    return case.annotation.state(name) is PointState.PLACED


def told_outside(cases, labels) -> str:
    """A sentence about points that were placed outside their images; empty if none was."""
    outside = [
        f"{name} ({case.name})"
        for case, label in zip(cases, labels)
        for name in case.annotation.names
        if _is_placed(case, name) and label.state(name) is PointState.ABSENT
    ]
    if not outside:
        return ""
    points = "1 point lies outside its image and counts"
    if len(outside) > 1:
        points = f"{len(outside)} points lie outside their images and count"
    return f"{points} as absent: {some(outside)}."
