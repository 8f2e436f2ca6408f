"""Checks of the values in a model file: each gives back what it was given, or says what is wrong.

A file from elsewhere may hold anything that JSON can: texts of megabytes, numbers of 400 digits, lists
where a number belongs. Each check raises ModelFileError, with the value as far as it can be shown.
"""

from __future__ import annotations

import math

from ..errors import ModelFileError, quoted

# mm: from a thousandth of a micrometre to a kilometre.
SHORTEST_MM, LONGEST_MM = 1e-6, 1e6
# Intensities: a little more than float32 holds, for windows around an image of its largest number.
_LARGEST_NUMBER = 1e39
_LARGEST_WHOLE = 2**63
_DEEPEST = 40


def whole(name: str, value, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ModelFileError(
            f"{name} is {quoted(value)}; it has to be a whole number {low} to {high}."
        )
    return value


def number(name: str, value, low=-_LARGEST_NUMBER, high=_LARGEST_NUMBER) -> float:
    """A real number, which numpy may have made."""
    # Compared first: a whole number may be too large for float().
    try:
        is_number = not isinstance(value, (bool, str, bytes)) and bool(low <= value <= high)
    except (TypeError, ValueError):
        is_number = False
    if not is_number:
        raise ModelFileError(
            f"{name} is {quoted(value)}; it has to be a number {low:g} to {high:g}."
        )
    return float(value)


def length(name: str, value) -> float:
    """In mm."""
    return number(f"{name} (mm)", value, SHORTEST_MM, LONGEST_MM)


def text(name: str, value, longest: int) -> str:
    """Unicode that can be written again: JSON can hold half characters."""
    if not isinstance(value, str):
        raise ModelFileError(f"{name} is {quoted(value)}; it has to be a text.")
    if len(value) > longest:
        raise ModelFileError(
            f"{name} is {quoted(value)}, {len(value)} letters; it has to have at most {longest}."
        )
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ModelFileError(f"{name} is {quoted(value)}, which is no Unicode.") from error
    return value


def sequence(name: str, value, shortest: int, longest: int) -> tuple:
    if not isinstance(value, (list, tuple)) or not shortest <= len(value) <= longest:
        raise ModelFileError(
            f"{name} is {quoted(value)}; it has to be a list of {shortest} to {longest}."
        )
    return tuple(value)


def record(name: str, value) -> dict:
    """A JSON object of any content that can be written as JSON again, and counted with."""
    if not isinstance(value, dict):
        raise ModelFileError(f"{name} is {quoted(value)}; it has to be an object.")
    _check_json(name, value, _DEEPEST)
    return dict(value)


def _check_json(name: str, value, depth: int) -> None:
    if depth == 0:
        raise ModelFileError(f"{name} is nested more than {_DEEPEST} deep.")
    if isinstance(value, str):
        text(name, value, len(value))
    elif isinstance(value, float) and not math.isfinite(value):
        raise ModelFileError(f"{name} holds {value}; its numbers have to be finite.")
    elif isinstance(value, int) and abs(value) >= _LARGEST_WHOLE:
        raise ModelFileError(f"{name} holds {quoted(value)}, a number too large to count with.")
    elif isinstance(value, dict):
        for key, each in value.items():
            _check_json(name, key, depth - 1)
            _check_json(name, each, depth - 1)
    elif isinstance(value, (list, tuple)):
        for each in value:
            _check_json(name, each, depth - 1)
