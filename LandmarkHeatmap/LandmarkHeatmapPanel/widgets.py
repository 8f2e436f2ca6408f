"""What several sections need: combo boxes that follow, errors that are shown, settings."""

from __future__ import annotations

import logging
from contextlib import contextmanager

import qt
import slicer

from landmark_heatmap.errors import LandmarkHeatmapError

SETTINGS = "LandmarkHeatmap/"


def fill(combo_box, items) -> None:
    """Give a combo box these (text, data) items, unless it has them already; tells nobody."""
    there = [(combo_box.itemText(i), combo_box.itemData(i)) for i in range(combo_box.count)]
    if there == items:
        return
    was_blocked = combo_box.blockSignals(True)
    combo_box.clear()
    for text, data in items:
        combo_box.addItem(text, data)
    combo_box.blockSignals(was_blocked)


def select(combo_box, data) -> None:
    """Show the item with this data; tells nobody."""
    was_blocked = combo_box.blockSignals(True)
    combo_box.setCurrentIndex(combo_box.findData(data))
    combo_box.blockSignals(was_blocked)


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
