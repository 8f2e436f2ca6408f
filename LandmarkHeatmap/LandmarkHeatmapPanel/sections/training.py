"""Training in the panel: what it would do, the process that does it, how it goes, and its model."""

from __future__ import annotations

import time

import qt
import slicer
from slicer.i18n import tr as _

from landmark_heatmap.runs.command import Fit, folder_for_run
from landmark_heatmap.runs.foresight import Foresight
from landmark_heatmap.runs.live import (
    CANCELLED,
    CASES,
    CURVE,
    ENDED,
    FAILED,
    FINISHED,
    INTERRUPTED,
    LiveState,
)
from landmark_heatmap.runs.run import begin

from ..detecting.packages import ensure_training_packages
from ..section import Section, Signal
from ..state import DEVICES
from ..texts import FixedText, duration
from ..trainings import TrainingList
from ..widgets import fill, keep_setting, select, setting, showing_errors

_EVERY_MS = 1000
_SCRATCH, _MODEL = "", "model"
_MINUTES = 30
# What is said of a run in the list of them.
_STATES = {
    FINISHED: "done",
    CANCELLED: "cancelled",
    FAILED: "failed",
    INTERRUPTED: "interrupted",
}


class TrainingSection(Section):
    """All of it belongs to the user, whatever the scene. The panel only reads the files that a run
    writes, so that module and application can come and go.

    trained(path): the model file that is to be used from now on.
    """

    def __init__(self, ui, state, logic):
        super().__init__(ui, state, logic)
        self.trained = Signal()
        # How processes are started; tests have others.
        self.how, self.trainings = {}, TrainingList()
        self._question, self._plan, self._shown, self._pictures = None, "", None, {}
        self._state = FixedText(self.ui.trainStateLabel, lines=2)
        self._outcome = FixedText(self.ui.trainOutcomeLabel, lines=3)
        self._timer = qt.QTimer()
        self._timer.setInterval(_EVERY_MS)
        self._timer.connect("timeout()", self.follow)
        self._recall()
        self._connect()

    def _recall(self) -> None:
        """What the user asked for last time."""
        folder = setting("TrainingDataset") or setting("DatasetFolder")
        if not self.ui.trainDatasetPathLineEdit.currentPath:
            self.ui.trainDatasetPathLineEdit.currentPath = folder
        minutes = setting("TrainingMinutes", str(_MINUTES))
        self.ui.trainMinutesSpinBox.value = int(minutes) if minutes.isdigit() else _MINUTES
        fill(self.ui.trainDeviceComboBox, [(_(text), key) for key, text in DEVICES.items()])
        select(self.ui.trainDeviceComboBox, setting("TrainingDevice", "auto"))
        self.ui.trainGoesOnCheckBox.checked = setting("TrainingGoesOn", "yes") == "yes"

    def _connect(self) -> None:
        self.ui.trainDatasetPathLineEdit.connect("currentPathChanged(QString)", self._on_asked)
        self.ui.trainFromComboBox.connect("currentIndexChanged(int)", self._on_asked)
        self.ui.trainMinutesSpinBox.connect("valueChanged(int)", self._on_asked)
        self.ui.trainDeviceComboBox.connect("currentIndexChanged(int)", self._on_asked)
        self.ui.trainGoesOnCheckBox.connect("toggled(bool)", self._on_goes_on)
        self.ui.trainRunComboBox.connect("currentIndexChanged(int)", self._on_run_chosen)
        for button, call in (
            (self.ui.trainPlanButton, self._on_plan_button),
            (self.ui.trainButton, self._on_train_button),
            (self.ui.trainCancelButton, self._on_cancel_button),
            (self.ui.trainResumeButton, self._on_resume_button),
            (self.ui.trainUseButton, self._on_use_button),
            (self.ui.trainCopyButton, self._on_copy_button),
        ):
            button.connect("clicked(bool)", call)
        slicer.app.connect("aboutToQuit()", self._on_quit)

    def attach(self) -> None:
        """The module was opened: what has ended meanwhile is told, what goes on is followed."""
        self.follow()
        self._timer.start()

    def detach(self) -> None:
        """Nobody looks; the training goes on."""
        self._timer.stop()

    def close(self) -> None:
        self._timer.stop()
        slicer.app.disconnect("aboutToQuit()", self._on_quit)
        self._forget_question()

    def update(self) -> None:
        name = self._name_of_model()
        items = [(_("Nothing: from scratch"), _SCRATCH)]
        if name:
            items.append((_("The chosen model, {name}").format(name=name), _MODEL))
        chosen = setting("TrainingFrom", _MODEL)
        fill(self.ui.trainFromComboBox, items)
        select(self.ui.trainFromComboBox, chosen if len(items) > 1 else _SCRATCH)
        self._show_asked()

    def offer(self) -> None:
        """A case was exported: train from its dataset, if none was chosen."""
        if not self.ui.trainDatasetPathLineEdit.currentPath:
            self.ui.trainDatasetPathLineEdit.currentPath = setting("DatasetFolder")

    # --- what is asked for

    def _name_of_model(self) -> str:
        node = self.state.node
        return next(
            (d.name for key, _p, d in self.logic.models() if node and key == node.model), ""
        )

    def _fit(self) -> Fit:
        """None if no dataset is chosen."""
        data = self.ui.trainDatasetPathLineEdit.currentPath
        if not data:
            return None
        is_new = self.ui.trainFromComboBox.currentData != _MODEL
        output = folder_for_run(data)
        return Fit(
            data,
            str(output),
            "" if is_new else str(self.logic.modelPath(self.state.node.model)),
            self.ui.trainMinutesSpinBox.value,
            self.ui.trainDeviceComboBox.currentData,
            output.name,
        )

    def _on_asked(self, value=None):
        """Another question: what was answered holds no more."""
        keep_setting("TrainingDataset", self.ui.trainDatasetPathLineEdit.currentPath)
        keep_setting("TrainingMinutes", str(self.ui.trainMinutesSpinBox.value))
        keep_setting("TrainingDevice", self.ui.trainDeviceComboBox.currentData)
        if self.ui.trainFromComboBox.count > 1:
            keep_setting("TrainingFrom", self.ui.trainFromComboBox.currentData)
        self._forget_question()
        self._plan = ""
        if self.state.node:
            self._show_asked()

    def _show_asked(self) -> None:
        fit = self._fit()
        command = fit.told() if fit else ""
        if self.ui.trainCommandTextEdit.toPlainText() != command:
            self.ui.trainCommandTextEdit.setPlainText(command)
        self.ui.trainCopyButton.enabled = self.ui.trainPlanButton.enabled = bool(fit)
        if self._question is not None:
            self.ui.trainPlanButton.enabled = False
        self._show_run()

    def _on_goes_on(self, checked):
        keep_setting("TrainingGoesOn", "yes" if checked else "no")

    def _on_copy_button(self, checked=False):
        slicer.app.clipboard().setText(self.ui.trainCommandTextEdit.toPlainText())

    # --- before it begins

    def _on_plan_button(self, checked=False):
        with showing_errors(_("It cannot be said."), self.told.emit):
            if self._has_packages():
                self._question = Foresight(self._fit(), **self.how)
                self._plan = _("Reading the dataset...")
        self._show_asked()

    def _has_packages(self) -> bool:
        there = ensure_training_packages(self.logic)
        if not there:
            self.told.emit(_("Training needs packages that are not installed."))
        return there

    def _follow_question(self) -> None:
        answer = self._question.poll() if self._question is not None else None
        if answer is not None:
            self._plan = answer.text
            self._forget_question()
            if not answer.is_plan:
                self._plan = _("It cannot be trained: {reason}").format(reason=answer.text)

    def _forget_question(self) -> None:
        if self._question is not None:
            self._question.close()
        self._question = None

    # --- the training

    def _on_train_button(self, checked=False):
        with showing_errors(_("The training was not begun."), self.told.emit):
            if self._has_packages():
                self.trainings.add(begin(self._fit(), **self.how))
                self._shown, self._plan = None, ""
                self._forget_question()
        self.follow()

    def _on_cancel_button(self, checked=False):
        with showing_errors(_("It was not cancelled."), self.told.emit):
            self._run().cancel()
            self.told.emit(_("Cancelling; the best model so far is kept..."))
        self.follow()

    def _on_resume_button(self, checked=False):
        with showing_errors(_("It was not resumed."), self.told.emit):
            if self._has_packages():
                run = self._run()
                run.resume(**self.how)
                self.trainings.tell_end(run, "")
        self.follow()

    def _on_use_button(self, checked=False):
        self.trained.emit(str(self._run().model_path))
        self._show_run()

    def _on_quit(self):
        """The application closes."""
        if self.ui.trainGoesOnCheckBox.checked:
            return
        for run, state in self._looked_at():
            if _goes_on(state):
                run.cancel()

    def _looked_at(self) -> list:
        """(TrainingRun, LiveState) of each that tells anything."""
        found = [(run, run.look()) for run in self.trainings.all()]
        return [(run, state) for run, state in found if state is not None]

    def _run(self):
        """The one that is shown: the newest, unless another was chosen; None if there is none."""
        runs = self.trainings.all()
        chosen = [run for run in runs if str(run.folder) == self._shown]
        return (chosen or runs or [None])[0]

    def _on_run_chosen(self, index):
        self._shown = self.ui.trainRunComboBox.itemData(index)
        self._show_run()

    # --- how it goes

    def follow(self) -> None:
        """Read what the runs have written since, and show it. Safe to call at any time."""
        self._follow_question()
        for run, state in self._looked_at():
            if not _goes_on(state) and self.trainings.told_end(run) != state.state:
                self.trainings.tell_end(run, state.state)
                self._shown = str(run.folder)
                self.told.emit(_("{name}: {end}").format(name=run.name, end=_end(run, state)))
        self._show_asked()

    def _show_run(self) -> None:
        looked_at = self._looked_at()
        fill(self.ui.trainRunComboBox, [(_told(*each), str(each[0].folder)) for each in looked_at])
        run = self._run()
        state = next((s for r, s in looked_at if run and r.folder == run.folder), LiveState(""))
        if run is not None:
            select(self.ui.trainRunComboBox, str(run.folder))
        is_busy = any(_goes_on(s) for _r, s in looked_at)
        self.ui.trainRunComboBox.enabled = bool(looked_at)
        self.ui.trainButton.enabled = bool(self._fit()) and not is_busy
        self._show_buttons(run, state)
        plan = self._plan or "\n".join(state.reasons)
        if self.ui.trainPlanTextEdit.toPlainText() != plan:
            self.ui.trainPlanTextEdit.setPlainText(plan)
        self.ui.trainProgressBar.value = round(100 * state.share)
        self.ui.trainProgressBar.setFormat(f"%p%{_left(state)}")
        self._state.show(f"{state.what or _(_STATES.get(state.state, ''))}\n{_errors(state)}")
        self._outcome.show(_end(run, state) if run and not _goes_on(state) else "")
        for name, label in ((CURVE, self.ui.trainCurveLabel), (CASES, self.ui.trainCasesLabel)):
            self._show_picture(name, label, run and run.picture(name))

    def _show_buttons(self, run, state) -> None:
        goes_on = _goes_on(state)
        model = run.model_path if run is not None and not goes_on else None
        self.ui.trainCancelButton.enabled = goes_on
        is_open = state.state in (CANCELLED, FAILED, INTERRUPTED)
        self.ui.trainResumeButton.enabled = is_open and run.can_resume
        in_use = self.state.node.model if self.state.node else ""
        self.ui.trainUseButton.enabled = model is not None and str(model) != in_use

    def _show_picture(self, name: str, label: qt.QLabel, path) -> None:
        """Read again only when it is another."""
        now = (str(path), path.stat().st_mtime_ns, label.width) if path is not None else None
        if self._pictures.get(name) == now:
            return
        self._pictures[name] = now
        if now is None:
            label.clear()
            return
        fitting = (qt.QSize(label.width, label.height), qt.Qt.KeepAspectRatio)
        label.setPixmap(qt.QPixmap(str(path)).scaled(*fitting, qt.Qt.SmoothTransformation))


