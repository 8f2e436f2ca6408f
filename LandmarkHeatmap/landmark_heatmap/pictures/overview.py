"""The picture of one image with its landmarks: what was found where, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from ..annotation.landmarks import Annotation, PointState
from ..detection.prediction import Prediction
from ..detection.prepare import intensity_window
from ..errors import LandmarkHeatmapError
from ..files import offering_overwrite, replacing
from ..images.geometry import Image
from ..model.description import IntensityNormalisation
from .drawing import (
    INK,
    draw_scale,
    mark_prediction,
    mark_reference,
    new_figure,
    outlined,
    picture,
    png,
)
from .labels import FARTHEST, NEAR, place_labels
from .views import PLANES, View, view_of

# Inches. All panels have the same scale, in mm an inch.
_WIDEST, _HIGHEST, _NARROWEST = 9.0, 5.5, 4.5
_GAP, _TITLE, _SLOT = 0.12, 0.2, 0.6
_ROW, _BETWEEN = 0.15, 0.25
_PIXELS_PER_INCH = 144
_POINTS_PER_INCH = 72
_LABEL_SIZE, _KEY_SIZE = 7.0, 7.0


class Picture:
    """A finished picture; a notebook shows it. png: its bytes, a PNG file's."""

    def __init__(self, png: bytes):
        self.png = png

    def __repr__(self) -> str:
        return f"Picture(PNG, {len(self.png) // 1024 + 1} kB; .save(path) writes it)"

    def _repr_png_(self) -> bytes:
        return self.png

    def save(self, path, overwrite: bool = False) -> Path:
        """Write it as a PNG file; returns the path.

        Raises LandmarkHeatmapError for another extension, and for a file that is there already,
        unless it may be overwritten.
        """
        path = Path(path)
        if path.suffix.lower() != ".png":
            raise LandmarkHeatmapError(f"'{path}': a picture's name has to end in .png.")
        with offering_overwrite(path), replacing(path, new=not overwrite) as temporary:
            temporary.write_bytes(self.png)
        return path


@dataclass(frozen=True, eq=False)
class _Mark:
    """One landmark on the picture. number: as in the key. told: what the key says of it.

    position_lps: None for a landmark that is nowhere. is_sure: a person put it there.
    """

    number: int
    name: str
    told: str
    position_lps: np.ndarray
    is_sure: bool


def overview(image: Image, landmarks, window=None) -> Picture:
    """The picture of an image with its landmarks, named, and their heatmaps.

    2D: the whole image. 3D: three planes through the middle of the landmarks, onto which points and
    heatmaps of the whole depth are projected along the line of sight. Rings: a network put them;
    crosses: a person did. Where names would lie on each other, numbers stand in their place.

    landmarks: a Prediction, or an Annotation, which has no heatmaps. window: intensities (low, high)
    that become black and white, by default nearly the whole range of what is seen. Raises
    LandmarkHeatmapError if no landmark lies in this image though some have positions, and for a
    window that is none.
    """
    marks = _marks(landmarks)
    middle = _middle(image, marks)
    views = _views(image, middle)
    intensity = _intensity(image, views, window)
    heatmaps = []
    if isinstance(landmarks, Prediction):
        heatmaps = [point.heatmap for point in landmarks.points if not point.is_absent]
    sizes = [np.array(view.grid.size_ijk[:2]) / _PIXELS_PER_INCH for view in views]
    # A plane that is seen edge-on still has room for its title.
    slots = [max(width, _SLOT) for width, _ in sizes]
    inner = sum(slots) + _GAP * (len(views) - 1)
    width = max(inner + 2 * _GAP, _NARROWEST)
    named = _named(views, sizes, marks)
    key = _Key(marks, named, width - 2 * _GAP, "" if image.grid.is_2d else _PROJECTED)
    top = _TITLE if len(views) > 1 else _GAP
    height = top + max(height for _, height in sizes) + _GAP + key.height
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    left = (width - inner) / 2
    for plane, view, size, slot in zip(PLANES, views, sizes, slots):
        box = (left / width, 1 - (top + size[1]) / height, size[0] / width, size[1] / height)
        axes = figure.add_axes(box)
        picture(axes, view.picture(image, intensity), view.heat_of_all(heatmaps))
        _draw_marks(axes, view, size, marks, named)
        draw_scale(axes, view)
        if len(views) > 1:
            _draw_orientation(axes, view, plane)
        left += slot + _GAP
    key.draw(figure)
    return Picture(png(figure))


