"""A training as it is asked for: the words of the command line that does it, here or on a server."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ..model.shipped import shipped_models


@dataclass(frozen=True)
class Fit:
    """data: a dataset folder. output: the run's folder, which is new. parent: the model to begin with,
    "" from scratch. minutes: that it may take, None as many as its epochs take. device: "auto", "cpu"
    or "cuda". name: that the model will show, "" for the one that the data have.
    """

    data: str
    output: str
    parent: str = ""
    minutes: float = None
    device: str = "auto"
    name: str = ""

    def words(self) -> list:
        return ["fit", *self._asked(self.parent), *self._given()]

    def words_of_plan(self) -> list:
        """Of the command that says what it would do, and does nothing."""
        return ["plan", *self._asked(self.parent)]

    def told(self, windows: bool = os.name == "nt") -> str:
        """The whole command, as this system's shell reads it.

        A model that comes along goes by its name: where it lies is a matter of this computer.
        """
        names = {path: name for name, path in shipped_models().items()}
        parent = self.parent and names.get(Path(self.parent), self.parent)
        words = ["landmark-train", "fit", *self._asked(parent), *self._given()]
        return subprocess.list2cmdline(words) if windows else shlex.join(words)

    def _given(self) -> list:
        return [*(["--name", self.name] if self.name else []), "--output", self.output]

    def _asked(self, parent: str) -> list:
        words = ["--data", self.data]
        words += ["--from", parent] if parent else []
        words += [] if self.minutes is None else ["--minutes", f"{self.minutes:g}"]
        return words + ([] if self.device == "auto" else ["--set", f"device={self.device}"])


def folder_for_run(data) -> Path:
    """A folder that is not there yet, beside a dataset: DATA-run, DATA-run-2 and so on."""
    data = Path(data)
    first = data.with_name(f"{data.name}-run")
    others = (data.with_name(f"{data.name}-run-{number}") for number in count(2))
    return first if not first.exists() else next(each for each in others if not each.exists())
