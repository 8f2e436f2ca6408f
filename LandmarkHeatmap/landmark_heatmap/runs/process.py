"""The process that trains: started so that it outlives whoever started it, and talks into a file."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from contextlib import suppress
from pathlib import Path

from ..errors import TrainingError
from ..worker.process import apart, environment, interpreter

_PACKAGE = "landmark_training"
_ROOT = Path(__file__).resolve().parents[2]
# Where the extension is installed it lies beside this package; in a checkout where it is written.
_PLACES = (_ROOT, _ROOT.parent / "training")

# How far behind this process, and the last that there is.
_BEHIND, _LAST = 10, 19
# At once, and in letters that whoever reads it expects.
_SPEAKING = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


def training_folder() -> Path:
    """What has to be on Python's path to train. Raises TrainingError if that came along nowhere."""
    for place in _PLACES:
        if (place / _PACKAGE / "cli.py").is_file():
            return place
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.origin:
        raise TrainingError(
            f"The package '{_PACKAGE}' is not there: it lies neither in '{_PLACES[0]}' nor in"
            f" '{_PLACES[1]}'. Install the extension again."
        )
    return Path(found.origin).parents[1]


def start(words, log, errors=None, python: str = None, command=None) -> subprocess.Popen:
    """Start `landmark-train` with these words. log: an open file, gets all that it says; errors: another
    one for what goes to standard error.

    python: the interpreter, by default Slicer's, or this one. command: what is run instead of
    landmark-train, for tests. Raises TrainingError if it cannot be started.
    """
    python = python or interpreter()
    command = command or ["-m", f"{_PACKAGE}.cli"]
    try:
        process = subprocess.Popen(
            [python, *map(str, command), *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=errors or subprocess.STDOUT,
            env={**environment(training_folder()), **_SPEAKING},
            **_apart_and_behind(),
        )
        _let_others_go_first(process.pid)
        return process
    except OSError as error:
        raise TrainingError(f"'{python}' cannot be started: {error.strerror or error}.") from error


def _apart_and_behind() -> dict:
    """On Windows the priority is given with the start."""
    how = apart()
    if os.name == "nt":
        how["creationflags"] |= subprocess.BELOW_NORMAL_PRIORITY_CLASS
    return how


def _let_others_go_first(pid: int) -> None:
    """Who reviews meanwhile needs the processor for moments only, and then at once."""
    if hasattr(os, "setpriority"):
        with suppress(OSError):
            own = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, pid, min(own + _BEHIND, _LAST))
