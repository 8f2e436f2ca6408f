"""What a training tells while it goes on: files in its folder, for whoever looks at it.

They lie in RUN/live, which whoever begins a run makes before there is anything else in RUN:
`begun.json`, with what it was begun; `live.json`, what it does now; `log.txt`, all that it says;
`curve.png` and `cases.png`, how it goes; `stop`, a request to end as Ctrl-C does; `in-use`, which the
process that trains has locked for as long as it lives.
"""

from __future__ import annotations

import math
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..errors import LandmarkHeatmapError
from ..files import read_json, write_json
from ..locks import lock

FOLDER = "live"
BEGUN, LIVE, LOG, STOP = "begun.json", "live.json", "log.txt", "stop"
CURVE, CASES = "curve.png", "cases.png"
_IN_USE = "in-use"

STARTING, RUNNING = "starting", "running"
FINISHED, CANCELLED, FAILED = "finished", "cancelled", "failed"
# What no process can say of itself: it is told by whoever looks.
INTERRUPTED = "interrupted"
ENDED = (FINISHED, CANCELLED, FAILED)
# On Windows a file that somebody reads just now cannot be replaced.
_TRIES, _PAUSE_SECONDS = 20, 0.05


@dataclass(frozen=True)
class LiveState:
    """What a run does, or how it ended.

    state: one of those above. what: is being done, in words. share: of all that is to be done, 0 to
    1. left_seconds: until all is done, None if that is not known. told: when this was written, of
    time.time. error: why it failed, a sentence. reasons: of what it decided by the data. stage, epoch:
    the last that were finished; mre: the mean error on the held-out cases at the last validation, None
    if there is none yet; kept_mre, kept_epoch: of the model that is kept. unit: of both. held_out: how
    many cases are, None if that is not known yet.
    """

    state: str = STARTING
    what: str = ""
    share: float = 0.0
    left_seconds: float = None
    told: float = 0.0
    error: str = ""
    reasons: tuple = ()
    stage: str = ""
    epoch: int = 0
    mre: float = None
    kept_epoch: int = 0
    kept_mre: float = None
    unit: str = "mm"
    held_out: int = None

    @property
    def goes_on(self) -> bool:
        return self.state in (STARTING, RUNNING)

    @property
    def is_open(self) -> bool:
        """Whether it ended before all was done."""
        return self.state in (CANCELLED, FAILED, INTERRUPTED)


def folder_of(run) -> Path:
    return Path(run) / FOLDER


def read_live(run) -> LiveState:
    """None if the run tells nothing, or nothing that can be read."""
    try:
        document = read_json(folder_of(run) / LIVE)
    except LandmarkHeatmapError:
        return None
    if not isinstance(document, dict):
        return None
    known = {each.name: document.get(each.name, each.default) for each in fields(LiveState)}
    if not all(_is_like(known[each.name], each.default) for each in fields(LiveState)):
        return None
    if known["state"] not in (STARTING, RUNNING, *ENDED):
        return None
    return LiveState(**{**known, "reasons": tuple(map(str, known["reasons"]))})


def write_live(run, state: LiveState, patience: int = _TRIES) -> None:
    """Atomically. patience: how often it is tried where somebody reads the one before. Raises OSError."""
    document = {name: _finite(value) for name, value in asdict(state).items()}
    for left in reversed(range(patience)):
        try:
            write_json(folder_of(run) / LIVE, document)
            return
        except PermissionError:
            if not left:
                raise
            time.sleep(_PAUSE_SECONDS)


def ask_to_stop(run) -> None:
    """Raises OSError where nothing can be written."""
    (folder_of(run) / STOP).touch()


def take_request(run) -> bool:
    """Whether somebody has asked it to stop; asked once, it is told once."""
    path = folder_of(run) / STOP
    if not path.exists():
        return False
    with suppress(OSError):
        path.unlink()
    return True


def take_for_own(run):
    """The handle of the lock that says that this process trains in the folder, to be kept open.

    None where the disk has no locks. Raises BlockingIOError if another process trains there.
    """
    handle = os.open(folder_of(run) / _IN_USE, os.O_RDWR | os.O_CREAT, 0o666)
    for left in reversed(range(_TRIES)):
        try:
            lock(handle)
            return handle
        except BlockingIOError:
            # It may be somebody who only looks whether it is in use.
            if not left:
                os.close(handle)
                raise
            time.sleep(_PAUSE_SECONDS)
        except OSError:
            os.close(handle)
            return None
    return None


def is_in_use(run):
    """Whether a process trains in the folder now; None where that cannot be told."""
    try:
        handle = os.open(folder_of(run) / _IN_USE, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        lock(handle)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(handle)
    return False


def _is_like(value, default) -> bool:
    if isinstance(default, tuple):
        return isinstance(value, list) or value is default
    if default is None or isinstance(default, (int, float)):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and math.isfinite(value) or (value is None and default is None)
    return isinstance(value, str)


def _finite(value):
    """JSON has no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
