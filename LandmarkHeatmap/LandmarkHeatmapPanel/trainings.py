"""The trainings that the user has begun: known again after Slicer was closed, from the settings."""

from __future__ import annotations

import json
import logging

from landmark_heatmap.runs.run import TrainingRun

from .widgets import keep_setting, setting

# Older ones are forgotten here; their folders stay.
_MOST = 30


class TrainingList:
    """The runs whose folders are still there, the newest first."""

    def __init__(self):
        # Kept, for a run knows the process that it has started.
        self._runs = {}

    def all(self) -> list:
        """TrainingRuns."""
        runs = [self._runs.setdefault(path, TrainingRun(path)) for path in _known()]
        return [run for run in runs if run.is_there]

    def add(self, run: TrainingRun) -> None:
        path = str(run.folder)
        self._runs[path] = run
        ends = _known()
        ends.pop(path, None)
        _keep(dict([(path, ""), *ends.items()][:_MOST]))

    def told_end(self, run: TrainingRun) -> str:
        """What the user was told last of how it ended; "" while it was not seen to end."""
        return _known().get(str(run.folder), "")

    def tell_end(self, run: TrainingRun, end: str) -> None:
        _keep({**_known(), str(run.folder): end})


def _known() -> dict:
    """Of each folder, how its run was last seen to end."""
    try:
        known = dict(json.loads(setting("Trainings", "{}")))
    except (ValueError, TypeError) as error:
        logging.warning("The list of trainings is left out: %s", error)
        return {}
    return {str(path): str(end) for path, end in known.items()}


def _keep(known: dict) -> None:
    keep_setting("Trainings", json.dumps(known))
