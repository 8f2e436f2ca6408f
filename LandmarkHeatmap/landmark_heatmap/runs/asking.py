"""A question to the training package: a command that says something and changes nothing, at work."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from ..errors import TrainingError
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


class AskingForFile(Asking):
    """The same of a command that writes what it found as `--json` says."""

    def __init__(self, words, **how):
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name) / "found.json"
        super().__init__([*words, "--json", str(self._path)], **how)

    def found(self, made, answers=(0,)):
        """What `made` makes of the document; None as long as the command is at work.

        answers: the exit codes that are one. Raises TrainingError, and why, if nothing can be told.
        """
        code = self.code()
        if code is None:
            return None
        if code not in answers:
            raise TrainingError(self.reason())
        try:
            return made(json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(f"what was found cannot be read ({error})") from error

    def close(self) -> None:
        super().close()
        self._folder.cleanup()


def _read(file) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace").strip()
