"""Where views look, how near, and which names they show, told to the nodes of a scene."""

from dataclasses import replace

import numpy as np
import pytest

from headless.scene import slicer
from landmark_heatmap.images.geometry import Image
from LandmarkHeatmapLib.display.captions import chosen
from LandmarkHeatmapLib.display.close_up import CloseUp, region_mm
from LandmarkHeatmapLib.display.views import look_at
from LandmarkHeatmapLib.result import markups
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.result.publishing import PublishingSteps
from LandmarkHeatmapLib.volumes import add_volume
from mrml_examples import IMAGES, LANDMARKS, make_image, make_prediction


@pytest.fixture
def result(scene):
    image = make_image()
    return DetectionResult.publish(add_volume(scene, image, "Scan"), make_prediction(image))


@pytest.fixture
def red(scene, slice_views, result):
    for view in slice_views.values():
        view.show(result.volume_node)
    return slice_views["Red"].node


def place(node):
    return slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())


def world(result, name):
    return markups.world_positions(result.markups_node)[LANDMARKS.index(name)]


def test_a_view_that_shows_a_point_well_is_not_touched(scene, red, result):
    look_at(scene, world(result, "Head_L"))
    assert look_at(scene, world(result, "Head_L")) == []


def test_a_point_in_the_same_slice_moves_only_the_views_across_it(scene, red, result):
    look_at(scene, world(result, "Head_L"))
    # The two heads differ along x alone.
    moved = {node.GetName() for node in look_at(scene, world(result, "Head_R"))}
    assert moved == {"Yellow"}


def test_a_point_outside_is_brought_half_way_to_the_edge(scene, red, result):
    red.SetFieldOfView(40, 40, 1)
    red.UpdateMatrices()
    position = world(result, "Tip")
    look_at(scene, position)
    across = np.linalg.inv(place(red)) @ [*position, 1]
    assert abs(across[:2]).max() <= 0.8 * 20 + 1e-6
    assert abs(across[2]) < 0.01


@pytest.mark.parametrize("name", ["plain", "anisotropic", "single slice"])
def test_the_region_of_a_landmark_follows_its_heatmap(scene, name):
    image = IMAGES[name]
    result = DetectionResult.publish(add_volume(scene, image, "Scan"), make_prediction(image))
    region = region_mm(result, "Head_L")
    whole = max(np.array(image.grid.size_ijk) * image.grid.spacing_mm)
    finest = min(image.grid.spacing_mm)
    assert min(32 * finest, whole) <= region <= whole


def test_a_second_peak_far_away_is_no_width(scene, result):
    before = region_mm(result, "Head_L")
    array = slicer.util.arrayFromVolume(result.heatmap_node("Head_L"))
    array[0, 0, 0] = array[-1, -1, -1] = array.max()
    assert region_mm(result, "Head_L") == pytest.approx(before, rel=0.1)


def test_near_and_back_leaves_every_view_as_it_was(scene, red, slice_views, result):
    look_at(scene, world(result, "Head_L"))
    before = {
        name: (view.node.GetFieldOfView(), place(view.node)) for name, view in slice_views.items()
    }
    close_up = CloseUp(scene)
    close_up.show(world(result, "Head_L"), 30.0)
    assert min(red.GetFieldOfView()[:2]) == pytest.approx(30.0)
    close_up.show(world(result, "Tip"), 20.0)
    close_up.end(world(result, "Head_L"))
    assert not close_up.is_on
    for name, view in slice_views.items():
        np.testing.assert_allclose(view.node.GetFieldOfView(), before[name][0])
        np.testing.assert_allclose(place(view.node), before[name][1], atol=1e-9)


def test_names_that_would_cover_each_other_are_left_out():
    # Pixels are mm; all in one slice. The second would cover the first, the third has room.
    positions = np.array([[0.0, 0, 0], [30, 5, 0], [0, 60, 0], [400, 400, 0], [np.nan] * 3])
    names = ["A long name"] * 5
    assert chosen(0, positions, names, [np.eye(4)]) == [0, 2, 3]
    assert chosen(0, positions[:3] * [1, 4, 1], names[:3], [np.eye(4)]) == [0, 2]
    assert chosen(3, positions, names, [])[0] == 3


def test_names_of_nodes_do_not_grow_and_say_which_detection_it_is(scene):
    image = make_image()
    volume = add_volume(scene, image, "Scan")
    results = [DetectionResult.publish(volume, make_prediction(image)) for _ in range(3)]
    assert [each.node.GetName() for each in results] == [
        *("Scan detection", "Scan detection 2", "Scan detection 3"),
    ]
    assert results[2].markups_node.GetName() == "Scan landmarks 3"
    assert results[2].predicted_node.GetName() == "Scan landmarks 3 as predicted"
    assert results[2].heatmap_node("Tip").GetName() == "Scan heatmaps 3 Tip"
    results[1].remove()
    again = DetectionResult.publish(volume, make_prediction(image))
    assert again.node.GetName() == "Scan detection 2"


def test_each_detection_has_one_folder_and_one_that_was_undone_has_none(scene):
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    image = make_image()
    volume = add_volume(scene, image, "Scan")
    result = DetectionResult.publish(volume, make_prediction(image))
    folder = tree.GetItemParent(tree.GetItemByDataNode(result.markups_node))
    assert tree.GetItemName(folder) == "Scan detection"
    for node in (result.predicted_node, *result.overlay_nodes):
        assert tree.GetItemParent(tree.GetItemByDataNode(node)) == folder
    count = tree.GetNumberOfItems()
    steps = PublishingSteps(volume, make_prediction(image))
    for _ in range(3):
        steps.advance()
    steps.undo()
    assert tree.GetNumberOfItems() == count


def test_landmarks_that_are_being_published_are_not_seen_yet(scene):
    image = make_image()
    steps = PublishingSteps(add_volume(scene, image, "Scan"), make_prediction(image))
    while steps.advance():
        pass
    steps.finish()
    result = DetectionResult(steps.node)
    assert not result.markups_node.GetDisplayNode().GetVisibility()


def test_a_close_look_shows_all_of_the_outer_contour(scene):
    """Also where the belief is much wider than the heatmap, which is of one width everywhere."""
    image = make_image()
    prediction, volume = make_prediction(image), add_volume(scene, image, "Scan")
    wide = np.zeros(image.array.shape, np.float32)
    wide[10:36, 10:36, 8:34] = 0.2
    belief = Image(wide, image.ijk_to_lps)
    narrow = DetectionResult.publish(volume, prediction)
    points = tuple(replace(point, belief=belief) for point in prediction.points)
    result = DetectionResult.publish(volume, replace(prediction, points=points))
    assert region_mm(result, "Tip") > region_mm(narrow, "Tip")
    assert region_mm(result, "Tip") > 26 * 2.0