def _marks(landmarks) -> list:
    annotation = landmarks.annotation() if isinstance(landmarks, Prediction) else landmarks
    if not isinstance(annotation, Annotation):
        raise LandmarkHeatmapError(
            "A picture shows a Prediction or an Annotation, not something of the type"
            f" {type(landmarks).__name__}."
        )
    marks = []
    for number, (name, point) in enumerate(annotation.points.items(), 1):
        told = "" if point.confidence is None else f"confidence {point.confidence:.2f}"
        if point.position_lps is None:
            told = "absent" if point.state is PointState.ABSENT else "not judged"
        is_sure = point.state is PointState.PLACED
        marks.append(_Mark(number, name, told, annotation.position_lps(name), is_sure))
    return marks


def _middle(image: Image, marks):
    """The middle of the landmarks that lie in the image, None if none has a position."""
    placed = [mark.position_lps for mark in marks if mark.position_lps is not None]
    if not placed:
        return None
    inside = [position for position in placed if image.grid.contains(position)]
    if not inside:
        raise LandmarkHeatmapError(
            "None of the landmarks lies in this image: it is not the one that they are of."
        )
    return np.median(inside, axis=0)


def _views(image: Image, middle) -> list:
    """Planes of one scale, as large as the page allows, in pixels that the page shows one by one."""
    planes = [None] if image.grid.is_2d else list(PLANES)
    extents = []
    for plane in planes:
        view = view_of(image.grid, plane, middle)
        extents.append([view.mm(n) for n in view.grid.size_ijk[:2]])
    widths, heights = np.transpose(extents)
    inches_per_mm = min((_WIDEST - _GAP * len(planes)) / widths.sum(), _HIGHEST / heights.max())
    if len(planes) == 1:
        inches_per_mm = min(inches_per_mm, _HIGHEST / widths.max())
    pixels = [max(round(max(e) * inches_per_mm * _PIXELS_PER_INCH), 2) for e in extents]
    return [view_of(image.grid, plane, middle, pixels=n) for plane, n in zip(planes, pixels)]


def _intensity(image: Image, views, window) -> IntensityNormalisation:
    """One window for all planes."""
    if window is None:
        seen = np.concatenate([view.values(image).ravel() for view in views])
        if not np.isfinite(seen).any():
            return IntensityNormalisation("window", 0.0, 1.0)
        low, high = intensity_window(seen, IntensityNormalisation())
        if high <= low:  # an image of one value
            high = low + max(1.0, 1e-6 * abs(low))
        return IntensityNormalisation("window", low, high)
    try:
        low, high = map(float, window)
    except (TypeError, ValueError):
        low, high = np.nan, np.nan
    if not -np.inf < low < high < np.inf:
        raise LandmarkHeatmapError(f"A window is two numbers, low and high, not {window!r}.")
    return IntensityNormalisation("window", low, high)


def _named(views, sizes, marks) -> bool:
    """Whether the names have room beside their points, in every plane."""
    return all(
        _placed(view, size, marks, [mark.name for mark in marks], NEAR)[1]
        for view, size in zip(views, sizes)
    )


def _placed(view: View, size, marks, texts, farthest: float = FARTHEST) -> tuple:
    """([(mark, text, its point, the centre of its label)] in pixels, whether all stand free)."""
    shown = [(mark, text) for mark, text in zip(marks, texts) if mark.position_lps is not None]
    points = [view.to_pixels(mark.position_lps) for mark, _ in shown]
    # What lies beyond the image has no place on it.
    on = [bool(np.all((p > -0.5) & (p < np.array(view.grid.size_ijk[:2]) - 0.5))) for p in points]
    shown, points = [s for s, o in zip(shown, on) if o], [p for p, o in zip(points, on) if o]
    unit = _PIXELS_PER_INCH / _POINTS_PER_INCH
    # With a little air, so that 4 and 5 side by side are not read as 45.
    extents = [np.add(_text_size(text, _LABEL_SIZE), (3, 0)) for _, text in shown]
    places = (np.reshape(points, (-1, 2)) + 0.5) / unit
    panel = size * _POINTS_PER_INCH
    centres, is_free = place_labels(places, extents, panel, _reserved(*panel), farthest)
    return [(*s, p, c * unit - 0.5) for s, p, c in zip(shown, points, centres)], is_free


