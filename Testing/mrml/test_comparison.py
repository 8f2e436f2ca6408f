"""A result against a reference list, in mm in the volume's own coordinates, as a table that stays."""

import numpy as np
import pytest

from headless.scene import slicer
from landmark_heatmap.errors import AnnotationError
from LandmarkHeatmapLib.comparison import ERROR, LANDMARK, OUTCOME, TABLE, compare
from mrml_examples import linear_transform


@pytest.fixture
def result(publish):
    return publish()


def reference_of(scene, result, off=(0.0, 0.0, 0.0), names=None):
    """A list with the result's landmarks, each `off` mm away, in the volume's coordinates."""
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Reference")
    for name, position in zip(result.landmarks.names, result.positions_lps()):
        if np.isfinite(position).all() and (names is None or name in names):
            ras = (position + off) * [-1, -1, 1]
            node.AddControlPoint(*ras, name)
    return node


def column(table, name):
    array = table.GetTable().GetColumnByName(name)
    return [array.GetValue(i) for i in range(array.GetNumberOfValues())]


def test_errors_are_distances_by_name(scene, result):
    comparison = compare(result, reference_of(scene, result, (3.0, 4.0, 0.0)))
    assert comparison.mre_mm == pytest.approx(5.0)
    assert comparison.sdr[4.0] == 0.0
    assert comparison.count == sum(np.isfinite(result.positions_lps()).all(1))


def test_transforms_on_either_side_do_not_matter_to_the_distance(scene, result):
    reference = reference_of(scene, result, (0.0, 0.0, 2.0))
    transform = linear_transform(scene)
    for node in (result.volume_node, result.markups_node, reference):
        node.SetAndObserveTransformNodeID(transform.GetID())
    assert compare(result, reference).mre_mm == pytest.approx(2.0, abs=1e-4)


def test_the_table_has_a_row_a_landmark_and_is_found_again_and_plotted(scene, result):
    names = result.landmarks.names
    reference = reference_of(scene, result, (1.0, 0, 0), names[:1])
    comparison = compare(result, reference)
    table = comparison.to_table(scene)
    assert column(table, LANDMARK) == list(names)
    assert column(table, ERROR)[0] == pytest.approx(1.0)
    assert np.isnan(column(table, ERROR)[1])
    assert column(table, OUTCOME)[:2] == ["compared", "not in the reference"]
    assert float(table.GetAttribute("LandmarkHeatmap.MRE_mm")) == pytest.approx(1.0)
    assert result.node.GetNodeReference(TABLE) is table
    series = scene.GetFirstNodeByClass("vtkMRMLPlotSeriesNode")
    chart = scene.GetFirstNodeByClass("vtkMRMLPlotChartNode")
    assert series.GetTableNode() is table and series.GetYColumnName() == ERROR
    assert chart.GetNumberOfPlotSeriesNodes() == 1
    assert comparison.to_table(scene) is not table  # an earlier one is not touched


def test_labels_that_the_result_does_not_know_are_told(scene, result):
    reference = reference_of(scene, result)
    reference.AddControlPoint(0, 0, 0, "Elsewhere")
    assert compare(result, reference).unknown == ("Elsewhere",)


def test_references_that_cannot_be_compared_are_refused_in_words(scene, result):
    empty = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Empty")
    with pytest.raises(AnnotationError, match="has no control point"):
        compare(result, empty)
    twice = reference_of(scene, result)
    twice.AddControlPoint(1, 2, 3, result.landmarks.names[0])
    with pytest.raises(AnnotationError, match="two control points"):
        compare(result, twice)
    unplaced = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Unplaced")
    unplaced.AddControlPoint(0, 0, 0, result.landmarks.names[0])
    unplaced.SetNthControlPointPositionMissing(0)
    with pytest.raises(AnnotationError, match="no landmark that has a place both"):
        compare(result, unplaced)


def test_a_missed_landmark_is_a_failure_in_the_success_rate(scene, result):
    reference = reference_of(scene, result)
    result.mark_absent(result.landmarks.names[0])
    comparison = compare(result, reference)
    count = reference.GetNumberOfControlPoints()
    assert comparison.count == count - 1
    assert comparison.sdr[2.0] == pytest.approx((count - 1) / count)


def test_the_chart_is_one_that_slicer_draws(scene, result):
    compare(result, reference_of(scene, result)).to_table(scene)
    series = scene.GetFirstNodeByClass("vtkMRMLPlotSeriesNode")
    assert series.GetPlotType() == slicer.vtkMRMLPlotSeriesNode.PlotTypeBar
    assert series.GetLabelColumnName() == LANDMARK
