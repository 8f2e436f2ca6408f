"""What held-out cases allow to claim, and that a model file keeps it, or refuses what cannot be."""

from dataclasses import replace

import numpy as np
import pytest

from landmark_heatmap.errors import ModelFileError
from landmark_heatmap.model import belief_file
from landmark_heatmap.model.belief_form import BeliefForm, HeldOut, merged, uncalibrated
from landmark_heatmap.model.joint_shape import JointShape


def held_out(cases=40, landmarks=3, power=1.0, seed=0):
    scores = np.random.default_rng(seed).random((cases, landmarks)) ** power
    return HeldOut(scores, scores, 5 * scores)


def form(**options):
    return BeliefForm(np.array([0.1, 0.2, 0.3]), np.array([0.0, 0.1, 0.2]), **options)


def test_of_an_honest_belief_the_content_is_the_level():
    contents, levels = held_out(400).level_of_content(1)
    assert np.interp([0.5, 0.9], contents, levels) == pytest.approx([0.5, 0.9], abs=0.05)


def test_of_one_that_is_too_sure_a_larger_region_is_needed():
    contents, levels = held_out(400, power=0.3).level_of_content(1)
    assert np.interp(0.5, contents, levels) < 0.2


def test_new_cases_lie_in_the_regions_as_often_as_is_claimed():
    covered = []
    for seed in range(300):
        contents, levels = held_out(19, power=0.4, seed=seed).level_of_content(0)
        needed = np.interp(0.9, levels, contents)
        covered.append(np.random.default_rng(1000 + seed).random() ** 0.4 <= needed)
    assert np.mean(covered) == pytest.approx(0.9, abs=0.05)


def test_a_landmark_that_differs_has_a_level_of_its_own_where_cases_are_many():
    many = held_out(200)
    many.contents[:, 0] **= 0.2
    own, others = (np.interp(0.5, *many.level_of_content(n)) for n in (0, 1))
    assert own < 0.15 and others == pytest.approx(0.5, abs=0.1)


def test_where_cases_are_few_those_of_all_landmarks_count():
    few = held_out(2, landmarks=40)
    few.contents[:, 0] = 0.99
    assert 0.1 < np.interp(0.9, *few.level_of_content(0)) < 0.95


def test_no_level_is_claimed_that_so_many_cases_cannot_speak_for():
    assert form(held_out=held_out(3)).claimed(0.9) == 0.75
    assert form(held_out=held_out(40)).claimed(0.9) == 0.9
    assert form().claimed(0.9) is None and not uncalibrated(3, 2.0).is_calibrated


def test_landmarks_without_a_reference_have_the_levels_of_all():
    scores = held_out(50)
    scores.contents[:, 2] = np.nan
    contents, levels = scores.level_of_content(2)
    assert np.isfinite(contents).all() and np.interp(0.5, contents, levels) == pytest.approx(
        0.5, abs=0.15
    )
    assert 0 < scores.constant_radius_mm(2, 0.9) < 5


def test_an_ensemble_knows_the_held_out_cases_of_all_its_members():
    members = [form(power=1.0, held_out=held_out(9)), form(power=4.0, held_out=held_out(7))]
    both = merged(members)
    assert both.power == pytest.approx(2) and len(both.held_out.contents) == 16
    assert merged([*members, form()]).held_out is None
    assert merged([*members, None]) is None


class TestFile:
    SHAPE = JointShape(np.arange(6.0).reshape(3, 2), np.eye(6).reshape(3, 2, 3, 2), 2.0)

    def arrays(self, **options):
        return {
            **belief_file.joint_arrays(self.SHAPE),
            **belief_file.belief_arrays(form(**options)),
        }

    def check(self, arrays):
        types = {"float64": "F64", "float32": "F32", "int64": "I64"}
        header = {n: (types[str(a.dtype)], a.shape) for n, a in arrays.items()}
        belief_file.check_header(header, 3, 2)
        return belief_file.joint_from(arrays), belief_file.belief_from(arrays, sigma_mm=2.0)

    @pytest.mark.parametrize("calibrated", [True, False])
    def test_all_is_read_as_it_was_written(self, calibrated):
        options = {"held_out": held_out()} if calibrated else {}
        shape, read = self.check(self.arrays(power=2.5, joint=0.5, error_scale=1.2, **options))
        assert shape.widening == 2 and np.array_equal(shape.covariance, self.SHAPE.covariance)
        assert (read.power, read.joint, read.error_scale) == (2.5, 0.5, 1.2)
        assert np.array_equal(read.tails, form().tails)
        assert read.is_calibrated is calibrated
        if calibrated:
            np.testing.assert_allclose(read.held_out.contents, held_out().contents, atol=1e-6)

    def test_files_from_before_have_neither(self):
        assert self.check({}) == (None, None)

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("joint.mean", np.full((3, 2), 1e12), "mean is not all within"),
            ("joint.covariance", np.full((3, 2, 3, 2), np.nan), "covariance is not finite"),
            ("joint.covariance", np.arange(36.0).reshape(3, 2, 3, 2), "not symmetric"),
            ("joint.covariance", -np.eye(6).reshape(3, 2, 3, 2), "not positive"),
            ("joint.widening", np.array(0.5), "widening is 0.5"),
            ("belief.power", np.array(0.0), "power is 0"),
            ("belief.power", np.array(np.nan), "power is nan"),
            ("belief.tails", np.array([0.1, 0.2, 1.5]), "tails"),
            ("belief.spreads_mm", np.array([0.1, -1, 1.5]), "spreads"),
            ("belief.contents", np.full((40, 3), 2.0, np.float32), "contents"),
            ("belief.contents", np.zeros((3, 3), np.float32), "does not fit"),
            ("belief.errors_mm", np.full((40, 3), np.inf, np.float32), "errors_mm"),
            ("belief.spreads_mm", np.array([0.1, 0.2, 21.0]), "from 0 to 20 mm"),
            ("belief.spreads_mm", np.zeros(4), "does not fit"),
            ("joint.mean", np.zeros((3, 3)), "does not fit"),
            ("joint.mean", np.zeros((3, 2), np.int64), "does not fit"),
            ("belief.more", np.zeros(3), "says nothing of"),
        ],
    )
    def test_what_cannot_be_is_refused(self, name, value, words):
        with pytest.raises(ModelFileError, match=words):
            self.check({**self.arrays(held_out=held_out()), name: value})

    @pytest.mark.parametrize("name", ["joint.covariance", "belief.tails", "belief.shares"])
    def test_a_part_that_is_missing_is_named(self, name):
        arrays = self.arrays(held_out=held_out())
        del arrays[name]
        with pytest.raises(ModelFileError, match=name.partition(".")[2]):
            self.check(arrays)

    def test_a_case_without_a_reference_is_nothing_wrong(self):
        scores = held_out()
        scores.contents[3, 1] = np.nan
        _, read = self.check(self.arrays(held_out=replace(scores)))
        assert np.isnan(read.held_out.contents[3, 1])
