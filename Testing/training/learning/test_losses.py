"""The losses ask for what they say, and only of channels that were judged."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.model.heatmap import encode, gaussian_mass
from landmark_heatmap.model.logits import Belief, Logits, belief_of
from landmark_training.data.targets import Wanted
from landmark_training.learning.losses import (
    LOSSES,
    adaptive_wing,
    check_losses,
    cross_entropy,
    energy_normalised_mse,
    far_mode_hinge,
    local_consistency,
    mse,
    presence,
    total_loss,
)
from places import ROOT

SIZE, SPACING, SIGMA = (40, 48), (1.0, 1.0), 2.0
MASS = gaussian_mass(SIGMA, SPACING)


def wanted_at(*positions, spacing=SPACING, sigma=SIGMA):
    """All present, but for positions of None, which are absent."""
    absent = torch.tensor([[p is None for p in positions]])
    voxels = torch.tensor([[p or (float("nan"),) * 2 for p in positions]]).float()
    target = encode(voxels, SIZE, spacing, sigma)
    energy = torch.tensor([gaussian_mass(sigma, spacing) / 2])
    return Wanted(target, energy, ~absent, absent, torch.ones(1, len(positions)))


def distribution(target, nowhere=-50.0):
    """The belief whose distribution is the normalised target, with `nowhere` left over."""
    logits = Logits(torch.log(target.clamp_min(1e-30)), torch.full(target.shape[:2], nowhere))
    return belief_of(logits, "distribution", MASS)


def heatmaps(values):
    """The belief of the independent head."""
    return belief_of(Logits(values, torch.zeros(values.shape[:2])), "independent", MASS)


@pytest.mark.parametrize(
    "loss", [mse, energy_normalised_mse, cross_entropy, adaptive_wing, far_mode_hinge]
)
def test_a_perfect_heatmap_costs_nothing(loss):
    wanted = wanted_at((20.3, 17.8), (11.0, 30.5))
    assert loss(distribution(wanted.target), wanted).abs().max() < 1e-3


def test_a_perfect_distribution_times_the_mass_is_the_target():
    target = wanted_at((20.3, 17.8)).target
    torch.testing.assert_close(distribution(target).heatmap, target, atol=1e-3, rtol=0)


def test_an_empty_heatmap_costs_one_whatever_the_spacing():
    for spacing in ((1.0, 1.0), (0.5, 2.0)):
        wanted = wanted_at((20.0, 20.0), spacing=spacing, sigma=3.0)
        empty = heatmaps(torch.zeros(1, 1, *SIZE))
        assert energy_normalised_mse(empty, wanted).item() == pytest.approx(1, abs=1e-3)


def test_the_mean_over_the_map_costs_less_the_larger_the_map_is():
    """What is wrong with the naive loss: its force depends on the background around."""
    small, large = torch.zeros(1, 1, 20, 20), torch.zeros(1, 1, 80, 80)
    small[..., 10, 10] = large[..., 10, 10] = 1.0
    ones = torch.ones(1, 1)
    costs = [
        mse(heatmaps(torch.zeros_like(t)), Wanted(t, None, ones > 0, ones < 0, ones)).item()
        for t in (small, large)
    ]
    assert costs[0] == pytest.approx(16 * costs[1])


def test_the_cross_entropy_pulls_from_far_away_and_the_mse_does_not():
    """Why both are there: the force on the right place, when all belief is in a wrong one."""
    wanted, wrong = wanted_at((10.0, 10.0)), wanted_at((30.0, 38.0))
    forces = {}
    for loss in (cross_entropy, energy_normalised_mse):
        start = distribution(wrong.target).log_p.voxels.clamp_min(-12.0)
        voxels = start.clone().requires_grad_(True)
        belief = belief_of(Logits(voxels, torch.full((1, 1), -50.0)), "distribution", MASS)
        loss(belief, wanted).sum().backward()
        forces[loss] = -voxels.grad[0, 0, 10, 10].item()
    assert forces[cross_entropy] > 20 * abs(forces[energy_normalised_mse])


@pytest.mark.parametrize("loss", [cross_entropy, energy_normalised_mse, presence])
def test_absence_is_rewarded_by_belief_in_nowhere(loss):
    wanted = wanted_at(None)
    flat = torch.zeros(1, 1, *SIZE)
    costs = [
        loss(
            belief_of(Logits(flat, torch.tensor([[nowhere]])), "distribution", MASS), wanted
        ).item()
        for nowhere in (-5.0, 8.0, 25.0)
    ]
    assert costs[0] > costs[1] > costs[2]
    assert costs[2] < 1e-3


def test_presence_follows_from_the_distribution_itself():
    logits = Logits(torch.randn(2, 3, *SIZE), torch.randn(2, 3) + 8)
    belief = belief_of(logits, "distribution", MASS)
    torch.testing.assert_close(torch.sigmoid(belief.presence_logit), 1 - belief.log_p.nowhere.exp())


def test_a_far_mode_is_pushed_down_and_a_near_one_is_not():
    wanted = wanted_at((20.0, 20.0))
    far = wanted.target + 0.5 * wanted_at((32.0, 40.0)).target
    near = wanted_at((20.0, 22.0)).target
    assert far_mode_hinge(heatmaps(far), wanted).item() == pytest.approx(0.3, abs=0.01)
    assert far_mode_hinge(heatmaps(near), wanted).item() == 0


def test_channels_of_one_height_and_spread_are_consistent():
    wanted = wanted_at((12.0, 12.0), (28.0, 30.0), (10.0, 36.0))
    alike = 0.6 * wanted.target
    low, wide = wanted.target.clone(), wanted.target.clone()
    low[:, 1] *= 0.3
    wide[:, 1] = wanted_at((12.0, 12.0), (28.0, 30.0), sigma=3.5).target[:, 1]
    cost = [local_consistency(heatmaps(h), wanted).sum().item() for h in (alike, low, wide)]
    assert cost[0] < 1e-3
    assert cost[1] > 0.5
    assert cost[2] > 0.05


def test_consistency_is_asked_for_late_in_the_run_only():
    wanted = wanted_at((12.0, 12.0), (28.0, 30.0))
    uneven = wanted.target * torch.tensor([1.0, 0.3])[None, :, None, None]
    costs = [
        local_consistency(heatmaps(uneven), replace(wanted, done=done)).sum().item()
        for done in (0.0, 0.5, 0.75, 1.0)
    ]
    assert costs[0] == costs[1] == 0
    assert 0 < costs[2] < costs[3]


def test_every_loss_is_named_where_users_look_for_it():
    told = (ROOT / "training" / "README.md").read_text(encoding="utf-8")
    assert {name for name in LOSSES if f"`{name}`" not in told} == set()


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_gives_finite_gradients_for_present_absent_and_unknown(name):
    wanted = wanted_at((10.0, 10.0), None, None)
    wanted = replace(wanted, absent=torch.tensor([[False, True, False]]))
    voxels = (0.1 * torch.randn(1, 3, *SIZE)).requires_grad_(True)
    nowhere = torch.zeros(1, 3, requires_grad=True)
    belief = belief_of(Logits(voxels, nowhere), "distribution", MASS)

    total_loss(belief, wanted, {name: 1.0}).backward()

    for leaf in (voxels, nowhere):
        assert leaf.grad is None or torch.isfinite(leaf.grad).all()
        assert leaf.grad is None or leaf.grad[0, 2].abs().max() == 0  # nobody judged it


def test_a_perfect_presence_map_with_zeros_has_finite_gradients_in_adaptive_wing():
    wanted = wanted_at((10.0, 10.0))
    values = wanted.target.clone().requires_grad_(True)
    adaptive_wing(heatmaps(values), wanted).sum().backward()
    assert torch.isfinite(values.grad).all()


def test_a_heavier_channel_counts_more():
    wanted = wanted_at((10.0, 10.0), (20.0, 20.0))
    values = wanted.target.clone()
    values[:, 0] = 0
    plain = total_loss(heatmaps(values), wanted, {"energy_normalised_mse": 1.0})
    heavy = replace(wanted, weight=torch.tensor([[3.0, 1.0]]))
    assert plain.item() == pytest.approx(0.5, abs=0.01)
    assert total_loss(heatmaps(values), heavy, {"energy_normalised_mse": 1.0}).item() == (
        pytest.approx(0.75, abs=0.01)
    )


def test_a_batch_without_any_judged_channel_costs_nothing():
    wanted = wanted_at(None)
    wanted = replace(wanted, absent=torch.zeros(1, 1, dtype=torch.bool))
    belief = distribution(torch.zeros(1, 1, *SIZE), 0.0)
    assert total_loss(belief, wanted, {"cross_entropy": 1.0, "mse": 1.0}).item() == 0


@pytest.mark.parametrize(
    ("losses", "head"),
    [({}, "distribution"), ({"mse2": 1}, "distribution"), ({"mse": 0}, "distribution"),
     ({"mse": True}, "distribution"), ({"cross_entropy": 1}, "independent")],
)  # fmt: skip
def test_losses_that_cannot_be_are_refused(losses, head):
    with pytest.raises(DatasetError):
        check_losses(losses, head)


def test_the_independent_head_has_no_distribution():
    belief = heatmaps(torch.zeros(1, 1, *SIZE))
    assert isinstance(belief, Belief)
    assert belief.log_p is None
