"""Mistakes in a dataset, looked for before they are learnt; each is opened in the review."""

from __future__ import annotations

from slicer.i18n import tr as _

from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.lengths import rough
from landmark_heatmap.runs.mistakes import MistakeSearch

from ..asking import AskingButton
from ..section import Section, Signal
from ..texts import FixedText
from ..widgets import give_columns, show_cell

HEADERS = ("Case", "Landmark", "Off by", "What")
# Of many landmarks, so many are named in a row; the line below names all.
_NAMED = 2


class MistakesSection(Section):
    """wanted(case, landmark): somebody wants to look at it; landmark: empty where it is of a whole case.

    title_of(case): what the user calls it. how: of the process (runs/process.py), for tests.
    """

    def __init__(self, ui, state, logic):
        super().__init__(ui, state, logic)
        self.wanted, self.how, self.title_of = Signal(), {}, str
        self._found = ()
        self._info = FixedText(ui.mistakesInfoLabel, lines=3)
        give_columns(ui.mistakesTable, [_(header) for header in HEADERS])
        self._asking = AskingButton(
            ui.findMistakesButton,
            logic,
            self._search,
            self._tell,
            self._info.show,
            meanwhile=_("Looking at all cases..."),
            not_begun=_("Mistakes were not looked for."),
            not_answered=_("Mistakes could not be looked for."),
        )
        ui.mistakesTable.connect("itemSelectionChanged()", self._show_reason)
        ui.mistakesTable.connect("cellDoubleClicked(int,int)", self._on_opened)

    @property
    def is_busy(self) -> bool:
        return self._asking.is_busy

    def close(self) -> None:
        self._asking.stop()

    def _search(self):
        dataset = self.ui.casesDatasetPathLineEdit.currentPath
        if not dataset:
            raise LandmarkHeatmapError(_("Choose a dataset first."))
        return lambda: MistakeSearch(dataset, **self.how)

    def _tell(self, found) -> None:
        """None: there is no answer yet."""
        self._show(found.mistakes if found else ())
        if found is None:
            return
        told = _("{count} cases were looked at; each finding is a reason to look, not a proof.")
        if not found.mistakes:
            told = _("Nothing was found in {count} cases.")
        self._info.show(" ".join([told.format(count=found.cases), *found.notes]))

    def _show(self, mistakes) -> None:
        self._found, table = mistakes, self.ui.mistakesTable
        table.clearSelection()
        table.setRowCount(len(mistakes))
        for row, each in enumerate(mistakes):
            more = "..." if len(each.landmarks) > _NAMED else ""
            size = "" if each.size is None else f"{rough(each.size)} {each.unit}"
            names = ", ".join(each.landmarks[:_NAMED]) + more
            case = self.title_of(each.case)
            for column, text in enumerate((case, names, size, each.kind)):
                show_cell(table, row, column, text, each.reason)

    def _chosen(self):
        row = self.ui.mistakesTable.currentRow()
        return self._found[row] if 0 <= row < len(self._found) else None

    def _show_reason(self):
        if self._chosen() is not None:
            self._info.show(self._chosen().reason)

    def _on_opened(self, row: int, column: int):
        mistake = self._found[row]
        if not mistake.case:
            self._info.show(
                _("This is of no case that could be opened. {why}").format(why=mistake.reason)
            )
            return
        self.wanted.emit(mistake.case, mistake.landmarks[0] if mistake.landmarks else "")
