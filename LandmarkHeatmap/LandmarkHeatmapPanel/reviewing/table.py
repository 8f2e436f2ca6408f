"""The table of the review: one row a landmark. A column is an entry of COLUMNS, and nothing else."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from landmark_heatmap.dataset.record import Review
from landmark_heatmap.lengths import number as told_number

from ..section import Signal

STATES = {
    Review.UNTOUCHED: "predicted",
    Review.CORRECTED: "corrected",
    Review.CONFIRMED: "confirmed",
    Review.MARKED_ABSENT: "absent",
}


def _moved(mm: float) -> str:
    """A tenth is enough, unless the whole image is small."""
    fine = mm if 0 < mm < 0.1 else 10.0
    return told_number(mm, like=fine, missing="")


# What stands at the top, and what a row of ReviewSession.rows says there.
COLUMNS = (
    ("Landmark", lambda row: row.name),
    ("Confidence", lambda row: f"{row.confidence:.0%}"),
    ("State", lambda row: _(STATES[row.review])),
    ("Moved (mm)", lambda row: _moved(row.moved_mm)),
)


class ReviewTable:
    """Shows rows, and tells by `chosen` the name of the one that the user goes to."""

    def __init__(self, ui):
        self._table = ui.reviewTable
        self.chosen = Signal()
        self._names, self._current = [], None
        self._is_filling = False
        self._set_up()

    def _set_up(self) -> None:
        table = self._table
        table.setColumnCount(len(COLUMNS))
        table.setHorizontalHeaderLabels([_(header) for header, _text_of in COLUMNS])
        header = table.horizontalHeader()
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
        for column in range(1, len(COLUMNS)):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        table.verticalHeader().setVisible(False)
        table.connect("currentCellChanged(int,int,int,int)", self._on_row_chosen)

    def show(self, rows, current) -> None:
        """Show these rows, in this order; current: the name of the chosen one, or None."""
        self._is_filling = True
        try:
            self._fill(rows)
            self._names, self._current = [row.name for row in rows], current
            if current in self._names and self._table.currentRow() != self._names.index(current):
                self._table.setCurrentCell(self._names.index(current), 0)
        finally:
            self._is_filling = False

    def _fill(self, rows) -> None:
        is_new = self._table.rowCount != len(rows)
        if is_new:
            self._table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for column, (_header, text_of) in enumerate(COLUMNS):
                self._show_cell(number, column, text_of(row), row.definition)
        if is_new:
            self._table.resizeRowsToContents()

    def _show_cell(self, row: int, column: int, text: str, tip: str) -> None:
        item = self._table.item(row, column)
        if item is None:
            item = qt.QTableWidgetItem()
            self._table.setItem(row, column, item)
        if item.text() != text:
            item.setText(text)
        if item.toolTip() != tip:
            item.setToolTip(tip)

    def _on_row_chosen(self, row, column, previous_row, previous_column):
        if self._is_filling or not 0 <= row < len(self._names):
            return
        if row != previous_row or self._names[row] != self._current:
            self.chosen.emit(self._names[row])
