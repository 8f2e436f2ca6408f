"""The losses ask for what they say, and only of channels that were judged."""

import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.heatmap import encode, gaussian_mass  # noqa: E402
from landmark_heatmap.network import Logits, log_probabilities  # noqa: E402
from landmark_training.losses import (  # noqa: E402
    absence,
    cross_entropy,
    energy_normalised_mse,
    total_loss,
)

SIZE, SPACING, SIGMA = (40, 48), (1.0, 1.0), 2.0
MASS = gaussian_mass(SIGMA, SPACING)


def target_at(*positions):
    return encode(torch.tensor([positions]).float(), SIZE, SPACING, SIGMA)


def perfect(target):
    """Logits whose distribution is the normalised target, with nothing left for 'nowhere'."""
    logits = Logits(torch.log(target.clamp_min(1e-30)), torch.full(target.shape[:2], -50.0))
    return log_probabilities(logits)


@pytest.mark.parametrize("loss", [cross_entropy, energy_normalised_mse])
def test_a_perfect_heatmap_costs_nothing(loss):
    target = target_at((20.3, 17.8), (11.0, 30.5))
    assert loss(perfect(target), target, MASS).abs().max() < 1e-4


def test_a_perfect_distribution_times_the_mass_is_the_target():
    target = target_at((20.3, 17.8))
    torch.testing.assert_close(MASS * perfect(target).voxels.exp(), target, atol=1e-3, rtol=0)


def test_an_empty_heatmap_costs_one_whatever_the_spacing():
    for spacing in ((1.0, 1.0), (0.5, 2.0)):
        target = encode(torch.tensor([[[20.0, 20.0]]]), SIZE, spacing, 3.0)
        nowhere = log_probabilities(Logits(torch.zeros(1, 1, *SIZE), torch.tensor([[60.0]])))
        assert energy_normalised_mse(nowhere, target, 1.0).item() == pytest.approx(1, abs=1e-3)


def test_the_cross_entropy_pulls_from_far_away_and_the_mse_does_not():
    """Why both are there: the force on the right place, when all belief is in a wrong one."""
    target, wrong = target_at((10.0, 10.0)), target_at((30.0, 38.0))
    forces = {}
    for loss in (cross_entropy, energy_normalised_mse):
        voxels = perfect(wrong).voxels.clamp_min(-12.0).clone().requires_grad_(True)
        log_p = log_probabilities(Logits(voxels, torch.full((1, 1), -50.0)))
        loss(log_p, target, MASS).sum().backward()
        forces[loss] = -voxels.grad[0, 0, 10, 10].item()
    assert forces[cross_entropy] > 20 * abs(forces[energy_normalised_mse])


def test_absence_is_rewarded_by_belief_in_nowhere():
    unsure = log_probabilities(Logits(torch.zeros(1, 1, *SIZE), torch.tensor([[0.0]])))
    sure = log_probabilities(Logits(torch.zeros(1, 1, *SIZE), torch.tensor([[20.0]])))
    assert absence(sure).item() < 0.01 < 1 < absence(unsure).item()


def test_a_channel_that_nobody_judged_has_no_influence():
    target = target_at((10.0, 10.0), (20.0, 20.0), (30.0, 30.0))
    present, absent = torch.tensor([[True, False, False]]), torch.tensor([[False, True, False]])
    voxels = torch.randn(1, 3, *SIZE, requires_grad=True)
    nowhere = torch.zeros(1, 3, requires_grad=True)

    loss = total_loss(
        log_probabilities(Logits(voxels, nowhere)), target, MASS, present, absent, 0.5
    )
    loss.backward()

    assert voxels.grad[0, 2].abs().max() == 0
    assert nowhere.grad[0, 2] == 0
    assert voxels.grad[0, 0].abs().max() > 0
    assert nowhere.grad[0, 1] < 0


def test_a_batch_without_any_judged_channel_costs_nothing():
    none = torch.zeros(1, 1, dtype=torch.bool)
    target = target_at((float("nan"), float("nan")))
    log_p = log_probabilities(Logits(torch.zeros(1, 1, *SIZE), torch.zeros(1, 1)))
    assert total_loss(log_p, target, MASS, none, none, 0.5).item() == 0
