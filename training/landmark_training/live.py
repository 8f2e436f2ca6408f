"""What a run tells those who look from elsewhere, Slicer's panel say, and what they may ask of it.

The files are those of `landmark_heatmap.runs.live`.
"""

from __future__ import annotations

import _thread
import math
import os
import signal
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from landmark_heatmap.command_line import told
from landmark_heatmap.errors import LandmarkHeatmapError, printable
from landmark_heatmap.runs.live import (
    CANCELLED,
    ENDED,
    FAILED,
    FINISHED,
    RUNNING,
    LiveState,
    folder_of,
    read_live,
    take_for_own,
    take_request,
    write_live,
)

from .outputs import is_free

# Whoever looks does not look more often.
_EVERY_SECONDS = 1.0


@contextmanager
def told_in(run, goes_on: bool = False):
    """Within it, a Live tells in the folder of a run how far it is, and then how it ended.

    run: None tells nobody. goes_on: whether it is one that was begun before. What was begun from
    elsewhere is told of from the first moment on, any other run from when its folder is its own.
    """
    live = Live(run)
    if run is not None and folder_of(run).is_dir() and (goes_on or is_free(run)):
        live.settle()
    try:
        yield live
        live.end(FINISHED)
    except KeyboardInterrupt:
        live.end(CANCELLED)
        raise
    except BaseException as error:
        live.end(FAILED, _why(error))
        raise
    finally:
        live.close()


class Live:
    """folder: where others are told, None before it is settled or if nobody is."""

    def __init__(self, run):
        self._run = None if run is None else Path(run)
        self.folder, self._lock = None, None
        self._state, self._changing = LiveState(state=RUNNING, what="starting"), threading.Lock()
        self._is_asked, self._written = False, -math.inf

    def settle(self) -> None:
        """Begin to tell, unless another process trains there: that one is not spoken for."""
        if self._run is None or self.folder is not None:
            return
        with suppress(OSError):
            folder_of(self._run).mkdir(exist_ok=True)
            self._lock = take_for_own(self._run)
            self.folder = folder_of(self._run)
            before = read_live(self._run)
            if before is not None:
                # Of a run that goes on, what was reached stands until there is more.
                self._state = replace(before, state=RUNNING, share=0.0, left_seconds=None, error="")
            # Of what was started in the background of a script, Ctrl-C is ignored.
            is_main = threading.current_thread() is threading.main_thread()
            if is_main and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
                signal.signal(signal.SIGINT, signal.default_int_handler)
            self._write()

    def tell(self, what: str, share: float, left_seconds: float) -> None:
        """From the thread that draws the line; ends the run as Ctrl-C does if somebody asks for it."""
        if self.folder is None:
            return
        if not self._is_asked and take_request(self._run):
            self._is_asked = True
            _thread.interrupt_main()
        if time.monotonic() - self._written >= _EVERY_SECONDS:
            self._change(what=what, share=share, left_seconds=left_seconds)
            self._write(patience=1)

    def note(self, **facts) -> None:
        """Fields of a LiveState; they are told with what comes next."""
        self._change(**facts)

    def end(self, state: str, error: str = "") -> None:
        """Once it is told how it ended, it stands."""
        if self._state.state in ENDED:
            return
        share = 1.0 if state == FINISHED else self._state.share
        self._change(state=state, what="", share=share, left_seconds=None, error=error)
        if self.folder is not None:
            self._write()

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
        self._lock = self.folder = None

    def _change(self, **facts) -> None:
        with self._changing:
            self._state = replace(self._state, **facts)

    def _write(self, **how) -> None:
        """A full disk is the run's own trouble, and told there."""
        self._change(told=time.time())
        self._written = time.monotonic()
        with suppress(OSError):
            write_live(self._run, self._state, **how)


def _why(error: BaseException) -> str:
    """For a person."""
    if isinstance(error, LandmarkHeatmapError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory."
    if isinstance(error, OSError):
        return told(error)
    return printable(f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")
