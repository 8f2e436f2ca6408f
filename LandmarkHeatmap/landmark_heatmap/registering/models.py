"""Where a model is asked for, a dataset folder will do, whose cases are registered; or a file that names
a model and a dataset, to be used together. Needs no torch before a network is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..dataset.folder import is_dataset, newest_revisions, read_landmark_set
from ..errors import DatasetError, ModelFileError
from ..model import shipped
from ..model.model_file import read_description
from .description import described
from .registrar import RegisteredStart
from .start_file import StartFile, is_start_file, read_start
from .together import Together


def is_registered(model) -> bool:
    """Whether this names a dataset folder."""
    return is_dataset(model)


def model_path(model) -> Path:
    """As model.shipped.model_path; a dataset folder, and a start file, are meant by their own paths."""
    is_own = is_registered(model) or is_start_file(model)
    return Path(model) if is_own else shipped.model_path(model)


def network_of(path):
    """The model file that is used where this is chosen as a model; None for a dataset folder. Raises
    ModelFileError for a start file that cannot be read."""
    if is_registered(path):
        return None
    return shipped.model_path(read_start(path).model) if is_start_file(path) else Path(path)


def describe(model):
    """The ModelDescription of a model file, or what stands for it of a dataset folder, of which no image
    is read. Raises ModelFileError, or DatasetError for a dataset without cases."""
    if is_start_file(model):
        named = read_start(model)
        network = read_description(shipped.model_path(named.model))
        cases = describe(_dataset_of(model, named))
        return replace(network, name=f"{network.name} and {cases.name} ({cases.version})")
    if not is_registered(model):
        return read_description(model)
    cases = sum(1 for _ in newest_revisions(model))
    if not cases:
        raise DatasetError(f"'{model}' has no cases yet: annotate and export one.")
    return described(Path(model).resolve().name, read_landmark_set(model), cases)


def load(model, device: str = "auto"):
    """A Predictor of a model file, a RegisteredStart of a dataset folder, or both Together of a start
    file. Raises what they raise."""
    if is_registered(model):
        return RegisteredStart(model)
    from ..detection.predict import Predictor

    if is_start_file(model):
        named = read_start(model)
        network = Predictor(shipped.model_path(named.model), device)
        return Together(network, RegisteredStart(_dataset_of(model, named)), named.trust)
    return Predictor(model, device)


def _dataset_of(start_file, named: StartFile) -> Path:
    dataset = named.dataset
    if not is_registered(dataset):
        raise ModelFileError(f"'{start_file}' names '{dataset}', which is no dataset folder.")
    return dataset
