"""Measurements and skeleton in the scene: there while a point is dragged, saved, exported."""

import csv

import numpy as np
import pytest

from headless.scene import slicer
from landmark_heatmap.annotation.measurements import Measurement
from landmark_heatmap.dataset.folder import read_landmark_set
from landmark_heatmap.errors import AnnotationError
from LandmarkHeatmapLib.display.models import model_of
from LandmarkHeatmapLib.display.skeleton import SKELETON, Skeleton
from LandmarkHeatmapLib.export import export_case
from LandmarkHeatmapLib.measurements import (
    NAME,
    VALUE,
    MeasurementTable,
    add_definitions,
    add_measurement,
    measured,
    remove_measurement,
    table_of,
)
from LandmarkHeatmapLib.result import markups
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.review.session import ReviewSession
from mrml_examples import IMAGES, in_view, linear_transform, ready, to_world

HEADS = Measurement("Heads", "distance", ("Head_L", "Head_R"))
DEFINITIONS = {
    "measurements": [
        HEADS.to_json(),
        {"name": "Tip angle", "kind": "angle", "landmarks": ["Head_L", "Tip", "Head_R"]},
        {"name": "Gone", "kind": "distance", "landmarks": ["Tip", "Gone"]},
    ],
    "skeleton": [["Head_L", "Head_R"], ["Head_L", "Tip"], ["Tip", "Gone"]],
}


@pytest.fixture
def measuring(publish):
    """A published result with definitions, and the table that follows it."""
    tables = []

    def make(*arguments, **keywords):
        result = publish(*arguments, **keywords)
        add_definitions(result, DEFINITIONS)
        tables.append(MeasurementTable(result))
        return result

    yield make
    for table in tables:
        table.release()


def column(result, title):
    table = table_of(result)
    array = table.GetTable().GetColumnByName(title)
    return [array.GetValue(row) for row in range(table.GetNumberOfRows())]


def distance(result):
    left, right = result.positions_lps()[:2]
    return np.linalg.norm(left - right)


@pytest.mark.parametrize("make_transform", [None, linear_transform])
def test_the_table_follows_a_drag_in_every_event(scene, measuring, slice_views, make_transform):
    result = measuring(IMAGES["oblique"], transform=make_transform and make_transform(scene))
    assert column(result, NAME) == ["Heads", "Tip angle", "Gone"]
    assert column(result, VALUE)[0] == pytest.approx(distance(result), abs=0.01)
    assert np.isnan(column(result, VALUE)[2])
    session = ReviewSession(result)
    session.select("Head_L", jump=False)
    start, seen = ready(result, slice_views), []
    table_of(result).AddObserver("ModifiedEvent", lambda *_: seen.append(1))
    view = slice_views["Red"]
    before = column(result, VALUE)
    view.drag(start, start + in_view(view, 8, 6))
    after = column(result, VALUE)
    assert after[0] == pytest.approx(distance(result), abs=0.01) and after[0] != before[0]
    assert len(seen) >= 4  # while it was dragged, not at its end alone
    session.undo()
    assert column(result, VALUE)[:2] == before[:2]
    session.release()


def test_what_it_rests_on_is_said(measuring):
    result = measuring()
    assert column(result, "From") == ["predicted", "predicted", "missing"]
    for name in ("Head_L", "Head_R"):
        result.confirm(name)
    assert column(result, "From") == ["placed", "predicted", "missing"]
    result.mark_absent("Head_L")
    assert column(result, "From") == ["missing", "missing", "missing"]
    assert np.isnan(column(result, VALUE)[0])


def test_a_parent_transform_that_scales_does_not_change_a_distance(scene, measuring):
    result = measuring()
    before = column(result, VALUE)[0]
    node = linear_transform(scene)
    matrix = node.GetMatrixTransformToParent()
    for row in range(3):
        matrix.SetElement(row, row, 3 * matrix.GetElement(row, row))
    node.SetMatrixTransformToParent(matrix)
    result.volume_node.SetAndObserveTransformNodeID(node.GetID())
    result.follow_volume()
    assert column(result, VALUE)[0] == before


def test_the_user_adds_changes_and_removes_measurements(publish):
    result = publish()
    table = MeasurementTable(result)
    assert table_of(result) is None and measured(result) == []
    add_measurement(result, HEADS)
    assert column(result, NAME) == ["Heads"]
    add_measurement(result, Measurement("Heads", "distance", ("Head_L", "Tip")))
    add_measurement(result, Measurement("Other", "distance", ("Head_R", "Tip")))
    assert column(result, NAME) == ["Heads", "Other"]
    tip = np.linalg.norm(result.positions_lps()[0] - result.positions_lps()[2])
    assert column(result, VALUE)[0] == pytest.approx(tip, abs=0.01)
    with pytest.raises(AnnotationError, match="no landmark"):
        add_measurement(result, Measurement("Bad", "distance", ("Head_R", "Nobody")))
    remove_measurement(result, "Heads")
    assert column(result, NAME) == ["Other"]
    remove_measurement(result, "Other")
    assert table_of(result).GetNumberOfRows() == 0
    table.release()


def test_nothing_is_told_where_nothing_has_changed(measuring):
    result, seen = measuring(), []
    table_of(result).AddObserver("ModifiedEvent", lambda *_: seen.append(1))
    result.markups_node.SetNthControlPointLocked(0, True)
    result.markups_node.GetDisplayNode().SetVisibility(False)
    result.confirm("Gone")
    assert seen == []


def test_a_definition_is_no_step_of_the_review(publish):
    result = publish()
    session = ReviewSession(result)
    add_definitions(result, DEFINITIONS)
    assert not session.can_undo
    session.select("Tip")
    session.confirm()
    session.undo()
    assert len(result.landmarks.measurements) == 3
    session.release()


