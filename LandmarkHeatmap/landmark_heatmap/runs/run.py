"""A run, looked at from outside: how it was begun, how far it is, what can be done with it."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from ..errors import LandmarkHeatmapError, TrainingError
from ..files import read_json, read_text, write_json
from .command import Fit
from .live import (
    BEGUN,
    ENDED,
    FOLDER,
    INTERRUPTED,
    LIVE,
    LOG,
    STARTING,
    STOP,
    LiveState,
    ask_to_stop,
    folder_of,
    is_in_use,
    read_live,
    write_live,
)
from .process import start

# A process that has not said anything by then will not.
_STARTING_SECONDS = 120.0
# Where no disk locks tell whether a process is there, one that was silent for so long is gone.
_SILENT_SECONDS = 120.0
# Of what a process said, the end is enough for a person.
_LOG_LINES = 12
_RECORD, _MODEL, _COMPARISON = "run.json", "model.safetensors", "comparison.json"


@dataclass(frozen=True)
class Begun:
    """With what a run was begun. command: as one would type it. started: of time.time. pid: of the
    process, on the computer that it was begun on."""

    command: str
    data: str
    parent: str
    minutes: float
    device: str
    started: float
    pid: int = 0


class TrainingRun:
    """A run's folder. Nothing here waits, and nothing is kept that the folder does not say."""

    def __init__(self, folder, process=None):
        """process: that trains in it, if this one has started it."""
        self.folder, self._process = Path(folder), process

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def is_there(self) -> bool:
        return folder_of(self.folder).is_dir()

    @property
    def begun(self) -> Begun:
        """None if the folder does not say it: it was begun by hand, or is damaged."""
        try:
            document = read_json(folder_of(self.folder) / BEGUN)
            return Begun(**{each.name: document[each.name] for each in fields(Begun)})
        except (LandmarkHeatmapError, KeyError, TypeError):
            return None

    def look(self) -> LiveState:
        """What it does now; INTERRUPTED if it should, and nobody does it any more. None if the folder
        tells nothing."""
        ended = self._process is not None and self._process.poll() is not None
        state = read_live(self.folder)
        if state is None or state.state in ENDED:
            return state
        if ended or not self._is_alive(state):
            return replace(state, state=INTERRUPTED, left_seconds=None, error=self._last_words())
        return state

    def _is_alive(self, state: LiveState) -> bool:
        silent = time.time() - state.told
        in_use = is_in_use(self.folder)
        if in_use is None:
            return silent < _SILENT_SECONDS
        # From its start to its first word a process takes a moment.
        return in_use or (state.state == STARTING and silent < _STARTING_SECONDS)

    def log(self) -> str:
        """The end of what it said."""
        try:
            lines = read_text(folder_of(self.folder) / LOG).splitlines()
        except LandmarkHeatmapError:
            return ""
        return "\n".join(lines[-_LOG_LINES:])

    def _last_words(self) -> str:
        """Of a process that died: the last that it said, if that was anything."""
        lines = [line.strip() for line in self.log().splitlines() if line.strip()]
        return lines[-1] if lines else ""

    @property
    def model_path(self) -> Path:
        """Of the best so far; None if there is none yet."""
        path = self.folder / _MODEL
        return path if path.is_file() else None

    @property
    def can_resume(self) -> bool:
        """Whether it was far enough to be gone on with; it has to have ended, and `is_left`, before."""
        return (self.folder / _RECORD).is_file()

    @property
    def is_left(self) -> bool:
        """Whether no process is in it any more: one that has told how it ended takes a moment to go."""
        if self._process is not None and self._process.poll() is None:
            return False
        return not is_in_use(self.folder)

    def comparison(self) -> tuple:
        """(verdict, sentence) of the new model against the one that it started from; ("", "") without."""
        try:
            document = read_json(self.folder / _COMPARISON)
            return str(document["verdict"]), str(document["sentence"])
        except (LandmarkHeatmapError, KeyError, TypeError):
            return "", ""

    def picture(self, name: str) -> Path:
        """CURVE or CASES; None if it is not there."""
        path = folder_of(self.folder) / name
        return path if path.is_file() else None

    # --- what can be done

    def cancel(self) -> None:
        """Ask it to end as Ctrl-C does: the best so far is kept. Raises TrainingError."""
        try:
            ask_to_stop(self.folder)
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def resume(self, **how) -> TrainingRun:
        """Go on with it in a new process. how: as of `process.start`. Raises TrainingError."""
        if not self.can_resume:
            raise TrainingError(
                f"'{self.folder}' was stopped before the training began; begin it again."
            )
        state = self.look()
        if state is not None and state.goes_on:
            raise TrainingError(f"The training in '{self.folder}' goes on already.")
        if not self.is_left:
            # The next one could not tell of itself, nor hear of a request to stop.
            raise TrainingError(
                f"The process that trained in '{self.folder}' is still ending. Try again in a moment."
            )
        state = replace(state or LiveState(), state=STARTING, what="", error="", told=time.time())
        try:
            (folder_of(self.folder) / STOP).unlink(missing_ok=True)
            write_live(self.folder, state)
            self._process = _start_in(self.folder, ["fit", "--resume", self.folder], how)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        return self


def begin(fit: Fit, **how) -> TrainingRun:
    """Begin a run in a process of its own, which goes on when this one ends.

    how: as of `process.start`. Raises TrainingError if that cannot be.
    """
    folder = Path(fit.output)
    began = Begun(fit.told(), fit.data, fit.parent, fit.minutes, fit.device, time.time())
    if not Path(fit.data).is_dir():
        raise TrainingError(f"There is no folder '{fit.data}' to train from.")
    try:
        folder.mkdir(exist_ok=True)
        if any(folder.iterdir()):
            raise TrainingError(f"'{folder}' is not empty; nothing in it is overwritten.")
        folder_of(folder).mkdir()
        try:
            write_live(folder, LiveState(told=time.time()))
            write_json(folder_of(folder) / BEGUN, asdict(began))
            process = _start_in(folder, fit.words(), how)
        except (OSError, TrainingError):
            _forget(folder)
            raise
        write_json(folder_of(folder) / BEGUN, asdict(replace(began, pid=process.pid)))
    except OSError as error:
        raise _unwritable(folder, error) from error
    return TrainingRun(folder, process)


def _start_in(folder: Path, words, how: dict):
    with open(folder_of(folder) / LOG, "ab") as log:
        return start(words, log, **how)


def _forget(folder: Path) -> None:
    """Of a run that was never begun, nothing stays."""
    for name in (LOG, LIVE, BEGUN):
        (folder_of(folder) / name).unlink(missing_ok=True)
    os.rmdir(folder / FOLDER)
    os.rmdir(folder)


def _unwritable(folder: Path, error: OSError) -> TrainingError:
    return TrainingError(f"'{folder}' cannot be written to: {error.strerror or error}.")
