"""A detection in the scene: where everything is, what is known of it, and what survives saving."""

import numpy as np
import pytest
import slicer
from beliefs import with_beliefs

from landmark_heatmap.annotation.doubt import Doubt
from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.dataset.record import Review
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.model.heatmap import decode_peak
from LandmarkHeatmapLib.display import overlay
from LandmarkHeatmapLib.result import markups, state
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.review.rows import rows_of
from LandmarkHeatmapLib.volumes import add_volume, component_note, image_of
from mrml_examples import (
    IMAGES,
    LANDMARKS,
    RAS,
    bending_transform,
    linear_transform,
    make_image,
    make_prediction,
    to_world,
)

FOUND = LANDMARKS.names[:3]


@pytest.mark.parametrize("make_transform", [None, linear_transform, bending_transform])
@pytest.mark.parametrize("kind", IMAGES)
def test_fiducials_and_heatmaps_lie_where_the_landmarks_are(scene, publish, kind, make_transform):
    image = IMAGES[kind]
    transform = make_transform and make_transform(scene)
    result = publish(image, transform=transform)
    tolerance = 0.1 * min(image.grid.spacing_mm)
    shown = markups.world_positions(result.markups_node)

    for index, point in enumerate(make_prediction(image).points[:3]):
        expected = to_world(result.volume_node, point.position_lps * RAS)
        assert np.abs(shown[index] - expected).max() < tolerance
        heatmap_node = result.heatmap_node(point.name)
        heatmap = image_of(heatmap_node)
        peak = heatmap.grid.to_lps(decode_peak(heatmap.array)[::-1]) * RAS
        # The point on a slice's axis is decoded only within the slice.
        assert np.abs(to_world(heatmap_node, peak) - expected).max() < tolerance


@pytest.mark.parametrize("kind", IMAGES)
def test_an_image_is_read_from_the_scene_as_it_was_put_there(scene, kind):
    image = IMAGES[kind]
    read = image_of(add_volume(scene, image, "Scan"))
    np.testing.assert_array_equal(read.array, image.array)
    np.testing.assert_allclose(read.ijk_to_lps, image.ijk_to_lps, atol=1e-9)


def test_a_colour_volume_is_read_as_grey_and_says_so(scene):
    node = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode")
    array = np.zeros((1, 4, 5, 3), np.uint8)
    array[..., 1] = 100
    slicer.util.updateVolumeFromArray(node, array)
    assert image_of(node).array[0, 0, 0] == pytest.approx(58.7)
    assert "3 components" in component_note(node)


def test_each_landmark_has_its_name_definition_and_confidence(publish):
    node = publish().markups_node
    values = node.GetMeasurement("confidence").GetControlPointValues()
    for index, landmark in enumerate(LANDMARKS.landmarks):
        assert node.GetNthControlPointLabel(index) == landmark.name
        assert node.GetNthControlPointDescription(index) == landmark.definition
    assert [round(values.GetValue(i), 2) for i in range(4)] == [0.9, 0.8, 0.7, 0.05]


def test_an_absent_landmark_has_a_point_without_a_position(publish):
    result = publish()
    assert np.isnan(markups.world_positions(result.markups_node)[3]).all()
    assert result.annotation().state("Gone") is PointState.UNJUDGED
    assert result.predicted_annotation().state("Gone") is PointState.ABSENT


def test_no_point_can_be_deleted_or_added(publish, complaints):
    node = publish().markups_node
    node.RemoveNthControlPoint(0)
    assert node.GetNumberOfControlPoints() == 4
    assert "locked" in complaints.texts.pop()
    assert node.GetFixedNumberOfControlPoints()


def test_predicted_and_corrected_positions_are_kept_apart(publish):
    result = publish()
    before = markups.world_positions(result.predicted_node)
    result.move("Tip", before[2] + [3, 4, 0])
    assert result.moved_mm("Tip") == pytest.approx(5)
    np.testing.assert_array_equal(markups.world_positions(result.predicted_node), before)
    predicted = result.predicted_annotation().position_lps("Tip")
    assert np.linalg.norm(result.annotation().position_lps("Tip") - predicted) == pytest.approx(5)


