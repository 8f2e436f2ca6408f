"""Training in the panel: what it would do, the process that does it, how it goes, and its model."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from landmark_heatmap.dataset.landmark_sources import landmark_set_from
from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.registering.models import network_of
from landmark_heatmap.runs.command import Fit, folder_for_run
from landmark_heatmap.runs.foresight import Foresight
from landmark_heatmap.runs.live import CASES, CURVE, LiveState
from landmark_heatmap.runs.run import begin

from ..detecting.packages import ensure_training_packages
from ..section import Section, Signal
from ..state import DEVICES
from ..texts import FixedText
from ..trainings import TrainingList, called, doing, how_it_ended, left
from ..widgets import fill, keep_setting, select, setting, showing_errors

_EVERY_MS = 1000
_SCRATCH, _MODEL = "", "model"
_MINUTES = 30


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
        self._offered = None
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
        self.ui.trainDatasetPathLineEdit.connect("currentPathChanged(QString)", self._on_dataset)
        self.ui.trainFromComboBox.connect("currentIndexChanged(int)", self._on_from)
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
        self._offered = None
        self.trainings.look(anew=True)
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
        """Of the scene only the chosen model matters; the disk is not asked on every change of it."""
        if self._offered != self.state.node.model:
            self._offered = self.state.node.model
            self._offer_beginnings()
            self._show_asked()

    def _offer_beginnings(self) -> None:
        """From scratch, or from the chosen model: that as last time, unless it knows none of the
        landmarks."""
        model = self._model()
        items = [(_("Nothing: from scratch"), _SCRATCH)]
        if model is not None:
            items.append((_("The chosen model, {name}").format(name=model.name), _MODEL))
        is_scratch = model is None or setting("TrainingFrom", _MODEL) == _SCRATCH
        fill(self.ui.trainFromComboBox, items)
        select(self.ui.trainFromComboBox, _SCRATCH if is_scratch or self._is_foreign() else _MODEL)

    def _is_foreign(self) -> bool:
        """Whether the dataset is of other landmarks than the chosen model altogether."""
        try:
            names = landmark_set_from(self.ui.trainDatasetPathLineEdit.currentPath).names
        except (LandmarkHeatmapError, OSError):
            return False  # it is not said, or there is none
        return not set(names) & set(self._model().landmarks.names)

    def offer(self) -> None:
        """A case was exported: train from its dataset, unless another one was chosen here."""
        if not setting("TrainingDataset"):
            self.ui.trainDatasetPathLineEdit.currentPath = setting("DatasetFolder")

    # --- what is asked for

    def _model(self):
        """The description of the chosen model, or None; cases that are registered are no network."""
        key = self.state.node.model if self.state.node else ""
        found = next((each for k, _path, each in self.logic.models() if k == key), None)
        return None if found is None or found.dimension is None else found

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
            "" if is_new else str(network_of(self.logic.modelPath(self.state.node.model)) or ""),
            self.ui.trainMinutesSpinBox.value,
            self.ui.trainDeviceComboBox.currentData,
            output.name,
        )

    def _on_dataset(self, path):
        if self.state.node:
            self._offer_beginnings()
        self._on_asked()

    def _on_from(self, index):
        """Chosen by hand: so it stays."""
        keep_setting("TrainingFrom", self.ui.trainFromComboBox.currentData)
        self._on_asked()

    def _on_asked(self, value=None):
        """Another question: what was answered holds no more."""
        folder = self.ui.trainDatasetPathLineEdit.currentPath
        # What is exported to is followed, and need not be remembered.
        keep_setting("TrainingDataset", "" if folder == setting("DatasetFolder") else folder)
        keep_setting("TrainingMinutes", str(self.ui.trainMinutesSpinBox.value))
        keep_setting("TrainingDevice", self.ui.trainDeviceComboBox.currentData)
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
                self.trainings.resume(self._run(), **self.how)
        self.follow()

    def _on_use_button(self, checked=False):
        self.trained.emit(str(self._run().model_path))
        self._show_run()

    def _on_quit(self):
        """The application closes."""
        if self.ui.trainGoesOnCheckBox.checked:
            return
        for run, state in self.trainings.look():
            if state.goes_on:
                run.cancel()

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
        for run, state in self.trainings.look():
            if not state.goes_on and self.trainings.told_end(run) != state.state:
                self.trainings.tell_end(run, state.state)
                self._shown = str(run.folder)
                self.told.emit(
                    _("{name}: {end}").format(name=run.name, end=how_it_ended(run, state))
                )
        self._show_asked()

    def _show_run(self) -> None:
        looked_at = self.trainings.look()
        fill(self.ui.trainRunComboBox, [(called(*each), str(each[0].folder)) for each in looked_at])
        run = self._run()
        state = next((s for r, s in looked_at if run and r.folder == run.folder), LiveState(""))
        if run is not None:
            select(self.ui.trainRunComboBox, str(run.folder))
        is_busy = any(s.goes_on for _r, s in looked_at)
        self.ui.trainRunComboBox.enabled = bool(looked_at)
        is_asked = bool(self.ui.trainDatasetPathLineEdit.currentPath)
        self.ui.trainButton.enabled = is_asked and not is_busy
        hint = _("Begin the training, in a process of its own. Go on working: it does not disturb.")
        if is_busy:
            hint = _("A training is going on: wait for its end, or cancel it.")
        elif not is_asked:
            hint = _("Choose a dataset folder first.")
        self.ui.trainButton.toolTip = hint
        self._show_buttons(run, state)
        plan = self._plan or "\n".join(state.reasons)
        if self.ui.trainPlanTextEdit.toPlainText() != plan:
            self.ui.trainPlanTextEdit.setPlainText(plan)
        self.ui.trainProgressBar.value = round(100 * state.share)
        self.ui.trainProgressBar.setFormat(f"%p%{left(state)}")
        self._state.show(doing(state))
        self._outcome.show(how_it_ended(run, state) if run and not state.goes_on else "")
        for name, label in ((CURVE, self.ui.trainCurveLabel), (CASES, self.ui.trainCasesLabel)):
            self._show_picture(name, label, run and run.picture(name))

    def _show_buttons(self, run, state) -> None:
        goes_on = state.goes_on
        model = run.model_path if run is not None and not goes_on else None
        self.ui.trainCancelButton.enabled = goes_on
        is_open = state.is_open and run.can_resume
        is_ending = is_open and not run.is_left
        self.ui.trainResumeButton.enabled = is_open and not is_ending
        self.ui.trainResumeButton.toolTip = (
            _("Its process is still ending: a moment.")
            if is_ending
            else _("Go on with a training that was ended before it was done.")
        )
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
