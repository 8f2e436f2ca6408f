"""Where a landmark set can be taken from: a dataset, a model, or any file that names landmarks."""

from __future__ import annotations

from pathlib import Path

from ..annotation.landmarks import LandmarkSet
from ..annotation.sets.set_file import read_set
from ..model.model_file import MODEL_SUFFIX, read_description
from .folder import read_landmark_set


def landmark_set_from(path) -> LandmarkSet:
    """The landmark set of a dataset folder, a model file, or a file as `read_set` takes it.

    Raises DatasetError, ModelFileError or AnnotationError for what has none.
    """
    path = Path(path)
    if path.is_dir():
        return read_landmark_set(path)
    if path.name.lower().endswith(MODEL_SUFFIX):
        return read_description(path).landmarks
    return read_set(path)
