"""A review that begins with landmarks and no model: clicks, journal, export, training."""

import json

import numpy as np
import pytest

from headless.scene import slicer
from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet, PointState
from landmark_heatmap.dataset.cases import read_cases
from landmark_heatmap.dataset.check import check_dataset
from landmark_heatmap.dataset.record import Review
from landmark_heatmap.errors import AnnotationError
from LandmarkHeatmapLib.comparison import compare
from LandmarkHeatmapLib.display.anatomy import AnatomySteps
from LandmarkHeatmapLib.display.camera import look_at_landmarks
from LandmarkHeatmapLib.display.contours import show_contours
from LandmarkHeatmapLib.display.overlay import show_heatmap
from LandmarkHeatmapLib.export import export_case
from LandmarkHeatmapLib.journal.journals import ReviewJournals
from LandmarkHeatmapLib.result import markups
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.review.by_hand import begin_by_hand, take_over
from LandmarkHeatmapLib.review.rows import ORDERS, names_in_order
from LandmarkHeatmapLib.review.session import ReviewSession
from LandmarkHeatmapLib.volumes import add_volume
from mrml_examples import IMAGES, LANDMARKS, linear_transform, make_image

SET = LandmarkSet(
    (Landmark("A_L", "left"), Landmark("A_R", "right"), Landmark("B"), Landmark("C")),
    (("A_L", "A_R"),),
    "Mine",
)
# In the middle of the image, world RAS.
PLACES = {"A_L": [-30, -36, 46], "A_R": [-50, -36, 46], "B": [-40, -60, 46], "C": [-20, -20, 46]}


@pytest.fixture
def volume(scene):
    return add_volume(scene, make_image(), "Scan")


@pytest.fixture
def result(volume):
    return begin_by_hand(volume, SET)


@pytest.fixture
def session(result):
    session = ReviewSession(result)
    yield session
    session.release()


def click(views, volume, place):
    view = views["Red"]
    view.show(volume)
    view.jump_to(place)
    view.render()
    view.click(place)


def test_at_first_nothing_is_judged_and_there_is_no_model(result):
    assert result.is_whole and result.model is None
    assert result.reviews() == dict.fromkeys(SET.names, Review.UNTOUCHED)
    states = {result.annotation().state(name) for name in SET.names}
    assert states == {PointState.UNJUDGED}
    assert result.waiting() == list(SET.names)
    assert result.predicted_annotation().names == ()
    assert result.confidences() == [None] * 4
    assert result.overlay_nodes == []


def test_all_that_reads_a_result_copes_with_nothing_in_it(scene, result):
    for order in ORDERS:
        assert sorted(names_in_order(result, order)) == sorted(SET.names)
    assert names_in_order(result, "need") == list(SET.names)
    for name in (None, "B"):
        show_heatmap(result, name)
        show_contours(result, name)
    assert look_at_landmarks(result) is False
    steps = AnatomySteps(result, None)
    while steps.advance():
        pass
    session = ReviewSession(result)
    session.select_first_in_need()
    session.looking.is_close = True
    session.looking.names_all = True
    assert session.snap() is False
    assert session.looking.beside() is False
    session.release()
    result.follow_volume()
    result.remove()
    assert DetectionResult.all(scene) == []


def test_clicks_place_one_after_another_until_all_are_placed(result, session, volume, slice_views):
    session.annotate()
    placed = []
    session.on_placed = lambda: placed.append(session.current)
    for number, name in enumerate(SET.names):
        assert (session.current, session.is_placing) == (name, True)
        click(slice_views, volume, PLACES[name])
        assert placed == list(SET.names[: number + 1])
        session.go_on()
    assert not session.is_placing and not session.is_annotating
    assert result.reviews() == dict.fromkeys(SET.names, Review.CORRECTED)
    for name, position in zip(SET.names, markups.world_positions(result.markups_node)):
        assert np.linalg.norm(position - PLACES[name]) < 1.0
    assert result.annotation().state("B") is PointState.PLACED


def test_absent_undo_and_choosing_another_work_while_a_click_is_waited_for(
    result, session, volume, slice_views
):
    session.annotate()
    click(slice_views, volume, PLACES["A_L"])
    session.go_on()
    # Not this click, but the one before is taken back, and made again.
    session.undo()
    assert (session.current, session.is_placing) == ("A_L", True)
    assert result.waiting() == list(SET.names)
    click(slice_views, volume, PLACES["A_L"])
    session.go_on()
    session.mark_absent()
    session.go_on()
    assert result.review("A_R") is Review.MARKED_ABSENT
    session.select("C")
    assert (session.current, session.is_placing) == ("C", True)
    click(slice_views, volume, PLACES["C"])
    session.go_on()
    assert (session.current, session.is_placing) == ("B", True)
    session.give_up()
    assert not session.is_placing
    assert result.waiting() == ["B"]
    assert result.review("B") is Review.UNTOUCHED
    for _ in range(3):
        session.undo()
    assert result.waiting() == list(SET.names)
    assert not session.can_undo and not session.is_placing