def test_reviews_follow_from_what_was_done(publish):
    result = publish()
    start = markups.world_positions(result.markups_node)
    assert set(result.reviews().values()) == {Review.UNTOUCHED}
    result.confirm("Head_L")
    result.move("Head_R", start[1] + 2)
    result.mark_absent("Tip")
    result.confirm("Gone")
    assert list(result.reviews().values()) == [
        Review.CONFIRMED, Review.CORRECTED, Review.MARKED_ABSENT, Review.CONFIRMED,
    ]  # fmt: skip
    states = [result.annotation().state(name) for name in LANDMARKS.names]
    placed, absent = PointState.PLACED, PointState.ABSENT
    assert states == [placed, placed, absent, absent]


def test_a_point_moved_after_it_was_confirmed_is_corrected(publish):
    result = publish()
    result.confirm("Tip")
    result.move("Tip", markups.world_positions(result.markups_node)[2] + 1)
    assert result.review("Tip") is Review.CORRECTED


@pytest.mark.parametrize("name", ["Tip", "Gone"])
def test_back_to_the_prediction_undoes_all_that_was_done(publish, name):
    result = publish()
    before = result.annotation()
    result.move(name, [1, 2, 3])
    result.confirm(name)
    assert result.review(name) is Review.CORRECTED
    result.restore_prediction(name)
    assert result.review(name) is Review.UNTOUCHED
    assert result.annotation() == before


def test_an_absent_landmark_that_a_person_places_is_corrected(publish):
    result = publish()
    result.move("Gone", [10, 20, 30])
    assert result.review("Gone") is Review.CORRECTED
    assert result.annotation().state("Gone") is PointState.PLACED


def test_a_second_detection_leaves_the_first_and_its_corrections(publish):
    first = publish()
    first.move("Tip", [1, 2, 3])
    second = DetectionResult.publish(first.volume_node, make_prediction(make_image()))
    assert first.review("Tip") is Review.CORRECTED
    assert second.review("Tip") is Review.UNTOUCHED
    assert first.markups_node.GetName() != second.markups_node.GetName()
    assert DetectionResult.for_volume(first.volume_node).node is second.node
    assert len(DetectionResult.all(first.scene)) == 2


def test_two_volumes_have_their_own_results(publish):
    results = publish(name="A"), publish(name="B")
    for result in results:
        assert DetectionResult.for_volume(result.volume_node).node is result.node


def test_removing_a_result_removes_all_that_is_its_own(scene, publish):
    volume = add_volume(scene, make_image(), "Scan")
    kinds = ("vtkMRMLVolumeNode", "vtkMRMLDisplayNode")
    before = [scene.GetNumberOfNodesByClass(kind) for kind in kinds]
    result = DetectionResult.publish(volume, make_prediction(make_image()))
    result.remove()
    assert [scene.GetNumberOfNodesByClass(kind) for kind in kinds] == before
    assert scene.GetNumberOfNodesByClass("vtkMRMLMarkupsNode") == 0
    assert DetectionResult.all(scene) == []


def test_a_result_that_lost_its_volume_is_not_offered(scene, publish):
    result = publish()
    scene.RemoveNode(result.volume_node)
    assert DetectionResult.all(scene) == []


def test_positions_are_right_when_the_markups_were_moved_out_of_the_transform(scene, publish):
    result = publish(transform=linear_transform(scene))
    before = result.annotation()
    world = markups.world_positions(result.markups_node)
    result.markups_node.SetAndObserveTransformNodeID(None)
    for name, position in zip(FOUND, world):
        result.move(name, position)
    for name in FOUND:
        np.testing.assert_allclose(
            result.annotation().position_lps(name), before.position_lps(name), atol=1e-6
        )


def touched(publish, scene):
    """A result under a transform, with something of everything done to it."""
    result = publish(IMAGES["left-handed"], transform=linear_transform(scene))
    result.move("Tip", markups.world_positions(result.markups_node)[2] + [3, -4, 5])
    result.confirm("Head_L")
    overlay.set_threshold(result, 0.25)
    return result


def facts(result):
    """What has to be the same after saving and loading."""
    return {
        "annotation": result.annotation(),
        "predicted": result.predicted_annotation(),
        "reviews": result.reviews(),
        "landmarks": result.landmarks,
        "model": result.model,
        "confidence": [result.confidence(name) for name in LANDMARKS.names],
    }


