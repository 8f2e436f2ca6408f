"""The application's side of a detection in another process. Needs neither torch nor qt.

Nothing here waits: `poll`, called from a timer, moves everything on, and takes a few milliseconds at
most. There are no threads, because in Slicer those run only while Python code does.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..detection.prediction import Prediction
from ..errors import PredictionError
from ..images.geometry import Image
from . import protocol

SERVER = Path(__file__).with_name("server.py")
# An image goes into the shared file in chunks, for so long at a time.
_CHUNK, _SENDING_SECONDS = 2 << 20, 0.015
# A worker that is asked to stop and is in the middle of a network gets so long.
_PATIENCE_SECONDS = 0.6
_STDERR_KEPT = 20_000
# Shares of a job: starting the process or sending the image is done before these.
_SENT = 0.1
_READ = 1 << 16


@dataclass(frozen=True)
class Progress:
    """stage: what is being done. fraction: 0 to 1, never falls. seconds_left: None if unknown."""

    stage: str
    fraction: float
    seconds_left: float = None


@dataclass(frozen=True, eq=False)
class Finished:
    """device: as torch names it. device_note: why that one, if there is something to say.
    seconds: of the job's parts, as the worker measured them, and "all" of it, as seen from here."""

    prediction: Prediction
    device: str
    device_note: str = ""
    seconds: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """message: for the user. details: for who looks into it. The next detection may well succeed."""

    message: str
    details: str = ""


@dataclass(frozen=True)
class Cancelled:
    """The job was cancelled."""


class WorkerClient:
    """Detects in a worker process, which is started with the first job and stays for the next.

    python: the interpreter; by default Slicer's, or this one. server: the script it runs.
    """

    def __init__(self, python: str = None, server=SERVER):
        self.python = python or shutil.which("PythonSlicer") or sys.executable
        self.server = str(server)
        self._process, self._folder, self._job, self._number = None, None, None, 0
        self._events = []

    @property
    def is_busy(self) -> bool:
        return self._job is not None

    def detect(self, image: Image, model_path, device: str = "auto") -> None:
        """Begin; what comes of it is told by `poll`. Raises PredictionError if a job is under way."""
        if self.is_busy:
            raise PredictionError("A detection is under way already; cancel it first.")
        self._number += 1
        self._job = _Job(self._number, image, str(model_path), device)
        try:
            self._start()
            self._job.open(self._folder)
        except OSError as error:
            self._fail(f"The detection could not be started with '{self.python}': {error}")

    def poll(self) -> list:
        """The events since the last call: Progress, and then Finished, Failed or Cancelled."""
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
        if not self._job.is_sent:
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
        self._folder = Path(tempfile.mkdtemp(prefix="landmark-heatmap-"))
        self._process = _Process([self.python, self.server, str(self._folder)])

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
                    image=protocol.described(job.image, job.path.name),
                    model=job.model,
                    device=job.device,
                )
            )

    def _listen(self) -> None:
        for line in self._process.lines():
            try:
                message = protocol.read_line(line)
                self._heard(message)
            except (protocol.ProtocolError, KeyError, TypeError, ValueError) as error:
                self._end()
                self._fail("The worker gave an answer that cannot be understood.", repr(error))
                return
        if self._process is None:
            return
        job = self._job
        if job is not None and job.deadline is not None and time.monotonic() > job.deadline:
            self._end()
            self._finish(Cancelled())
        elif not self._process.is_alive():
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
            return  # the end of a job that was given up
        if kind == "progress":
            self._tell(message["stage"], _SENT + (1 - _SENT) * message["fraction"])
        elif kind == "finished":
            prediction = protocol.prediction_from_json(message["prediction"], self._folder)
            (self._folder / f"result-{job.number}").unlink(missing_ok=True)
            seconds = {**message["seconds"], "all": time.monotonic() - job.started}
            if job.deadline is not None:
                self._finish(Cancelled())
            else:
                self._finish(Finished(prediction, message["device"], message["note"], seconds))
        elif kind == "failed":
            self._fail_or_cancel(message["text"], message["details"])
        elif kind == "cancelled":
            self._finish(Cancelled())

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
        if self._process is not None:
            self._process.kill()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


class _Job:
    """One detection. deadline: when a cancelled one is ended by force, None if it is wanted."""

    def __init__(self, number: int, image: Image, model: str, device: str):
        self.number, self.image, self.model, self.device = number, image, model, device
        self.started, self.stage, self.fraction, self.deadline = time.monotonic(), "", 0.0, None
        self.is_sent, self.path, self._file, self._copied = False, None, None, 0

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


class _Process:
    """A process that is talked to without ever waiting for it."""

    def __init__(self, command):
        package = str(Path(__file__).resolve().parents[2])
        paths = [package, os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        apart = {"start_new_session": True}
        if os.name == "nt":
            flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
            apart = {"creationflags": flags}
        self._process = subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            **apart,
        )
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            os.set_blocking(pipe.fileno(), False)
        self._heard, self._errors, self._unsent = b"", b"", b""

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def write(self, line: bytes) -> None:
        self._unsent += line
        self._flush()

    def lines(self) -> list:
        """The whole lines that have come since."""
        self._flush()
        self._errors = (self._errors + _read_all(self._process.stderr))[-_STDERR_KEPT:]
        *lines, self._heard = (self._heard + _read_all(self._process.stdout)).split(b"\n")
        return lines

    def errors(self) -> str:
        """The end of what it wrote to standard error."""
        return self._errors.decode("utf-8", "replace")

    def how_it_ended(self) -> str:
        """For the user."""
        code = self._process.returncode
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
            if name == "SIGKILL":
                return (
                    "The process that detects was killed (SIGKILL), as systems do that run out of"
                    " memory. Close other programs, or use a smaller image, and try again."
                )
            return f"The process that detects crashed ({name}). Try again; the details say more."
        return f"The process that detects ended by itself (exit code {code})."

    def kill(self) -> None:
        """With all that it started."""
        if self.is_alive():
            try:
                if os.name == "nt":
                    subprocess.run(
                        ["taskkill", "/F", "/T", "/PID", str(self._process.pid)],
                        capture_output=True,
                        check=False,
                    )
                else:
                    os.killpg(self._process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(OSError):
                pipe.close()

    def _flush(self) -> None:
        try:
            while self._unsent:
                written = self._process.stdin.write(self._unsent)
                if not written:
                    return
                self._unsent = self._unsent[written:]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent = b""  # it has ended; that is told from the process


def _read_all(pipe) -> bytes:
    """What is there, without waiting for more."""
    parts = []
    while True:
        try:
            part = pipe.read(_READ)
        except (BlockingIOError, OSError):
            part = None
        if not part:
            return b"".join(parts)
        parts.append(part)
