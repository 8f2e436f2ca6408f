"""Where a model is asked for, a dataset folder will do: its cases are registered. Needs no torch."""

from __future__ import annotations

from pathlib import Path

from ..dataset.folder import is_dataset, newest_revisions, read_landmark_set
from ..errors import DatasetError
from ..model import shipped
from ..model.model_file import read_description
from .description import described
from .registrar import RegisteredStart


def is_registered(model) -> bool:
    """Whether this names a dataset folder."""
    return is_dataset(model)


def model_path(model) -> Path:
    """As model.shipped.model_path; a dataset folder is meant by its own path."""
    return Path(model) if is_registered(model) else shipped.model_path(model)


def describe(model):
    """The ModelDescription of a model file, or what stands for it of a dataset folder, of which no image
    is read. Raises ModelFileError, or DatasetError for a dataset without cases."""
    if not is_registered(model):
        return read_description(model)
    cases = sum(1 for _ in newest_revisions(model))
    if not cases:
        raise DatasetError(f"'{model}' has no cases yet: annotate and export one.")
    return described(Path(model).resolve().name, read_landmark_set(model), cases)


def load(model, device: str = "auto"):
    """A Predictor of a model file, or a RegisteredStart of a dataset folder. Raises what they raise."""
    if is_registered(model):
        return RegisteredStart(model)
    from ..detection.predict import Predictor

    return Predictor(model, device)
