"""Another person's reading of the open case beside this one: how far apart, and whose counts."""

from __future__ import annotations

import math

import slicer
from slicer.i18n import tr as _

from landmark_heatmap.lengths import number as told_number
from landmark_heatmap.worklist.readings import readings_of
from LandmarkHeatmapLib.case_at_work import in_volume
from LandmarkHeatmapLib.following import is_there
from LandmarkHeatmapLib.second_reading import distances, show_reading, take
from LandmarkHeatmapLib.volumes import remove_with_display

from ..section import Section
from ..widgets import chosen_rows, fill, give_columns, show_cell, showing_errors
from ..working.cases_table import local_time
from ..working.in_hand import telling_of_the_drive


class SecondReaderSection(Section):
    """Reads from the disk only while it is unfolded. case_of(volume): (dataset, case) as which the volume
    is open, or None."""

    def __init__(self, ui, state, logic):
        super().__init__(ui, state, logic)
        self.case_of = lambda volume: None
        self._shown_for, self._readings, self._reading, self._node = None, [], None, None
        self._names = []
        give_columns(ui.readerTable, [_("Landmark"), _("Apart")])
        ui.readerCollapsibleButton.connect("contentsCollapsed(bool)", self._on_folded)
        ui.readerComboBox.connect("currentIndexChanged(int)", self._on_reader_chosen)
        ui.takeTheirsButton.connect("clicked(bool)", lambda checked=False: self._take(1.0))
        ui.takeMeanButton.connect("clicked(bool)", lambda checked=False: self._take(0.5))

    def update(self) -> None:
        result = self.state.result()
        place = None
        if result is not None and not self.ui.readerCollapsibleButton.collapsed:
            place = self.case_of(result.volume_node)
        shown_for = None if place is None else (result.node.GetID(), *place)
        if shown_for != self._shown_for:
            self._shown_for = shown_for
            self._read(place)
        self.show()

    def look_again(self, *_told) -> None:
        """A case was exported: there may be another reading."""
        self._shown_for = None
        if self.state.node:
            self.update()

    def show(self) -> None:
        """The distances, the farthest first; where only one of the two has it, before all."""
        result, table = self.state.result(), self.ui.readerTable
        apart = {} if self._reading is None or result is None else distances(result, self._reading)
        self._names = sorted(
            apart, key=lambda name: -apart[name] if apart[name] >= 0 else -math.inf
        )
        if table.rowCount != len(self._names):
            table.setRowCount(len(self._names))
        for row, name in enumerate(self._names):
            far = apart[name]
            told = f"{told_number(far)} {result.unit}" if far >= 0 else _("one of you has it")
            show_cell(table, row, 0, name, name)
            show_cell(table, row, 1, told, told)
        for button in (self.ui.takeTheirsButton, self.ui.takeMeanButton):
            button.enabled = bool(self._names)

    def detach(self) -> None:
        self._show_points(None)

    def forget(self) -> None:
        self._shown_for, self._readings, self._reading = None, [], None
        self._show_points(None)

    def close(self) -> None:
        self._show_points(None)

    def _read(self, place) -> None:
        self._readings = []
        failed = _("Other readings cannot be shown.")
        with showing_errors(failed, self.told.emit), telling_of_the_drive():
            self._readings = [] if place is None else readings_of(*place)
        mine = self.ui.annotatorLineEdit.text
        others = [each for each in self._readings if each.annotator != mine]
        self._readings = [*others, *(each for each in self._readings if each.annotator == mine)]
        fill(self.ui.readerComboBox, [(_told(each), each.revision) for each in self._readings])
        self._choose(0)

    def _choose(self, index: int) -> None:
        result, self._reading = self.state.result(), None
        if result is not None and 0 <= index < len(self._readings):
            self._reading = in_volume(result.volume_node, self._readings[index].annotation)
        self._show_points(result)

    def _show_points(self, result) -> None:
        """Theirs, in the views; none without a result or a reading."""
        if self._node is not None and self._node.GetScene() is not None:
            remove_with_display(self._node)
        self._node = None
        if result is not None and is_there(result) and self._reading is not None:
            name = f"{result.volume_node.GetName()} second reader"
            self._node = show_reading(result, self._reading, name)

    def _take(self, share: float) -> None:
        result = self.state.result()
        names = [self._names[row] for row in chosen_rows(self.ui.readerTable)]
        if not names:
            self.told.emit(_("Choose landmarks in the list first."))
            return
        with slicer.util.RenderBlocker():
            taken = take(result, self._reading, names, share)
        self.told.emit(_("{count} landmarks were moved.").format(count=len(taken)))
        self.show()

    def _on_folded(self, is_folded):
        if self.state.node:
            self.update()

    def _on_reader_chosen(self, index):
        if self.state.node:
            self._choose(index)
            self.show()


def _told(reading) -> str:
    who = reading.annotator or _("Nobody by name")
    return f"{who}, {local_time(reading.created)}"
