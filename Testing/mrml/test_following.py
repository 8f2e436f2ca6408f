"""A result stays with its volume, wherever that is put; and what is deleted beside it is missed."""

import numpy as np
import pytest

from headless.scene import slicer, vtk
from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.dataset.record import Review
from landmark_heatmap.errors import PredictionError
from landmark_heatmap.model.heatmap import decode_peak
from LandmarkHeatmapLib.export import export_case
from LandmarkHeatmapLib.result import markups
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.review.session import ReviewSession
from LandmarkHeatmapLib.volumes import add_volume, image_of
from mrml_examples import (
    IMAGES,
    LANDMARKS,
    RAS,
    bending_transform,
    in_view,
    linear_transform,
    make_image,
    make_prediction,
    ready,
    to_world,
)

FOUND = LANDMARKS.names[:3]


def put_under(node, transform):
    node.SetAndObserveTransformNodeID(None if transform is None else transform.GetID())


def centre(volume):
    """What 'Center volume' does: another origin, and nothing else."""
    volume.SetOrigin(*(np.array(volume.GetOrigin()) + [40, -30, 20]))


MOTIONS = {
    "put under a transform": lambda volume, scene: put_under(volume, linear_transform(scene)),
    "put under a bending one": lambda volume, scene: put_under(volume, bending_transform(scene)),
    "taken out of its transform": lambda volume, scene: put_under(volume, None),
    "hardened": lambda volume, scene: volume.HardenTransform(),
    "centred": lambda volume, scene: centre(volume),
}


def assert_beside_the_volume(result, ijk):
    """Each landmark and each heatmap's peak lies at the voxel where it was published."""
    volume = result.volume_node
    image = image_of(volume)
    shown = markups.world_positions(result.markups_node)
    for index, name in enumerate(FOUND):
        expected = to_world(volume, image.grid.to_lps(ijk[index]) * RAS)
        assert np.abs(shown[index] - expected).max() < 0.1
        node = result.heatmap_node(name)
        heatmap = image_of(node)
        peak = heatmap.grid.to_lps(decode_peak(heatmap.array)[::-1]) * RAS
        assert np.abs(to_world(node, peak) - expected).max() < 0.1


@pytest.mark.parametrize("kind", ["oblique", "left-handed"])
@pytest.mark.parametrize("motion", MOTIONS)
def test_where_the_volume_goes_the_result_goes_along(scene, publish, kind, motion):
    result = publish(IMAGES[kind], transform=linear_transform(scene))
    ijk = image_of(result.volume_node).grid.to_ijk(result.predicted_positions_lps())
    session = ReviewSession(result)

    MOTIONS[motion](result.volume_node, scene)

    assert_beside_the_volume(result, ijk)
    assert set(result.reviews().values()) == {Review.UNTOUCHED}
    assert not session.can_undo
    session.release()


def test_a_motion_that_nobody_watched_is_caught_up_with_before_an_export(scene, publish, tmp_path):
    result = publish()
    result.move("Tip", markups.world_positions(result.markups_node)[2] + 5)
    before = result.annotation()
    MOTIONS["put under a transform"](result.volume_node, scene)
    export_case(result, tmp_path / "data")
    assert result.review("Head_L") is Review.UNTOUCHED
    for name in FOUND:
        np.testing.assert_allclose(
            result.annotation().position_lps(name), before.position_lps(name), atol=1e-9
        )


@pytest.mark.parametrize("first", ["volume", "markups"])
def test_volume_and_landmarks_moved_together_count_as_not_moved(scene, publish, first):
    result = publish()
    session = ReviewSession(result)
    before = result.annotation()
    transform = linear_transform(scene)
    nodes = [result.volume_node, result.markups_node]
    for node in nodes if first == "volume" else reversed(nodes):
        put_under(node, transform)
    assert result.annotation() == before
    assert set(result.reviews().values()) == {Review.UNTOUCHED}
    session.release()


def test_landmarks_moved_under_a_transform_of_their_own_are_corrected(scene, publish):
    result = publish()
    put_under(result.markups_node, linear_transform(scene))
    reviews = result.reviews()
    assert {reviews[name] for name in FOUND} == {Review.CORRECTED}
    world = markups.world_positions(result.markups_node)[2]
    np.testing.assert_allclose(result.annotation().position_lps("Tip"), world * RAS, atol=1e-9)


def test_landmarks_under_a_transform_of_their_own_stay_there_when_the_volume_goes(scene, publish):
    result = publish()
    session = ReviewSession(result)
    put_under(result.markups_node, bending_transform(scene))
    world = markups.world_positions(result.markups_node)
    put_under(result.volume_node, linear_transform(scene))
    np.testing.assert_array_equal(markups.world_positions(result.markups_node), world)
    session.release()


def test_who_begins_to_watch_finds_the_result_beside_its_volume(scene, publish):
    result = publish()
    ijk = image_of(result.volume_node).grid.to_ijk(result.predicted_positions_lps())
    put_under(result.volume_node, linear_transform(scene))
    session = ReviewSession(result)
    assert_beside_the_volume(result, ijk)
    assert not session.can_undo
    session.release()


def test_another_image_in_the_same_node_moves_nothing(publish):
    result = publish()
    world = markups.world_positions(result.markups_node)
    volume = result.volume_node
    slicer.util.updateVolumeFromArray(volume, np.zeros((3, 4, 5), np.int16))
    volume.SetSpacing(7, 7, 7)
    result.follow_volume()
    np.testing.assert_array_equal(markups.world_positions(result.markups_node), world)


