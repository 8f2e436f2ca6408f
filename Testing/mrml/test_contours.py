"""Where a landmark may be, in slices and in 3D: made when asked for, true, and gone with the result."""

import numpy as np
import pytest
from beliefs import with_beliefs

from headless.scene import vtk
from landmark_heatmap.annotation.doubt import Doubt
from landmark_heatmap.errors import AnnotationError
from LandmarkHeatmapLib.display import overlay
from LandmarkHeatmapLib.display.contours import (
    ContourSteps,
    contour_nodes,
    hide_contours,
    outer_share,
    show_contours,
)
from LandmarkHeatmapLib.display.views import show_flat
from LandmarkHeatmapLib.result import markups
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.result.markups import world_positions
from LandmarkHeatmapLib.volumes import add_volume, image_of, size_ijk
from mrml_examples import IMAGES, LANDMARKS, linear_transform, make_image, make_prediction

KINDS = ["plain", "oblique", "left-handed", "anisotropic"]


@pytest.fixture
def believe(scene):
    """Puts a volume and a detection of it, with beliefs, into the scene."""

    def put(image=None, transform=None, **how):
        image = make_image() if image is None else image
        volume = add_volume(scene, image, "Scan")
        if transform is not None:
            volume.SetAndObserveTransformNodeID(transform.GetID())
        return DetectionResult.publish(volume, with_beliefs(make_prediction(image), **how))

    return put


def contours_in(scene):
    """Slice views have models in the scene, too."""
    models = scene.GetNodesByClass("vtkMRMLModelNode")
    models.UnRegister(None)
    models = [models.GetItemAsObject(i) for i in range(models.GetNumberOfItems())]
    return [model for model in models if "contour" in model.GetName()]


def bounds_of(node):
    """(3, 2), in world coordinates."""
    bounds = np.zeros(6)
    node.GetRASBounds(bounds)
    return bounds.reshape(3, 2)


def centre_of(node):
    return bounds_of(node).mean(1)


def world_of(result, name):
    return world_positions(result.markups_node)[result.landmarks.index(name)]


def is_seen(node):
    display = node.GetDisplayNode()
    is_on = display.GetVisibility()
    return bool(is_on and display.GetVisibility2D()), bool(is_on and display.GetVisibility3D())


def share_inside(result, name, surface):
    """Of the probability, taken from the heatmap, what lies in the surface."""
    heatmap = image_of(result.heatmap_node(name))
    grids = np.stack(np.meshgrid(*map(np.arange, heatmap.grid.size_ijk), indexing="ij"), -1)
    ras = heatmap.grid.to_lps(grids.reshape(-1, 3).astype(float)) * [-1, -1, 1]
    points = vtk.vtkPoints()
    for place in ras:
        points.InsertNextPoint(*place)
    there = vtk.vtkPolyData()
    there.SetPoints(points)
    inside = vtk.vtkSelectEnclosedPoints()
    inside.SetInputData(there)
    inside.SetSurfaceData(surface.GetPolyData())
    inside.Update()
    chosen = np.array([inside.IsInside(index) for index in range(len(ras))], dtype=bool)
    values = heatmap.array.transpose(2, 1, 0).ravel()
    return values[chosen].sum() / values.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_the_contours_lie_around_their_landmark_one_in_the_other(believe, kind):
    result = believe(IMAGES[kind])
    for name in ("Head_L", "Tip"):
        show_contours(result, name)
        inner, outer = contour_nodes(result)
        for node in (inner, outer):
            np.testing.assert_allclose(centre_of(node), world_of(result, name), atol=2.0)
        (low, high), (outer_low, outer_high) = bounds_of(inner).T, bounds_of(outer).T
        assert (outer_low < low).all() and (high < outer_high).all()


def test_each_holds_the_share_of_the_probability_that_it_says(believe):
    result = believe()
    for name in ("Head_L", "Tip"):
        show_contours(result, name)
        inner, outer = contour_nodes(result)
        assert share_inside(result, name, inner) == pytest.approx(0.5, abs=0.06)
        assert share_inside(result, name, outer) == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize(
    ("doubt", "share"),
    [(None, 0.9), (Doubt(1), 0.9), (Doubt(1, 0.95, 3), 0.9), (Doubt(1, 0.75, 2), 0.75)],
)
def test_the_outer_one_claims_no_more_than_was_calibrated(doubt, share):
    assert outer_share(doubt) == share


