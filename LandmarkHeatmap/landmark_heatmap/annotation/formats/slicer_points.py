"""How all of Slicer's formats say where a point is, or that it is nowhere."""

from __future__ import annotations

import csv
import math

from ...errors import AnnotationError, quoted
from ..landmarks import Point, PointState
from ..not_marked import STATUSES, Convention, convention_of, is_empty_word

# The first two axes change sign between the frames; the factors lead to LPS.
TO_LPS = {"LPS": (1, 1, 1), "RAS": (-1, -1, 1)}


def table_point(path, name, status: str, values, system, definition) -> tuple:
    """(the point, its Convention) of a row of .fcsv or .csv."""
    convention = slicer_convention(status, values)
    if convention is not None and convention.state is not PointState.PLACED:
        return Point(convention.state, definition=definition), convention
    position = position_of(path, name, values, system)
    return Point(PointState.PLACED, position, definition=definition), convention


def slicer_convention(status: str, values):
    """The Convention by which a point with this status of Slicer's is not plainly placed, or None.

    values: of its position, as the file has them.
    """
    if status == "preview":
        is_nowhere = not isinstance(values, list) or _numbers(values) is None
        return Convention.PREVIEW_NOWHERE if is_nowhere else Convention.PREVIEW
    if status != "defined" or not isinstance(values, list) or len(values) != 3:
        return STATUSES[status]
    if all(value is not None and is_empty_word(str(value)) for value in values):
        return Convention.EMPTY
    numbers = _numbers(values)
    return None if numbers is None else convention_of(numbers, on_picture=False)


def csv_rows(path, reader):
    """The rows that are not empty. Raises AnnotationError where Python's csv raises its own."""
    try:
        yield from (row for row in reader if any(cell.strip() for cell in row))
    except csv.Error as error:
        raise AnnotationError(f"'{path}' is not a table of text: {error}.") from error


def position_of(path, name, values, system) -> tuple:
    """Three finite numbers in `system`, as a position in LPS."""
    numbers = _numbers(values)
    if numbers is None:
        refuse_position(path, name, values)
    # Adding zero makes -0 the 0 that it is.
    return tuple(sign * number + 0.0 for sign, number in zip(TO_LPS[system], numbers))


def _numbers(values):
    """Three finite numbers, or None."""
    try:
        numbers = [_number(value) for value in values]
    except (ValueError, OverflowError):
        return None
    return numbers if len(numbers) == 3 and all(map(math.isfinite, numbers)) else None


def _number(value) -> float:
    """Python would read '1_000' and the digits of other scripts; no other program does."""
    text = value if isinstance(value, str) else repr(value)
    if not text.isascii() or "_" in text:
        raise ValueError
    return float(text)


def refuse_position(path, name, values):
    raise AnnotationError(
        f"'{path}': '{name}' has the position {quoted(values)}; it needs three finite numbers."
    )
