"""The measurements of a result in a table of the scene that follows every change."""

from __future__ import annotations

import math
from dataclasses import replace

import vtk

from landmark_heatmap.annotation.measurements import Measurement, measured_from, told

from .display.models import put_into_folder
from .following import Updater
from .result import state
from .result.detection_result import MEASUREMENTS, DetectionResult

NAME, VALUE, UNIT, FROM, POINTS = "Measurement", "Value", "Unit", "From", "Landmarks"
_COLUMNS = (NAME, VALUE, UNIT, FROM, POINTS)


def add_measurement(result: DetectionResult, measurement: Measurement) -> None:
    """Define a measurement for this result; one of the same name is replaced.

    It is saved with the scene, and goes into a dataset that is made by an export of this result.
    Raises AnnotationError for one that names no landmark of the result.
    """
    kept = [each for each in result.landmarks.measurements if each.name != measurement.name]
    _define(result, replace(result.landmarks, measurements=(*kept, measurement)))


def remove_measurement(result: DetectionResult, name: str) -> None:
    kept = [each for each in result.landmarks.measurements if each.name != name]
    _define(result, replace(result.landmarks, measurements=tuple(kept)))


def add_definitions(result: DetectionResult, document: dict) -> None:
    """Define the measurements and the skeleton of a document (as in Resources/Measurements), as far
    as the result has their landmarks. Raises KeyError, TypeError or AnnotationError for a document
    that makes no sense."""
    _define(result, result.landmarks.with_definitions(document))


def _define(result, landmarks) -> None:
    if landmarks == result.landmarks:
        return
    document = state.read(result.node)
    state.write(result.node, {**document, "landmark_set": landmarks.to_json()})


def measured(result: DetectionResult) -> list:
    """(Measurement, value in its unit, what it is from) for each; NaN where there is no value.

    In the volume's own coordinates: a parent transform that scales does not count. From: "placed",
    "predicted" or "missing", see `measured_from`.
    """
    measurements = result.landmarks.measurements
    if not measurements:
        return []
    annotation = result.annotation()
    return [
        (each, each.value(annotation.position_lps), measured_from(each, annotation))
        for each in measurements
    ]


def table_of(result: DetectionResult):
    """The vtkMRMLTableNode of a result's measurements, or None."""
    return result.node.GetNodeReference(MEASUREMENTS)


class MeasurementTable(Updater):
    """Keeps a table of a result's measurements up to date. Call `release` when done.

    The table comes with the first measurement, is saved with the scene, and is taken up again. It
    stays where it is when the following ends.
    """

    def __init__(self, result: DetectionResult):
        super().__init__(result)
        self._shown = None
        self.update()

    def update(self) -> None:
        """Bring the table up to date; nothing is told to anybody where nothing has changed."""
        rows = [
            (each.name, _shown(value), each.unit, origin, "; ".join(map(told, each.landmarks)))
            for each, value, origin in measured(self.result)
        ]
        table = table_of(self.result)
        if table is None and not rows:
            return
        if table is None:
            table = self._new_table()
        elif rows == self._shown:
            return
        self._shown = rows
        _fill(table, rows)

    def _new_table(self):
        scene = self.result.scene
        name = scene.GenerateUniqueName(f"{self.result.volume_node.GetName()} measurements")
        table = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
        table.SetUseColumnTitleAsColumnHeader(True)
        table.SetLocked(True)
        self.result.node.SetNodeReferenceID(MEASUREMENTS, table.GetID())
        put_into_folder(self.result, table)
        return table


def _shown(value: float):
    """As the table shows it; None for no value, which is then equal to itself."""
    return None if math.isnan(value) else round(value, 3)


def _fill(table, rows) -> None:
    columns = [
        vtk.vtkDoubleArray() if title == VALUE else vtk.vtkStringArray() for title in _COLUMNS
    ]
    for index, (title, column) in enumerate(zip(_COLUMNS, columns)):
        column.SetName(title)
        for row in rows:
            value = row[index]
            column.InsertNextValue(float("nan") if value is None else value)
    modifying = table.StartModify()
    table.RemoveAllColumns()
    for column in columns:
        table.AddColumn(column)
    table.EndModify(modifying)
