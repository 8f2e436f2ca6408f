"""Names, orientation letters and a scale on a rendered view, none of them on another."""

from __future__ import annotations

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from landmark_heatmap.pictures.drawing import new_figure, outlined, round_length
from landmark_heatmap.pictures.labels import FARTHEST, place_labels

from .scene import vtk

# Along R, A, S: backwards and forwards.
_SIDES = (("L", "R"), ("P", "A"), ("I", "S"))
_DOTS_PER_INCH, _POINTS_PER_INCH = 144, 72
_SIZE, _LETTER, _MARGIN = 8.0, 11.0, 16.0
# A landmark is named in a slice that is no farther from it.
_NEAR_MM = 3.0
# How large heatmaps are around their points in the 3D view, in typographic points.
_BALL = 13.0


def slice_with_names(view, names, positions_ras) -> np.ndarray:
    """(height, width, 3) uint8: a slice view, its landmarks named, with letters and a scale."""
    matrix, to_slice = view.node.GetXYToRAS(), vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(view.node.GetSliceToRAS(), to_slice)
    directions = [[matrix.GetElement(row, column) for row in range(3)] for column in (0, 1)]
    near = {
        name: view.pixel_of(position)
        for name, position in zip(names, positions_ras)
        if np.isfinite(position).all()
        and abs(to_slice.MultiplyPoint((*position, 1.0))[2]) < _NEAR_MM
    }
    return labelled(view.render(), near, directions, float(np.linalg.norm(directions[0])))


def front_with_names(view, names, positions_ras) -> np.ndarray:
    """The same of a 3D view from the front, where nothing has one scale: without one."""
    pixels, shown = view.render(), {}
    for name, position in zip(names, positions_ras):
        if np.isfinite(position).all():
            view.renderer.SetWorldPoint(*position, 1.0)
            view.renderer.WorldToDisplay()
            shown[name] = np.array(view.renderer.GetDisplayPoint()[:2])
    return labelled(pixels, shown, [[-1, 0, 0], [0, 0, 1]], None, _BALL)


def labelled(pixels: np.ndarray, named: dict, directions, mm_per_pixel, ring=0.0) -> np.ndarray:
    """pixels: (height, width, 3). named: name to its pixel from the lower left corner. directions: where
    right and up lead in RAS. mm_per_pixel: None for no scale. ring: how far from its point, in
    typographic points, a name would hide what is shown of it."""
    height, width = pixels.shape[:2]
    figure = new_figure(width / _DOTS_PER_INCH, height / _DOTS_PER_INCH)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(pixels, interpolation="nearest")
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    axes.axis("off")
    unit = _DOTS_PER_INCH / _POINTS_PER_INCH
    panel = np.array([width, height]) / unit
    _draw_letters(axes, directions)
    bar = None if mm_per_pixel is None else _draw_scale(axes, mm_per_pixel, width, height)
    _draw_names(axes, named, panel, unit, _reserved(*panel, bar and bar / unit), ring)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


def _draw_letters(axes, directions) -> None:
    for direction, places in zip(
        directions, (((0.02, 0.5), (0.98, 0.5)), ((0.5, 0.03), (0.5, 0.97)))
    ):
        axis = int(np.argmax(np.abs(direction)))
        letters = _SIDES[axis] if direction[axis] > 0 else _SIDES[axis][::-1]
        for place, letter in zip(places, letters):
            outlined(
                axes.text(
                    *place,
                    letter,
                    transform=axes.transAxes,
                    fontsize=_LETTER,
                    color="white",
                    fontweight="bold",
                    ha="center",
                    va="center",
                )
            )


def _draw_scale(axes, mm_per_pixel: float, width: int, height: int) -> float:
    """A bar of a round length in the lower left corner; its length in pixels."""
    length_mm = round_length(mm_per_pixel * width / 5)
    length, x, y = length_mm / mm_per_pixel, 0.03 * width, 0.965 * height
    for colour, thickness in (("black", 5), ("white", 2.5)):
        axes.plot([x, x + length], [y, y], color=colour, linewidth=thickness, solid_capstyle="butt")
    text = axes.text(x, y - 8, f"{length_mm:g} mm", fontsize=_SIZE, color="white", va="bottom")
    outlined(text)
    return length


def _reserved(width: float, height: float, bar) -> list:
    """Where letters and scale stand, in typographic points from the upper left corner."""
    across, down, margin = width / 2, height / 2, _MARGIN
    boxes = [
        (0, down - margin / 2, margin, down + margin / 2),
        (width - margin, down - margin / 2, width, down + margin / 2),
        (across - margin / 2, 0, across + margin / 2, margin + 4),
        (across - margin / 2, height - margin - 4, across + margin / 2, height),
    ]
    return boxes if bar is None else [*boxes, (0, 0.9 * height, 0.03 * width + bar + 4, height)]


def _draw_names(axes, named: dict, panel, unit: float, reserved, ring: float) -> None:
    height = panel[1] * unit
    inside = {
        name: np.array([x, height - 1 - y])
        for name, (x, y) in named.items()
        if 0 <= x < panel[0] * unit and 0 <= y < height
    }
    extents = [np.add(_text_size(name), (4, 1)) for name in inside]
    points = np.reshape(list(inside.values()), (-1, 2))
    around = [(*(point - ring), *(point + ring)) for point in points / unit if ring]
    centres, _ = place_labels(points / unit, extents, panel, [*reserved, *around], FARTHEST)
    for name, point, centre in zip(inside, points, centres * unit):
        axes.plot(*zip(point, centre), color="white", linewidth=0.6)
        text = axes.text(*centre, name, fontsize=_SIZE, color="cyan", ha="center", va="center")
        outlined(text)


def _text_size(text: str) -> tuple:
    """(width, height) in typographic points."""
    properties = FontProperties(size=_SIZE)
    width, _, _ = TextToPath().get_text_width_height_descent(text, properties, False)
    return width, 1.2 * _SIZE
