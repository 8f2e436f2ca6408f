"""The errors that a user can mend: each message says what was wrong, with the value, and what to do."""

from __future__ import annotations

from contextlib import contextmanager

# What only some jobs need.
_OPTIONAL = ("torch", "safetensors", "matplotlib", "tqdm", "psutil", "tensorboard")


class LandmarkHeatmapError(Exception):
    """Base of all errors with a message meant for the user."""


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


def quoted(value, longest: int = 80) -> str:
    """A value for a message: as Python writes it, cut in the middle if it is long."""
    try:
        return _cut(repr(value), longest)
    except (ValueError, RecursionError):
        # Python refuses to write out numbers of thousands of digits.
        return f"a value of the type {type(value).__name__}"


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    start, end = longest * 2 // 3, longest // 4
    return f"{text[:start]}...({len(text) - start - end} more)...{text[-end:]}"
