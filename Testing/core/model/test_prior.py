"""The shape prior chooses among peaks as the other landmarks would have it, and does no more."""

import numpy as np
import pytest

from landmark_heatmap.model.prior import ShapePrior, choose_peaks, fit_prior

SHAPE = np.array([[0.0, 0, 0], [40, 0, 0], [40, 30, 0], [0, 30, 10], [20, 15, 25]])


def cases(count=20, seed=0, missing=0.0):
    """The shape, moved about and deformed a little."""
    rng = np.random.default_rng(seed)
    positions = SHAPE + rng.normal(0, 2, (count, 5, 3)) + rng.normal(0, 50, (count, 1, 3))
    positions[rng.random((count, 5)) < missing] = np.nan
    return positions


def test_of_two_peaks_the_one_where_the_others_expect_it_is_chosen():
    found = cases(1, seed=9)[0]
    wrong_first = [np.array([p]) for p in found]
    wrong_first[2] = np.array([found[2] + [0, -60, 0], found[2]])
    heights = [np.zeros(len(c)) for c in wrong_first]
    heights[2] = np.log([0.9, 0.5])
    votes = np.ones(5, dtype=bool)
    assert choose_peaks(wrong_first, heights, votes, fit_prior(cases())) == [0, 0, 1, 0, 0]


def test_two_swapped_landmarks_are_put_right():
    found = cases(1, seed=9)[0]
    candidates = [np.array([p]) for p in found]
    candidates[0] = np.array([found[1], found[0]])
    candidates[1] = np.array([found[0], found[1]])
    heights = [np.zeros(len(c)) for c in candidates]
    chosen = choose_peaks(candidates, heights, np.ones(5, dtype=bool), fit_prior(cases()))
    assert chosen == [1, 1, 0, 0, 0]


def test_a_landmark_that_is_thought_absent_has_no_vote():
    found = cases(1, seed=9)[0]
    candidates = [np.array([p]) for p in found]
    candidates[2] = np.array([found[2], found[2] + [0, -60, 0]])
    for other in (0, 1, 3, 4):
        candidates[other] = candidates[other] + [0, -60, 0]
    heights = [np.zeros(len(c)) for c in candidates]
    nobody = np.zeros(5, dtype=bool)
    assert choose_peaks(candidates, heights, nobody, fit_prior(cases()))[2] == 0
    assert choose_peaks(candidates, heights, ~nobody, fit_prior(cases()))[2] == 1


def test_in_arbitrary_poses_the_higher_peak_wins():
    """Where the prior knows nothing, it has nothing to say against the network."""
    rng = np.random.default_rng(1)
    turns = np.linalg.qr(rng.normal(size=(200, 3, 3)))[0]
    prior = fit_prior(np.einsum("nij,lj->nli", turns, SHAPE))
    found = SHAPE @ turns[0].T
    candidates = [np.array([p]) for p in found]
    candidates[2] = np.array([found[2], found[2] + [0, -10, 0]])
    heights = [np.zeros(1)] * 5
    heights[2] = np.log([0.9, 0.3])
    assert choose_peaks(candidates, heights, np.ones(5, dtype=bool), prior)[2] == 0


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_merged_statistics_are_those_of_all_cases_together(missing):
    first, second = cases(7, 1, missing), cases(12, 2, missing)
    merged = fit_prior(first).merged(fit_prior(second))
    together = fit_prior(np.concatenate([first, second]))
    for name in ("mean", "covariance", "cases"):
        np.testing.assert_allclose(getattr(merged, name), getattr(together, name), atol=1e-9)


def test_a_pair_never_seen_together_does_not_vote():
    positions = cases(10)
    positions[:5, 0] = np.nan
    positions[5:, 1] = np.nan
    prior = fit_prior(positions)
    assert prior.cases[0, 1] == 0
    assert np.isfinite(prior.precision()).all()


def test_one_case_is_enough_to_have_an_opinion():
    prior = fit_prior(cases(1))
    assert isinstance(prior, ShapePrior)
    eigenvalues = np.linalg.eigvalsh(np.linalg.inv(prior.precision()[0, 1]))
    assert (eigenvalues > 1).all()


def test_a_typical_configuration_is_plausible_and_a_displaced_landmark_is_not():
    prior = fit_prior(cases(40))
    unseen = cases(50, seed=1)
    assert np.mean([prior.is_plausible(each) for each in unseen]) > 0.9
    for each in unseen:
        each[2] += [0, -60, 0]
    assert not any(prior.is_plausible(each) for each in unseen)


def test_swapped_landmarks_are_implausible():
    prior, swapped = fit_prior(cases(40)), cases(1, seed=5)[0][[1, 0, 2, 3, 4]]
    assert not prior.is_plausible(swapped)


def test_plausibility_is_told_from_the_landmarks_that_are_there():
    prior, partial = fit_prior(cases(40, missing=0.2)), cases(1, seed=5)[0]
    partial[1] = np.nan
    assert prior.is_plausible(partial)
    partial[2] += [0, -60, 0]
    assert not prior.is_plausible(partial)
    assert np.isnan(prior.implausibility(np.full((5, 3), np.nan)))


def test_moving_the_whole_configuration_changes_nothing():
    prior, found = fit_prior(cases(40)), cases(1, seed=5)[0]
    assert prior.implausibility(found + 100) == pytest.approx(prior.implausibility(found))


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_of_few_cases_nearly_all_others_are_plausible_and_a_displaced_landmark_is_not(count):
    right, wrong = [], []
    for seed in range(20):
        prior, unseen = fit_prior(cases(count, seed)), cases(20, seed=100 + seed)
        right += [prior.is_plausible(each) for each in unseen]
        unseen[:, 2] += [0, -200, 0]
        wrong += [prior.is_plausible(each) for each in unseen]
    assert np.mean(right) > 0.95
    assert np.mean(wrong) < 0.05


def test_one_case_does_not_say_what_is_plausible():
    assert fit_prior(cases(1)).limit == np.inf
    assert fit_prior(cases(1)).is_plausible(cases(1, seed=3)[0])
