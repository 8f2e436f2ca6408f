"""The minutes are kept over all stages, and what is said of the time can be trusted."""

from dataclasses import replace

import pytest

pytest.importorskip("torch")

from landmark_training.learning import clock as clock_module
from landmark_training.learning.clock import Clock
from landmark_training.planning.config import TrainConfig

CONFIG = TrainConfig(epochs=10, steps_per_epoch=10)
BOTH = ("coarse", "fine")


@pytest.fixture
def now(monkeypatch):
    """A time that passes when it is told to."""
    passed = [100.0]
    monkeypatch.setattr(clock_module.time, "monotonic", lambda: passed[0])

    def wait(seconds):
        passed[0] += seconds

    return wait


def run(clock, now, role, step=1.0, validation=0.0, validation_steps=0.0):
    """Train a stage as Run does; (epochs, validations)."""
    clock.enter(role)
    steps = epochs = validations = 0
    while steps < clock.epochs * clock.steps_per_epoch and clock.share(steps) < 1:
        for _ in range(clock.steps_per_epoch):
            now(step)
            steps += 1
            clock.step_took(step)
            if clock.share(steps) >= 1:
                break
        epochs += 1
        if clock.is_to_validate(steps, validation_steps):
            now(validation)
            clock.validation_took(validation)
            validations += 1
    return epochs, validations


def test_without_minutes_nothing_but_the_steps_count(now):
    clock = Clock(BOTH, CONFIG)
    assert run(clock, now, "coarse", 1.0, 500.0) == (10, 10)
    assert clock.share(50) == 0.5
    assert clock.allows(1000)


@pytest.mark.parametrize("validation", [0.0, 2.0, 10.0])
@pytest.mark.parametrize("prepared", [0.0, 20.0])
def test_both_stages_end_with_the_minutes_to_within_a_step(now, prepared, validation):
    clock = Clock(BOTH, replace(CONFIG, minutes=2.0))
    now(prepared)  # reading counts
    run(clock, now, "coarse", 1.0, validation)
    now(7)  # preparing the fine stage counts
    run(clock, now, "fine", 3.0, validation)
    # Before the first validation nobody knows how long one takes.
    assert clock.elapsed() <= 120 + 3 + validation
    assert clock.elapsed() > 105


def test_what_the_coarse_stage_leaves_is_for_the_fine_one(now):
    clock = Clock(BOTH, replace(CONFIG, minutes=10.0))
    assert run(clock, now, "coarse", 0.5)[0] == 10
    assert clock.elapsed() == 50
    clock.enter("fine")
    assert clock.ends == 600


def test_a_long_validation_happens_less_often_but_always_at_the_end(now):
    clock = Clock(("coarse",), replace(CONFIG, minutes=10.0, epochs=50))
    epochs, validations = run(clock, now, "coarse", 1.0, 60.0)
    assert epochs > 20
    assert validations <= 4
    # The last epoch's, which is the best one most of the time.
    assert clock.judged == clock.elapsed()


@pytest.mark.parametrize("validation", [1.0, 3.0, 8.0, 25.0])
def test_a_tenth_of_the_time_goes_into_validations_at_most(now, validation):
    """Besides the first, by which it is known how long one takes, and the last."""
    clock = Clock(("coarse",), replace(CONFIG, minutes=20.0, epochs=None))
    _, validations = run(clock, now, "coarse", 1.0, validation)
    assert validations > 2
    assert (validations - 2) * validation <= 0.1 * clock.elapsed()


@pytest.mark.parametrize("validation", [0.5, 1.0, 3.0, 8.0, 25.0])
def test_without_minutes_it_is_the_steps_that_a_validation_is_worth(now, validation):
    config = replace(CONFIG, epochs=100)
    known = run(Clock(BOTH, config), now, "coarse", 1.0, validation, validation)
    assert known[0] == 100
    # Besides the first and the last.
    share = (known[1] - 2) * validation / (1000 + known[1] * validation)
    assert share <= 0.1
    assert share > 0.05 or known[1] == 100
    # However long they take.
    assert run(Clock(BOTH, config), now, "coarse", 1.0, 500.0, validation) == known


def test_whether_it_is_to_validate_depends_on_nothing_that_came_before(now):
    """A run that goes on validates the epochs that it would have validated."""
    whole, again = Clock(BOTH, CONFIG), Clock(BOTH, CONFIG)
    validated = [epoch for epoch in range(1, 11) if whole.is_to_validate(10 * epoch, 2.5)]
    assert validated[0] == 1
    assert validated[-1] == 10
    assert len(validated) < 10
    assert validated == [e for e in range(10, 0, -1) if again.is_to_validate(10 * e, 2.5)][::-1]


def test_minutes_are_not_cut_short_by_epochs_that_nobody_asked_for(now):
    clock = Clock(BOTH, TrainConfig(minutes=60.0))
    epochs, _ = run(clock, now, "coarse", 0.1)
    assert epochs > 400
    assert clock.elapsed() == pytest.approx(1800, abs=1)
    assert clock.expected_epochs(100) < 1000
    assert clock.left(100) <= 1800
    stated = Clock(BOTH, TrainConfig(minutes=60.0, epochs=70))
    assert run(stated, now, "coarse", 0.1)[0] == 70


def test_epochs_that_the_time_does_not_allow_are_not_promised(now):
    clock = Clock(("coarse",), replace(CONFIG, minutes=1.0))
    clock.enter("coarse")
    for _ in range(10):
        now(1.5)
        clock.step_took(1.5)
    assert clock.expected_epochs(10) == 4
    assert clock.left(10) == pytest.approx(45)
    assert clock.epoch_seconds() == pytest.approx(15)


def test_the_time_left_counts_both_stages_and_never_more_than_the_minutes(now):
    free = Clock(BOTH, CONFIG, step_seconds={"coarse": 1.0, "fine": 4.0})
    free.enter("coarse")
    assert free.left(0) == pytest.approx(100 + 400)
    bound = Clock(BOTH, replace(CONFIG, minutes=3.0), step_seconds={"coarse": 1.0, "fine": 4.0})
    now(30)
    bound.enter("coarse")
    assert bound.left(0) == pytest.approx(150)


def test_a_judgement_at_the_end_is_part_of_the_minutes(now):
    clock = Clock(("coarse",), replace(CONFIG, minutes=2.0, epochs=50), comparisons=2)
    run(clock, now, "coarse", 1.0, 10.0)
    assert 80 < clock.elapsed() <= 101


def test_a_run_that_goes_on_has_used_what_it_used(now):
    clock = Clock(("coarse",), replace(CONFIG, minutes=2.0))
    clock.enter("coarse")
    now(50)
    state = clock.state()
    now(1000)  # stopped
    again = Clock(("coarse",), replace(CONFIG, minutes=2.0))
    now(5)  # reading once more
    again.restore("coarse", state)
    assert again.elapsed() == 55
    assert again.share(0) == pytest.approx(55 / 120)
