"""Distances and angles between the landmarks: a table that follows them, and how they are defined."""

from __future__ import annotations

import math
from pathlib import Path

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from landmark_heatmap.annotation.measurements import MM, Measurement
from landmark_heatmap.errors import AnnotationError
from landmark_heatmap.files import read_json
from landmark_heatmap.lengths import length
from LandmarkHeatmapLib.measurements import (
    MeasurementTable,
    add_definitions,
    add_measurement,
    remove_measurement,
    table_of,
)

from ..section import Section
from ..widgets import fill, give_columns, show_cell, showing_errors

SHIPPED = Path(__file__).resolve().parents[2] / "Resources" / "Measurements"
# The name last: names are never cut, and a long one leaves the value in sight.
HEADERS = ("Value", "From", "Measurement")
NAME = 2


class MeasurementSection(Section):
    """Shows the table node that the scene keeps of the result that is chosen."""

    def __init__(self, ui, state, logic):
        super().__init__(ui, state, logic)
        self._live = self._node = self._tag = None
        self._points = [
            self.ui.measureFirstComboBox,
            self.ui.measureSecondComboBox,
            self.ui.measureThirdComboBox,
        ]
        self._set_up_table()
        files = sorted(SHIPPED.glob("*.json"))
        fill(
            self.ui.definitionsComboBox,
            [(each.stem.replace("_", " ").capitalize(), str(each)) for each in files],
        )
        self.ui.addDistanceButton.connect("clicked(bool)", self._on_distance_button)
        self.ui.addAngleButton.connect("clicked(bool)", self._on_angle_button)
        self.ui.removeMeasurementButton.connect("clicked(bool)", self._on_remove_button)
        self.ui.addDefinitionsButton.connect("clicked(bool)", self._on_definitions_button)
        self.ui.loadDefinitionsButton.connect("clicked(bool)", self._on_file_button)

    def _set_up_table(self) -> None:
        table = self.ui.measurementsTable
        give_columns(table, [_(header) for header in HEADERS])
        left = qt.Qt.AlignLeft | qt.Qt.AlignVCenter
        table.horizontalHeaderItem(NAME).setTextAlignment(left)
        table.connect("itemSelectionChanged()", self._show_buttons)

    # --- the scene to the panel

    def update(self) -> None:
        result = self.state.result()
        self._follow(result)
        names = result.landmarks.names if result else ()
        for number, box in enumerate(self._points):
            before = box.currentText
            fill(box, [(name, name) for name in names])
            if box.currentText != before and names:
                box.setCurrentIndex(min(number, len(names) - 1))
        self._show()

    def detach(self) -> None:
        self._follow(None)

    def _follow(self, result) -> None:
        followed = self._live.result.node if self._live else None
        if followed is not (result.node if result else None):
            if self._live:
                self._live.release()
            self._live = MeasurementTable(result) if result else None
        self._watch(table_of(result) if result else None)

    def _watch(self, node) -> None:
        if node is self._node:
            return
        if self._node is not None:
            self._node.RemoveObserver(self._tag)
        self._node, self._tag = node, None
        if node is not None:
            self._tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_table_changed)

    def _on_table_changed(self, caller, event):
        self._show()

    def _show(self) -> None:
        table, rows = self.ui.measurementsTable, rows_of(self._node)
        if table.rowCount != len(rows):
            table.setRowCount(len(rows))
        for row, (texts, tip) in enumerate(rows):
            for column, text in enumerate(texts):
                show_cell(table, row, column, text, tip)
        self._show_buttons()

    def _show_buttons(self) -> None:
        count = self.ui.measureFirstComboBox.count
        self.ui.addDistanceButton.enabled = count >= 2
        self.ui.addAngleButton.enabled = count >= 3
        self.ui.addDefinitionsButton.enabled = count > 0
        self.ui.loadDefinitionsButton.enabled = count > 0
        self.ui.removeMeasurementButton.enabled = bool(self.ui.measurementsTable.selectedItems())

    # --- the panel to the scene

    def _on_distance_button(self, checked=False):
        self._add("distance", self._points[:2])

    def _on_angle_button(self, checked=False):
        self._add("angle", self._points)

    def _add(self, kind: str, boxes) -> None:
        result = self.state.result()
        points = tuple(box.currentText for box in boxes)
        name = self.ui.measurementNameLineEdit.text.strip() or " - ".join(points)
        with showing_errors(_("Nothing was added."), self.told.emit):
            if name in [each.name for each in result.landmarks.measurements]:
                raise AnnotationError(
                    _("There is a measurement '{name}' already; give this one a name.").format(
                        name=name
                    )
                )
            add_measurement(result, Measurement(name, kind, points))
            self.ui.measurementNameLineEdit.clear()
        self.changed.emit()

    def _on_remove_button(self, checked=False):
        row = self.ui.measurementsTable.currentRow()
        if row >= 0:
            remove_measurement(
                self.state.result(), self.ui.measurementsTable.item(row, NAME).text()
            )
            self.changed.emit()

    def _on_definitions_button(self, checked=False):
        box = self.ui.definitionsComboBox
        self.add_file(box.itemData(box.currentIndex))

    def _on_file_button(self, checked=False):
        path = qt.QFileDialog.getOpenFileName(
            slicer.util.mainWindow(), _("Add measurements"), "", _("Measurements") + " (*.json)"
        )
        if path:
            self.add_file(path)

    def add_file(self, path) -> None:
        """Take measurements and lines from a JSON file, as far as the result has their landmarks."""
        result = self.state.result()
        with showing_errors(_("The measurements could not be added."), self.told.emit):
            before = result.landmarks
            document = read_definitions(path)
            try:
                add_definitions(result, document)
            except (KeyError, TypeError, AttributeError) as error:
                raise AnnotationError(
                    _("'{path}' defines no measurements: {error}.").format(path=path, error=error)
                ) from error
            self.told.emit(_what_was_added(document, before, result.landmarks))
        self.changed.emit()


def read_definitions(path) -> dict:
    """The document in a JSON file. Raises AnnotationError for what defines nothing."""
    document = read_json(path, AnnotationError)
    if not isinstance(document, dict) or not {"measurements", "skeleton"} & set(document):
        raise AnnotationError(
            _(
                "'{path}' defines no measurements: it needs a list 'measurements', as the files in"
                " {folder} have."
            ).format(path=path, folder=SHIPPED)
        )
    return document


def _what_was_added(document, before, after) -> str:
    if before == after:
        return _(
            "Nothing was added: of no measurement of this set are all landmarks here, or they are"
            " there already."
        )
    defined = {each["name"] for each in document.get("measurements", ())}
    taken = [each.name for each in after.measurements if each.name in defined]
    return _("{taken} of {defined} measurements of this set are in the table.").format(
        taken=len(taken), defined=len(defined)
    )


def rows_of(table) -> list:
    """((value with its unit, from, name), tool tip) of each row of a table node of measurements."""
    if table is None or not table.GetNumberOfColumns():
        return []
    columns = [table.GetTable().GetColumn(n) for n in range(table.GetNumberOfColumns())]
    rows = []
    for row in range(table.GetNumberOfRows()):
        name, value, unit, origin, points = (column.GetValue(row) for column in columns)
        rows.append(((told_value(value, unit), _(origin), name), f"{name}: {points}"))
    return rows


def told_value(value: float, unit: str) -> str:
    """A tenth of a degree; of mm as many digits as their size needs."""
    if math.isnan(value):
        return "-"
    return f"{length(value)} mm" if unit == MM else f"{value:.1f}\u00b0"
