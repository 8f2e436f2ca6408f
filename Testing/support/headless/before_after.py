"""One picture of what a training has changed: the same image, before and after."""

from __future__ import annotations

import numpy as np

from landmark_heatmap.model.description import IntensityNormalisation
from landmark_heatmap.pictures.drawing import (
    INK,
    draw_scale,
    mark_prediction,
    mark_reference,
    new_figure,
    outlined,
    picture,
    png,
)
from landmark_heatmap.pictures.views import view_of

from .other_scanner import errors_of, told

_SHOWN = ("coronal", "sagittal")
_PIXELS = 640


def before_and_after(image, truth, before, after) -> bytes:
    """A PNG file. before, after: Predictions of the image. Crosses: the truth; rings: the model; a line
    from each ring to its cross."""
    figure = new_figure(10.0, 10.6)
    grid = figure.subplots(2, len(_SHOWN))
    window = IntensityNormalisation("percentiles", 0.5, 99.5)
    positions = truth.positions_lps(truth.names)
    middle = np.nanmedian(positions, axis=0)
    for row, (when, prediction) in zip(grid, (("before", before), ("after", after))):
        found = prediction.annotation()
        heatmaps = [point.heatmap for point in prediction.points if not point.is_absent]
        for axes, plane in zip(row, _SHOWN):
            view = view_of(image.grid, plane, middle, pixels=_PIXELS)
            picture(axes, view.picture(image, window), view.heat_of_all(heatmaps))
            _draw_points(axes, view, truth, found)
            _draw_letters(axes, view, plane)
            draw_scale(axes, view)
        said = told(list(errors_of(found, truth).values()))
        row[0].set_title(f"{when}: {said}", fontsize=12, color=INK, loc="left", fontweight="bold")
    figure.text(
        0.01,
        0.005,
        "Crosses: the truth. Rings: the model; a line leads to where the landmark is. Points and heatmaps"
        " of the whole depth, projected.",
        fontsize=8,
        color=INK,
    )
    figure.get_layout_engine().set(rect=(0, 0.025, 1, 0.975))
    return png(figure)


def _draw_points(axes, view, truth, found) -> None:
    for name in truth.names:
        true, position = truth.position_lps(name), found.position_lps(name)
        if true is not None and position is not None:
            ends = view.to_pixels(np.stack([true, position]))
            axes.plot(*ends.T, color="white", linewidth=1.0)
        if position is not None:
            mark_prediction(axes, *view.to_pixels(position), size=8)
        if true is not None:
            mark_reference(axes, *view.to_pixels(true), size=8)


def _draw_letters(axes, view, plane: str) -> None:
    places = ((0.03, 0.5), (0.97, 0.5), (0.5, 0.97), (0.5, 0.03))
    for (x, y), letter in zip(places, view.sides(plane)):
        text = axes.text(
            x,
            y,
            letter,
            transform=axes.transAxes,
            fontsize=12,
            color="white",
            ha="center",
            va="center",
        )
        outlined(text)