def test_undo_before_the_first_click_ends_it(result, session):
    session.annotate()
    session.undo()
    assert not session.is_placing and not session.is_annotating
    assert result.waiting() == list(SET.names)


def test_who_leaves_the_placing_in_slicer_has_ended_it(scene, result, session):
    session.annotate()
    interaction = scene.GetFirstNodeByClass("vtkMRMLInteractionNode")
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)
    assert not session.is_placing and not session.is_annotating
    session.select("C")
    assert not session.is_placing
    session.place()
    assert session.is_annotating
    session.give_up()


def test_what_has_no_place_cannot_be_confirmed(result, session):
    session.select("A_L")
    with pytest.raises(AnnotationError, match="'A_L' has no place yet"):
        session.confirm()
    assert not session.can_undo
    session.mark_absent(["B"])
    # Of several, those that have one, or are absent.
    session.confirm(["A_L", "B"])
    assert result.review("A_L") is Review.UNTOUCHED
    assert session.undo_text == "Undo: confirmation of B"


def test_back_to_nothing_at_all(result, session):
    session.select("A_L")
    session.mark_absent()
    session.restore()
    assert result.review("A_L") is Review.UNTOUCHED
    assert "A_L" in result.waiting()
    result.move("A_L", PLACES["A_L"])
    session.restore()
    assert "A_L" in result.waiting()


def reviewed(result):
    """Two placed, one absent, one left."""
    for name in ("A_L", "A_R"):
        result.move(name, PLACES[name])
    result.mark_absent("B")
    return result


def test_it_is_exported_and_read_back_as_a_case_to_train_on(result, tmp_path):
    revision = export_case(reviewed(result), tmp_path / "data", annotator="me")
    record = json.loads((revision / "record.json").read_text(encoding="utf-8"))
    assert record["model"] is None and record["complete"] is False
    assert record["points"] == {
        "A_L": {"review": "corrected", "state": "placed"},
        "A_R": {"review": "corrected", "state": "placed"},
        "B": {"review": "marked_absent", "state": "absent"},
        "C": {"review": "untouched", "state": "unjudged"},
    }
    assert not (revision / "prediction.mrk.json").exists()
    assert check_dataset(tmp_path / "data") == []
    (case,) = read_cases(tmp_path / "data")
    assert case.corrected == {"A_L", "A_R"}
    assert case.annotation.state("C") is PointState.UNJUDGED
    np.testing.assert_allclose(case.annotation.position_lps("A_L"), [30, 36, 46], atol=1e-4)
    pytest.importorskip("torch")
    from landmark_training.data.cases import find_cases, label_of, landmark_set_of

    (found,) = find_cases([tmp_path / "data"])
    label = label_of(found.annotation, make_image().grid)
    assert {name: label.state(name) for name in SET.names} == {
        "A_L": PointState.PLACED,
        "A_R": PointState.PLACED,
        "B": PointState.ABSENT,
        "C": PointState.UNJUDGED,
    }
    landmarks = landmark_set_of([tmp_path / "data"], [found])
    assert landmarks.mirror_pairs == SET.mirror_pairs


def test_a_saved_scene_brings_it_back(scene, result, tmp_path):
    reviewed(result)
    before = result.reviews()
    scene.SetRootDirectory(str(tmp_path))
    assert scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    scene.Clear(False)
    assert scene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    (again,) = DetectionResult.all(scene)
    assert again.reviews() == before
    assert (again.waiting(), again.model) == (["C"], None)


def test_the_journal_brings_it_back_without_any_result(scene, result, tmp_path):
    journals = ReviewJournals(tmp_path)
    journals.follow(result)
    session = ReviewSession(result)
    reviewed(result)
    session.release()
    before = result.reviews()
    journals.release()
    result.remove()
    volume = slicer.util.getNode("Scan")
    journals = ReviewJournals(tmp_path)
    (unfinished,) = journals.find_for(volume)
    assert unfinished.judged == 3
    again = journals.restore(unfinished, volume)
    assert again.reviews() == before
    assert (again.waiting(), again.model) == (["C"], None)
    journals.release()


def test_the_journal_takes_up_the_result_that_is_there(scene, volume, result, tmp_path):
    journals = ReviewJournals(tmp_path)
    journals.follow(result)
    session = ReviewSession(result)
    reviewed(result)
    session.release()
    journals.release()
    fresh = begin_by_hand(volume, SET)
    journals = ReviewJournals(tmp_path)
    (unfinished,) = journals.find_for(volume)
    assert journals.restore(unfinished, volume).node is fresh.node
    assert fresh.waiting() == ["C"]
    journals.release()


