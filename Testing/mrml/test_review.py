"""A hand on the mouse: what it moves is corrected, what it does not move is not."""

from dataclasses import replace

import numpy as np
import pytest

from landmark_heatmap.annotation.doubt import Doubt
from landmark_heatmap.dataset.record import Review
from LandmarkHeatmapLib.display import overlay
from LandmarkHeatmapLib.result import markups
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.review.rows import names_in_order, progress
from LandmarkHeatmapLib.review.session import ReviewSession
from LandmarkHeatmapLib.volumes import add_volume, image_of
from mrml_examples import (
    IMAGES,
    LANDMARKS,
    bending_transform,
    in_view,
    linear_transform,
    make_image,
    make_prediction,
    ready,
)

VIEWS = ["Red", "Green", "Yellow"]


@pytest.mark.parametrize("view_name", VIEWS)
@pytest.mark.parametrize("kind", ["plain", "left-handed", "oblique"])
@pytest.mark.parametrize("make_transform", [None, linear_transform, bending_transform])
def test_a_drag_moves_the_point_to_within_a_voxel_and_marks_it_alone(
    scene, publish, slice_views, view_name, kind, make_transform
):
    transform = make_transform and make_transform(scene)
    result = publish(IMAGES[kind], transform=transform)
    session = ReviewSession(result)
    session.select("Head_L", jump=False)
    start = ready(result, slice_views)
    view = slice_views[view_name]
    wanted = start + in_view(view, 7, -5)

    view.drag(start, wanted)

    now = markups.world_positions(result.markups_node)[0]
    assert np.linalg.norm(now - wanted) < min(IMAGES[kind].grid.spacing_mm)
    assert session.undo_text == "Undo: move of Head_L"
    corrected = [name for name, review in result.reviews().items() if review is Review.CORRECTED]
    assert corrected == ["Head_L"]
    session.release()


def test_a_plain_click_changes_nothing(publish, slice_views):
    result = publish()
    session = ReviewSession(result)
    slice_views["Red"].click(ready(result, slice_views))
    assert not session.can_undo
    assert set(result.reviews().values()) == {Review.UNTOUCHED}
    session.release()


def test_a_locked_point_stays_where_it_is(publish, slice_views):
    result = publish()
    start = ready(result, slice_views)
    result.markups_node.SetNthControlPointLocked(0, True)
    slice_views["Red"].drag(start, start + [8, 0, 0])
    assert set(result.reviews().values()) == {Review.UNTOUCHED}


def test_a_middle_drag_moves_the_one_that_is_under_review_and_no_other(publish, slice_views):
    result = publish()
    session = ReviewSession(result)
    session.select("Head_L", jump=False)
    before = result.positions_lps()
    start = ready(result, slice_views)
    slice_views["Red"].drag(start, start + [8, 0, 0], button="Middle")
    assert session.undo_text == "Undo: move of Head_L"
    assert result.review("Tip") is Review.UNTOUCHED
    session.undo()
    np.testing.assert_array_equal(result.positions_lps(), before)


def test_a_middle_drag_of_the_whole_list_is_one_step(publish, slice_views):
    """Where somebody has unlocked all points."""
    result = publish()
    session = ReviewSession(result)
    before = result.positions_lps()
    for index in range(len(LANDMARKS)):
        result.markups_node.SetNthControlPointLocked(index, False)
    start = ready(result, slice_views)
    slice_views["Red"].drag(start, start + [8, 0, 0], button="Middle")
    assert session.undo_text == "Undo: move of 3 landmarks"
    assert result.review("Tip") is Review.CORRECTED
    assert result.review("Gone") is Review.UNTOUCHED
    session.undo()
    np.testing.assert_array_equal(result.positions_lps(), before)


def test_a_change_from_a_script_is_a_step_too(publish):
    result, told = publish(), []
    session = ReviewSession(result, lambda: told.append(1))
    result.move("Tip", [1, 2, 3])
    assert told and session.undo_text == "Undo: move of Tip"
    session.release()


def test_what_is_said_is_undone_and_done_again_step_by_step(publish):
    result = publish()
    session = ReviewSession(result)
    moments = [(result.positions_lps(), result.reviews())]
    for name, act in (
        ("Tip", session.mark_absent),
        ("Head_L", session.confirm),
        ("Head_R", lambda: result.move("Head_R", [1, 2, 3])),
        ("Head_R", session.snap),
        ("Head_R", session.restore),
        ("Tip", session.restore),
    ):
        session.select(name)
        act()
        moments.append((result.positions_lps(), result.reviews()))
    steps = 0
    while session.can_undo:
        session.undo()
        steps += 1
    assert steps >= 5
    np.testing.assert_array_equal(result.positions_lps(), moments[0][0])
    assert result.reviews() == moments[0][1]
    while session.can_redo:
        session.redo()
    np.testing.assert_array_equal(result.positions_lps(), moments[-1][0])
    assert result.reviews() == moments[-1][1]
    session.undo()
    session.confirm()
    assert not session.can_redo
    session.release()


def test_only_the_current_point_can_be_dragged_and_a_pressed_one_becomes_current(
    publish, slice_views
):
    result, chosen = publish(), []
    session = ReviewSession(result, on_select=chosen.append)
    session.select("Tip", jump=False)
    start = ready(result, slice_views)
    slice_views["Red"].drag(start, start + [8, 0, 0])
    assert set(result.reviews().values()) == {Review.UNTOUCHED}
    assert chosen == ["Tip", "Head_L"] and session.current == "Head_L"
    session.release()


