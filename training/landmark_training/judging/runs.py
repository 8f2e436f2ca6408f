"""What a run's folder says: its settings, its cases, its curves, and where its model lies.

The one reader of run.json and of progress.csv: whatever is wrong with them is a DatasetError.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.files import read_json, read_text

RUN_RECORD, PROGRESS = "run.json", "progress.csv"
_MODEL = "model.safetensors"


@dataclass(frozen=True)
class RunFolder:
    """A run as it lies on the disk.

    data: the folders that it was given, as they were called then. started_from: path of a model, or
    None; parent_sha256: its file's. config: the settings in full. cases: of each case's name, its
    digest (data.digests), None in a run of an earlier version. step_seconds: of each stage, what a
    step was measured to take. progress: a dict for each epoch, numbers as float, None for what is not
    there.
    """

    path: Path
    data: tuple
    started_from: str
    config: dict
    training_cases: tuple
    validation_cases: tuple
    left_out: tuple
    cases: dict
    parent_sha256: str
    step_seconds: dict
    progress: tuple

    @property
    def model_path(self) -> Path:
        return self.path / _MODEL


def read_run(path) -> RunFolder:
    """Raises DatasetError if the folder holds no run, or one that is damaged."""
    path = Path(path)
    record = read_record(path / RUN_RECORD, "run")
    fields = {
        "data": _texts(record, "data", ()),
        "started_from": _of_type(record, "started_from", (str, type(None)), None),
        "config": _of_type(record, "config_in_full", dict, None) or record.get("config"),
        "training_cases": _texts(record, "training_cases"),
        "validation_cases": _texts(record, "validation_cases"),
        "left_out": _texts(record, "left_out", ()),
        "cases": _of_type(record, "cases", (dict, type(None)), None),
        "parent_sha256": _of_type(record, "parent_sha256", (str, type(None)), None),
        "step_seconds": _numbers(record, "step_seconds"),
    }
    wrong = [name for name, value in fields.items() if value is _WRONG]
    if wrong or not isinstance(fields["config"], dict):
        raise DatasetError(
            f"'{path / RUN_RECORD}' is damaged: {', '.join(wrong) or 'config'} is missing or of"
            " another kind. Its model file can still be used, and trained on with --from."
        )
    return RunFolder(path, progress=progress_of(path), **fields)


def read_record(path, what: str) -> dict:
    """A JSON object in a folder that holds a `what`. Raises DatasetError if it is none."""
    path = Path(path)
    try:
        document = read_json(path, DatasetError)
    except DatasetError as error:
        if not path.exists():
            raise DatasetError(
                f"'{path.parent}' holds no {what} to go on with or to judge: it has no '{path.name}'."
            ) from error
        raise DatasetError(f"'{path.name}' is damaged. {error} Start a new {what}.") from error
    if not isinstance(document, dict):
        raise DatasetError(f"'{path}' is damaged: it is no JSON object. Start a new {what}.")
    return document


def read_rows(path) -> list:
    """The rows of a progress.csv, texts by column; none if there is no file.

    Raises DatasetError for a file that is not what a run writes.
    """
    path = Path(path)
    if not path.is_file():
        return []
    try:
        text = read_text(path, DatasetError)
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        for row in rows:
            if None in row or None in row.values() or not row["stage"] or int(row["epoch"]) < 0:
                raise ValueError("a row does not fit its header")
    except (DatasetError, ValueError, KeyError, csv.Error) as error:
        raise DatasetError(
            f"'{path}' is damaged ({str(error)[:100]}). Nothing but the learning curves depends on"
            " it: move it away to go on without them."
        ) from error
    return rows


def run_beside(model_path):
    """The RunFolder in which a model file lies, or None."""
    folder = Path(model_path).parent
    return read_run(folder) if (folder / RUN_RECORD).is_file() else None


_WRONG = object()


def _of_type(record: dict, name: str, kind, default):
    value = record.get(name, default)
    return value if isinstance(value, kind) or value is default else _WRONG


def _numbers(record: dict, name: str):
    """Positive numbers by their names."""
    value = record.get(name, {})
    if not isinstance(value, dict) or not all(type(v) is float and v > 0 for v in value.values()):
        return _WRONG
    return value


def _texts(record: dict, name: str, default=_WRONG):
    """A list of texts, as a tuple."""
    value = record.get(name, default)
    if value is None and default is not _WRONG:
        return default
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        return _WRONG
    return tuple(value)


def progress_of(run) -> tuple:
    """See RunFolder. Raises DatasetError for a damaged progress.csv."""
    rows = read_rows(Path(run) / PROGRESS)
    return tuple({k: _number(v) for k, v in row.items()} for row in rows)


def _number(text: str):
    """A number, None for an empty cell; a word stays as it is."""
    try:
        return float(text) if text else None
    except ValueError:
        return text
