"""The table of cases: one row a case, told from what lies on the disk."""

from __future__ import annotations

from datetime import datetime

import qt
from slicer.i18n import tr as _

from landmark_heatmap.worklist.entries import CaseState
from landmark_heatmap.worklist.order import told_reason

from ..section import Signal
from ..widgets import give_columns, show_cell

# State of a case: what it is called, and a colour that is legible on light and dark.
STATES = {
    CaseState.NEW: ("new", None),
    CaseState.DETECTED: ("detected", "#c77f0a"),
    CaseState.IN_REVIEW: ("in review", "#2f86d6"),
    CaseState.DONE: ("done", "#2e9e44"),
    CaseState.ANOTHER_LOOK: ("needs another look", "#d0453c"),
}
HEADERS = ("Case", "State", "By", "Date")
_CASE = 0
_ROWS_SEEN = 8


class CasesTable:
    """Shows the entries of a worklist; tells by `chosen` that another row was chosen, by `opened` of a
    double click. current: the case of the chosen row, or None."""

    def __init__(self, ui):
        self._table = ui.casesTable
        self.chosen, self.opened = Signal(), Signal()
        self._cases, self.current, self._is_filling = [], None, False
        give_columns(self._table, [_(header) for header in HEADERS])
        self._table.horizontalHeader().setSectionResizeMode(_CASE, qt.QHeaderView.Stretch)
        line = self._table.verticalHeader().defaultSectionSize
        self._table.setMinimumHeight((_ROWS_SEEN + 1) * line)
        self._table.connect("currentCellChanged(int,int,int,int)", self._on_row_chosen)
        self._table.connect("cellDoubleClicked(int,int)", self._on_double_click)

    def show(self, entries, open_here, coming=None) -> None:
        """open_here: the names of the cases that this user has in hand. coming: of the one that is made
        ready, or None."""
        self._is_filling = True
        try:
            if self._table.rowCount != len(entries):
                self._table.setRowCount(len(entries))
            for row, entry in enumerate(entries):
                here = _("open here") if entry.case in open_here else ""
                self._show_row(row, entry, _("comes next") if entry.case == coming else here)
            self._cases = [entry.case for entry in entries]
            self._go_to_current()
        finally:
            self._is_filling = False

    def go_to(self, case: str) -> None:
        """Choose the row of a case."""
        self.current = case
        self._is_filling = True
        self._go_to_current()
        self._is_filling = False

    def _go_to_current(self) -> None:
        row = self._cases.index(self.current) if self.current in self._cases else -1
        if row < 0:
            self.current = None
            self._table.clearSelection()
        elif row != self._table.currentRow() or not self._table.selectedItems():
            self._table.setCurrentCell(row, _CASE)
            self._table.selectRow(row)

    def _show_row(self, row: int, entry, here: str) -> None:
        """here: what is said of a case that this user has."""
        called, colour = STATES[entry.state]
        state = here or _(called)
        if entry.holder is not None and entry.holder.is_stale and not here:
            state = _("left in review")
        texts = (entry.title, state, entry.annotator, local_time(entry.date))
        tip = told(entry)
        for column, text in enumerate(texts):
            item = show_cell(self._table, row, column, text, tip)
            is_coloured = column == 1 and colour
            item.setForeground(qt.QBrush(qt.QColor(colour)) if is_coloured else qt.QBrush())

    def _on_row_chosen(self, row, column, previous_row, previous_column):
        if not self._is_filling and 0 <= row < len(self._cases):
            self.current = self._cases[row]
            self.chosen.emit()

    def _on_double_click(self, row, column):
        if 0 <= row < len(self._cases):
            self.opened.emit(self._cases[row])


def told(entry) -> str:
    """All that is known of a case, in words."""
    called = _(STATES[entry.state][0])
    known = [_("{title}: {state}.").format(title=entry.title, state=called)]
    if entry.holder is not None:
        known = [_("{title} is in work: {who}.").format(title=entry.title, who=entry.holder.told())]
        if entry.holder.is_stale:
            known.append(
                _("{why} Open it to take it over.").format(why=entry.holder.told_silence())
            )
    if entry.remark:
        known.append(_("Remark: {remark}.").format(remark=entry.remark.rstrip(".")))
    reason = told_reason(entry)
    if reason:
        known.append(reason)
    if entry.case != entry.title:
        known.append(_("In the dataset: {case}.").format(case=entry.case))
    return " ".join(known)


def local_time(date: str) -> str:
    """From ISO 8601 to the user's clock; a damaged file may say anything."""
    try:
        return datetime.fromisoformat(date).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return date