def test_undo_holds_when_the_volume_was_put_elsewhere_meanwhile(scene, publish):
    result = publish()
    session = ReviewSession(result)
    ijk = image_of(result.volume_node).grid.to_ijk(result.positions_lps())
    result.move("Tip", [1, 2, 3])
    result.volume_node.SetAndObserveTransformNodeID(linear_transform(scene).GetID())
    session.undo()
    now = image_of(result.volume_node).grid.to_ijk(result.positions_lps())
    np.testing.assert_allclose(now, ijk, atol=1e-6)
    assert set(result.reviews().values()) == {Review.UNTOUCHED}
    session.release()


def test_the_list_is_walked_through_in_three_orders(publish):
    result = publish()
    session = ReviewSession(result)
    assert [row.name for row in session.rows()] == list(LANDMARKS.names)
    session.order = "name"
    assert [row.name for row in session.rows()] == ["Gone", "Head_L", "Head_R", "Tip"]
    session.order = "need"
    confidences = [row.confidence for row in session.rows()]
    assert confidences == sorted(confidences)
    session.next()
    first = session.current
    session.confirm()
    assert session.rows()[0].name == first  # rows do not jump while they are worked on
    session.next_unreviewed()
    assert session.current == session.rows()[1].name
    session.previous()
    assert session.current == first
    assert progress(session.every_row()) == (1, 4)
    session.release()


def test_what_mends_most_if_it_is_placed_right_comes_first_and_before_it_what_breaks_the_shape(
    scene,
):
    image = make_image()
    volume, prediction = add_volume(scene, image, "Scan"), make_prediction(image)
    # Head_L is farther off than Tip, and takes nobody along; Head_R breaks the shape.
    doubts = (
        Doubt(3.0, mends_mm=0.2),
        Doubt(0.5, oddness=1.5, mends_mm=0.0),
        Doubt(2.0, mends_mm=6.0),
        None,
    )
    points = tuple(replace(p, doubt=doubt) for p, doubt in zip(prediction.points, doubts))
    result = DetectionResult.publish(volume, replace(prediction, points=points))
    assert names_in_order(result, "need") == ["Head_R", "Gone", "Tip", "Head_L"]


def test_snapping_goes_to_the_peak_nearby_and_not_from_far_away(publish):
    result = publish()
    session = ReviewSession(result)
    session.select("Head_L")
    peak = markups.world_positions(result.markups_node)[0]
    result.move("Head_L", peak + [2.5, -1.5, 1.0])
    assert session.snap()
    np.testing.assert_allclose(markups.world_positions(result.markups_node)[0], peak, atol=0.1)
    result.move("Head_L", peak + [60, 0, 0])
    assert not session.snap()
    session.release()


def test_after_release_nothing_is_told_and_every_point_can_be_moved(publish, slice_views):
    result, told = publish(), []
    session = ReviewSession(result, lambda: told.append(1))
    session.release()
    told.clear()
    start = ready(result, slice_views)
    slice_views["Red"].drag(start, start + [8, 0, 0])
    assert told == []
    assert result.review("Head_L") is Review.CORRECTED


def test_closing_the_scene_while_watching_is_harmless(scene, publish):
    result = publish()
    session = ReviewSession(result)
    scene.Clear(False)
    session.next()
    session.confirm()
    session.undo()
    assert session.rows() == []
    session.release()


def test_the_overlay_shows_the_heatmap_where_it_is(publish, slice_views):
    result = publish()
    view = slice_views["Red"]
    world = ready(result, slice_views)
    result.markups_node.GetDisplayNode().SetVisibility(False)
    plain = view.render().astype(int)
    overlay.show_heatmap(result, "Head_L")
    shown = view.render().astype(int)

    changed = np.abs(shown - plain).max(axis=2) > 20
    rows, columns = np.nonzero(changed)
    x, y = view.pixel_of(world)
    assert changed.sum() > 100
    assert np.abs([columns.mean() - x, plain.shape[0] - 1 - rows.mean() - y]).max() < 4
    red, blue = shown[changed][:, 0].mean(), shown[changed][:, 2].mean()
    assert red > blue + 30


def test_each_channel_and_the_combined_overlay_can_be_shown_and_hidden(publish, slice_views):
    result = publish()
    composites = [view.logic.GetSliceCompositeNode() for view in slice_views.values()]
    for name in (*LANDMARKS.names, None):
        expected = result.heatmap_node(name) if name else result.combined_node
        overlay.show_heatmap(result, name, opacity=0.4)
        for composite in composites:
            assert composite.GetForegroundVolumeID() == expected.GetID()
            assert composite.GetBackgroundVolumeID() == result.volume_node.GetID()
            assert composite.GetForegroundOpacity() == 0.4
    overlay.set_opacity(result, 0.9)
    assert composites[0].GetForegroundOpacity() == 0.9
    overlay.hide_heatmaps(result)
    assert [composite.GetForegroundVolumeID() for composite in composites] == [None] * 3


def test_a_higher_threshold_shows_less(publish, slice_views):
    result = publish()
    view = slice_views["Red"]
    ready(result, slice_views)
    result.markups_node.GetDisplayNode().SetVisibility(False)
    plain = view.render().astype(int)
    overlay.show_heatmap(result)
    areas = []
    for threshold in (0.1, 0.5, 0.8):
        overlay.set_threshold(result, threshold)
        areas.append((np.abs(view.render() - plain).max(axis=2) > 10).sum())
    assert areas[0] > areas[1] > areas[2] > 0