def test_the_volume_is_followed_in_a_scene_that_was_loaded_too(scene, publish, tmp_path):
    result = publish(IMAGES["oblique"], transform=linear_transform(scene))
    ijk = image_of(result.volume_node).grid.to_ijk(result.predicted_positions_lps())
    scene.WriteToMRB(str(tmp_path / "scene.mrb"), None)
    scene.Clear(False)
    publish(name="Other", transform=bending_transform(scene))
    scene.ReadFromMRB(str(tmp_path / "scene.mrb"), False, None)
    loaded = next(r for r in DetectionResult.all(scene) if r.volume_node.GetName() == "Scan")
    MOTIONS["taken out of its transform"](loaded.volume_node, scene)
    loaded.follow_volume()
    assert_beside_the_volume(loaded, ijk)


@pytest.mark.parametrize("make_transform", [None, linear_transform, bending_transform])
def test_the_prediction_is_restored_to_the_last_bit(scene, publish, make_transform):
    result = publish(transform=make_transform and make_transform(scene))
    before = result.positions_lps()
    result.move("Tip", [1, 2, 3])
    result.restore_prediction("Tip")
    np.testing.assert_array_equal(result.positions_lps(), before)


def test_deleting_one_heatmap_leaves_the_others_with_their_landmarks(scene, publish):
    result = publish()
    names = {name: result.heatmap_node(name).GetName() for name in LANDMARKS.names}
    scene.RemoveNode(result.heatmap_node("Head_L"))
    assert result.heatmap_node("Head_L") is None
    for name in LANDMARKS.names[1:]:
        assert result.heatmap_node(name).GetName() == names[name]
    assert len(result.overlay_nodes) == 4


def test_a_position_that_was_only_taken_away_is_not_judged(publish):
    """As while a person places the point anew: that is not to say that it is absent."""
    result = publish()
    result.markups_node.UnsetNthControlPointPosition(2)
    assert result.review("Tip") is Review.UNTOUCHED
    assert result.annotation().state("Tip") is PointState.UNJUDGED


@pytest.mark.parametrize("name", ["Gone", "Tip"])
def test_a_landmark_is_placed_where_the_mouse_clicks(scene, publish, slice_views, name):
    result = publish(transform=linear_transform(scene))
    session = ReviewSession(result)
    view = slice_views["Red"]
    wanted = ready(result, slice_views) + in_view(view, 11, 6)

    session.select(name, jump=False)
    session.place()
    view.render()
    view.click(wanted)

    index = LANDMARKS.index(name)
    assert np.linalg.norm(markups.world_positions(result.markups_node)[index] - wanted) < 0.5
    assert session.undo_text == f"Undo: move of {name}"
    assert result.review(name) is Review.CORRECTED
    assert result.review("Head_L") is Review.UNTOUCHED
    interaction = scene.GetFirstNodeByClass("vtkMRMLInteractionNode")
    assert interaction.GetCurrentInteractionMode() != interaction.Place
    session.release()


@pytest.mark.parametrize("state", ["", "{", "{}", '{"version": 99}', "[]"])
def test_a_result_that_cannot_be_understood_is_not_offered_and_hides_no_other(publish, state):
    good, other = publish(name="A"), publish(name="B")
    other.node.SetParameter("state", state)
    assert [result.node for result in DetectionResult.all(good.scene)] == [good.node]
    with pytest.raises(PredictionError, match="B detection"):
        other.reviews()


def test_a_publication_that_fails_leaves_nothing_behind(scene):
    class Failing:
        def __init__(self, prediction):
            self.landmarks, self.points = prediction.landmarks, prediction.points
            self.model, self.grid = prediction.model, prediction.grid

        def combined_heatmap(self):
            raise MemoryError("as with a very large image")

    volume = add_volume(scene, make_image(), "Scan")
    before = scene.GetNumberOfNodesByClass("vtkMRMLMarkupsNode")
    with pytest.raises(MemoryError):
        DetectionResult.publish(volume, Failing(make_prediction(make_image())))
    assert scene.GetNumberOfNodesByClass("vtkMRMLMarkupsNode") == before
    assert scene.GetNumberOfNodesByClass("vtkMRMLScriptedModuleNode") == 0


def test_names_and_definitions_with_any_characters_survive_saving(scene, tmp_path):
    from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet

    odd = LandmarkSet(
        (
            Landmark("L/R: 5° <b>", 'of "this"; |, é\nand 100 %20'),
            Landmark("a b\\c", "x:y;z"),
            Landmark("頭 ünï.cøde", "ü"),
            Landmark("d|e;f", "<&>"),
        )
    )
    image = make_image()
    volume = add_volume(scene, image, 'Scan: 1/2 "x"')
    result = DetectionResult.publish(volume, make_prediction(image, odd))
    result.confirm(odd.names[0])
    scene.WriteToMRB(str(tmp_path / "scene.mrb"), None)
    scene.Clear(False)
    scene.ReadFromMRB(str(tmp_path / "scene.mrb"), True, None)
    (loaded,) = DetectionResult.all(scene)
    assert loaded.landmarks == odd
    assert loaded.review(odd.names[0]) is Review.CONFIRMED
    for index, landmark in enumerate(odd.landmarks):
        assert loaded.markups_node.GetNthControlPointLabel(index) == landmark.name
        assert loaded.markups_node.GetNthControlPointDescription(index) == landmark.definition
        assert loaded.heatmap_node(landmark.name).GetName().endswith(landmark.name)
        assert loaded.heatmap_node(landmark.name).GetImageData() is not None


def test_nodes_are_given_back_to_the_scene_alone(scene, publish):
    """Some calls of MRML leave a reference to their caller: memory would leak at each detection."""
    node = publish().node
    DetectionResult.all(scene)
    observed = vtk.vtkWeakReference()
    observed.Set(node)
    del node
    scene.Clear(False)
    assert observed.Get() is None