def test_with_few_cases_the_outer_contour_is_that_of_their_level(believe):
    result = believe(level=0.7)
    show_contours(result, "Tip")
    assert share_inside(result, "Tip", contour_nodes(result)[1]) == pytest.approx(0.7, abs=0.05)


def test_they_are_made_only_when_asked_for_and_once(scene, believe):
    result = believe()
    assert contour_nodes(result) == []
    hide_contours(result)
    show_contours(result, "Tip")
    first = contour_nodes(result)
    show_contours(result)
    assert contour_nodes(result) == first == contours_in(scene)
    hide_contours(result)
    assert [is_seen(node) for node in first] == [(False, False)] * 2


@pytest.mark.parametrize("seen", [(True, False), (False, True), (True, True)])
def test_slices_and_3d_views_show_them_apart(believe, seen):
    result = believe()
    show_contours(result, "Tip", *seen)
    assert [is_seen(node) for node in contour_nodes(result)] == [seen] * 2


def test_all_of_them_come_a_landmark_a_step(believe):
    result = believe()
    show_contours(result, "Tip")
    inner = contour_nodes(result)[0]
    before = inner.GetPolyData()
    steps = ContourSteps(result)
    for _ in LANDMARKS.names:
        assert steps.advance() and inner.GetPolyData() is before
    assert not steps.advance()
    bounds = bounds_of(inner)
    for name in ("Head_L", "Head_R", "Tip"):
        assert (bounds[:, 0] < world_of(result, name)).all()
        assert (bounds[:, 1] > world_of(result, name)).all()


def test_a_result_that_goes_meanwhile_ends_the_steps(scene, believe):
    result = believe()
    steps = ContourSteps(result)
    assert steps.advance()
    result.remove()
    assert not steps.advance() and contours_in(scene) == []


def test_of_an_absent_landmark_there_are_none(believe):
    result = believe()
    show_contours(result, "Gone")
    assert [node.GetPolyData().GetNumberOfPoints() for node in contour_nodes(result)] == [0, 0]


def test_they_are_closed(believe):
    """Also where the belief is cut off by the border of the image."""
    result = believe()
    show_contours(result, "Tip")
    for node in contour_nodes(result):
        edges = vtk.vtkFeatureEdges()
        edges.SetInputData(node.GetPolyData())
        edges.FeatureEdgesOff()
        edges.ManifoldEdgesOff()
        edges.NonManifoldEdgesOff()
        edges.BoundaryEdgesOn()
        edges.Update()
        assert edges.GetOutput().GetNumberOfCells() == 0


def drawn(view, result, **seen):
    """(height, width): which pixels of a view the contours change, the lowest row first."""
    markups.show(result.markups_node, False)
    hide_contours(result)
    before = view.render().astype(int)
    show_contours(result, "Tip", **seen)
    return (abs(view.render().astype(int) - before) > 40).any(-1)[::-1]


# In the others, the heatmap is cut off where the outer contour would be.
@pytest.mark.parametrize("kind", ["plain", "oblique", "single slice", "oblique single slice"])
def test_a_slice_view_draws_two_lines_around_the_landmark(believe, slice_views, kind):
    result, view = believe(IMAGES[kind]), slice_views["Red"]
    view.show(result.volume_node)
    if 1 in size_ijk(result.volume_node):
        show_flat(result)
    view.jump_to(world_of(result, "Tip"))
    changed = drawn(view, result, in_3d=False)
    x, y = np.rint(view.pixel_of(world_of(result, "Tip"))).astype(int)
    # From the landmark to all sides two lines are crossed.
    for line in (changed[y, x:], changed[y, x::-1], changed[y:, x], changed[y::-1, x]):
        assert (np.diff(line.astype(int)) == 1).sum() == 2
    assert not drawn(view, result, in_slices=False).any()


