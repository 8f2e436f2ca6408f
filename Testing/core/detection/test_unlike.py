"""A word before and after a detection where an image is unlike all that the model knows."""

from dataclasses import replace

import numpy as np
import pytest
from sights import NAMES, grid_of, shapes, stages, to_lps

from landmark_heatmap.annotation.doubt import Doubt
from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.detection.prediction import LandmarkPrediction
from landmark_heatmap.detection.suits import (
    BRIGHTNESS,
    EXTENTS,
    brightness_of,
    told_before,
    told_brightness,
    told_symmetric,
)
from landmark_heatmap.detection.unlike import told_implausible
from landmark_heatmap.images.geometry import Grid
from landmark_heatmap.model.description import IntensityNormalisation, ModelDescription, Stage
from landmark_heatmap.model.handedness import SYMMETRIC
from landmark_heatmap.model.joint_shape import fit_joint_shape

COARSE, _FINE = stages(3)
MODEL = ModelDescription(
    name="Twelve",
    landmarks=LandmarkSet(tuple(map(Landmark, NAMES))),
    intensity=IntensityNormalisation(),
    stages=(Stage("coarse", (2, 2, 2), 4.0, COARSE.network),),
    training={
        EXTENTS: {"smallest": 80, "largest": 120},
        BRIGHTNESS: {"darkest": -0.9, "brightest": -0.7},
        SYMMETRIC: True,
    },
)


def grid(spacing=1.0, flipped=False):
    affine = np.diag([spacing, spacing, -spacing if flipped else spacing, 1.0])
    return Grid((100, 100, 100), affine)


def test_an_image_like_those_of_the_training_gets_no_word():
    assert told_before(grid(), MODEL) == []
    assert told_brightness(-0.8, MODEL) == ""


def test_of_a_model_that_says_nothing_nothing_is_told():
    silent = replace(MODEL, training={})
    assert told_before(grid(10, flipped=True), silent) == []
    assert told_brightness(1.0, silent) == ""
    assert told_symmetric(silent) == ""


def test_an_image_far_larger_and_one_with_left_handed_axes_get_each_a_word():
    large, left_handed = told_before(grid(10, flipped=True), MODEL)
    assert "1000 mm long" in large and "80 to 120 mm" in large
    assert "left-handed" in left_handed


def test_left_handed_axes_are_no_matter_where_a_mirrored_image_is_noticed():
    assert told_before(grid(flipped=True), replace(MODEL, training={SYMMETRIC: False})) == []


@pytest.mark.parametrize("mean, word", [(0.6, "brighter"), (-1.0, ""), (-0.5, "")])
def test_an_inverted_image_is_far_brighter(mean, word):
    assert word in told_brightness(mean, MODEL)
    assert bool(told_brightness(mean, MODEL)) == bool(word)


def test_the_record_of_a_training_holds_its_darkest_and_brightest_image():
    arrays = [np.full((2, 2, 2), value, np.float32) for value in (-0.75, 0.25, 0.5)]
    assert brightness_of(arrays) == {"darkest": -0.75, "brightest": 0.5}


def test_a_model_of_a_symmetric_shape_says_that_a_mirrored_image_is_not_noticed():
    assert "'Twelve'" in told_symmetric(MODEL) and "exchanged" in told_symmetric(MODEL)


def points(positions_mm, odd):
    """odd: how many of them break the shape."""
    return tuple(
        LandmarkPrediction(
            name,
            to_lps(at, 3),
            1.0,
            1.0,
            None,
            doubt=Doubt(1.0, oddness=3.0 if index < odd else 0.2),
        )
        for index, (name, at) in enumerate(zip(NAMES, positions_mm))
    )


@pytest.fixture
def shape():
    return fit_joint_shape(shapes(3, 40))


def test_a_landmark_that_breaks_the_shape_alone_is_told_with_itself_only(shape):
    case = shapes(3, 1, seed=9)[0]
    assert told_implausible(points(case, 1), shape, grid_of(3)) == ""


def test_many_that_contradict_each_other_are_told_as_a_whole(shape):
    scattered = shapes(3, 1, seed=9)[0]
    scattered[:6] += 30 * np.random.default_rng(0).normal(size=(6, 3))
    told = told_implausible(points(scattered, 6), shape, grid_of(3))
    assert told.startswith("6 of 12 landmarks are not where the others have them")
    assert "mirror" not in told


def test_landmarks_that_lie_as_in_a_mirror_are_told_to(shape):
    case = shapes(3, 1, seed=9)[0] * [1, 1, -1]
    assert "mirror image" in told_implausible(points(case, 8), shape, grid_of(3))


def test_a_model_without_a_shape_says_nothing():
    case = shapes(3, 1, seed=9)[0]
    assert told_implausible(points(case, 12), None, grid_of(3)) == ""
