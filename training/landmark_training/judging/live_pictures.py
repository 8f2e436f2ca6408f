"""A picture of held-out cases while training goes on: small, quick, and always of the same cases."""

from __future__ import annotations

import numpy as np

from landmark_heatmap.model.description import IntensityNormalisation
from landmark_heatmap.pictures.contact_sheet import view_of_points
from landmark_heatmap.pictures.drawing import (
    INK,
    mark_prediction,
    mark_reference,
    new_figure,
    picture,
    png,
)

# Beside each other, and how large.
_MOST, _INCHES, _PIXELS = 3, 1.7, 240
_LONGEST_NAME = 16
# As the network sees them.
_INTENSITY = IntensityNormalisation("percentiles", 0.2, 99.9)


def held_out_picture(cases, seen_of_each, names) -> bytes:
    """A PNG of the first few cases, with where the points belong (crosses) and where they were found
    (rings). 3D: in the plane in which they are spread most.

    cases: TrainingCases. seen_of_each: of each of them a Seen for each of `names`.
    """
    shown = list(zip(cases, seen_of_each))[:_MOST]
    figure = new_figure(_INCHES * len(shown), _INCHES + 0.2)
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, (case, seen) in zip(panels, shown):
        _draw(axes, case, seen, names)
    return png(figure)


def _draw(axes, case, seen, names) -> None:
    truths = case.label.positions_lps(names)
    is_placed = np.isfinite(truths).all(1)
    image = case.prepared
    view = view_of_points(image.grid, truths[is_placed], _PIXELS)
    picture(axes, view.picture(image, _INTENSITY))
    apart = []
    for truth, placed, found in zip(truths, is_placed, seen):
        if found.is_there:
            mark_prediction(axes, *view.to_pixels(found.position_lps), size=5)
        if placed:
            mark_reference(axes, *view.to_pixels(truth), size=5)
        if placed and found.is_there:
            apart.append(float(np.linalg.norm(found.position_lps - truth)))
    name = case.name if len(case.name) <= _LONGEST_NAME else f"{case.name[: _LONGEST_NAME - 1]}…"
    told = f": {np.mean(apart):.3g} {image.grid.unit}" if apart else ""
    axes.set_title(f"{name}{told}", fontsize=7, color=INK, pad=2)
