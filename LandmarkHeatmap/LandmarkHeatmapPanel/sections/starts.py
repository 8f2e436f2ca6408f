"""Which start is better now: the cases, a network, or both together; asked, answered, and chosen."""

from __future__ import annotations

from pathlib import Path

from slicer.i18n import tr as _

from landmark_heatmap.dataset.folder import is_dataset
from landmark_heatmap.dataset.landmark_sources import landmark_set_from
from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.lengths import length
from landmark_heatmap.model.shipped import shipped_models
from landmark_heatmap.registering.models import describe, network_of
from landmark_heatmap.registering.start_file import start_beside
from landmark_heatmap.runs.starts import BOTH, NETWORK, REGISTERED, StartsQuestion

from ..asking import AskingButton
from ..section import Section, Signal
from ..texts import FixedText, duration
from ..trainings import TrainingList
from ..widgets import fill, give_columns, select, show_cell, showing_errors

HEADERS = ("Begin with", "Mean error", "Median", "A case takes")
_WAYS = {REGISTERED: "the cases, registered", NETWORK: "the network", BOTH: "both together"}
_NO_NETWORK = ""


class StartsSection(Section):
    """chosen(path): with what the next cases are to begin, as a model.

    how: of the process (runs/process.py), for tests.
    """

    def __init__(self, ui, state, logic):
        super().__init__(ui, state, logic)
        self.chosen, self.how = Signal(), {}
        self._asked, self._found = (), None
        self._offered_for = None
        self._info = FixedText(ui.startsInfoLabel, lines=4)
        give_columns(ui.startsTable, [_(header) for header in HEADERS])
        self._asking = AskingButton(
            ui.askStartsButton,
            logic,
            self._question,
            self._tell,
            self._info.show,
            meanwhile=_("Leaving each case out in turn..."),
            not_begun=_("Nothing was asked."),
            not_answered=_("It cannot be said."),
        )
        ui.useStartButton.connect("clicked(bool)", self._on_use_button)
        ui.startsTable.connect("itemSelectionChanged()", self._show_button)
        ui.startsCollapsibleButton.connect("contentsCollapsed(bool)", self._on_collapsed)
        ui.trainDatasetPathLineEdit.connect("currentPathChanged(QString)", self._on_dataset)

    @property
    def is_busy(self) -> bool:
        return self._asking.is_busy

    def close(self) -> None:
        self._asking.stop()

    def update(self) -> None:
        self._offer()

    # --- which networks there are

    def _on_collapsed(self, is_collapsed):
        if not is_collapsed:
            self._offer()

    def _on_dataset(self, path):
        """What was answered is of another dataset."""
        self._asking.stop()
        self._show(None)
        self._info.show("")
        self._offer()

    def _offer(self) -> None:
        """The networks that know any of the dataset's landmarks; looked for while somebody looks."""
        if self.ui.startsCollapsibleButton.collapsed or not self.state.node:
            return
        listed = [(path, d) for _key, path, d in self.logic.models() if d.dimension is not None]
        runs = [run.model_path for run in TrainingList().all()]
        runs = [path for path in runs if path is not None]
        asked_for = (self._dataset, [path for path, _d in listed], runs)
        if asked_for == self._offered_for:
            return
        self._offered_for = asked_for
        items = self._networks(listed, runs)
        before = self.ui.startsModelComboBox.currentData
        fill(self.ui.startsModelComboBox, [*items, (_("None: the cases alone"), _NO_NETWORK)])
        paths = [path for _name, path in items]
        select(self.ui.startsModelComboBox, before if before in paths else (paths or [""])[0])

    def _networks(self, listed, runs) -> list:
        """(name, path) of each, those of the trainings first, of which the newest is."""
        try:
            names = set(landmark_set_from(self._dataset).names)
        except (LandmarkHeatmapError, OSError):
            return []  # it is not said, or there is none
        found = {}
        for path, description in [*((path, None) for path in runs), *listed]:
            try:
                description = description or describe(path)
                network = str(network_of(path))
            except (LandmarkHeatmapError, OSError):
                continue  # it has gone meanwhile
            if names & set(description.landmarks.names):
                found.setdefault(network, description.name)
        return [(name, path) for path, name in found.items()]

    @property
    def _dataset(self) -> str:
        return self.ui.trainDatasetPathLineEdit.currentPath

    # --- question and answer

    def _question(self):
        if not is_dataset(self._dataset):
            raise LandmarkHeatmapError(_("Choose a dataset that was exported to above."))
        asked = (self._dataset, self.ui.startsModelComboBox.currentData or None)

        def begin():
            question = StartsQuestion(*asked, **self.how)
            self._asked = asked
            return question

        return begin

    def _tell(self, found) -> None:
        self._show(found)
        if found is not None:
            self._info.show(" ".join(said(found)))

    def _show(self, found) -> None:
        """None: there is none yet."""
        self._found, table = found, self.ui.startsTable
        ways = found.ways if found else ()
        table.clearSelection()
        table.setRowCount(len(ways))
        for row, each in enumerate(ways):
            tip = _("Of {count} cases.").format(count=each.cases)
            errors = (f"{length(value)} {each.unit}" for value in (each.mean, each.median))
            for column, text in enumerate((_(_WAYS[each.way]), *errors, duration(each.seconds))):
                show_cell(table, row, column, text, tip)
        if ways:
            table.selectRow([each.way for each in ways].index(found.best))
        self._show_button()

    def _way(self):
        """The chosen one, or None."""
        row = self.ui.startsTable.currentRow()
        ways = self._found.ways if self._found else ()
        return ways[row].way if 0 <= row < len(ways) else None

    def _show_button(self):
        self.ui.useStartButton.enabled = self._way() is not None

    def _on_use_button(self, checked=False):
        with showing_errors(_("It was not chosen."), self._info.show):
            dataset, network = self._asked
            alone = {REGISTERED: dataset, NETWORK: network}.get(self._way())
            self.chosen.emit(alone or _both(dataset, network, self._found.trust))


def said(found) -> list:
    """The answer, in sentences."""
    if found.advice:
        return [*found.notes, *found.advice]
    if not found.ways:
        return list(found.notes)
    alone = _("The next case can begin so. When a network has been trained, ask again with it.")
    return [*found.notes, alone]


def _both(dataset: str, network: str, trust) -> str:
    """The file that stands for both together."""
    names = {str(path): name for name, path in shipped_models().items()}
    try:
        return str(start_beside(dataset, names.get(network, network), trust))
    except OSError as error:
        raise LandmarkHeatmapError(
            _("'{folder}': {reason}.").format(
                folder=Path(dataset).parent, reason=error.strerror or error
            )
        ) from error
