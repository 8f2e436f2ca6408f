"""The errors that a user can mend: each message says what was wrong, with the value, and what to do."""

from __future__ import annotations

import re
from contextlib import contextmanager

# What only some jobs need.
_OPTIONAL = ("torch", "safetensors", "matplotlib", "tqdm", "psutil", "tensorboard")
# A path may be this long and is still shown whole; what is longer is somebody's mistake or malice.
_LONGEST_WORD = 400
_LONGEST_TEXT = 2000
_ENDLESS = re.compile(rf"\S{{{_LONGEST_WORD + 1},}}")


class LandmarkHeatmapError(Exception):
    """Base of all errors with a message meant for the user.

    Messages quote names and values from files: here, once for all, they become `printable`.
    """

    def __init__(self, *arguments):
        super().__init__(*(printable(a) if isinstance(a, str) else a for a in arguments))


class GeometryError(LandmarkHeatmapError):
    """An image or an affine that cannot be placed in space."""


class ImageFileError(LandmarkHeatmapError):
    """An image file that cannot be read."""


class AnnotationError(LandmarkHeatmapError):
    """An annotation file, or a point in one, that cannot be used."""


class ModelFileError(LandmarkHeatmapError):
    """A model file that is damaged, foreign, or made by a newer version."""


class DatasetError(LandmarkHeatmapError):
    """A dataset folder that cannot be read or written."""


class RevisedMeanwhileError(DatasetError):
    """A case that somebody else has exported since the work on it began."""


class CaseInWorkError(DatasetError):
    """A case of a worklist that somebody else is at just now."""


class PredictionError(LandmarkHeatmapError):
    """An image that this model cannot be applied to."""


class TrainingError(LandmarkHeatmapError):
    """A training that cannot go on; what was reached before is kept."""


class MissingPackageError(LandmarkHeatmapError):
    """A Python package that this job needs is not installed."""


@contextmanager
def explain_missing_package():
    """Within it, an optional package that is not there is a MissingPackageError with what to do."""
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in _OPTIONAL:
            raise
        raise MissingPackageError(
            f"This needs the Python package '{name}', which is not installed. Install it with:"
            f" pip install {name}"
        ) from error


def printable(text, lines: bool = False) -> str:
    """A text from a file, or with one in it, as a terminal may show it.

    Characters that move the cursor, change colours or turn the direction of writing are escaped,
    and so are bytes of a file name that are no text. Endless words and texts are cut in the middle.
    lines: line ends and tabs stay as they are, and the whole may be long.
    """
    kept = "\n\t" if lines else ""
    text = _ENDLESS.sub(lambda found: _cut(found[0], _LONGEST_WORD), str(text))
    text = text if lines else _cut(text, _LONGEST_TEXT)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else _escaped(c) for c in text)


def quoted(value, longest: int = 80) -> str:
    """A value for a message: as Python writes it, cut in the middle if it is long."""
    try:
        return _cut(repr(value), longest)
    except (ValueError, RecursionError):
        # Python refuses to write out numbers of thousands of digits.
        return f"a value of the type {type(value).__name__}"


def some(words, in_quotes: bool = False, most: int = 8) -> str:
    """The first few of them, and how many more there are, for a message."""
    words = [f"'{word}'" if in_quotes else str(word) for word in words]
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    start, end = longest * 2 // 3, longest // 4
    return f"{text[:start]}...({len(text) - start - end} more)...{text[-end:]}"


def _escaped(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:
        # So Python keeps the bytes of a file name that are not UTF-8.
        return f"\\x{number - 0xDC00:02x}"
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
