"""What is seen at once after a detection: the anatomy around the landmarks, from the front."""

import numpy as np
import pytest

from headless.scene import slicer, vtk
from headless.views import ThreeDView
from landmark_heatmap.detection.prediction import LandmarkPrediction, Prediction
from landmark_heatmap.images.geometry import Grid, Image
from landmark_heatmap.model.description import ModelIdentity
from landmark_heatmap.synthetic.hip import make_synthetic_hip
from LandmarkHeatmapLib.display.anatomy import (
    ANATOMY,
    AnatomySteps,
    set_anatomy_shown,
    show_anatomy,
)
from LandmarkHeatmapLib.display.camera import look_at_landmarks, world_positions_of
from LandmarkHeatmapLib.display.isosurface import coarse_copy, level_through, thresholds
from LandmarkHeatmapLib.display.models import model_of
from LandmarkHeatmapLib.display.views import nodes_of_class
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.volumes import add_volume
from mrml_examples import IMAGES, LANDMARKS, linear_transform, oblique

FLESH, BONE = 40, 1200
RADII = {"flesh": 30.0, "bone": 15.0}


def ball(affine, size_ijk=(90, 80, 70), seed=0):
    """A ball of bone in a ball of flesh in air, with noise; centred in the image."""
    grid = Grid(size_ijk, affine)
    index = np.stack(np.meshgrid(*map(np.arange, size_ijk), indexing="ij"), axis=-1)
    centre = grid.to_lps((np.array(size_ijk) - 1) / 2)
    away = np.linalg.norm(grid.to_lps(index) - centre, axis=-1).T
    array = np.full(away.shape, -1000.0)
    array[away < RADII["flesh"]] = FLESH
    array[away < RADII["bone"]] = BONE
    array += np.random.default_rng(seed).normal(0, 30, array.shape)
    return Image(array.astype(np.int16), affine), centre


@pytest.fixture
def detected(scene):
    """A detection of landmarks on the flesh or on the bone of such a ball."""

    def put(affine, on, transform=None):
        image, centre = ball(affine)
        directions = np.array([[1, 0.2, 0], [-1, 0, 0.3], [0, 0.4, 1], [0, 0, 0]])
        lengths = np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1)
        positions = centre + RADII[on] * directions / lengths
        points = tuple(
            LandmarkPrediction(name, position, 1.0, 0.9, None)
            for name, position in zip(LANDMARKS.names, positions)
        )
        model = ModelIdentity("Test model", "1", "ab" * 32)
        volume = add_volume(scene, image, "Scan")
        if transform is not None:
            volume.SetAndObserveTransformNodeID(transform.GetID())
        prediction = Prediction(LANDMARKS, points, image.grid, model)
        return DetectionResult.publish(volume, prediction)

    return put


def own_points(node):
    """(N, 3) of a model, RAS, in its own coordinates."""
    points = node.GetPolyData().GetPoints()
    return np.array([points.GetPoint(i) for i in range(0, points.GetNumberOfPoints(), 7)])


def test_bone_that_is_a_small_part_of_the_image_is_found_by_its_landmarks():
    hip = make_synthetic_hip(90_000, whole_pelvis=True)
    array, affine = coarse_copy(hip.image.array, hip.image.ijk_to_lps, 128)
    to_ijk = np.linalg.inv(affine)
    positions = np.array([hip.annotation.position_lps(name) for name in hip.annotation.names])
    level = level_through(array, positions @ to_ijk[:3, :3].T + to_ijk[:3, 3])
    assert max(thresholds(array)) < 100 < level < 400


@pytest.mark.parametrize("on", ["flesh", "bone"])
@pytest.mark.parametrize("hand", [1, -1])
def test_the_surface_is_the_one_that_the_landmarks_lie_on(detected, on, hand):
    result = detected(oblique([1.0, 1.0, 1.2], hand), on)
    show_anatomy(result)
    points = own_points(model_of(result, ANATOMY))
    centre = result.positions_lps()[3] * [-1, -1, 1]
    away = np.linalg.norm(points - centre, axis=1)
    assert np.median(away) == pytest.approx(RADII[on], abs=1.0)


