"""What several sections need: combo boxes and tables that follow, errors that are shown, settings."""

from __future__ import annotations

import logging
from contextlib import contextmanager

import qt
import slicer

from landmark_heatmap.errors import LandmarkHeatmapError

SETTINGS = "LandmarkHeatmap/"


def fill(combo_box: qt.QComboBox, items) -> None:
    """Give a combo box these (text, data) items, unless it has them already; tells nobody."""
    there = [(combo_box.itemText(i), combo_box.itemData(i)) for i in range(combo_box.count)]
    if there == items:
        return
    was_blocked = combo_box.blockSignals(True)
    combo_box.clear()
    for text, data in items:
        combo_box.addItem(text, data)
        # In a narrow panel it may be cut.
        combo_box.setItemData(combo_box.count - 1, text, qt.Qt.ToolTipRole)
    combo_box.blockSignals(was_blocked)


def select(combo_box: qt.QComboBox, data) -> None:
    """Show the item with this data; tells nobody."""
    was_blocked = combo_box.blockSignals(True)
    combo_box.setCurrentIndex(combo_box.findData(data))
    combo_box.blockSignals(was_blocked)


# In the colours of the application, light or dark.
_NARROW_TABS = """
QTabBar::tab { padding: 4px 3px; margin-left: 1px; border: 1px solid palette(mid); border-bottom: none;
    border-top-left-radius: 3px; border-top-right-radius: 3px; background: palette(button); }
QTabBar::tab:selected { background: palette(light); }
QTabBar::tab:!selected { margin-top: 2px; }
"""


def narrow(tabs: qt.QTabWidget) -> None:
    """Let all tabs have room in the width that Slicer gives a module, without arrows to scroll: where
    letters are too wide for it, names end in dots, and are whole in the tool tips."""
    tabs.tabBar().setStyleSheet(_NARROW_TABS)
    tabs.usesScrollButtons = False
    tabs.elideMode = qt.Qt.ElideRight
    for index in range(tabs.count):
        tabs.setTabToolTip(index, tabs.tabText(index))


def give_columns(table: qt.QTableWidget, headers) -> None:
    """Give a table these columns, each as wide as what is in it, and rows of a line without numbers."""
    table.setColumnCount(len(headers))
    table.setHorizontalHeaderLabels(headers)
    header, sides = table.horizontalHeader(), table.verticalHeader()
    for column in range(len(headers)):
        header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
    header.setHighlightSections(False)
    line = table.fontMetrics().lineSpacing() + 2
    sides.setVisible(False)
    sides.setMinimumSectionSize(line)
    sides.setDefaultSectionSize(line)


def show_cell(table: qt.QTableWidget, row: int, column: int, text: str, tip: str):
    """Say this in a cell of a table; touches nothing that is so already. Returns the cell's item."""
    item = table.item(row, column)
    if item is None:
        item = qt.QTableWidgetItem()
        table.setItem(row, column, item)
    if item.text() != text:
        item.setText(text)
    if item.toolTip() != tip:
        item.setToolTip(tip)
    return item


def chosen_rows(table: qt.QTableWidget) -> list:
    """The indices of the rows of a table that are chosen, from top to bottom."""
    # Asked of the items: the type of a list of model indices may be unknown to PythonQt.
    items = ((row, table.item(row, 0)) for row in range(table.rowCount))
    return [row for row, item in items if item is not None and item.isSelected()]


def widgets_of_parameters(ui) -> dict:
    """The name of a parameter to the widget that shows it, as the .ui file says."""
    named = {widget.property("SlicerParameterName"): widget for widget in vars(ui).values()}
    return {name: widget for name, widget in named.items() if name}


@contextmanager
def showing_errors(message: str, tell):
    """Tell by `tell(text)` what the user can mend; anything else pops up, with its details."""
    with slicer.util.tryWithErrorDisplay(message):
        try:
            yield
        except LandmarkHeatmapError as error:
            logging.warning("%s %s", message, error)
            tell(f"{message} {error}")


def setting(name: str, default: str = "") -> str:
    """One of the user's settings, which belong to no scene."""
    return slicer.util.settingsValue(SETTINGS + name, default)


def keep_setting(name: str, value: str) -> None:
    qt.QSettings().setValue(SETTINGS + name, value)