def test_a_saved_scene_brings_definitions_table_and_skeleton_back(scene, measuring, tmp_path):
    result = measuring()
    skeleton = Skeleton(result)
    values = column(result, VALUE)
    skeleton.release()
    assert scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    scene.Clear(False)
    scene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    (again,) = DetectionResult.all(scene)
    assert len(again.landmarks.measurements) == 3
    np.testing.assert_allclose(column(again, VALUE), values, atol=0.01)
    table, skeleton = MeasurementTable(again), Skeleton(again)
    tables = scene.GetNodesByClass("vtkMRMLTableNode")
    tables.UnRegister(None)
    assert tables.GetNumberOfItems() == 1
    again.move("Head_L", [1, 2, 3])
    assert column(again, VALUE)[0] == pytest.approx(distance(again), abs=0.01)
    assert ends_of(again)[0] == pytest.approx(markups.own_positions(again.markups_node)[0])
    table.release()
    skeleton.release()


def test_they_are_exported_with_the_case_and_the_definitions_with_the_dataset(measuring, tmp_path):
    result = measuring()
    result.confirm("Head_L")
    result.confirm("Head_R")
    revision = export_case(result, tmp_path / "data")
    with open(revision / "measurements.csv", encoding="utf-8", newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert float(rows["Heads"]["value"]) == pytest.approx(distance(result), abs=1e-3)
    assert [rows[name]["from"] for name in rows] == ["placed", "predicted", "missing"]
    assert read_landmark_set(tmp_path / "data").measurements == result.landmarks.measurements


def test_without_measurements_the_case_is_as_ever(publish, tmp_path):
    revision = export_case(publish(), tmp_path / "data")
    assert not (revision / "measurements.csv").exists()


def test_table_and_skeleton_go_with_the_result_and_lie_in_its_folder(scene, measuring):
    result = measuring()
    skeleton = Skeleton(result)
    made = [table_of(result), model_of(result, SKELETON)]
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    items = [tree.GetItemByDataNode(node) for node in (*made, result.markups_node)]
    assert len({tree.GetItemParent(item) for item in items}) == 1
    for item in items:
        tree.RemoveItem(item, False)
    result.remove()
    assert [node.GetScene() for node in made] == [None, None]
    skeleton.release()


# --- the skeleton


def ends_of(result):
    """(N, 3) of the ends of its lines, as the list of landmarks holds positions."""
    points = model_of(result, SKELETON).GetPolyData().GetPoints()
    return np.array([points.GetPoint(index) for index in range(points.GetNumberOfPoints())])


def test_the_skeleton_follows_the_points_and_leaves_out_what_is_absent(scene, measuring):
    result = measuring(IMAGES["oblique"])
    skeleton = Skeleton(result)
    node = model_of(result, SKELETON)
    assert not node.GetSelectable() and node.GetPolyData().GetNumberOfLines() == 2
    own = markups.own_positions(result.markups_node)
    np.testing.assert_allclose(ends_of(result), own[[0, 1, 0, 2]])
    result.move("Head_L", [1, 2, 3])
    np.testing.assert_allclose(ends_of(result)[2], [1, 2, 3], atol=1e-9)
    result.mark_absent("Tip")
    assert node.GetPolyData().GetNumberOfLines() == 1
    result.restore_prediction("Tip")
    assert node.GetPolyData().GetNumberOfLines() == 2
    skeleton.release()
    result.move("Head_L", [9, 9, 9])
    assert ends_of(result)[0] != pytest.approx([9, 9, 9])


def test_the_skeleton_is_where_the_points_are_when_the_volume_is_put_elsewhere(scene, measuring):
    result = measuring(IMAGES["oblique"])
    skeleton, session = Skeleton(result), ReviewSession(result)
    node = model_of(result, SKELETON)
    transform = linear_transform(scene)
    result.volume_node.SetAndObserveTransformNodeID(transform.GetID())
    for _step in ("under a transform", "hardened"):
        world = markups.world_positions(result.markups_node)[[0, 1, 0, 2]]
        ends = [to_world(node, end) for end in ends_of(result)]
        np.testing.assert_allclose(ends, world, atol=1e-4)
        result.volume_node.HardenTransform()
    session.release()
    skeleton.release()


def test_the_skeleton_is_shown_and_hidden_with_the_landmarks(measuring):
    result = measuring()
    skeleton = Skeleton(result)
    display = model_of(result, SKELETON).GetDisplayNode()
    result.markups_node.GetDisplayNode().SetVisibility(False)
    assert not display.GetVisibility()
    result.markups_node.GetDisplayNode().SetVisibility(True)
    assert display.GetVisibility()
    skeleton.release()


def test_without_a_definition_there_is_no_skeleton(publish):
    result = publish()
    skeleton = Skeleton(result)
    assert model_of(result, SKELETON) is None
    skeleton.release()


@pytest.mark.parametrize("kind", ["plain", "oblique single slice"])
def test_the_skeleton_is_seen_in_a_slice_and_takes_no_press_from_a_point(
    measuring, slice_views, kind
):
    result = measuring(IMAGES[kind])
    session = ReviewSession(result)
    session.select("Head_L", jump=False)
    view = slice_views["Red"]
    start = ready(result, slice_views)
    without = view.render().copy()
    skeleton = Skeleton(result)
    assert (view.render() != without).any(axis=-1).sum() > 20
    view.drag(start, start + in_view(view, 3, 2))
    assert session.undo_text == "Undo: move of Head_L"
    session.release()
    skeleton.release()