def test_it_follows_the_volume_lies_in_its_folder_and_goes_with_the_result(scene, detected):
    result = detected(np.eye(4), "bone")
    show_anatomy(result)
    node = model_of(result, ANATOMY)
    assert not node.GetSelectable()
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folders = {
        tree.GetItemParent(tree.GetItemByDataNode(each)) for each in (node, result.markups_node)
    }
    assert len(folders) == 1 and folders != {tree.GetSceneItemID()}
    transform = linear_transform(scene)
    result.volume_node.SetAndObserveTransformNodeID(transform.GetID())
    result.follow_volume()
    assert node.GetTransformNodeID() == transform.GetID()
    set_anatomy_shown(result, False)
    assert not node.GetDisplayNode().GetVisibility()
    show_anatomy(result)
    assert model_of(result, ANATOMY) is node and node.GetDisplayNode().GetVisibility()


def test_it_is_made_in_steps_and_not_of_a_result_that_is_gone(scene, detected):
    result = detected(np.eye(4), "bone")
    steps = AnatomySteps(result)
    assert steps.advance() and steps.advance()
    assert model_of(result, ANATOMY) is None
    scene.RemoveNode(result.markups_node)
    while steps.advance():
        pass
    assert model_of(result, ANATOMY) is None


def test_a_flat_image_has_none(publish):
    for kind in ("single slice", "oblique single slice"):
        result = publish(IMAGES[kind])
        show_anatomy(result)
        assert model_of(result, ANATOMY) is None
        assert look_at_landmarks(result) is False


@pytest.mark.parametrize("value", [0, 7, np.nan])
def test_an_image_without_contrast_has_none(publish, value):
    array = np.full((10, 12, 14), value, np.float32)
    result = publish(Image(array, np.diag([3.0, 3, 3, 1])))
    show_anatomy(result)
    assert model_of(result, ANATOMY) is None


def test_three_classes_are_told_apart():
    values = np.concatenate([np.full(9000, -1000), np.full(5000, 40), np.full(700, 1200)])
    values = values + np.random.default_rng(0).normal(0, 30, values.size)
    levels = thresholds(values)
    assert any(-950 < level < 0 for level in levels)
    assert any(100 < level < 1150 for level in levels)
    assert levels == sorted(levels)


def test_without_landmarks_the_densest_is_shown():
    image, _centre = ball(np.eye(4))
    assert level_through(image.array.astype(float), np.empty((0, 3))) > 100


@pytest.mark.parametrize("size", [(300, 41, 128), (129, 257, 64), (5, 1030, 20)])
def test_a_coarse_copy_is_small_and_lies_where_the_image_lies(size):
    affine = np.linalg.inv(oblique([0.5, 0.7, 2.0]))
    index = np.indices(size[::-1]).astype(np.float32)
    for axis in range(3):
        # Each voxel holds its own index along an axis: so does the coarse one.
        array, coarse = coarse_copy(index[2 - axis], affine, 128)
        assert max(array.shape) <= 2 * 128 and max(array.shape) >= min(128, max(size)) // 2
        inside = np.array(array.shape[::-1]) // 2
        world = coarse @ [*inside, 1.0]
        assert (np.linalg.inv(affine) @ world)[axis] == pytest.approx(
            array[tuple(inside[::-1])], abs=1e-2
        )


# --- the camera


@pytest.fixture(scope="session")
def view(application):
    return ThreeDView(application, (300, 240))


def on_screen(view, positions):
    """(N, 2), -1 to 1 in the frame of the view."""
    view.window.Render()
    camera = view.renderer.GetActiveCamera()
    matrix = camera.GetCompositeProjectionTransformMatrix(300 / 240, -1, 1)
    points = np.array([matrix.MultiplyPoint((*position, 1.0)) for position in positions])
    return points[:, :2] / points[:, 3:]


