"""A small file that names a model and a dataset, to be used together: NAME.start.json."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..errors import ModelFileError, quoted
from ..files import read_json, write_json
from .trust import UNMEASURED, Trust

START_SUFFIX = ".start.json"
_SCHEMA, _VERSION = "landmark-heatmap-start", 1


@dataclass(frozen=True)
class StartFile:
    """model: the path of a model file, or the name of one that comes along. dataset: of a folder. trust:
    how far each can be believed, as it was measured when the file was written."""

    model: str
    dataset: Path
    trust: Trust = UNMEASURED


def is_start_file(path) -> bool:
    return str(path).lower().endswith(START_SUFFIX)


def check_start_file(path) -> Path:
    """The path. Raises ModelFileError for another ending."""
    if not is_start_file(path):
        raise ModelFileError(f"'{path}' has to end in {START_SUFFIX}.")
    return Path(path)


def write_start(path, model, dataset, trust: Trust = UNMEASURED) -> Path:
    """A new file. What lies beside or below it is named from there, so that both can be moved together.

    Raises ModelFileError for another ending, FileExistsError for a file that is there already.
    """
    path = check_start_file(path)
    is_name = Path(model).name == str(model) and not Path(model).exists()
    document = {
        "schema": _SCHEMA,
        "schema_version": _VERSION,
        "model": str(model) if is_name else _from(path, model),
        "dataset": _from(path, dataset),
    }
    if trust.landmarks:
        document["trust"] = asdict(trust)
    write_json(path, document, new=True)
    return path


def start_beside(dataset, model, trust: Trust = UNMEASURED) -> Path:
    """A file beside the dataset that names it and the model: that of before, if it says the same, or a
    new one. Raises OSError where it cannot be written."""
    dataset, number = Path(dataset), 1
    while True:
        more = f"-{number}" if number > 1 else ""
        path = dataset.with_name(f"{dataset.name}-both{more}{START_SUFFIX}")
        try:
            return write_start(path, model, dataset, trust)
        except FileExistsError:
            if _says(path, model, dataset, trust):
                return path
        number += 1


def _says(path: Path, model, dataset, trust: Trust) -> bool:
    """Whether a file names these two, and trusts them so."""
    try:
        there = read_start(path)
    except (ModelFileError, OSError):
        return False  # it is somebody's own business
    ours, theirs = ((Path(a), Path(b)) for a, b in ((model, dataset), (there.model, there.dataset)))
    is_same = [each.resolve() for each in ours] == [each.resolve() for each in theirs]
    return is_same and there.trust == (trust if trust.landmarks else UNMEASURED)


def read_start(path) -> StartFile:
    """Raises ModelFileError for what is no such file, or is of a newer version."""
    document = read_json(path, ModelFileError)
    if not isinstance(document, dict) or document.get("schema") != _SCHEMA:
        raise ModelFileError(f"'{path}' does not name a model and a dataset to be used together.")
    if document.get("schema_version") != _VERSION:
        version = quoted(document.get("schema_version"))
        raise ModelFileError(f"'{path}' has schema version {version}. Update LandmarkHeatmap.")
    model, dataset = (document.get(key) for key in ("model", "dataset"))
    if not all(isinstance(each, str) and each for each in (model, dataset)):
        raise ModelFileError(f"'{path}' has to name a 'model' and a 'dataset'.")
    folder = Path(path).resolve().parent
    beside = folder / model
    trust = trust_in(path, document.get("trust"))
    return StartFile(str(beside) if beside.is_file() else model, folder / dataset, trust)


def trust_in(path, stated) -> Trust:
    """What a document states, None where nothing was measured. path: where it stands. Raises
    ModelFileError for what is no Trust."""
    if stated is None:
        return UNMEASURED
    known = {each.name for each in fields(Trust)}
    if not isinstance(stated, dict) or set(stated) != known:
        raise ModelFileError(f"'{path}': 'trust' has to state {', '.join(sorted(known))}.")
    numbers = [stated["network"], stated["registered"], stated["landmarks"]]
    is_number = [isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers]
    if not all(is_number) or not all(0 < n < 1e6 for n in numbers):
        raise ModelFileError(f"'{path}': 'trust' is {quoted(stated)}; numbers above 0 are needed.")
    return Trust(*map(float, numbers[:2]), int(numbers[2]), bool(stated["network_apart"]))


def _from(path: Path, other) -> str:
    """Relative where that does not lead out of the folder."""
    folder, other = path.resolve().parent, Path(other).resolve()
    try:
        return other.relative_to(folder).as_posix()
    except ValueError:
        return os.path.abspath(other)
