"""What a run's folder says: its settings, its cases, its curves, and where its model lies."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from landmark_heatmap.errors import DatasetError

_RECORD, _MODEL, _PROGRESS = "run.json", "model.safetensors", "progress.csv"


@dataclass(frozen=True)
class RunFolder:
    """A run as it lies on the disk.

    data: the folders that it was given, as they were called then. started_from: path of a model, or
    None. config: the settings in full. progress: a dict for each epoch, numbers as float, None for
    what is not there.
    """

    path: Path
    data: tuple
    started_from: str
    config: dict
    training_cases: tuple
    validation_cases: tuple
    progress: tuple

    @property
    def model_path(self) -> Path:
        return self.path / _MODEL


def read_run(path) -> RunFolder:
    """Raises DatasetError if the folder holds no run."""
    path = Path(path)
    try:
        record = json.loads((path / _RECORD).read_text(encoding="utf-8"))
        return RunFolder(
            path,
            tuple(record.get("data") or ()),
            record.get("started_from"),
            dict(record.get("config_in_full") or record["config"]),
            tuple(record["training_cases"]),
            tuple(record["validation_cases"]),
            _progress(path / _PROGRESS),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"'{path}' holds no run that can be read ({error!r}).") from error


def run_beside(model_path):
    """The RunFolder in which a model file lies, or None."""
    folder = Path(model_path).parent
    return read_run(folder) if (folder / _RECORD).is_file() else None


def _progress(path: Path) -> tuple:
    if not path.is_file():
        return ()
    with open(path, newline="", encoding="utf-8") as file:
        return tuple({k: _number(v) for k, v in row.items()} for row in csv.DictReader(file))


def _number(text: str):
    """A number, None for an empty cell; a word stays as it is."""
    try:
        return float(text) if text else None
    except ValueError:
        return text
