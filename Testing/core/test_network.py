"""The network is one for 2D and 3D, takes any size, and answers with one distribution a channel."""

import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.description import NetworkConfig  # noqa: E402
from landmark_heatmap.network import LandmarkUNet, Logits, log_probabilities  # noqa: E402

CASES = [(2, (33, 47)), (2, (1, 5)), (3, (17, 20, 9)), (3, (4, 1, 30))]


def network_for(dimension, joint_features=6):
    torch.manual_seed(0)
    return LandmarkUNet(NetworkConfig(dimension, 5, (4, 6, 8), joint_features, 2)).eval()


@pytest.mark.parametrize(("dimension", "size"), CASES)
def test_every_size_gives_one_map_a_landmark_of_that_size(dimension, size):
    logits = network_for(dimension)(torch.randn(2, 1, *size))
    assert logits.voxels.shape == (2, 5, *size)
    assert logits.nowhere.shape == (2, 5)
    assert torch.isfinite(logits.voxels).all()


@pytest.mark.parametrize(("dimension", "size"), CASES)
def test_all_places_and_nowhere_together_are_certain(dimension, size):
    log_p = log_probabilities(network_for(dimension)(torch.randn(2, 1, *size)))
    total = log_p.voxels.exp().flatten(2).sum(2) + log_p.nowhere.exp()
    torch.testing.assert_close(total, torch.ones(2, 5))


def test_probabilities_stay_finite_for_extreme_logits():
    log_p = log_probabilities(Logits(torch.full((1, 1, 4, 4), 1e4), torch.tensor([[-1e4]])))
    assert torch.isfinite(log_p.voxels).all()
    assert torch.isfinite(log_p.nowhere).all()


def test_the_joint_part_starts_out_silent():
    network = network_for(2)
    image = torch.randn(1, 1, 32, 32)
    with_joint = network(image).voxels
    network.joint = None
    torch.testing.assert_close(with_joint, network(image).voxels)


def test_through_the_joint_part_one_landmark_is_moved_by_another():
    """Belief about the first landmark alone, changed, changes what is said of the second."""
    network = network_for(2)
    torch.nn.init.normal_(network.joint.leave.weight)
    features, belief = torch.randn(1, 8, 8, 8), torch.zeros(1, 5, 32, 32)
    changed = belief.clone()
    changed[0, 0, 4, 4] = 20.0
    difference = network.joint(changed, features) - network.joint(belief, features)
    assert difference[0, 1].abs().max() > 1e-3


def test_gradients_reach_every_weight():
    network = network_for(3).train()
    torch.nn.init.normal_(network.joint.leave.weight)
    log_p = log_probabilities(network(torch.randn(1, 1, 16, 16, 16)))
    (log_p.voxels.square().mean() + log_p.nowhere.square().mean()).backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []
