"""Pictures of cases: the worst ones with reference and prediction, and all channels side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib import cm
from matplotlib.colors import Normalize

from landmark_heatmap.annotation.landmarks import Annotation
from landmark_heatmap.detection.prediction import Prediction
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.judging.consistency import measure_channel
from landmark_heatmap.model.description import IntensityNormalisation
from landmark_heatmap.pictures.drawing import (
    HEAT,
    HIGHEST,
    INK,
    draw_scale,
    mark_prediction,
    mark_reference,
    new_figure,
    picture,
    png,
)
from landmark_heatmap.pictures.views import PLANES, View, view_of

# How much is seen around a point, in sigmas.
_AROUND = 10.0
_CLOSE, _CLOSE_PIXELS = 3.5, 96
_CONTOUR = "#7FFFD4"
_COLUMNS = 6
_COLUMN_INCHES, _WHOLE_PIXELS = 1.5, 220
# A sigma below this share of the image would not be seen in it: there the point is marked.
_SMALL = 0.01
# The height of a close view, of a column's width.
_CLOSE_SHARE = 0.9
_SCALE_INCHES = 0.6
# More channels than this make no picture that anyone looks at.
MOST_CHANNELS = 60


@dataclass(frozen=True, eq=False)
class Applied:
    """One model's answer for one image."""

    label: str
    prediction: Prediction


def case_picture(
    image: Image,
    intensity: IntensityNormalisation,
    applied: Applied,
    reference: Annotation,
    worst: str,
) -> bytes:
    """A PNG of one case around its worst landmark, which both reference and prediction have.

    2D: the whole image with all landmarks, and the surroundings of the worst. 3D: three planes
    through the worst one's reference, with its heatmap seen through along the line of sight.
    """
    index = applied.prediction.landmarks.index(worst)
    point = applied.prediction.points[index]
    sigma_mm = point.sigma_mm
    truth = reference.position_lps(worst)
    error_mm = float(np.linalg.norm(point.position_lps - truth))
    half_mm = max(_AROUND * sigma_mm, 1.4 * error_mm)
    if image.grid.is_2d:
        middle = (truth + point.position_lps) / 2
        views = [view_of(image.grid, pixels=480)]
        views.append(view_of(image.grid, None, middle, half_mm / 2 + error_mm / 2, 240))
        shown = [_all_pairs(applied.prediction, reference), [(truth, point.position_lps)]]
        heats = [_all_heat(views[0], applied.prediction), views[1].heat(point.heatmap)]
    else:
        views = [view_of(image.grid, plane, truth, half_mm, 240) for plane in PLANES]
        shown = [[(truth, point.position_lps)]] * 3
        heats = [view.heat(point.heatmap) for view in views]
    shapes = [view.grid.size_ijk[:2] for view in views]
    widths = [width / height for width, height in shapes]
    height = min(2.4, 8.2 / sum(widths))
    figure = new_figure(height * sum(widths) + 0.1 * len(views), height)
    panels = figure.subplots(1, len(views), width_ratios=widths, squeeze=False)[0]
    for axes, view, heat, pairs in zip(panels, views, heats, shown):
        picture(axes, view.picture(image, intensity), heat)
        _draw_pairs(axes, view, pairs)
        draw_scale(axes, view)
    return png(figure)


def _all_heat(view: View, prediction: Prediction) -> np.ndarray:
    return view.heat_of_all(point.heatmap for point in prediction.points if not point.is_absent)


def _all_pairs(prediction: Prediction, reference: Annotation) -> list:
    """(reference or None, prediction or None) of all landmarks."""
    found = prediction.annotation()
    names = prediction.landmarks.names
    return [(reference.position_lps(name), found.position_lps(name)) for name in names]


def _draw_pairs(axes, view: View, pairs) -> None:
    few = len(pairs) == 1
    for truth, found in pairs:
        ends = [None if p is None else view.to_pixels(p) for p in (truth, found)]
        if all(end is not None for end in ends):
            axes.plot(*zip(*ends), color="white", linewidth=0.8)
        if ends[1] is not None:
            mark_prediction(axes, *ends[1], size=9 if few else 5)
        if ends[0] is not None:
            mark_reference(axes, *ends[0], size=11 if few else 6)


def channels_picture(image: Image, intensity: IntensityNormalisation, models) -> bytes:
    """A PNG of all channels of one image, side by side; every colour means the same height.

    models: one Applied, or two to be compared, whose rows stand under each other. For each channel
    the whole image with its heatmap, and the heatmap alone, close up, with the dashed ring that a
    perfect one has at half height, and the contours of the belief. In 3D seen from the front, through
    along the line of sight.
    """
    names = models[0].prediction.landmarks.names[:MOST_CHANNELS]
    columns = min(_COLUMNS, len(names))
    chunks = [names[start : start + columns] for start in range(0, len(names), columns)]
    plane = None if image.grid.is_2d else "coronal"
    width, height = view_of(image.grid, plane, pixels=_WHOLE_PIXELS).grid.size_ijk[:2]
    aspect = height / width
    bands = [(chunk, model) for chunk in chunks for model in models]
    inches = _COLUMN_INCHES * (aspect + _CLOSE_SHARE + 0.28)
    figure = new_figure(columns * _COLUMN_INCHES + 0.3, len(bands) * inches + _SCALE_INCHES)
    figure.get_layout_engine().set(h_pad=0.05, w_pad=0.03)
    # One part of the figure for each band, and a last one for the scale.
    parts = figure.subfigures(
        len(bands) + 1, 1, height_ratios=[inches] * len(bands) + [_SCALE_INCHES], squeeze=False
    )[:, 0]
    for part, (chunk, model) in zip(parts, bands):
        panels = part.subplots(2, columns, squeeze=False, height_ratios=[aspect, _CLOSE_SHARE])
        for axes in panels.flat:
            axes.axis("off")
        for name, (upper, lower) in zip(chunk, panels.T):
            if name in model.prediction.landmarks.names:
                _draw_channel((upper, lower), image, intensity, model, name, plane)
        if len(models) > 1:
            part.supylabel(model.label, fontsize=8, fontweight="bold", color=INK)
    _draw_heights(figure, parts[-1])
    return png(figure, tight=True)


def _draw_heights(figure, part) -> None:
    """The scale: what colour is what height."""
    heights = cm.ScalarMappable(Normalize(0, HIGHEST), HEAT)
    bar = figure.colorbar(
        heights, cax=part.add_axes((0.3, 0.66, 0.4, 0.13)), orientation="horizontal"
    )
    bar.set_label("height of the heatmap; 1 is perfect", fontsize=7, color=INK)
    bar.ax.tick_params(labelsize=7, colors=INK, length=0)
    bar.outline.set_visible(False)


def _draw_channel(panels, image: Image, intensity, model: Applied, name: str, plane) -> None:
    upper, lower = panels
    index = model.prediction.landmarks.index(name)
    point = model.prediction.points[index]
    sigma_mm = point.sigma_mm
    centre = None if plane is None else point.position_lps
    whole = view_of(image.grid, plane, centre, pixels=_WHOLE_PIXELS)
    heat = None if point.is_absent else whole.heat(point.heatmap)
    picture(upper, whole.picture(image, intensity), heat)
    if heat is not None and sigma_mm < _SMALL * whole.mm(_WHOLE_PIXELS):
        mark_prediction(upper, *whole.to_pixels(point.position_lps), size=5)
    upper.set_title(_short(name), fontsize=7, color=INK, pad=2)
    if point.is_absent:
        told, y = f"not in the image\npresence {point.presence:.2f}", 0.6
    else:
        around = view_of(image.grid, plane, point.position_lps, _CLOSE * sigma_mm, _CLOSE_PIXELS)
        _draw_close(lower, point, around, sigma_mm)
        shape = measure_channel(point, model.prediction.grid, sigma_mm)
        spread = "–" if shape.spread_ratio is None else f"{shape.spread_ratio:.2f}"
        told, y = f"height {shape.peak_ratio:.2f}   spread {spread}", -0.03
    lower.text(
        0.5, y, told, transform=lower.transAxes, ha="center", va="top", fontsize=6.5, color=INK
    )


def _draw_close(axes, point, view: View, sigma_mm: float) -> None:
    """The heatmap alone, seen along the same line as the whole image, smoothly interpolated."""
    axes.imshow(view.heat(point.heatmap), HEAT, vmin=0, vmax=HIGHEST, interpolation="bicubic")
    x, y = view.to_pixels(point.position_lps)
    angle, radius = np.linspace(0, 2 * np.pi, 90), sigma_mm * np.sqrt(2 * np.log(2)) / view.mm(1)
    ring = x + radius * np.cos(angle), y + radius * np.sin(angle)
    axes.plot(*ring, "--", color="white", linewidth=0.7)
    if point.belief is not None:
        _draw_belief(axes, view.heat(point.belief))


def _draw_belief(axes, belief: np.ndarray) -> None:
    """The contours that hold half of the probability and nine tenths, as far as the view reaches."""
    for share, width in ((0.5, 1.1), (0.9, 0.6)):
        if belief.min() < 1 - share < belief.max():
            axes.contour(belief, [1 - share], colors=[_CONTOUR], linewidths=width)


def _short(name: str) -> str:
    return name if len(name) <= 22 else name[:10] + "…" + name[-11:]
