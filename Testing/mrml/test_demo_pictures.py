"""The demo's pictures say what they show, and its other scanner is one where correction has to help."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")
pytest.importorskip("slicer_core")

from headless import other_scanner
from headless.labelled import labelled
from landmark_heatmap.images.geometry import Image

FRONT = [[-1, 0, 0], [0, 0, 1]]


def changed(pixels, named, mm_per_pixel=None):
    """Where names, letters and scale were drawn: (height, width) bool."""
    return (labelled(pixels, named, FRONT, mm_per_pixel) != pixels).any(-1)


def test_a_picture_keeps_its_size_and_gets_letters_at_its_four_sides():
    grey = np.full((400, 600, 3), 90, np.uint8)
    drawn = changed(grey, {})
    assert drawn.shape == (400, 600)
    for part in (
        drawn[180:220, :30],
        drawn[180:220, -30:],
        drawn[:30, 280:320],
        drawn[-30:, 280:320],
    ):
        assert part.any()
    assert not drawn[50:150, 50:250].any()


def test_a_scale_is_drawn_where_there_is_one():
    grey = np.full((400, 600, 3), 90, np.uint8)
    corner = np.s_[340:395, 10:140]
    assert changed(grey, {}, 0.5)[corner].sum() > 200
    assert not changed(grey, {})[corner].any()


def test_names_of_neighbours_do_not_lie_on_each_other():
    """Two names take the room of both, though their points are two pixels apart."""
    grey = np.full((400, 600, 3), 90, np.uint8)
    one = changed(grey, {"Femoral_Head": (300, 250)})
    both = changed(grey, {"Femoral_Head": (300, 250), "Acetabular_R": (302, 250)})
    assert both.sum() > 1.7 * (one.sum() - changed(grey, {}).sum()) + changed(grey, {}).sum()


def test_a_point_outside_the_view_has_no_name():
    grey = np.full((400, 600, 3), 90, np.uint8)
    assert np.array_equal(changed(grey, {"Far": (-20, 250)}), changed(grey, {}))


def test_the_other_scanner_shows_bone_dark_and_soft_tissue_bright():
    ct = Image(np.array([[[-1000, -100, 45, 1250]]], np.int16), np.eye(4))
    air, fat, muscle, bone = other_scanner.as_seen_there(ct).array[0, 0]
    assert air < bone < fat < muscle


def test_what_was_missed_is_told_and_takes_no_part_in_the_mean():
    assert other_scanner.told([1.0, 3.0]) == "2.00 mm"
    assert other_scanner.told([1.0, 3.0, np.inf]) == "2.00 mm (1 of 3 missed)"