def assert_same_facts(loaded, facts_before):
    after = facts(loaded)
    for key in ("annotation", "predicted"):
        for name in FOUND:
            np.testing.assert_allclose(
                after[key].position_lps(name), facts_before[key].position_lps(name), atol=1e-3
            )
            assert after[key].points[name].definition == facts_before[key].points[name].definition
            assert after[key].state(name) == facts_before[key].state(name)
    for key in ("reviews", "landmarks", "model", "confidence"):
        assert after[key] == facts_before[key]


def test_nothing_is_lost_when_the_scene_is_saved_and_loaded(scene, publish, tmp_path):
    result = touched(publish, scene)
    before = facts(result)
    world = markups.world_positions(result.markups_node)
    peaks = [image_of(node).array.max() for node in result.overlay_nodes]
    assert scene.WriteToMRB(str(tmp_path / "scene.mrb"), None)
    scene.Clear(False)
    assert DetectionResult.all(scene) == []

    assert scene.ReadFromMRB(str(tmp_path / "scene.mrb"), True, None)

    (loaded,) = DetectionResult.all(scene)
    assert_same_facts(loaded, before)
    np.testing.assert_allclose(markups.world_positions(loaded.markups_node), world, atol=1e-3)
    assert [image_of(node).array.max() for node in loaded.overlay_nodes] == peaks
    display = loaded.heatmap_node("Tip").GetDisplayNode()
    assert display.GetLowerThreshold() == 0.25
    assert display.GetColorNode().GetName() == "Landmark heatmap embers"
    assert display.GetColorNode().GetNumberOfColors() == 256
    assert (
        loaded.markups_node.GetMeasurement("confidence").GetControlPointValues().GetValue(0) == 0.9
    )
    assert not loaded.predicted_node.GetDisplayNode().GetVisibility()


def test_a_scene_imported_into_another_keeps_its_references(scene, publish, tmp_path):
    result = touched(publish, scene)
    before = facts(result)
    scene.WriteToMRB(str(tmp_path / "scene.mrb"), None)
    scene.Clear(False)
    other = publish(name="Other")

    scene.ReadFromMRB(str(tmp_path / "scene.mrb"), False, None)

    results = DetectionResult.all(scene)
    assert len(results) == 2
    loaded = next(r for r in results if r.volume_node.GetName() == "Scan")
    assert_same_facts(loaded, before)
    assert loaded.markups_node is not other.markups_node
    assert other.review("Tip") is Review.UNTOUCHED


def test_an_empty_volume_is_refused_by_name(scene):
    from landmark_heatmap.errors import GeometryError

    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Nothing")
    with pytest.raises(GeometryError, match="Nothing"):
        image_of(node)


def test_a_volume_is_not_copied_to_be_read(scene):
    node = add_volume(scene, make_image(), "Scan")
    image = image_of(node)
    assert isinstance(image, Image)
    assert np.shares_memory(image.array, slicer.util.arrayFromVolume(node))


@pytest.mark.parametrize("doubts", [None, 3, [], [None] * 3, [7, {}, {"expected_mm": "x"}, None]])
def test_a_scene_from_before_there_were_doubts_opens_and_says_nothing_of_them(publish, doubts):
    result = publish()
    document = state.read(result.node)
    document["doubts"] = doubts
    if doubts is None:
        del document["doubts"]
    state.write(result.node, document)
    assert result.is_whole and result.doubts() == (None,) * 4
    assert [row.doubt for row in rows_of(result)] == [None] * 4
    assert result.predicted_annotation().points["Tip"].doubt is None


def test_a_doubt_goes_with_the_prediction_and_not_with_what_a_person_said(scene):
    image = make_image()
    doubt = Doubt(1.0, 0.9, 2.0, 14.0, 2.0)
    prediction = with_beliefs(make_prediction(image), {"Tip": doubt, "Gone": doubt})
    result = DetectionResult.publish(add_volume(scene, image, "Scan"), prediction)
    assert result.predicted_annotation().points["Tip"].doubt == doubt
    assert result.annotation().points["Tip"].doubt is None

    def odd():
        return [row.name for row in rows_of(result) if row.breaks_the_shape]

    assert odd() == ["Tip"]  # what is absent is nowhere
    result.move("Tip", markups.world_positions(result.markups_node)[2] + 5)
    assert odd() == []
    result.restore_prediction("Tip")
    assert odd() == ["Tip"]
    for judge in (result.confirm, result.mark_absent):
        judge("Tip")
        assert odd() == []
