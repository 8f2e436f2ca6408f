"""A question to the training package: a command that says something and changes nothing, at work."""

from __future__ import annotations

import tempfile

from ..worker.process import end_with_all
from .process import start


class Asking:
    """Nothing here waits. words: of landmark-train. how: as of `process.start`.

    Raises TrainingError if it cannot be started.
    """

    def __init__(self, words, **how):
        # They live as long as the process.
        self._said, self._errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self._process = start(words, self._said, self._errors, **how)

    def code(self):
        """The exit code; None as long as it is at work."""
        return self._process.poll()

    def said(self) -> str:
        return _read(self._said)

    def reason(self) -> str:
        """Why there is no answer."""
        # Before the reason it may have told how far it was.
        errors = _read(self._errors).rpartition("landmark-train: ")[2]
        return errors or f"exit code {self._process.poll()}"

    def close(self) -> None:
        """What is not asked for any more is ended."""
        end_with_all(self._process)
        self._said.close()
        self._errors.close()


def _read(file) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace").strip()
