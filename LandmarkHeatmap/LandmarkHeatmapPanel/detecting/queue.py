"""Detection without waiting for it: images in a queue, one worker process, a timer that looks in.

The work is done elsewhere: files are read in a thread, the network runs in a process of its own,
and the nodes of a result are made a few at a time. Between two turns of the window's loop it works
for 8 ms and as long as the node takes that is begun then, some 15 ms in all; the views are drawn once,
if at all.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from landmark_heatmap.errors import LandmarkHeatmapError, PredictionError
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.worker.client import Cancelled, Failed, Finished, Progress
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.result.publishing import PublishingSteps
from LandmarkHeatmapLib.volumes import add_volume, ijk_to_ras, image_of

from ..in_steps import let_threads_run
from .jobs import Job, Outcome, Status
from .questions import LastImage

# How often the timer looks in, and how long it may work on nodes before it lets the window live.
_INTERVAL_MS = 20
_STEP_SECONDS = 0.008


class DetectionQueue:
    """Detects in one image after another; one failure is reported and the rest go on.

    client: a landmark_heatmap.worker.client.WorkerClient. on_status(Status), on_outcome(Outcome),
    on_end(outcomes, stopped): stopped is why it ended early, empty if it did not. last_image: the
    LastImage that the worker still has, if it lives; None if there is none.
    """

    def __init__(self, client, on_status, on_outcome, on_end):
        self.client = client
        self.on_status, self.on_outcome, self.on_end = on_status, on_outcome, on_end
        self._threads = ThreadPoolExecutor(1, "LandmarkHeatmap reader")
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.connect("timeout()", self._look_in)
        self._jobs, self._outcomes, self._step, self.last_image = [], [], None, None
        self._stopped, self._steps, self._found_event = "", None, None

    @property
    def is_busy(self) -> bool:
        return self._step is not None

    def start(self, scene, jobs, model_path, device: str = "auto") -> None:
        """Begin with the first of these jobs; returns at once. Does nothing while it is busy."""
        if self.is_busy or not jobs:
            return
        self._scene, self._jobs, self._outcomes = scene, list(jobs), []
        self._model_path, self._device, self._stopped = model_path, device, ""
        self._begin_next()
        self._timer.start()

    def cancel(self, reason: str = "") -> None:
        """Stop everything; what is finished stays. reason: told at the end."""
        if not self._jobs or self._stopped:
            return
        self._stopped = reason or _("Cancelled.")
        self._jobs = self._jobs[:1]
        self.client.cancel()
        # The worker says itself when it has stopped; until then the next click would find it busy.
        if self._step not in (self._detect, self._wait_for_worker):
            self._fail(self._stopped)

    def close(self) -> None:
        """Stop for good: timer, reader and worker process."""
        self._timer.stop()
        self._step = None
        self._threads.shutdown(wait=False)
        self.client.close()

    # --- one job: read, detect, publish. Each step is called again and again until it is done.

    @property
    def _job(self) -> Job:
        return self._jobs[0]

    def _begin_next(self) -> None:
        job = self._job
        self._began = time.monotonic()
        self._tell(_("Starting"), 0.0)
        self._step = self._send
        if job.volume is None:
            self._reading = self._threads.submit(read_image, job.path)
            self._step = self._read

    def _look_in(self) -> None:
        let_threads_run()
        if self.is_busy:
            self._trying(self._step)

    def _trying(self, step) -> None:
        """Call a step; an error ends this job, not the queue."""
        try:
            step()
        except LandmarkHeatmapError as error:
            self._fail(str(error))
        except Exception as error:
            if not self.is_busy:
                raise  # not of the detection, but of who was told of its end
            logging.exception("Detection in '%s' failed", self._job.name)
            self._fail(_("Unexpected error: {error!r}").format(error=error))

    def _read(self) -> None:
        if self._reading.done():
            self._job.volume = add_volume(self._scene, self._reading.result(), self._job.name)
            self._step = self._send

    def _send(self) -> None:
        volume = self._job.volume
        if volume.GetScene() is None:
            raise PredictionError(_("The volume was removed before its turn came."))
        self._place, self.last_image = ijk_to_ras(volume), None
        image = image_of(volume)
        self._grid = image.grid
        self.client.detect(image, self._model_path, device=self._device)
        self._step = self._detect

    def _detect(self) -> None:
        if self._job.volume.GetScene() is None and not self._stopped:
            self._drop(_("The volume was removed while landmarks were being detected in it."))
            return
        for event in self.client.poll():
            if isinstance(event, Progress):
                self._tell(event.stage, 0.9 * event.fraction, event.seconds_left)
            elif isinstance(event, Failed):
                self._fail(event.message, event.details)
                return
            elif isinstance(event, Cancelled):
                self._fail(self._stopped or _("Cancelled."))
                return
            elif isinstance(event, Finished):
                self._found(event)
                return

    def _drop(self, reason: str) -> None:
        """Give this job up; the worker has to say that it has stopped before the next begins."""
        self._dropped = reason
        self._step = self._wait_for_worker
        self.client.cancel()

    def _wait_for_worker(self) -> None:
        self.client.poll()
        if not self.client.is_busy:
            self._fail(self._dropped)

    def _found(self, event) -> None:
        """A late answer counts as none: somebody has cancelled, or the image is not what it was."""
        volume = self._job.volume
        if self._stopped:
            self._fail(self._stopped)
            return
        if not np.allclose(ijk_to_ras(volume), self._place):
            self._fail(_("The volume was moved while landmarks were being detected; try again."))
            return
        self._found_event = event
        self._combining = self._threads.submit(event.prediction.combined_heatmap)
        self._step = self._begin_publishing

    def _begin_publishing(self) -> None:
        if self._is_gone() or not self._combining.done():
            return
        prediction, combined = self._found_event.prediction, self._combining.result()
        self._steps = PublishingSteps(self._job.volume, prediction, combined)
        self._step = self._publish

    def _publish(self) -> None:
        """Some nodes at a time, for as long as nobody notices."""
        if self._is_gone():
            return
        until = time.monotonic() + _STEP_SECONDS
        with slicer.util.RenderBlocker():
            while time.monotonic() < until:
                if not self._steps.advance():
                    self._step = self._show
                    break
        self._tell(_("Showing"), 0.9 + 0.1 * self._steps.fraction)

    def _is_gone(self) -> bool:
        if self._job.volume.GetScene() is not None:
            return False
        self._fail(_("The volume was removed while its landmarks were being shown."))
        return True

    def _show(self) -> None:
        """A step of its own, for what others do with a new result takes time as well."""
        if self._is_gone():
            return
        self._steps.finish()
        prediction = self._found_event.prediction
        self.last_image = LastImage.of(self._job.volume, self._grid, prediction)
        self._finish(
            Outcome(
                self._job.name,
                DetectionResult(self._steps.node),
                seconds=time.monotonic() - self._began,
                device=self._found_event.device,
                device_note=self._found_event.device_note,
                words=prediction.words,
            )
        )

    def _fail(self, message: str, details: str = "") -> None:
        if details:
            logging.error("Detection in '%s' failed: %s\n%s", self._job.name, message, details)
        self._finish(Outcome(self._job.name, error=message, details=details))

    def _finish(self, outcome: Outcome) -> None:
        if self._step in (self._publish, self._show) and outcome.result is None:
            self._steps.undo()
        self._steps = self._found_event = None
        self._outcomes.append(outcome)
        self._jobs.pop(0)
        self.on_outcome(outcome)
        if self._jobs and not self._stopped:
            self._begin_next()
        else:
            self._step = self._end

    def _end(self) -> None:
        """A turn of its own, too: whoever is told shows the results."""
        self._step = None
        self._timer.stop()
        self.on_end(self._outcomes, self._stopped)

    def _tell(self, stage: str, fraction: float, seconds_left: float = None) -> None:
        """Of one job: made into the share of all of them."""
        done, total = len(self._outcomes), len(self._outcomes) + len(self._jobs)
        text = stage
        if total > 1:
            text = _("{number} of {total}, {name}: {stage}").format(
                number=done + 1, total=total, name=self._job.name, stage=stage
            )
            if seconds_left is not None:
                whole = time.monotonic() - self._began + seconds_left
                seconds_left += whole * (total - done - 1)
        self.on_status(Status(text, (done + fraction) / total, seconds_left))
