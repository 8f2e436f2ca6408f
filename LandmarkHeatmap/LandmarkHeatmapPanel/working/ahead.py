"""The next case, made ready while the one before is under review: read, detected in, hidden."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import qt
import slicer

from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.worker.client import WorkerClient
from LandmarkHeatmapLib.case_at_work import image_to_open, open_case

from ..detecting.jobs import Job
from ..detecting.queue import DetectionQueue
from ..in_steps import let_threads_run
from ..section import Signal
from .in_hand import release

_INTERVAL_MS = 20


class Ahead:
    """One case at a time. It has a worker process of its own, which keeps the image that it looked at
    last: `queue` is exchanged with that of the review when the case is shown.

    hand: an InHand, to which the case is added as soon as it is in the scene. work: the CaseAtWork, None
    before. ended(results): it is ready; the new result, if the model has looked at it. failed(text).
    """

    def __init__(self, hand):
        self._hand, self.ended, self.failed = hand, Signal(), Signal()
        self.queue = DetectionQueue(WorkerClient(), _nothing, _nothing, self._on_end)
        self._threads = ThreadPoolExecutor(1, "LandmarkHeatmap next case")
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.connect("timeout()", self._look_in)
        self._lock = self._reading = self.work = self._looked_at = None

    @property
    def is_busy(self) -> bool:
        """Whether it reads, or the model looks."""
        return self._reading is not None or self.queue.is_busy

    @property
    def case(self):
        """The name of the case, or None."""
        return self._lock.case if self._lock is not None else None

    def is_looking_at(self, volume_node) -> bool:
        """Whether the model is looking at this volume just now."""
        return self.queue.is_busy and self._looked_at is volume_node

    def begin(self, worklist, lock, detecting) -> None:
        """Make the case of a CaseLock ready, which is ours to release from now on. detecting: (path of a
        model, device) to look at it, or None. Raises DatasetError for a case without an image here."""
        self._worklist, self._lock, self._detecting = worklist, lock, detecting
        try:
            self._reading = self._threads.submit(read_image, image_to_open(worklist, lock))
        except BaseException:
            self._lock = None
            release(lock)
            raise
        self._timer.start()

    def taken(self):
        """The CaseAtWork, to be shown now; the model may still be looking at it. Waits for its image to
        be read. Raises ImageFileError, DatasetError or AnnotationError if it cannot be."""
        if self._reading is not None:
            self._open()
        work, self.work, self._lock = self.work, None, None
        work.volume_node.SetHideFromEditors(False)
        return work

    def drop(self) -> None:
        """Let others have it."""
        self._timer.stop()
        self.queue.cancel()
        lock, work, self._lock, self.work, self._reading = self._lock, self.work, None, None, None
        if work is not None:
            self._hand.let_go(work)
            work.remove()
        elif lock is not None:
            release(lock)

    def close(self) -> None:
        self._timer.stop()
        self.drop()
        self._threads.shutdown(wait=False)
        self.queue.close()

    def _look_in(self) -> None:
        let_threads_run()
        if self._reading is None or not self._reading.done():
            return
        try:
            self._open()
        except LandmarkHeatmapError as error:
            self.failed.emit(str(error))
            return
        if not self.queue.is_busy:
            self.ended.emit([])

    def _open(self) -> None:
        """Into the scene, and to the model if it was never exported."""
        self._timer.stop()
        reading, lock, self._reading = self._reading, self._lock, None
        try:
            image = reading.result()
            self.work = open_case(slicer.mrmlScene, self._worklist, lock, image, is_hidden=True)
        except BaseException:
            self._lock = None
            release(lock)
            raise
        self._hand.add(self.work)
        if self._detecting is not None and not lock.revision:
            path, device = self._detecting
            self._looked_at = self.work.volume_node
            self.queue.start(slicer.mrmlScene, [Job.of_volume(self._looked_at)], path, device)

    def _on_end(self, outcomes, stopped):
        self._looked_at = None
        for outcome in outcomes:
            if outcome.error:
                logging.warning("No landmarks in '%s': %s", outcome.name, outcome.error)
        found = [each.result for each in outcomes if each.result is not None]
        self.ended.emit([result for result in found if result.is_whole])


def _nothing(_told) -> None:
    """Whoever works on one case is not told of the progress with another."""
