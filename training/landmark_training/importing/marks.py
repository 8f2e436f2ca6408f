"""What every format is read into: the points of an image, and what their numbers mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landmark_heatmap.errors import DatasetError

UNITS = ("px", "mm")
ORIGINS = ("top-left", "bottom-left")


@dataclass(frozen=True)
class Marked:
    """One reader's points of one image.

    image: the image's name without its extension. points: landmark to (x, y), or to (x, y, z) in mm
    in LPS where the format states positions in space; None for one that was not marked.
    """

    image: str
    points: dict


@dataclass(frozen=True)
class Frame2D:
    """What the numbers of 2D points mean.

    unit: 'px' or 'mm'. origin: 'top-left' (y down) or 'bottom-left' (y up, from the image's height).
    spacing_mm: the size of a pixel; the image's own is not trusted, since the dots per inch in a
    photograph say nothing about anatomy.
    """

    unit: str
    origin: str
    spacing_mm: float = 1.0

    def __post_init__(self):
        is_length = np.isfinite(self.spacing_mm) and self.spacing_mm > 0
        if self.unit not in UNITS or self.origin not in ORIGINS or not is_length:
            raise DatasetError(
                f"unit '{self.unit}', origin '{self.origin}', spacing {self.spacing_mm} mm: the unit"
                f" has to be {' or '.join(UNITS)}, the origin {' or '.join(ORIGINS)}, the spacing"
                " positive."
            )

    def to_lps(self, x: float, y: float, height_px: int) -> tuple:
        """The position in LPS, mm, on an image whose axes run along L and P from 0."""
        scale = self.spacing_mm if self.unit == "px" else 1.0
        x, y = x * scale, y * scale
        return (x, y if self.origin == "top-left" else height_px * self.spacing_mm - y, 0.0)


def number(text: str, path: Path, where: str) -> float:
    """A finite number. Raises DatasetError with the file, the place and the text."""
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise DatasetError(f"'{path}', {where}: '{text}' is no number.")
    return value


def read_lines(path: Path) -> list:
    """The lines of a text file. Raises DatasetError if it is none."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise DatasetError(f"'{path}' cannot be read as text: {error}.") from error


def named(names, count: int, path: Path) -> list:
    """The landmarks' names: those given, or numbers from 1."""
    if names is None:
        return [str(n) for n in range(1, count + 1)]
    if len(names) != count:
        raise DatasetError(f"{len(names)} names are given for {count} landmarks in '{path}'.")
    return list(names)
