"""A process that is talked to without ever waiting for it."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

_STDERR_KEPT = 20_000
_READ = 1 << 16


class WorkerProcess:
    """Lines to it and from it, its errors, and its end."""

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
