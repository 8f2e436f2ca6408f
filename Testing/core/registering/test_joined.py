"""What was registered as one shape: what breaks it is seen, and a drag lets others follow."""

import numpy as np
import pytest
from shapes import NAMES, add_shape, shape_image

from landmark_heatmap.annotation.doubt import BY_SHAPE
from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.detection.proposals import Kept
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.model.joint_shape import fit_joint_shape
from landmark_heatmap.registering.joined import Answering, sight_of
from landmark_heatmap.registering.registrar import RegisteredStart
from landmark_heatmap.registering.telling import plain_form, seen_of
from landmark_heatmap.registering.views import POSE_VOXELS, view_of
from landmark_heatmap.registering.votes import Combined

COUNT, BLUR = 12, 1.0
LANDMARKS = LandmarkSet(tuple(Landmark(f"P{n}") for n in range(COUNT)))


def anatomies(cases):
    """(N, L, 3), mm, in an image of 120 mm: alike but for a millimetre."""
    rng = np.random.default_rng(3)
    mean = rng.uniform(30, 90, (COUNT, 3))
    return mean + rng.normal(0, 1.0, (cases, COUNT, 3))


def kept(found, shape):
    array = np.zeros((60, 60, 60), np.float32)
    array[20:40] = 1
    image = Image(array, np.diag([2.0, 2, 2, 1]))
    view = view_of(image, POSE_VOXELS)
    covariances = np.tile(BLUR**2 * np.eye(3), (COUNT, 1, 1))
    combined = Combined(found, covariances, np.full(COUNT, 3.0))
    seens = seen_of(LANDMARKS, combined, np.ones(COUNT), view.grid, BLUR)
    form = plain_form(COUNT, BLUR)
    sight = sight_of(seens, view.grid, form, shape)
    return Kept(Answering(form, shape, (seens[0].stage,)), sight, image)


@pytest.fixture(scope="module")
def shape_and_truth():
    *cases, truth = anatomies(6)
    return fit_joint_shape(np.array(cases)), truth


def lost(truth, count):
    """So many were carried along together, to the wrong part of the image."""
    found = truth.copy()
    found[:count] += [22, -14, 9]
    return found


def farthest(at, truth):
    return max(np.linalg.norm(at[f"P{n}"] - truth[n]) for n in range(COUNT))


def test_what_was_laid_over_the_wrong_part_is_put_where_the_others_have_it(shape_and_truth):
    shape, truth = shape_and_truth
    seens = kept(lost(truth, 5), shape).sight.answered()
    assert farthest({seen.name: seen.position_lps for seen in seens}, truth) < 5
    assert {seen.name for seen in seens if seen.look == BY_SHAPE} == {f"P{n}" for n in range(5)}


def test_where_more_than_half_was_they_follow_what_a_person_drags(shape_and_truth):
    shape, truth = shape_and_truth
    held = kept(lost(truth, 7), shape)
    at = {seen.name: seen.position_lps for seen in held.sight.answered()}
    assert farthest(at, truth) > 20
    given = {}
    for number in (0, 3):
        given[f"P{number}"] = truth[number]
        proposed = held.proposals(given, [f"P{number}"])
        at.update({each.point.name: each.point.position_lps for each in proposed})
    assert farthest({**at, **given}, truth) < 5


def test_where_all_lie_as_they_should_nothing_follows(shape_and_truth):
    shape, truth = shape_and_truth
    given = {"P0": truth[0] + [1.0, 0, 0]}
    assert kept(truth, shape).proposals(given) == ()


def test_without_a_shape_nothing_follows(shape_and_truth):
    _, truth = shape_and_truth
    assert kept(truth + 9.0, None).proposals({"P0": truth[0]}) == ()


def test_a_dataset_of_three_cases_knows_a_shape_and_one_of_two_does_not(tmp_path):
    image, positions = shape_image(shift=(4, 2, 0), bend=1)
    for number, bend in enumerate((0, 2, 4)):
        add_shape(tmp_path / "shapes", f"case-{number}", bend=bend)
        held = []
        start = RegisteredStart(tmp_path / "shapes")
        found = start.predict(image, keep=held.append)
        assert held[0].proposals({NAMES[0]: positions[NAMES[0]]}) == ()
        doubts = [point.doubt for point in found.points]
        assert all((each.oddness is not None) == (number == 2) for each in doubts)
