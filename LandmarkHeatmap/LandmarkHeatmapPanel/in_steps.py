"""What takes long, in steps between which the window lives; and what threads need for theirs."""

from __future__ import annotations

import time

import qt

from LandmarkHeatmapLib.following import is_there


def let_threads_run() -> None:
    """Whoever waits for a thread calls this from its timer: while the window waits for events, Python's
    other threads stand still."""
    time.sleep(0.001)


class InSteps:
    """Makes one thing at a time, of a result; what is begun next ends it, or the end of the result."""

    def __init__(self):
        self._result = self._steps = None
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._on_timer)

    @property
    def is_busy(self) -> bool:
        return self._steps is not None

    def begin(self, result, steps, at_once: bool = False) -> None:
        """steps: its `advance` does the next step, and returns whether there is more to do. at_once:
        all of them now, for what is quick."""
        self.stop()
        self._result, self._steps = result, steps
        if not at_once:
            self._timer.start()
            return
        while self.is_busy:
            self._on_timer()

    def stop(self) -> None:
        self._timer.stop()
        self._result = self._steps = None

    def _on_timer(self):
        if self._steps is None:
            return
        is_more = False
        try:
            is_more = is_there(self._result) and self._steps.advance()
        finally:
            if not is_more:
                self.stop()