def _reserved(width: float, height: float) -> list:
    """Where the letters of the orientation and the scale stand, in typographic points."""
    across, down = (width - 8) / 2, (height - 8) / 2
    return [
        (0, down, 12, down + 8),
        (width - 12, down, width, down + 8),
        (across, 0, across + 8, 12),
        (across, height - 12, across + 8, height),
        (0, 0.95 * height - 14, 0.3 * width, height),
    ]


def _draw_marks(axes, view: View, size, marks, named: bool) -> None:
    texts = [mark.name if named else str(mark.number) for mark in marks]
    placed, _ = _placed(view, size, marks, texts, *([NEAR] if named else []))
    for _, text, point, centre in placed:
        half = np.array(_text_size(text, _LABEL_SIZE)) / 2 * _PIXELS_PER_INCH / _POINTS_PER_INCH
        end = np.clip(point, centre - half, centre + half)
        if np.linalg.norm(end - point) > NEAR * _PIXELS_PER_INCH / _POINTS_PER_INCH:
            axes.plot(*zip(point, end), color="white", linewidth=0.6)
    for mark, text, point, centre in placed:
        (mark_reference if mark.is_sure else mark_prediction)(axes, *point, size=5)
        label = axes.text(
            *centre, text, fontsize=_LABEL_SIZE, color="white", ha="center", va="center"
        )
        outlined(label)


def _draw_orientation(axes, view: View, plane: str) -> None:
    """The plane's name, and which sides of the patient are left and right, up and down."""
    axes.set_title(plane, fontsize=8, color=INK, loc="left", pad=3)
    left, right, top, bottom = view.sides(plane)
    for x, y, letter in ((0.02, 0.5, left), (0.98, 0.5, right), (0.5, 0.98, top)):
        label = axes.text(
            x,
            y,
            letter,
            transform=axes.transAxes,
            fontsize=7,
            color="white",
            ha={0.02: "left", 0.98: "right"}.get(x, "center"),
            va="top" if y > 0.9 else "center",
        )
        outlined(label)
    outlined(
        axes.text(
            0.5, 0.02, bottom, transform=axes.transAxes, fontsize=7, color="white", ha="center"
        )
    )


_PROJECTED = (
    "Planes through the middle of the landmarks; points and heatmaps of the whole depth, projected."
)


class _Key:
    """What the numbers mean, and what is told of each landmark, in columns below the panels.

    named: the panels have names, not numbers. width, height: inches.
    """

    def __init__(self, marks, named: bool, width: float, note: str):
        listed = [mark for mark in marks if mark.told or not named]
        self.texts = [
            "  ".join(([] if named else [str(mark.number)]) + [mark.name, mark.told]).rstrip()
            for mark in listed
        ]
        self.is_faint = [mark.position_lps is None for mark in listed]
        self.note = note
        widest = max((_text_size(text, _KEY_SIZE)[0] for text in self.texts), default=0.0)
        self.column = widest / _POINTS_PER_INCH + _BETWEEN
        columns = max(1, int((width + _BETWEEN) / self.column))
        self.rows = -(-len(self.texts) // columns)
        self.height = (self.rows + bool(note)) * _ROW + _GAP

    def draw(self, figure) -> None:
        width, height = figure.get_size_inches()
        for index, (text, is_faint) in enumerate(zip(self.texts, self.is_faint)):
            column, row = divmod(index, self.rows)
            x, y = _GAP + column * self.column, self.height - (row + 0.7) * _ROW
            colour = "#8c959f" if is_faint else INK
            figure.text(x / width, y / height, text, fontsize=_KEY_SIZE, color=colour)
        if self.note:
            y = _GAP / 2 / height
            figure.text(_GAP / width, y, self.note, fontsize=_KEY_SIZE, color="#8c959f")


def _text_size(text: str, size: float) -> tuple:
    """(width, height) in typographic points."""
    width, _, _ = TextToPath().get_text_width_height_descent(text, FontProperties(size=size), False)
    return width, 1.15 * size