MORE = LandmarkSet((Landmark("Extra"), *LANDMARKS.landmarks[1:], Landmark("Last")))


@pytest.mark.parametrize("make_transform", [None, linear_transform])
def test_a_model_for_some_landmarks_and_the_hand_for_the_others(scene, publish, make_transform):
    transform = make_transform and make_transform(scene)
    source = publish(IMAGES["oblique"], transform=transform)
    source.confirm("Tip")
    source.move("Head_R", markups.world_positions(source.markups_node)[1] + [3, 0, 0])
    mixed = begin_by_hand(source.volume_node, MORE, source)
    assert mixed.model == source.model
    assert mixed.asked() == [False, True, True, True, False]
    assert mixed.waiting() == ["Extra", "Last"]
    # The second one of the model is the first to be found under its name.
    np.testing.assert_allclose(
        mixed.predicted_positions_lps()[1:4], source.predicted_positions_lps()[1:4], atol=1e-4
    )
    assert mixed.confidence("Tip") == source.confidence("Tip")
    theirs, ours = (
        slicer.util.arrayFromVolume(each.heatmap_node("Tip")) for each in (source, mixed)
    )
    np.testing.assert_array_equal(ours, theirs)
    assert mixed.heatmap_node("Tip") is not source.heatmap_node("Tip")
    assert mixed.heatmap_node("Extra") is None and mixed.combined_node is not None
    take_over(mixed, source)
    assert mixed.review("Tip") is Review.CONFIRMED
    assert mixed.review("Head_R") is Review.CORRECTED
    assert mixed.review("Gone") is Review.UNTOUCHED
    assert mixed.annotation().state("Extra") is PointState.UNJUDGED
    np.testing.assert_allclose(mixed.positions_lps()[1], source.positions_lps()[1], atol=1e-4)
    session = ReviewSession(mixed)
    session.undo()
    assert set(mixed.reviews().values()) == {Review.UNTOUCHED}
    assert source.review("Tip") is Review.CONFIRMED
    session.release()


def test_a_mixture_is_exported_with_what_the_model_had_said(publish, tmp_path):
    source = publish()
    mixed = begin_by_hand(source.volume_node, MORE, source)
    mixed.move("Extra", PLACES["B"])
    mixed.confirm("Tip")
    revision = export_case(mixed, tmp_path / "data")
    record = json.loads((revision / "record.json").read_text(encoding="utf-8"))
    assert record["model"]["name"] == "Test model"
    assert record["points"]["Last"] == {"review": "untouched", "state": "unjudged"}
    assert record["points"]["Head_R"] == {"review": "untouched", "state": "predicted"}
    prediction = json.loads((revision / "prediction.mrk.json").read_text(encoding="utf-8"))
    labels = [each["label"] for each in prediction["markups"][0]["controlPoints"]]
    assert labels == ["Head_R", "Tip", "Gone"]
    assert check_dataset(tmp_path / "data") == []


def test_the_journal_brings_a_mixture_back(publish, tmp_path):
    source = publish()
    mixed = begin_by_hand(source.volume_node, MORE, source)
    volume = source.volume_node
    journals = ReviewJournals(tmp_path)
    journals.follow(mixed)
    session = ReviewSession(mixed)
    mixed.move("Extra", PLACES["B"])
    session.release()
    before = mixed.reviews()
    journals.release()
    mixed.remove()
    journals = ReviewJournals(tmp_path)
    (unfinished,) = journals.find_for(volume)
    again = journals.restore(unfinished, volume)
    assert again.node is not source.node
    assert again.reviews() == before
    assert again.asked() == [False, True, True, True, False]
    assert again.review("Gone") is Review.UNTOUCHED
    journals.release()


def test_a_set_without_any_landmark_of_the_model_begins_by_hand(publish):
    source = publish()
    result = begin_by_hand(source.volume_node, SET, source)
    take_over(result, source)
    assert result.model is None
    assert result.waiting() == list(SET.names)
    session = ReviewSession(result)
    assert not session.can_undo
    session.release()


def test_it_is_compared_with_a_reference(scene, result):
    reference = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Reference")
    for name, place in PLACES.items():
        reference.AddControlPointWorld(np.array(place, dtype=float) + [3, 0, 0], name)
    with pytest.raises(AnnotationError, match="no landmark that has a place"):
        compare(result, reference)
    comparison = compare(reviewed(result), reference)
    assert comparison.count == 2
    assert comparison.mre_mm == pytest.approx(3.0)
