"""The network is one for 2D and 3D, takes any size, and answers with one distribution a channel."""

import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.model.description import NetworkConfig
from landmark_heatmap.model.logits import (
    Logits,
    belief_of,
    heatmaps_and_presences,
    log_probabilities,
)
from landmark_heatmap.model.network import CropUNet, LandmarkUNet

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


@pytest.mark.parametrize(("dimension", "size"), [(2, (33, 47)), (3, (17, 20, 9))])
def test_the_answer_is_the_same_where_nothing_learns(dimension, size):
    """Then it is calculated in place, one landmark at a time, and by other convolutions."""
    network, image = network_for(dimension), torch.randn(1, 1, *size)
    torch.nn.init.normal_(network.joint.leave.weight)
    learning = network(image)
    with torch.inference_mode():
        detecting = network(image)
    torch.testing.assert_close(detecting.voxels, learning.voxels, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(detecting.nowhere, learning.nowhere, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("size", [(2, 12, 12), (4, 16, 16), (17, 20, 24), (12, 2, 12)])
def test_in_half_precision_it_learns_from_thin_images_what_it_would_in_full(size, aligned):
    """torch 2.13 leaves gradients unwritten where a 3D image is thinner than the kernel."""
    torch.manual_seed(0)
    network = LandmarkUNet(NetworkConfig(3, 5, (16, 32, 48), 48, 2, aligned=aligned))
    # At zero, nothing behind it would be taught at all.
    torch.nn.init.normal_(network.joint.leave.weight)
    image, gradients = torch.randn(2, 1, *size), []
    for enabled in (False, True):
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            logits = network(image)
        log_p = log_probabilities(logits).voxels.flatten(2)
        somewhere = 4 * torch.randn(log_p.shape, generator=torch.Generator().manual_seed(0))
        (-log_p * somewhere.softmax(2)).sum().backward()
        gradients.append({name: p.grad.clone() for name, p in network.named_parameters()})
    for name, full in gradients[0].items():
        half = gradients[1][name]
        assert torch.isfinite(half).all(), name
        # Half precision alone is off by a fifth; of memory that nobody wrote to, all is wrong.
        if full.ndim == 5:
            assert (half - full).norm() < 0.4 * full.norm(), name


@pytest.mark.parametrize("head", ["distribution", "independent"])
@pytest.mark.parametrize("nowhere", [-300.0, 0.0, 5.0, 300.0])
def test_heatmaps_made_in_place_are_those_of_the_belief(head, nowhere):
    torch.manual_seed(0)
    logits = Logits(3 * torch.randn(1, 5, 7, 8, 9), torch.full((1, 5), nowhere))
    belief = belief_of(logits, head, 20.0)
    heatmaps, presences = heatmaps_and_presences(logits, head, 20.0)
    torch.testing.assert_close(heatmaps, belief.heatmap[0].clamp_min(0))
    torch.testing.assert_close(presences, torch.sigmoid(belief.presence_logit[0]))
    assert heatmaps.data_ptr() == logits.voxels.data_ptr()


@pytest.mark.parametrize("head", ["distribution", "independent"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_heatmap_that_is_not_finite_shows_in_its_presence(head, value):
    voxels = torch.zeros(1, 2, 4, 4)
    voxels[0, 1, 2, 2] = value
    _, presences = heatmaps_and_presences(Logits(voxels, torch.zeros(1, 2)), head, 1.0)
    assert torch.isfinite(presences).tolist() == [True, False]


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


@torch.no_grad()
def mirrored_apart(dimension, aligned, kind=LandmarkUNet):
    """How far heatmaps of a mirrored image are from mirrored heatmaps, at most, over their range, by
    a network whose kernels are all symmetric."""
    torch.manual_seed(0)
    network = kind(NetworkConfig(dimension, 3, (4, 6, 8), 6, 2, aligned=aligned)).eval()
    axes = range(2, 2 + dimension)
    for name, weight in network.named_parameters():
        if "joint.leave" in name or name.startswith("condition"):
            torch.nn.init.normal_(weight)
        for axis in axes if weight.ndim > 2 else ():
            weight.copy_((weight + weight.flip(axis)) / 2)
    image = torch.randn(2, 1, *(24, 32, 16)[:dimension])
    asked = (torch.tensor([0, 2]),) if kind is CropUNet else ()
    seen, apart = network(image, *asked).voxels, []
    for axis in axes:
        mirrored = network(image.flip(axis), *asked).voxels.flip(axis)
        apart.append(float((mirrored - seen).abs().max() / (seen.max() - seen.min())))
    return max(apart)


@pytest.mark.parametrize("kind", [LandmarkUNet, CropUNet])
@pytest.mark.parametrize("dimension", [2, 3])
def test_where_levels_are_aligned_a_mirrored_image_gives_mirrored_heatmaps(dimension, kind):
    assert mirrored_apart(dimension, True, kind) < 1e-4
    # Networks of before: half a voxel off a level.
    assert mirrored_apart(dimension, False, kind) > 0.05


@pytest.mark.parametrize(("dimension", "size"), CASES)
def test_a_network_whose_levels_are_aligned_takes_any_size_too(dimension, size):
    network = LandmarkUNet(NetworkConfig(dimension, 5, (4, 6, 8), 6, 2, aligned=True)).eval()
    voxels = network(torch.randn(1, 1, *size)).voxels
    assert voxels.shape == (1, 5, *size)
    assert torch.isfinite(voxels).all()


def test_gradients_reach_every_weight():
    network = network_for(3).train()
    torch.nn.init.normal_(network.joint.leave.weight)
    log_p = log_probabilities(network(torch.randn(1, 1, 16, 16, 16)))
    (log_p.voxels.square().mean() + log_p.nowhere.square().mean()).backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []
