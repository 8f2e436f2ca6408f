"""What all pictures share: colours that the colour-blind can tell apart, the style, PNG bytes.

matplotlib's object interface only: there is no window, and no global state.
"""

from __future__ import annotations

import io

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Text

from .views import View

# Okabe and Ito's palette.
BLUE, ORANGE, GREEN, PURPLE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"
YELLOW = "#F0E442"
INK, FAINT, PAPER = "#24292f", "#d8dee4", "#ffffff"
# The model that is judged, and the one it is compared with.
MODEL_COLOURS = (BLUE, ORANGE)
HEAT = colormaps["plasma"]
# The heights that the colours of a heatmap span: a little above a perfect one.
HIGHEST = 1.25
_DOTS_PER_INCH = 144
_STYLE = {"size": 9, "small": 8}


def new_figure(width: float, height: float) -> Figure:
    """width, height: inches; a page is about nine wide."""
    figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, facecolor=PAPER)
    figure.set_layout_engine("constrained")
    FigureCanvasAgg(figure)
    return figure


def plain(axes, title: str = "", x: str = "", y: str = "", grid: str = "both"):
    """An empty chart without clutter. grid: the axis with faint lines: x, y or both."""
    axes.set_title(title, fontsize=_STYLE["size"], color=INK, loc="left", fontweight="bold")
    axes.set_xlabel(x, fontsize=_STYLE["small"], color=INK)
    axes.set_ylabel(y, fontsize=_STYLE["small"], color=INK)
    axes.tick_params(which="both", labelsize=_STYLE["small"], colors=INK, length=0)
    axes.grid(True, axis=grid, color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    return axes


def legend(axes, **options) -> None:
    axes.legend(fontsize=_STYLE["small"], frameon=False, labelcolor=INK, **options)


def picture(axes, grey: np.ndarray, heat: np.ndarray = None) -> None:
    """A grey picture, 0 to 1, with heat on it: the same height has the same colour everywhere."""
    axes.imshow(grey, cmap="gray", vmin=0, vmax=1, interpolation="bilinear")
    if heat is not None:
        colours = HEAT(np.clip(heat / HIGHEST, 0, 1))
        # Nothing where there is no heat; never so opaque that the image is not seen.
        colours[..., 3] = np.clip(1.8 * heat, 0, 0.8)
        axes.imshow(colours, interpolation="bilinear")
    axes.set_xlim(-0.5, grey.shape[1] - 0.5)
    axes.set_ylim(grey.shape[0] - 0.5, -0.5)
    axes.axis("off")


def mark_reference(axes, x, y, size: float = 7) -> None:
    """An upright cross, white on dark."""
    for colour, width in (("black", 3.2), ("white", 1.4)):
        axes.plot(x, y, "+", color=colour, markersize=size, markeredgewidth=width)


def mark_prediction(axes, x, y, size: float = 6) -> None:
    """A ring, sky blue on dark."""
    for colour, width in (("black", 3.0), (SKY, 1.4)):
        axes.plot(x, y, "o", color=colour, markersize=size, markeredgewidth=width, fillstyle="none")


def round_length(wanted: float) -> float:
    """The longest of 1, 2, 5, 10, 20 ... that is no longer."""
    power = 10.0 ** np.floor(np.log10(wanted))
    return power * max(step for step in (1, 2, 5) if step * power <= wanted)


def draw_scale(axes, view: View) -> None:
    """A bar of a round length, about a fifth of the picture's width."""
    length_mm = round_length(view.mm(view.grid.size_ijk[0]) / 5)
    length = length_mm / view.mm(1)
    x, y = 0.05 * view.grid.size_ijk[0], 0.95 * view.grid.size_ijk[1]
    for colour, width in (("black", 4), ("white", 2)):
        axes.plot([x, x + length], [y, y], color=colour, linewidth=width, solid_capstyle="butt")
    label = axes.annotate(
        f"{length_mm:g} {view.grid.unit}",
        (x, y),
        (0, 5),
        textcoords="offset points",
        fontsize=7,
        color="white",
    )
    outlined(label)


def outlined(text: Text) -> None:
    """Readable on any grey."""
    text.set_path_effects([withStroke(linewidth=2, foreground="black")])


def png(figure: Figure, tight: bool = False) -> bytes:
    """tight: cut to what is drawn, instead of the size that was asked for."""
    stream = io.BytesIO()
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a landmark's name may hold a dollar sign
    options = {"bbox_inches": "tight", "pad_inches": 0.05} if tight else {}
    # No date or software in the file: the same picture gives the same bytes.
    figure.savefig(stream, format="png", metadata={"Software": None}, **options)
    return stream.getvalue()


def pdf(figure: Figure) -> bytes:
    """A page as large as the figure; the same picture gives the same bytes."""
    stream = io.BytesIO()
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    nothing = {"CreationDate": None, "Creator": None, "Producer": None}
    figure.savefig(stream, format="pdf", metadata=nothing)
    return stream.getvalue()
