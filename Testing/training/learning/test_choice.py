"""The epoch that is kept is the latest, unless an earlier one is better beyond noise."""

import math

import numpy as np
import pytest

pytest.importorskip("torch")

from landmark_training.learning.choice import Choice


def chosen(epochs, to_beat=math.inf):
    """The Choice after so many epochs, each the scores of its cases."""
    choice = Choice.of_nothing_yet(to_beat, len(epochs[0]))
    for epoch, of_cases in enumerate(epochs, 1):
        choice = choice.after(epoch, 10 * epoch, float(np.mean(of_cases)), of_cases)
    return choice


def test_a_better_epoch_is_kept():
    choice = chosen([[3, 4, 5], [2, 3, 4]])
    assert (choice.kept_epoch, choice.kept_steps, choice.best_epoch) == (2, 20, 2)
    assert choice.best_of_cases == (2, 3, 4)


def test_a_later_epoch_that_is_worse_by_noise_alone_is_kept_too():
    choice = chosen([[2.0, 3.0, 4.0, 5.0], [2.3, 2.8, 4.2, 4.9]])
    assert (choice.kept_epoch, choice.best_epoch, choice.judged_epoch) == (2, 1, 2)
    assert choice.best == pytest.approx(3.5)


def test_one_that_is_worse_in_all_cases_is_not_however_little():
    choice = chosen([[2.0, 3.0, 4.0, 5.0], [2.1, 3.1, 4.12, 5.1]])
    assert (choice.kept_epoch, choice.best_epoch, choice.judged_epoch) == (1, 1, 2)


def test_little_by_little_it_does_not_get_much_worse():
    """Each is held against the best, not against the one before it."""
    epochs = [[2.0 + 0.1 * n, 3.0 + 0.1 * n + 0.2 * (-1) ** n, 4.0] for n in range(30)]
    choice = chosen(epochs)
    assert np.mean(epochs[choice.kept_epoch - 1]) < 1.1 * choice.best
    assert choice.kept_epoch < 10


def test_one_case_that_went_astray_is_not_taken_for_noise():
    """Its standard error is as large as the difference."""
    assert chosen([[2.0] * 8, [2.0] * 7 + [90.0]]).kept_epoch == 1


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_an_end_that_diverged_is_not_kept(score):
    assert chosen([[2.0, 3.0], [score, score]]).kept_epoch == 1


def test_what_does_not_beat_the_stage_before_is_not_kept_by_noise_either():
    choice = chosen([[2.0, 3.0, 4.0], [2.0, 3.1, 3.7]], to_beat=2.95)
    assert choice.kept_epoch == 2
    assert chosen([[2.0, 3.0, 4.0]] * 3, to_beat=2.95).kept_epoch == 0
    choice = chosen([[2.0, 3.0, 3.7], [2.3, 3.2, 3.4]], to_beat=2.95)
    assert (choice.kept_epoch, choice.best_epoch) == (1, 1)


def test_of_a_single_case_the_lowest_score_is_kept():
    assert chosen([[2.0], [2.1], [1.9], [2.0]]).kept_epoch == 3


def test_without_cases_the_latest_is_kept():
    choice = Choice.of_nothing_yet(math.inf, 0)
    for epoch in (1, 2, 3):
        choice = choice.after(epoch, epoch, -epoch)
    assert choice.kept_epoch == choice.best_epoch == 3
