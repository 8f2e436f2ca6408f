"""A contact sheet: a few images with their points, so that a wrong origin or unit is seen at once."""

from __future__ import annotations

import numpy as np

from ..annotation.landmarks import Annotation
from ..images.geometry import Grid, Image
from ..model.description import IntensityNormalisation
from .drawing import INK, draw_scale, mark_reference, new_figure, outlined, pdf, picture
from .labels import place_labels
from .views import PLANES, View, view_of

# Images on a sheet, and their columns.
MOST = 6
_COLUMNS = 3
# Inches.
_SIDE, _TITLE = 3.0, 0.35
_PIXELS = 432
_LABEL_SIZE, _POINTS_PER_INCH = 6.0, 72
# In letters, so that the title does not grow into the next one's.
_LONGEST_NAME = 20
# Of a letter, in typographic points: enough to keep labels apart.
_LETTER = (0.58 * _LABEL_SIZE, 1.2 * _LABEL_SIZE)
# Bright dots are small.
_INTENSITY = IntensityNormalisation("percentiles", 0.2, 99.9)


class ContactSheet:
    """count: how many images there are; of more than fit, the sheet has some from begin to end."""

    def __init__(self, count: int):
        shown = np.linspace(0, count - 1, min(count, MOST))
        self._indices = [int(round(each)) for each in shown]
        columns = min(_COLUMNS, len(self._indices))
        rows = -(-len(self._indices) // columns)
        self._figure = new_figure(columns * _SIDE, rows * (_SIDE + _TITLE))
        self._figure.set_layout_engine("none")
        self._columns, self._rows = columns, rows

    def add(self, index: int, name: str, image: Image, annotation: Annotation) -> None:
        """Draw one image, if it is among those that the sheet shows."""
        if index not in self._indices:
            return
        row, column = divmod(self._indices.index(index), self._columns)
        cell = 1 / self._columns, 1 / self._rows
        share = _SIDE / (_SIDE + _TITLE)
        box = (column + 0.02) * cell[0], 1 - (row + 1) * cell[1], 0.96 * cell[0], share * cell[1]
        axes = self._figure.add_axes((box[0], box[1], box[2], 0.98 * box[3]))
        positions = annotation.positions_lps(annotation.names)
        placed = np.isfinite(positions).all(1)
        inside = placed & image.grid.contains(np.where(placed[:, None], positions, 0.0))
        view = view_of_points(image.grid, positions[inside], _PIXELS)
        picture(axes, view.picture(image, _INTENSITY))
        draw_scale(axes, view)
        numbered = list(enumerate(annotation.names, 1))
        _draw_points(axes, view, [(n, positions[n - 1]) for n, _ in numbered if inside[n - 1]])
        short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."
        told = f"{short}: {int(placed.sum())} of {len(numbered)} points"
        outside = int((placed & ~inside).sum())
        told += f", {outside} of them outside" if outside else ""
        axes.set_anchor("N")
        axes.set_title(told, fontsize=8, color=INK, loc="left", pad=3)

    def pdf(self) -> bytes:
        return pdf(self._figure)


def view_of_points(grid: Grid, positions, pixels: int) -> View:
    """The plane of a 3D image in which the points are spread most, through their middle."""
    if grid.is_2d or not len(positions):
        return view_of(grid, None if grid.is_2d else "coronal", pixels=pixels)
    middle = np.median(positions, axis=0)
    spread = np.ptp(positions, axis=0) if len(positions) > 1 else np.array([1.0, 0.0, 1.0])
    plane = max(PLANES, key=lambda name: spread[list(PLANES[name])].sum())
    return view_of(grid, plane, middle, pixels=pixels)


def _draw_points(axes, view: View, numbered) -> None:
    """numbered: (number, position in LPS). Numbers, as in the annotation, stand beside the points."""
    if not numbered:
        return
    pixels = view.to_pixels([position for _, position in numbered])
    per_point = max(view.grid.size_ijk[:2]) / (_SIDE * _POINTS_PER_INCH)
    texts = [str(number) for number, _ in numbered]
    sizes = [(len(text) * _LETTER[0], _LETTER[1]) for text in texts]
    panel = np.array(view.grid.size_ijk[:2]) / per_point
    centres, _ = place_labels((pixels + 0.5) / per_point, sizes, panel)
    for text, (x, y), centre in zip(texts, pixels, centres * per_point - 0.5):
        mark_reference(axes, x, y, size=5)
        label = axes.text(
            *centre, text, fontsize=_LABEL_SIZE, color="white", ha="center", va="center"
        )
        outlined(label)