def test_they_go_where_the_volume_goes_and_with_the_result(scene, believe):
    result = believe()
    show_contours(result, "Head_R")
    transform = linear_transform(scene)
    result.volume_node.SetAndObserveTransformNodeID(transform.GetID())
    result.follow_volume()
    for node in contour_nodes(result):
        np.testing.assert_allclose(centre_of(node), world_of(result, "Head_R"), atol=2.0)
    for node in result.belief_nodes:
        assert node.GetTransformNodeID() == transform.GetID()
    result.remove()
    assert contours_in(scene) == [] and scene.GetFirstNodeByName("Scan beliefs Tip") is None


def test_beliefs_are_in_the_scene_once_and_in_nobodys_way(scene, believe):
    result = believe()
    assert [node.GetName() for node in result.belief_nodes] == [
        f"Scan beliefs {name}" for name in LANDMARKS.names
    ]
    assert all(node.GetHideFromEditors() for node in result.belief_nodes)
    assert not set(result.belief_nodes) & set(result.overlay_nodes)
    nodes = scene.GetNumberOfNodes()
    for name in (*LANDMARKS.names, None):
        show_contours(result, name)
    # Two models, each with its display and its storage at the most.
    assert scene.GetNumberOfNodes() <= nodes + 6


def test_a_saved_scene_shows_them_again_and_others(scene, believe, tmp_path):
    result = believe(doubts={"Tip": Doubt(1.0, 0.8, 2.0, 9.0, 3.0)})
    doubts, beliefs = result.doubts(), [image_of(node).array for node in result.belief_nodes]
    show_contours(result, "Tip", in_slices=True, in_3d=False)
    bounds = [bounds_of(node) for node in contour_nodes(result)]
    assert scene.WriteToMRB(str(tmp_path / "scene.mrb"), None)
    scene.Clear(False)
    assert scene.ReadFromMRB(str(tmp_path / "scene.mrb"), True, None)
    (loaded,) = DetectionResult.all(scene)
    assert loaded.doubts() == doubts and loaded.doubts()[2].is_odd
    for node, array in zip(loaded.belief_nodes, beliefs):
        np.testing.assert_array_equal(image_of(node).array, array)
        assert node.GetHideFromEditors()
    for node, before in zip(contour_nodes(loaded), bounds):
        assert is_seen(node) == (True, False)
        np.testing.assert_allclose(bounds_of(node), before, atol=1e-3)
    show_contours(loaded, "Head_L")
    for node in contour_nodes(loaded):
        np.testing.assert_allclose(centre_of(node), world_of(loaded, "Head_L"), atol=2.0)
    assert len(contours_in(scene)) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_result_without_beliefs_the_heatmap_is_shown_in_3d(publish, kind):
    result = publish(IMAGES[kind])
    for name in ("Tip", None, "Head_L"):
        show_contours(result, name)
        (node,) = contour_nodes(result)
        assert is_seen(node) == (False, True)
    np.testing.assert_allclose(centre_of(node), world_of(result, "Head_L"), atol=2.0)
    assert set(result.doubts()) == {None}


def test_an_unknown_landmark_is_refused(publish, believe):
    for result in (publish(), believe()):
        with pytest.raises(AnnotationError):
            show_contours(result, "Nose")


@pytest.mark.parametrize("name", overlay.COLOUR_MAPS)
def test_every_colour_map_grows_brighter_and_is_made_once(scene, publish, name):
    result = publish()
    overlay.set_colour_map(result, name)
    table = overlay.colour_table(scene, name)
    for node in result.overlay_nodes:
        assert node.GetDisplayNode().GetColorNodeID() == table.GetID()
    colour, brightness = np.zeros(4), []
    for index in range(0, 256, 15):
        table.GetColor(index, colour)
        brightness.append(colour[:3] @ [0.299, 0.587, 0.114])
    assert (np.diff(brightness) > 0).all()
    overlay.set_colour_map(result, name)
    assert overlay.colour_table(scene, name) is table


def test_another_channel_is_shown_without_anything_being_computed(scene, publish, slice_views):
    """What changes is which volume the views refer to."""
    result = publish()
    nodes, changed = scene.GetNumberOfNodes(), []
    for node in result.overlay_nodes:
        node.GetImageData().AddObserver("ModifiedEvent", lambda *_: changed.append(1))
    for name in (*result.landmarks.names, None):
        overlay.show_heatmap(result, name)
    assert scene.GetNumberOfNodes() == nodes and not changed
