"""The trainings that the user has begun: known again after Slicer was closed, and told in words."""

from __future__ import annotations

import json
import logging
import time

from slicer.i18n import tr as _

from landmark_heatmap.runs.live import (
    CANCELLED,
    FAILED,
    FINISHED,
    INTERRUPTED,
    RUNNING,
    STARTING,
    LiveState,
)
from landmark_heatmap.runs.run import TrainingRun

from .texts import duration
from .widgets import keep_setting, setting

# Older ones are forgotten here; their folders stay.
_MOST = 30
# What is said of a run in the list of them.
_STATES = {
    STARTING: "starting",
    RUNNING: "going on",
    FINISHED: "done",
    CANCELLED: "cancelled",
    FAILED: "failed",
    INTERRUPTED: "interrupted",
}


class TrainingList:
    """The runs whose folders are still there, the newest first."""

    def __init__(self):
        # Kept, for a run knows the process that it has started; and what is over stays as it is.
        self._runs, self._over, self._last = {}, {}, {}

    def all(self) -> list:
        """TrainingRuns."""
        runs = [self._runs.setdefault(path, TrainingRun(path)) for path in _known()]
        return [run for run in runs if run.is_there]

    def look(self, anew: bool = False) -> list:
        """(TrainingRun, LiveState) of each that tells anything.

        anew: also of those that were over at the last look; else their files are left in peace.
        """
        if anew:
            self._over.clear()
        found = []
        for run in self.all():
            # On Windows a file that is being replaced cannot be read at that moment.
            state = self._over.get(run.folder) or run.look() or self._last.get(run.folder)
            if state is None:
                continue
            self._last[run.folder] = state
            if not state.goes_on:
                self._over[run.folder] = state
            found.append((run, state))
        return found

    def add(self, run: TrainingRun) -> None:
        path = str(run.folder)
        self._runs[path] = run
        ends = _known()
        ends.pop(path, None)
        _keep(dict([(path, ""), *ends.items()][:_MOST]))

    def resume(self, run: TrainingRun, **how) -> None:
        """See TrainingRun."""
        run.resume(**how)
        self._over.pop(run.folder, None)
        self.tell_end(run, "")

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


def left(state: LiveState) -> str:
    if state.left_seconds is None:
        return ""
    seconds = state.left_seconds - max(0.0, time.time() - state.told)
    return " - " + _("{time} left").format(time=duration(seconds))


def doing(state: LiveState) -> str:
    """In words, and what the validation says."""
    what = state.what or _(_STATES.get(state.state, ""))
    return f"{what[:1].upper()}{what[1:]}. {_errors(state)}" if what else ""


def _errors(state: LiveState) -> str:
    """What the validation says, in a line."""
    if state.mre is None:
        return ""
    text = _("Held-out error {now:.3g} {unit} (epoch {epoch}), of what is kept {kept:.3g} {unit}.")
    kept = state.mre if state.kept_mre is None else state.kept_mre
    return text.format(now=state.mre, unit=state.unit, epoch=state.epoch, kept=kept)


def called(run, state: LiveState) -> str:
    """How a run is called in the list."""
    return _("{name} ({state})").format(name=run.name, state=_(_STATES[state.state]))


def how_it_ended(run, state: LiveState) -> str:
    """What came of it, a sentence or two."""
    _verdict, sentence = run.comparison()
    if state.state == FINISHED:
        return sentence or _("Done. {errors}").format(errors=_errors(state) or _unmeasured(state))
    if state.state == FAILED:
        return _("It failed: {reason}").format(reason=state.error)
    kept = _("The best model so far is kept.") if run.model_path else _("No model was made yet.")
    if state.state == INTERRUPTED:
        told = _("Its process has ended unasked. Last words: {words}").format(words=state.error)
        return f"{kept} {told}"
    told = _errors(state) or _unmeasured(state) if run.model_path else ""
    return _("Cancelled. {kept} {told}").format(kept=kept, told=told).strip()


def _unmeasured(state: LiveState) -> str:
    """Why no error is known."""
    if state.held_out:
        return _("It was stopped before an error was measured.")
    if state.held_out is None:
        return _("How good it is was not measured.")
    return _("No case was held out, so how good it is cannot be told.")