def _goes_on(state: LiveState) -> bool:
    return bool(state.state) and state.state not in (*ENDED, INTERRUPTED)


def _left(state: LiveState) -> str:
    if state.left_seconds is None:
        return ""
    seconds = state.left_seconds - (time.time() - state.told)
    return " - " + _("{time} left").format(time=duration(seconds))


def _errors(state: LiveState) -> str:
    """What the validation says, in a line."""
    if state.mre is None:
        return ""
    text = _("Error on held-out cases: {now:.3g} {unit} in epoch {epoch}; kept: {kept:.3g} {unit}.")
    kept = state.mre if state.kept_mre is None else state.kept_mre
    return text.format(now=state.mre, unit=state.unit, epoch=state.epoch, kept=kept)


def _told(run, state: LiveState) -> str:
    """How a run is called in the list."""
    end = _("going on") if _goes_on(state) else _(_STATES[state.state])
    return _("{name} ({state})").format(name=run.name, state=end)


def _end(run, state: LiveState) -> str:
    """What came of it, a sentence or two."""
    _verdict, sentence = run.comparison()
    if state.state == FINISHED:
        return sentence or _("Done. {errors}").format(errors=_errors(state))
    if state.state == FAILED:
        return _("It failed: {reason}").format(reason=state.error)
    kept = _("The best model so far is kept.") if run.model_path else _("No model was made yet.")
    if state.state == INTERRUPTED:
        told = _("Its process has ended unasked. Last words: {words}").format(words=state.error)
        return f"{kept} {told}"
    return _("Cancelled. {kept}").format(kept=kept)
