"""A result against a reference list: error of each landmark, MRE and SDR, as a table and a plot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk

from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.errors import AnnotationError, some
from landmark_heatmap.judging.evaluation import Evaluation, Outcome, evaluate
from landmark_heatmap.lengths import number

from .result import markups
from .result.detection_result import DetectionResult

# Of a long list of names, so many are told.
_NAMED = 4
# Role of the node references from a result to the tables made of it.
TABLE = "comparisonTable"
LANDMARK, ERROR, OUTCOME = "Landmark", "Error (mm)", "Outcome"
_TOLD = {
    Outcome.COMPARED: "compared",
    Outcome.MISSED: "missed",
    Outcome.FALSE: "absent in the reference",
    Outcome.AGREED_ABSENT: "absent in both",
    Outcome.NOT_IN_REFERENCE: "not in the reference",
}


@dataclass(frozen=True, eq=False)
class Comparison:
    """evaluation: of the one case. unknown: labels of the reference that the result does not have."""

    result: DetectionResult
    reference_name: str
    evaluation: Evaluation
    unknown: tuple

    @property
    def mre_mm(self) -> float:
        """The mean radial error of the landmarks that both have."""
        return self.evaluation.overall.mean_mm.value

    @property
    def count(self) -> int:
        """How many landmarks both have."""
        return self.evaluation.overall.counts[Outcome.COMPARED]

    @property
    def sdr(self) -> dict:
        """Threshold in mm to the share of landmarks, missed ones included, that are as near."""
        return {mm: rate.value for mm, rate in self.evaluation.overall.success_rates.items()}

    def to_table(self, scene):
        """A new vtkMRMLTableNode, one row a landmark, with a bar chart of the errors; both are saved
        with the scene. MRE and SDR are attributes of the table."""
        name = f"{self.result.markups_node.GetName()} against {self.reference_name}"
        table = scene.AddNewNodeByClass("vtkMRMLTableNode", scene.GenerateUniqueName(name))
        case = self.evaluation.cases[0]
        names, errors, outcomes = vtk.vtkStringArray(), vtk.vtkDoubleArray(), vtk.vtkStringArray()
        for column, title in ((names, LANDMARK), (errors, ERROR), (outcomes, OUTCOME)):
            column.SetName(title)
        for landmark, outcome in case.outcomes.items():
            names.InsertNextValue(landmark)
            errors.InsertNextValue(case.errors_mm.get(landmark, np.nan))
            outcomes.InsertNextValue(_TOLD[outcome])
        for column in (names, errors, outcomes):
            table.AddColumn(column)
        table.SetAttribute("LandmarkHeatmap.MRE_mm", number(self.mre_mm, least=4))
        for threshold, rate in self.sdr.items():
            table.SetAttribute(f"LandmarkHeatmap.SDR_{threshold:g}mm", f"{rate:.4f}")
        self.result.node.AddNodeReferenceID(TABLE, table.GetID())
        _add_chart(scene, table, name)
        return table


def compare(result: DetectionResult, reference_node, thresholds_mm=None) -> Comparison:
    """Compare the landmarks of a result, as they stand, with those of a markups list.

    They belong together by their names (the labels of the control points). Distances are in mm in the
    volume's own coordinates: whatever transforms both lie under are taken into account, but one that
    scales the volume does not scale the errors. Raises AnnotationError for a reference with a name
    twice, or none that the result has.
    """
    reference = _annotation_of(reference_node, result.volume_node)
    names = result.landmarks.names
    if not set(names) & set(reference.names):
        wanted, there = (some(each, most=_NAMED) for each in (names, reference.names))
        raise AnnotationError(
            f"'{reference_node.GetName()}' has no control point that is named as a landmark of this"
            f" result ({wanted}); it has {there or 'none'}."
        )
    found = _annotation_of(result.markups_node, result.volume_node)
    evaluation = evaluate(
        [(result.volume_node.GetName(), found, reference)], thresholds_mm, resamples=0, names=names
    )
    if evaluation.overall.mean_mm.value is None:
        raise AnnotationError(
            f"There is no landmark that has a place both in '{result.markups_node.GetName()}' and in"
            f" '{reference_node.GetName()}'."
        )
    unknown = tuple(name for name in reference.names if name not in names)
    return Comparison(result, reference_node.GetName(), evaluation, unknown)


def _annotation_of(node, volume_node) -> Annotation:
    """The control points of a list, in LPS in the volume's own coordinates."""
    positions, missing = markups.positions_in(node, volume_node), markups.are_missing(node)
    points = {}
    for index, position in enumerate(positions):
        label = node.GetNthControlPointLabel(index)
        if label in points:
            raise AnnotationError(
                f"'{node.GetName()}' has two control points that are named '{label}'."
            )
        if np.isfinite(position).all():
            points[label] = Point(PointState.PLACED, tuple(map(float, position)))
        elif missing[index]:
            points[label] = Point(PointState.ABSENT)
    return Annotation(points)


def _add_chart(scene, table, name: str) -> None:
    series = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", f"{name} errors")
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeBar)
    series.SetLabelColumnName(LANDMARK)
    series.SetYColumnName(ERROR)
    series.SetColor(0.35, 0.6, 0.85)
    chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", f"{name} chart")
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    chart.SetTitle(name)
    chart.SetYAxisTitle(ERROR)
    chart.SetLegendVisibility(False)
