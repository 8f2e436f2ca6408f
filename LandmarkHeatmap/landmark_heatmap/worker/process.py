"""A process that is talked to without ever waiting for it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from ..launch import let_threads_sleep

_STDERR_KEPT = 20_000
# What is read at a time: one that never stops talking may not hold up the application.
_READ, _READS = 1 << 16, 64


def interpreter() -> str:
    """Of processes that are started: Slicer's, or this one."""
    return shutil.which("PythonSlicer") or sys.executable


def environment(*folders) -> dict:
    """For a process that is started: Python finds this package and what lies in these folders, too, and
    its threads sleep while they wait."""
    package = str(Path(__file__).resolve().parents[2])
    paths = [package, *map(str, folders), os.environ.get("PYTHONPATH", "")]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    let_threads_sleep(variables)
    return variables


def apart() -> dict:
    """What makes a process of its own of it, which gets no Ctrl-C of this one and shows no window."""
    if os.name == "nt":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return {"creationflags": flags}
    return {"start_new_session": True}


def end_with_all(process: subprocess.Popen) -> None:
    """End a process that was started `apart`, with all that it started, at once."""
    if process.poll() is None:
        try:
            if os.name == "nt":
                subprocess.run(
                    ["taskkill", "/F", "/T", "/PID", str(process.pid)],
                    capture_output=True,
                    check=False,
                )
            else:
                os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.kill()
    process.wait()


class WorkerProcess:
    """Lines to it and from it, its errors, and its end. longest_line: bytes of one from it."""

    def __init__(self, command, longest_line: int):
        self._longest_line = longest_line
        self._process = subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            **apart(),
        )
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            os.set_blocking(pipe.fileno(), False)
        self._heard, self._errors, self._unsent = b"", b"", b""
        self._is_read = False

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def write(self, line: bytes) -> None:
        self._unsent += line
        self._flush()

    def has_ended(self) -> bool:
        """Whether it is no longer alive, and all that it had said has been given by `lines`."""
        return self._is_read

    def lines(self) -> list:
        """The whole lines that have come since. ValueError for one that does not end."""
        self._flush()
        was_alive = self.is_alive()
        errors, some = _read_some(self._process.stderr), _read_some(self._process.stdout)
        self._is_read = not (was_alive or errors or some)
        self._errors = (self._errors + errors)[-_STDERR_KEPT:]
        *lines, self._heard = (self._heard + some).split(b"\n")
        if max(map(len, [*lines, self._heard])) > self._longest_line:
            raise ValueError(f"a line of more than {self._longest_line} bytes")
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
        end_with_all(self._process)
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


def _read_some(pipe) -> bytes:
    """What is there, but no more than a few megabytes, without waiting for more."""
    parts = []
    for _ in range(_READS):
        try:
            part = pipe.read(_READ)
        except (BlockingIOError, OSError):
            part = None
        if not part:
            break
        parts.append(part)
    return b"".join(parts)
