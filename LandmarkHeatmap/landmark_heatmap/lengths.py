"""How lengths and other figures are printed: with the digits that their size needs."""

from __future__ import annotations

import math

# More would be noise of the computer.
_MOST_DECIMALS = 9
_DIGITS = 3
_FINE_MM = 0.1
# Success rates of clinical images are told at these distances, by which they are compared everywhere.
CLINICAL_THRESHOLDS_MM = (2.0, 2.5, 3.0, 4.0)
# What is clinical: how far apart the outermost landmarks of an image lie, in mm.
_CLINICAL_EXTENT_MM = (20.0, 5000.0)
# Elsewhere the smallest of four round numbers is near this share of the extent; each is about twice
# the one before.
_SMALLEST_SHARE = 1e-3


def decimals_of(value: float, least: int = 0) -> int:
    """How many decimals give a value three significant digits. least: so many at least."""
    if not value or not math.isfinite(value):
        return max(least, 2)
    return min(max(_DIGITS - 1 - math.floor(math.log10(abs(value))), least), _MOST_DECIMALS)


def number(value, like=None, least: int = 0, missing: str = "-") -> str:
    """A figure with three significant digits, and never in powers of ten.

    like: a value whose decimals are taken, for the numbers of one column. least: so many decimals at
    least, so that millimetres of clinical size look as they always did. missing: stands for None.
    """
    if value is None or not math.isfinite(value):
        return missing
    return f"{value:.{decimals_of(value if like is None else like, least)}f}"


def length(value, like=None) -> str:
    """Millimetres: a hundredth is enough where they are of clinical size; finer ones get the digits
    that they need. like: as for `number`."""
    size = abs(value if like is None else like) if value is not None else 0.0
    return number(value, size if 0 < size < _FINE_MM else 1.0, least=2)


def rough(value: float) -> str:
    """A figure that is itself uncertain, with two significant digits: 14, 2.1, 0.23."""
    return number(value, like=10 * value)


def fitting_thresholds(extent_mm: float) -> tuple:
    """Distances at which success rates say something, in mm, from how far apart landmarks lie.

    extent_mm: between the outermost landmarks of a typical image; None or 0 if that is not known.
    """
    low, high = _CLINICAL_EXTENT_MM
    if not extent_mm or low <= extent_mm <= high:
        return CLINICAL_THRESHOLDS_MM
    # 1, 2 and 5 times powers of ten, from the one that is nearest to the smallest.
    steps = [(exponent, digit) for exponent in range(-12, 13) for digit in (1, 2, 5)]
    # Written out, for 5 * 10.0**-3 is not quite 0.005.
    ladder = [float(f"{digit}e{exponent}") for exponent, digit in steps]
    wanted = math.log(extent_mm * _SMALLEST_SHARE)
    first = min(range(len(ladder) - 3), key=lambda i: abs(math.log(ladder[i]) - wanted))
    return tuple(ladder[first : first + 4])
