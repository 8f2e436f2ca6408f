"""The application's side of a detection in another process. Needs neither torch nor qt.

Nothing here waits: `poll`, called from a timer, moves everything on, and takes a few milliseconds at
most. There are no threads, because in Slicer those run only while Python code does.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..errors import PredictionError
from ..images.geometry import Image
from . import arrays, protocol
from .events import Cancelled, Failed, Finished, Progress, Proposed
from .folder import OwnedFolder, clear_dead
from .process import WorkerProcess, interpreter

SERVER = Path(__file__).with_name("server.py")
# An image goes into the shared file in chunks, for so long at a time.
_CHUNK, _SENDING_SECONDS = 2 << 20, 0.015
# A worker that is asked to stop and is in the middle of a network gets so long.
_PATIENCE_SECONDS = 0.6
# Shares of a job: starting the process or sending the image is done before these.
_SENT = 0.1


class WorkerClient:
    """Detects in a worker process, which is started with the first job and stays for the next.

    To begin with it tidies up after clients that were killed together with their workers.
    python: the interpreter; by default Slicer's, or this one. server: the script it runs.
    """

    def __init__(self, python: str = None, server=SERVER):
        self.python = python or interpreter()
        self.server = str(server)
        self._process, self._owned, self._job, self._number = None, None, None, 0
        self._events, self._kept = [], None
        clear_dead()

    @property
    def _folder(self) -> Path:
        return self._owned.path

    @property
    def is_busy(self) -> bool:
        return self._job is not None

    def detect(self, image: Image, model_path, device: str = "auto") -> None:
        """Begin; what comes of it is told by `poll`. Raises PredictionError if a job is under way."""
        if self.is_busy:
            raise PredictionError("A detection is under way already; cancel it first.")
        self._number += 1
        self._kept = None
        self._job = _Job(self._number, image, str(model_path), device)
        try:
            self._start()
            self._job.open(self._folder)
        except OSError as error:
            self._fail(f"The detection could not be started with '{self.python}': {error}")

    def propose(self, given, new=None, absent=()) -> None:
        """Ask what else would move in the image that was detected last; `poll` tells Proposed.

        given: name to position (3,), LPS, of all landmarks that a person has placed or confirmed. new,
        absent: names; see Kept.proposals. A question under way is given up, not so a detection. Raises
        PredictionError if one is under way, or if there is no image to ask of.
        """
        if self._job is not None and not self._job.is_question:
            raise PredictionError("A detection is under way already; cancel it first.")
        if not self.can_propose:
            raise PredictionError("There is no image that was detected last: detect it again.")
        self._number += 1
        self._job = _Job(self._number)
        self._process.write(
            protocol.line_of(
                "propose",
                job=self._number,
                of=self._kept,
                given={name: [float(x) for x in at] for name, at in given.items()},
                new=list(given if new is None else new),
                absent=list(absent),
            )
        )

    @property
    def can_propose(self) -> bool:
        """Whether the worker still has what the networks saw in the last image."""
        alive = self._process is not None and self._process.is_alive()
        return alive and self._kept is not None

    def poll(self) -> list:
        """The events since the last call: Progress, and then Finished, Proposed, Failed or Cancelled."""
        try:
            if self._job is not None and not self._job.is_sent:
                self._send()
            if self._process is not None:
                self._listen()
        except OSError as error:
            self._end()
            self._fail(f"The detection was broken off: {error}")
        events, self._events = self._events, []
        return events

    def cancel(self) -> None:
        """End the job under way, within a second; `poll` tells when it is over."""
        if self._job is None or self._job.deadline is not None:
            return
        if self._job.is_question:
            # It is soon over: what the worker keeps is worth more than the moment.
            self._process.write(protocol.line_of("cancel", job=self._job.number))
        if self._job.is_question or not self._job.is_sent:
            self._finish(Cancelled())
            return
        self._job.deadline = time.monotonic() + _PATIENCE_SECONDS
        self._process.write(protocol.line_of("cancel", job=self._job.number))

    def close(self) -> None:
        """End the worker. What was under way is lost; nothing is left behind."""
        self._end()
        self._job, self._events = None, []

    # --- inside

    def _start(self) -> None:
        if self._process is not None and self._process.is_alive():
            return
        self._end()
        self._owned = OwnedFolder()
        command = [self.python, self.server, str(self._folder)]
        self._process = WorkerProcess(command, protocol.LONGEST_ANSWER)

    def _send(self) -> None:
        job = self._job
        fraction = job.copy_some()
        # Getting ready takes the longer, cold, of process and image: both go on at once.
        self._tell("Reading the image", _SENT * fraction)
        if job.is_sent:
            self._process.write(
                protocol.line_of(
                    "detect",
                    job=job.number,
                    image=arrays.described(job.image, job.path.name),
                    model=job.model,
                    device=job.device,
                )
            )

    def _listen(self) -> None:
        try:
            for line in self._process.lines():
                self._heard(protocol.read_answer(line))
                if self._process is None:
                    return
        except (protocol.ProtocolError, ValueError) as error:
            self._end()
            self._fail("The worker gave an answer that cannot be understood.", repr(error))
            return
        except MemoryError:
            self._end()
            self._fail("There is not enough memory for the landmarks that were found.")
            return
        job = self._job
        if job is not None and job.deadline is not None and time.monotonic() > job.deadline:
            self._end()
            self._finish(Cancelled())
        elif self._process.has_ended():
            told, details = self._process.how_it_ended(), self._process.errors()
            self._end()
            if job is not None:
                self._fail_or_cancel(told, details)

    def _heard(self, message: dict) -> None:
        kind, job = message["message"], self._job
        if kind == "ready":
            if message["version"] != protocol.VERSION:
                self._end()
                self._fail(
                    f"The worker speaks version {message['version']} of the protocol, this side"
                    f" {protocol.VERSION}: restart the application."
                )
            return
        if job is None or message["job"] != job.number:
            # The end of a job that was given up.
            self._forget_result(message["job"])
            return
        if kind == "progress":
            self._tell(message["stage"], _SENT + (1 - _SENT) * message["fraction"])
        elif kind == "finished":
            prediction = arrays.prediction_from_json(message["prediction"], self._folder)
            self._forget_result(job.number)
            self._kept = job.number
            seconds = {**message["seconds"], "all": time.monotonic() - job.started}
            if job.deadline is not None:
                self._finish(Cancelled())
            else:
                self._finish(Finished(prediction, message["device"], message["note"], seconds))
        elif kind == "proposed":
            proposals = arrays.proposals_from_json(message["proposals"], self._folder)
            self._forget_result(job.number)
            seconds = {**message["seconds"], "all": time.monotonic() - job.started}
            self._finish(Proposed(proposals, seconds))
        elif kind == "failed":
            self._fail_or_cancel(message["text"], message["details"])
        elif kind == "cancelled":
            self._finish(Cancelled())

    def _forget_result(self, number: int) -> None:
        with suppress(OSError):
            (self._folder / f"result-{number}").unlink()

    def _tell(self, stage: str, fraction: float) -> None:
        """Progress that never goes back; what a worker says of a job that is cancelled is dropped."""
        job = self._job
        if job.deadline is not None or (stage == job.stage and fraction <= job.fraction):
            return
        job.stage, job.fraction = stage, max(job.fraction, min(fraction, 1.0))
        elapsed = time.monotonic() - job.started
        left = elapsed * (1 - job.fraction) / job.fraction if job.fraction > _SENT else None
        self._events.append(Progress(stage, job.fraction, left))

    def _fail_or_cancel(self, message: str, details: str) -> None:
        if self._job.deadline is not None:
            self._finish(Cancelled())
        else:
            self._fail(message, details)

    def _fail(self, message: str, details: str = "") -> None:
        if self._job is not None:
            self._finish(Failed(message, details))

    def _finish(self, event) -> None:
        self._job.close()
        self._job = None
        self._events.append(event)

    def _end(self) -> None:
        """The process and its folder, whatever state they are in."""
        if self._job is not None:
            self._job.close()
        self._kept = None
        if self._process is not None:
            self._process.kill()
            self._process = None
        if self._owned is not None:
            self._owned.remove()
            self._owned = None


class _Job:
    """One detection, or, without an image, a question about the last one. deadline: when a cancelled one
    is ended by force, None if it is wanted."""

    def __init__(self, number: int, image: Image = None, model: str = "", device: str = ""):
        self.number, self.image, self.model, self.device = number, image, model, device
        self.started, self.stage, self.fraction, self.deadline = time.monotonic(), "", 0.0, None
        self.is_question = image is None
        self.is_sent, self.path, self._file, self._copied = self.is_question, None, None, 0

    def open(self, folder: Path) -> None:
        self.path = folder / f"image-{self.number}"
        # A file that is written, not mapped: a full disk is then an error and no crash.
        self._file = open(self.path, "wb", buffering=0)  # noqa: SIM115, closed with the job
        self._bytes = np.ascontiguousarray(self.image.array).reshape(-1).view(np.uint8)

    def copy_some(self) -> float:
        """Copy the next part of the image; returns how much of it is done."""
        end = time.monotonic() + _SENDING_SECONDS
        while not self.is_sent and time.monotonic() < end:
            part = self._bytes[self._copied : self._copied + _CHUNK]
            self._copied += self._file.write(part.data)
            self.is_sent = self._copied == len(self._bytes)
        if self.is_sent:
            self._file.close()
        return self._copied / max(len(self._bytes), 1)

    def close(self) -> None:
        """Let go of the image."""
        if self._file is not None:
            self._file.close()
        if self.path is not None:
            # Windows keeps what the worker has mapped; it goes with the folder.
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
