"""What a training would do and why, asked before it begins."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass

from ..worker.process import end_with_all
from .command import Fit
from .process import start


@dataclass(frozen=True)
class Answer:
    """text: what the command said, whether it is a plan or why there is none."""

    text: str
    is_plan: bool


class Foresight:
    """The command that says what a Fit would do, at work. Nothing here waits.

    how: as of `process.start`. Raises TrainingError if it cannot be started.
    """

    def __init__(self, fit: Fit, **how):
        # They live as long as the process.
        self._said, self._errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self._process = start(fit.words_of_plan(), self._said, self._errors, **how)

    def poll(self) -> Answer:
        """None as long as it is at work."""
        code = self._process.poll()
        if code is None:
            return None
        if code == 0:
            return Answer(_read(self._said), True)
        # Before the reason it may have told how far it was.
        errors = _read(self._errors)
        return Answer(errors.rpartition("landmark-train: ")[2] or f"exit code {code}", False)

    def close(self) -> None:
        """What is not asked for any more is ended."""
        end_with_all(self._process)
        self._said.close()
        self._errors.close()


def _read(file) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace").strip()
