"""The table of the review: one row a landmark. A column is an entry of COLUMNS, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import qt
from slicer.i18n import tr as _

from landmark_heatmap.dataset.record import Review
from landmark_heatmap.images.geometry import PX
from landmark_heatmap.lengths import number as told_number

from ..section import Signal
from ..texts import OnResize, width_of
from ..widgets import chosen_rows, give_columns, show_cell
from . import doubts, proposing

# State of a landmark: its sign, what it is called, and a colour that is legible on light and dark.
STATES = {
    Review.UNTOUCHED: ("○", "predicted", "#c77f0a"),
    Review.CORRECTED: ("✎", "corrected", "#2f86d6"),
    Review.CONFIRMED: ("✓", "confirmed", "#2e9e44"),
    Review.MARKED_ABSENT: ("✕", "absent", "#d0453c"),
}
# The same of one for which no model was asked, and that nobody has placed yet.
UNJUDGED = ("–", "not judged yet", "#8a8a8a")
ROWS_SEEN = 10
_NAME_PADDING = 16


def _sign(row) -> tuple:
    """As in STATES; of what would follow, or breaks the shape, that it does."""
    if row.proposed_mm is not None:
        return "→", proposing.follows(row, row.unit), proposing.COLOUR
    if row.followed and row.review is Review.UNTOUCHED:
        return "○", proposing.has_followed(row), proposing.COLOUR
    if row.breaks_the_shape:
        return "!", doubts.breaks(row), doubts.ALARM
    is_unjudged = row.review is Review.UNTOUCHED and not row.is_asked
    sign, called, colour = UNJUDGED if is_unjudged else STATES[row.review]
    return sign, _(called), colour


def _moved(row) -> str:
    """A tenth is enough, unless the whole image is small."""
    fine = row.moved_mm if 0 < row.moved_mm < 0.1 else 10.0
    told = told_number(row.moved_mm, like=fine, missing="")
    return f"{told} px" if told and row.unit == PX else told


def _of_the_place_before(row) -> str:
    """Heatmap and belief stay those of the detection, also where the landmark has followed."""
    is_elsewhere = row.followed and row.is_asked
    text = _("This is of the place where the model had it; it has followed {names} since.")
    return " " + text.format(names=", ".join(row.followed)) if is_elsewhere else ""


@dataclass(frozen=True)
class Column:
    """header, tip: what stands at the top. text_of, tip_of, colour_of: what a row of
    ReviewSession.rows says there, and how; no text_of where that depends on the other rows. order:
    how a click on the header sorts; none if empty.
    """

    header: str
    tip: str
    text_of: object
    order: str = ""
    tip_of: object = None
    colour_of: object = None


COLUMNS = (
    Column(
        "",
        "What was done to it; '!' where it breaks the shape, '→' where it would follow. A click puts what"
        " most needs a look at the top.",
        lambda row: _sign(row)[0],
        order="need",
        tip_of=lambda row: _sign(row)[1],
        colour_of=lambda row: _sign(row)[2],
    ),
    Column(
        "Landmark",
        "A click sorts by name, then the other way round, then as in the model.",
        lambda row: row.name,
        order="name",
        tip_of=lambda row: f"{row.name}: {row.definition}" if row.definition else row.name,
    ),
    Column(
        "How sure",
        "How far from where an expert would click it may be, and with which probability it is within"
        " that; 'about' where the model was not calibrated. A click puts the least sure at the top.",
        None,
        order="confidence",
        tip_of=lambda row: doubts.in_full(row) + _of_the_place_before(row),
        colour_of=doubts.colour,
    ),
    Column(
        "Moved",
        "How far it was moved from where the model had it, in mm; of photographs in px.",
        _moved,
        order="moved",
    ),
)
NAME, SURE = 1, 2  # the column that takes the room, and the one whose head gives way to it


class ReviewTable:
    """Shows rows, and tells by `chosen` the name of the one that the user goes to, by `sorted` in
    which order the user wants them."""

    def __init__(self, ui):
        self._table = ui.reviewTable
        self.chosen, self.sorted = Signal(), Signal()
        self._names, self._current, self._order = [], None, "anatomy"
        self._is_filling, self._heads = False, doubts.heads([])
        self._set_up()

    def _set_up(self) -> None:
        table = self._table
        give_columns(table, [_(column.header) for column in COLUMNS])
        for number, column in enumerate(COLUMNS):
            table.horizontalHeaderItem(number).setToolTip(_(column.tip))
        header, line = table.horizontalHeader(), table.verticalHeader().defaultSectionSize
        header.setMinimumSectionSize(line)
        header.setFixedHeight(line + 4)
        header.setSectionsClickable(True)
        header.connect("sectionClicked(int)", self._on_header_clicked)
        self.leave_room(0)
        table.connect("currentCellChanged(int,int,int,int)", self._on_row_chosen)
        OnResize(table.viewport(), self._give_names_room)

    def leave_room(self, lines: int) -> None:
        """So many lines fewer than ROWS_SEEN are seen at least, for what stands above the table."""
        line = self._table.verticalHeader().defaultSectionSize
        rows = ROWS_SEEN - lines
        self._table.setMinimumHeight(line + 4 + rows * line + 2 * self._table.frameWidth)

    # --- what is shown

    def show(self, rows, current, order: str = "anatomy") -> None:
        """Show these rows; current: the name of the chosen one, or None; order: their order."""
        self._is_filling = True
        try:
            self._fill(rows)
            names, heads = [row.name for row in rows], doubts.heads(rows)
            is_another, has_other_heads = names != self._names, heads != self._heads
            self._names, self._heads, self._current = names, heads, current
            if is_another or has_other_heads:
                self._give_names_room()
            if is_another or self._row() != self._table.currentRow():
                self._go_to_current()
            self._show_order(order)
        finally:
            self._is_filling = False

    def selected(self) -> list:
        """The names of the rows that are chosen, from top to bottom."""
        return [self._names[row] for row in chosen_rows(self._table)]

    def _fill(self, rows) -> None:
        if self._table.rowCount != len(rows):
            self._table.setRowCount(len(rows))
        sure = doubts.cells(rows)
        for number, row in enumerate(rows):
            for column, what in enumerate(COLUMNS):
                tip = what.tip_of(row) if what.tip_of else row.definition
                colour = what.colour_of(row) if what.colour_of else None
                text = what.text_of(row) if what.text_of else sure[number]
                _colour(show_cell(self._table, number, column, text, tip), colour)

    def _row(self) -> int:
        return self._names.index(self._current) if self._current in self._names else -1

    def _go_to_current(self) -> None:
        """Choose its row and no other, and bring it into sight."""
        row, table = self._row(), self._table
        if row < 0:
            table.clearSelection()
            return
        # With Shift held, as for a key of ours, Qt would add the row to those that are chosen.
        table.setSelectionMode(qt.QAbstractItemView.SingleSelection)
        table.setCurrentCell(row, NAME)
        table.selectRow(row)
        table.setSelectionMode(qt.QAbstractItemView.ExtendedSelection)
        table.scrollToItem(table.item(row, NAME))

    def _give_names_room(self) -> None:
        """All that the other columns leave; where a name needs more, there is a scroll bar: names
        are never cut, for left and right differ at their ends."""
        table, header = self._table, self._table.horizontalHeader()
        metrics = table.fontMetrics()
        longest = max((width_of(name, metrics) for name in self._names), default=0) + _NAME_PADDING
        others = sum(header.sectionSize(n) for n in range(len(COLUMNS)) if n not in (NAME, SURE))
        for head in self._heads:
            table.horizontalHeaderItem(SURE).setText(head)
            sure = max(header.sectionSizeHint(SURE), table.sizeHintForColumn(SURE))
            fits = longest <= table.viewport().width - others - sure
            if fits:
                break
        mode = qt.QHeaderView.Stretch if fits else qt.QHeaderView.ResizeToContents
        header.setSectionResizeMode(NAME, mode)

    # --- sorting

    def _show_order(self, order: str) -> None:
        self._order = order
        header = self._table.horizontalHeader()
        columns = [n for n, column in enumerate(COLUMNS) if column.order == order.lstrip("-")]
        header.setSortIndicatorShown(bool(columns))
        if columns:
            down = qt.Qt.DescendingOrder if order.startswith("-") else qt.Qt.AscendingOrder
            header.setSortIndicator(columns[0], down)

    def _on_header_clicked(self, column: int) -> None:
        """This way, the other way, as in the model."""
        order = COLUMNS[column].order
        if order:
            self.sorted.emit({order: f"-{order}", f"-{order}": "anatomy"}.get(self._order, order))

    def _on_row_chosen(self, row, column, previous_row, previous_column):
        if self._is_filling or not 0 <= row < len(self._names):
            return
        if row != previous_row or self._names[row] != self._current:
            self._current = self._names[row]
            self.chosen.emit(self._names[row])


def _colour(item, colour) -> None:
    """The item itself keeps which colour it was given; None for that of all text."""
    if item.data(qt.Qt.UserRole) != colour:
        item.setData(qt.Qt.UserRole, colour)
        item.setForeground(qt.QBrush(qt.QColor(colour)) if colour else qt.QBrush())
