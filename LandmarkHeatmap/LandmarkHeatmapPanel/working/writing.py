"""Writing to the disk beside the user's work: one thing at a time, and never left unfinished."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import qt

from ..in_steps import let_threads_run

_INTERVAL_MS = 20


class Writing:
    """`begin` calls a function in a thread, and on the main thread, when it is done, `then` with its
    Future; `finish` waits for that."""

    def __init__(self):
        self._threads = ThreadPoolExecutor(1, "LandmarkHeatmap export")
        self._future = self._then = None
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.connect("timeout()", self._look_in)

    def begin(self, function, then) -> None:
        """What was begun before is finished first."""
        self.finish()
        self._future, self._then = self._threads.submit(function), then
        self._timer.start()

    def finish(self) -> None:
        if self._future is not None:
            self._future.exception()  # waits
            self._end()

    def close(self) -> None:
        self.finish()
        self._threads.shutdown(wait=False)

    def _look_in(self) -> None:
        let_threads_run()
        if self._future is not None and self._future.done():
            self._end()

    def _end(self) -> None:
        self._timer.stop()
        future, then = self._future, self._then
        self._future = self._then = None
        then(future)
