"""A hand on the mouse: what it moves is corrected, what it does not move is not."""

import numpy as np
import pytest

from landmark_heatmap.dataset import Review
from LandmarkHeatmapLib import markups, overlay
from LandmarkHeatmapLib.review import CorrectionTracker
from mrml_examples import (
    IMAGES,
    LANDMARKS,
    bending_transform,
    in_view,
    linear_transform,
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
    told = []
    tracker = CorrectionTracker(result, told.append)
    start = ready(result, slice_views)
    view = slice_views[view_name]
    wanted = start + in_view(view, 7, -5)

    view.drag(start, wanted)

    now = markups.world_positions(result.markups_node)[0]
    assert np.linalg.norm(now - wanted) < min(IMAGES[kind].grid.spacing_mm)
    assert told == [["Head_L"]]
    corrected = [name for name, review in result.reviews().items() if review is Review.CORRECTED]
    assert corrected == ["Head_L"]
    tracker.release()


def test_a_plain_click_changes_nothing(publish, slice_views):
    result = publish()
    told = []
    tracker = CorrectionTracker(result, told.append)
    slice_views["Red"].click(ready(result, slice_views))
    assert told == []
    assert set(result.reviews().values()) == {Review.UNTOUCHED}
    tracker.release()


def test_a_locked_point_stays_where_it_is(publish, slice_views):
    result = publish()
    start = ready(result, slice_views)
    result.markups_node.SetNthControlPointLocked(0, True)
    slice_views["Red"].drag(start, start + [8, 0, 0])
    assert set(result.reviews().values()) == {Review.UNTOUCHED}


def test_a_middle_drag_moves_the_whole_list_and_every_point_is_noticed(publish, slice_views):
    result = publish()
    told = []
    tracker = CorrectionTracker(result, told.append)
    start = ready(result, slice_views)
    slice_views["Red"].drag(start, start + [8, 0, 0], button="Middle")
    assert told == [["Head_L", "Head_R", "Tip"]]
    assert result.review("Tip") is Review.CORRECTED
    assert result.review("Gone") is Review.UNTOUCHED
    tracker.release()


def test_a_change_from_a_script_is_noticed_at_the_next_comparison(publish):
    result = publish()
    tracker = CorrectionTracker(result)
    result.move("Tip", [1, 2, 3])
    assert tracker.compare() == ["Tip"]
    assert tracker.compare() == []
    tracker.release()


def test_marking_a_point_absent_and_placing_another_are_told(publish):
    result = publish()
    told = []
    tracker = CorrectionTracker(result, told.append)
    result.mark_absent("Tip")
    result.move("Gone", [1, 2, 3])
    assert told == [["Tip"], ["Gone"]]
    tracker.release()


def test_after_release_nothing_is_told(publish, slice_views):
    result = publish()
    told = []
    tracker = CorrectionTracker(result, told.append)
    tracker.release()
    start = ready(result, slice_views)
    slice_views["Red"].drag(start, start + [8, 0, 0])
    assert told == []
    assert result.review("Head_L") is Review.CORRECTED


def test_closing_the_scene_while_watching_is_harmless(scene, publish):
    result = publish()
    tracker = CorrectionTracker(result, lambda names: pytest.fail(f"told {names}"))
    scene.Clear(False)
    tracker.release()


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
