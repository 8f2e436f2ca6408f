"""A button that asks the training package something, and ends the question while it is asked."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from landmark_heatmap.errors import LandmarkHeatmapError

from .detecting.packages import ensure_training_packages
from .widgets import showing_errors

_EVERY_MS = 500


class AskingButton:
    """One question at a time, in a process of its own (runs/asking.py).

    make(): what begins it when it is called; raises LandmarkHeatmapError where there is nothing to ask.
    answered(found): called with what it found, and with None when a question begins. say(text): shows a
    line. meanwhile: what is said until then. not_begun, not_answered: how a failure is said.
    """

    def __init__(self, button, logic, make, answered, say, meanwhile, not_begun, not_answered):
        self._button, self._idle, self._logic = button, button.text, logic
        self._make, self._answered, self._say = make, answered, say
        self._meanwhile, self._not_begun, self._not_answered = meanwhile, not_begun, not_answered
        self._question = None
        self._timer = qt.QTimer()
        self._timer.setInterval(_EVERY_MS)
        self._timer.connect("timeout()", self._follow)
        button.connect("clicked(bool)", self._on_clicked)

    @property
    def is_busy(self) -> bool:
        return self._question is not None

    def stop(self) -> None:
        self._timer.stop()
        if self._question is not None:
            self._question.close()
            self._question = None
        self._button.text = self._idle

    def _on_clicked(self, checked=False):
        if self.is_busy:
            self.stop()
            self._say(_("It was cancelled."))
            return
        with showing_errors(self._not_begun, self._say):
            begin = self._make()
            if not ensure_training_packages(self._logic):
                raise LandmarkHeatmapError(_("It needs packages that are not installed."))
            self._question = begin()
            self._timer.start()
            self._answered(None)
            self._say(self._meanwhile)
            self._button.text = _("Cancel")

    def _follow(self):
        with showing_errors(self._not_answered, self._say):
            try:
                found = self._question.poll()
            except LandmarkHeatmapError:
                self.stop()
                raise
            if found is not None:
                self.stop()
                self._answered(found)