@pytest.mark.parametrize("make_transform", [None, linear_transform])
def test_the_3d_view_sees_all_landmarks_from_the_front(scene, view, detected, make_transform):
    result = detected(oblique([1.0] * 3), "flesh", make_transform and make_transform(scene))
    view.render()
    assert look_at_landmarks(result)
    positions = world_positions_of(result)
    assert len(positions) == 4
    seen = on_screen(view, positions)
    assert (abs(seen) < 0.9).all() and abs(seen).max() > 0.4
    camera = nodes_of_class(scene, "vtkMRMLCameraNode")[0]
    direction = np.array(camera.GetPosition()) - camera.GetFocalPoint()
    np.testing.assert_allclose(direction / np.linalg.norm(direction), [0, 1, 0], atol=1e-6)
    # Left of the patient is on the right of the picture, superior above.
    focus = np.array(camera.GetFocalPoint())
    left, up = on_screen(view, [focus + [-5, 0, 0], focus + [0, 0, 5]])
    assert left[0] > 0 and up[1] > 0


def test_a_single_landmark_is_seen_with_its_surroundings(scene, view, detected):
    result = detected(np.eye(4), "bone")
    view.render()
    for name in LANDMARKS.names[1:]:
        result.mark_absent(name)
    look_at_landmarks(result)
    camera = nodes_of_class(scene, "vtkMRMLCameraNode")[0]
    distance = np.linalg.norm(np.array(camera.GetPosition()) - camera.GetFocalPoint())
    assert 10 < distance < 200
    result.mark_absent(LANDMARKS.names[0])
    assert look_at_landmarks(result) is False


def test_the_landmarks_are_seen_with_the_anatomy(view, detected):
    result = detected(np.eye(4), "bone")
    view.render()
    look_at_landmarks(result)
    result.markups_node.GetDisplayNode().SetVisibility(False)
    without = view.render().copy()
    show_anatomy(result)
    assert (view.render() != without).any(axis=-1).mean() > 0.1


# --- Slicer's volume rendering


@pytest.fixture
def rendering(application, tmp_path):
    """Its logic, as the application would have loaded it, but without presets."""
    logic = slicer.vtkSlicerVolumeRenderingLogic()
    (tmp_path / "presets.xml").write_text('<MRML version="Slicer 5.12.0" userTags=""></MRML>')
    logic.SetModuleShareDirectory(str(tmp_path))
    logic.SetMRMLApplicationLogic(application.logic)
    logic.SetMRMLScene(application.scene)
    application.logic.SetModuleLogic("VolumeRendering", logic)
    yield logic
    application.logic.SetModuleLogic("VolumeRendering", None)
    logic.SetMRMLScene(None)


def test_where_volume_rendering_is_loaded_it_shows_what_the_landmarks_lie_on(
    application, rendering, detected
):
    result = detected(np.eye(4), "bone")
    show_anatomy(result, application.logic)
    assert model_of(result, ANATOMY) is None
    display = rendering.GetFirstVolumeRenderingDisplayNode(result.volume_node)
    opacity = display.GetVolumePropertyNode().GetVolumeProperty().GetScalarOpacity()
    assert opacity.GetValue(FLESH) == 0 and opacity.GetValue(BONE) > 0.3
    assert display.GetVisibility()
    set_anatomy_shown(result, False, application.logic)
    assert not display.GetVisibility()
    # A surface gives way to the rendering, and without the logic that is nobody's to change.
    show_anatomy(result)
    surface = model_of(result, ANATOMY).GetDisplayNode()
    set_anatomy_shown(result, True)
    assert surface.GetVisibility() and not display.GetVisibility()
    set_anatomy_shown(result, True, application.logic)
    assert display.GetVisibility() and not surface.GetVisibility()
    set_anatomy_shown(result, False)
    assert display.GetVisibility()
    set_anatomy_shown(result, True)
    show_anatomy(result, application.logic)
    assert display.GetVisibility() and not surface.GetVisibility()
    set_anatomy_shown(result, False, application.logic)
    # What somebody has set up is shown as it is.
    own = vtk.vtkPiecewiseFunction()
    own.AddPoint(0, 1)
    display.GetVolumePropertyNode().SetScalarOpacity(own)
    show_anatomy(result, application.logic)
    assert display.GetVisibility()
    assert rendering.GetFirstVolumeRenderingDisplayNode(result.volume_node) is display
    kept = display.GetVolumePropertyNode().GetVolumeProperty().GetScalarOpacity()
    assert kept.GetSize() == 1
