"""What would move because of a landmark that a person has placed."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sights import NAMES, Eye, grid_of, shapes, sight_of, stages, to_lps

from landmark_heatmap.detection.agreement import Places
from landmark_heatmap.detection.proposals import Kept
from landmark_heatmap.errors import PredictionError
from landmark_heatmap.images.geometry import PX, Image

both_dimensions = pytest.mark.parametrize("dimension", [2, 3])


def kept_of(sight, dimension, image=None):
    last = stages(dimension)[0 if sight.look is None else 1]
    predictor = SimpleNamespace(
        model=SimpleNamespace(belief=None, joint=sight.places and sight.places.frame.shape),
        description=SimpleNamespace(stages=(last,)),
        is_last=lambda seen: [each is not None and each.stage == last for each in seen],
        answered=lambda sight, given, absent: sight.answered(given, absent),
    )
    grid = grid_of(dimension)
    image = image or Image(np.zeros(grid.size_ijk[::-1], np.float32), grid.ijk_to_lps)
    return Kept(predictor, sight, image)


def wrong_case(dimension, wrong=(5,)):
    """(truth in LPS, a Kept of a coarse stage alone that shows some far off)."""
    (truth,) = shapes(dimension, 1, 3)
    shown = truth.copy()
    for index in wrong:
        shown[index] += np.where(truth[index] > 48, -17, 17)
    truth_lps = np.array([to_lps(each, dimension) for each in truth])
    return truth_lps, kept_of(sight_of(dimension, truth, shown, height=0.0), dimension)


def turned_case(dimension):
    """Two thirds lie wrong for one reason, and agree."""
    (truth,) = shapes(dimension, 1, 3)
    centre, turn = truth.mean(0), np.eye(dimension)
    turn[:2, :2] = [[0.5, -(0.75**0.5)], [0.75**0.5, 0.5]]
    shown, wrong = truth.copy(), [0, 1, 2, 4, 5, 7, 8, 10]
    shown[wrong] = (truth[wrong] - centre) @ turn.T + centre
    truth_lps = np.array([to_lps(each, dimension) for each in truth])
    far = np.argsort(-np.linalg.norm(shown - truth, axis=1))
    return truth_lps, [NAMES[i] for i in far], kept_of(sight_of(dimension, truth, shown), dimension)


@both_dimensions
def test_what_is_wrong_for_the_same_reason_is_proposed_the_farthest_first(dimension):
    truth, far, kept = turned_case(dimension)
    given = {name: truth[NAMES.index(name)] for name in far[:dimension]}
    proposals = kept.proposals(given)
    distances = [each.distance_mm for each in proposals]
    assert proposals and distances == sorted(distances, reverse=True)
    assert min(distances) > stages(dimension)[0].sigma_mm
    for each in proposals:
        assert each.point.name not in given and each.point.name in far[:8]
        assert np.linalg.norm(each.point.position_lps - truth[NAMES.index(each.point.name)]) < 4


@both_dimensions
def test_what_lies_right_to_each_other_is_believed_against_all_others(dimension):
    """However many others then break the shape: whoever confirms right ones takes nothing back."""
    truth, far, kept = turned_case(dimension)
    right = [name for name in NAMES if name not in far[:8]]
    given = {name: truth[NAMES.index(name)] for name in [*right, *far[:1]]}
    at = {each.point.name: each.point.position_lps for each in kept.proposals(given)}
    # Some lie wrong by so little that they could be right.
    assert at and set(at) <= set(far[1:8])
    for name, position in at.items():
        assert np.linalg.norm(position - truth[NAMES.index(name)]) < 4
    # A slip of the hand among them is no such thing.
    slip = {**given, right[0]: given[right[0]] + np.where(np.arange(3) < dimension, 30.0, 0)}
    indices = {NAMES.index(name): position for name, position in slip.items()}
    assert not kept.sight._go_together(kept.sight._in_frame(indices))


@both_dimensions
def test_a_landmark_of_which_the_shape_knows_nothing_can_be_placed_too(dimension):
    truth, far, kept = turned_case(dimension)
    frame = kept.sight.places.frame
    mean = np.where(np.arange(len(NAMES))[:, None] == 0, np.nan, frame.shape.mean)
    places = Places(replace(frame, shape=replace(frame.shape, mean=mean)))
    kept = kept_of(replace(kept.sight, places=places), dimension)
    assert NAMES[0] not in {each.point.name for each in kept.proposals({NAMES[0]: truth[0]})}


@both_dimensions
def test_on_ordinary_errors_nothing_follows(dimension):
    for seed in range(3, 8):
        (truth,) = shapes(dimension, 1, seed)
        truth_lps = [to_lps(each, dimension) for each in truth]
        kept = kept_of(sight_of(dimension, truth, truth, Eye(truth_lps, dimension)), dimension)
        nudge = np.array([1.0, -1.0, 0])
        assert kept.proposals({"B": truth_lps[1] + nudge, "K": truth_lps[10]}) == ()


@both_dimensions
@pytest.mark.parametrize("mm", [8, 20, 45])
def test_a_landmark_that_is_placed_where_none_is_takes_no_other_along(dimension, mm):
    """By a slip of the hand, or because the anatomy is odd."""
    (truth,) = shapes(dimension, 1, 3)
    truth_lps = [to_lps(each, dimension) for each in truth]
    for eye in (None, Eye(truth_lps, dimension)):
        kept = kept_of(sight_of(dimension, truth, truth, eye), dimension)
        for index in range(0, 12, 3):
            slip = np.where(np.arange(3) < dimension, [0.8, -0.6, 0], 0) * mm
            assert kept.proposals({NAMES[index]: truth_lps[index] + slip}) == ()


@both_dimensions
def test_only_what_the_new_ones_bring_is_proposed(dimension):
    truth, far, kept = turned_case(dimension)
    given = {name: truth[NAMES.index(name)] for name in far[:dimension]}
    assert kept.proposals(given, new=[]) == ()
    assert len(kept.proposals(given, new=list(given))) == len(kept.proposals(given))


@both_dimensions
def test_what_a_person_says_is_absent_is_neither_asked_nor_proposed(dimension):
    truth, far, kept = turned_case(dimension)
    given = {name: truth[NAMES.index(name)] for name in far[:dimension]}
    before = [each.point.name for each in kept.proposals(given)]
    after = kept.proposals(given, absent=before[:1])
    assert before[0] not in [each.point.name for each in after]


def test_names_that_the_model_does_not_have_are_refused():
    truth, kept = wrong_case(3)
    with pytest.raises(PredictionError, match="no landmark 'Nose'"):
        kept.proposals({"Nose": truth[0]})
    with pytest.raises(PredictionError, match="no landmark 'Chin'"):
        kept.proposals({}, absent=["Chin"])
    with pytest.raises(PredictionError, match="no position for 'B'"):
        kept.proposals({"A": truth[0]}, new=["B"])


def test_of_an_image_in_px_positions_are_where_the_image_is_placed():
    """Whatever size Slicer gives its pixels: the shape is known in px."""
    truth, far, kept = turned_case(2)
    grid = grid_of(2)
    sized = Image(np.zeros(grid.size_ijk[::-1], np.float32), np.diag([1.0, 1, 1, 1]), PX)
    shown = Image(sized.array, np.diag([0.25, 0.25, 0.25, 1.0]), PX)
    names = far[:2]
    one = {name: truth[NAMES.index(name)] for name in names}
    plain = Kept(kept.predictor, kept.sight, sized).proposals(one)
    small = {name: at * [0.25, 0.25, 0.25] for name, at in one.items()}
    placed = Kept(kept.predictor, kept.sight, shown).proposals(small)
    assert [each.point.name for each in placed] == [each.point.name for each in plain]
    for a, b in zip(placed, plain):
        assert a.distance_mm == pytest.approx(b.distance_mm)
        np.testing.assert_allclose(a.point.position_lps, 0.25 * b.point.position_lps)


def test_without_a_joint_shape_nothing_is_proposed():
    truth, kept = wrong_case(3)
    kept = kept_of(replace(kept.sight, places=None), 3)
    assert kept.proposals({"F": truth[5]}) == ()
