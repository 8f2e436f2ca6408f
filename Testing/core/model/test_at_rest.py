"""Where nothing learns, the layers of a network calculate in place what torch's own layers would."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("hypothesis")

from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from landmark_heatmap.model.description import NetworkConfig
from landmark_heatmap.model.layers import at_rest
from landmark_heatmap.model.layers.blocks import Joint, Residual, Up
from landmark_heatmap.model.logits import Logits, belief_of, heatmaps_and_presences
from landmark_heatmap.model.network import CropUNet, Ensemble, LandmarkUNet

SIZES = st.one_of(st.tuples(*[st.integers(2, 19)] * 2), st.tuples(*[st.integers(2, 11)] * 3))
CHANNELS, BATCHES, SEEDS = st.integers(1, 20), st.integers(1, 3), st.integers(0, 2**16)
NORM = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
CONV = {2: nn.Conv2d, 3: nn.Conv3d}
LINEAR = {2: "bilinear", 3: "trilinear"}

quickly = settings(max_examples=40, deadline=None)


# Of logits of this size, float32 leaves so much of a probability open.
ROUNDED = 1e-6


def some(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def close(found, wanted, at_most=1e-4):
    torch.testing.assert_close(found, wanted, rtol=at_most, atol=at_most)


def norm_of(seed, channels, dimension):
    norm = NORM[dimension](channels, affine=True)
    norm.weight.data, norm.bias.data = some(seed, channels), some(seed + 1, channels)
    return norm


@quickly
@given(SIZES, CHANNELS, BATCHES, SEEDS, st.sampled_from([1.0, 0.01]), st.sampled_from([1, 2**20]))
def test_a_norm_is_torchs_own(size, channels, batch, seed, slope, cached):
    x = 3 * some(seed, batch, channels, *size) + 20 * some(seed, 1, channels, *[1] * len(size))
    norm = norm_of(seed, channels, len(size))
    with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
        # Few channels at a time, and all of them.
        patch.setattr(at_rest, "_CACHED", cached)
        wanted = functional.leaky_relu(norm.double()(x.double()), slope).float()
        close(at_rest.normed_(norm.float(), x, slope), wanted, 2e-4)


def test_a_norm_of_what_is_all_alike_stays_finite():
    x = torch.full((1, 2, 5, 6, 7), 1e3)
    with torch.no_grad():
        close(at_rest.normed_(NORM[3](2, affine=True), x), torch.zeros_like(x))


@quickly
@given(SIZES, CHANNELS, BATCHES, SEEDS, st.data())
def test_what_is_enlarged_is_interpolated_as_torch_does(size, channels, batch, seed, data):
    small = tuple(data.draw(st.integers(1, length)) for length in size)
    x, low = some(seed, batch, channels, *size), some(seed + 1, batch, channels, *small)
    wanted = x + functional.interpolate(low, size=size, mode=LINEAR[len(size)], align_corners=False)
    place = x.data_ptr()
    found = at_rest.enlarged_(x, low)
    close(found, wanted)
    assert found.data_ptr() == place


@quickly
@given(SIZES, CHANNELS, CHANNELS, BATCHES, SEEDS, st.sampled_from([(1, 1), (2, 2), (3, 1), (3, 2)]))
def test_a_convolution_is_torchs_own(size, inputs, outputs, batch, seed, kind):
    width, stride = kind
    torch.manual_seed(seed)
    layer = CONV[len(size)](inputs, outputs, width, stride=stride, padding=width // 3)
    x = some(seed, batch, inputs, *size)
    with torch.no_grad():
        wanted = layer(x)
        close(at_rest.convolved(layer, x), wanted)
        onto = some(seed + 1, *wanted.shape)
        close(at_rest.added_(onto.clone(), layer, x), onto + wanted)


@quickly
@given(
    st.sampled_from([(8, 12), (4, 8, 12)]), st.integers(1, 4), SEEDS, st.sampled_from([1, 40, 900])
)
def test_shares_are_those_of_all_probabilities_however_far_apart(size, landmarks, seed, scale):
    logs, cells = scale * some(seed, 2, landmarks, *size), tuple(n // 4 for n in size)
    whole = functional.softmax(logs.double().flatten(2), 2).view_as(logs)
    wanted = at_rest.adaptive_mean(whole, cells) * 4 ** len(size)
    close(at_rest.shares_in_cells(logs, cells), wanted.float(), max(1e-5, ROUNDED * scale))


@quickly
@given(SIZES, st.integers(1, 5), SEEDS, st.booleans(), st.booleans())
def test_a_network_answers_the_same_at_rest(size, landmarks, seed, aligned, is_crop):
    torch.manual_seed(seed)
    config = NetworkConfig(len(size), landmarks, (3, 6, 8), 6, 2, aligned=aligned)
    network = (CropUNet if is_crop else LandmarkUNet)(config).eval()
    for name, weight in network.named_parameters():
        if "joint.leave" in name or "condition" in name or "norm" in name:
            nn.init.normal_(weight)
    inputs = [some(seed, 1, 1, *size)] + [torch.tensor([landmarks - 1])] * is_crop
    before = inputs[0].clone()
    learning = network(*inputs)
    with torch.inference_mode():
        resting, twice = network(*inputs), network(*inputs)
    for found, again, wanted in zip(resting, twice, learning):
        close(found, wanted.detach(), 1e-3)
        assert torch.equal(found, again)
    assert torch.equal(inputs[0], before)


def test_networks_that_are_averaged_answer_the_same_at_rest():
    torch.manual_seed(0)
    members = [LandmarkUNet(NetworkConfig(2, 3, (4, 6, 8), 6, 2)).eval() for _ in range(2)]
    network, image = Ensemble(members), some(0, 1, 1, 21, 34)
    learning = network(image)
    with torch.inference_mode():
        close(network(image).voxels, learning.voxels.detach())


def test_where_something_learns_nothing_is_overwritten():
    x, skip = some(0, 1, 4, 3, 4, 5), some(1, 1, 3, 6, 8, 10)
    before = skip.clone()
    Up(3, 4, 3)(x, skip)
    assert torch.equal(skip, before)
    voxels = some(2, 1, 5, 8, 8, 8)
    before = voxels.clone()
    Joint(NetworkConfig(3, 5, (4, 6), 6, 1))(voxels, some(3, 1, 6, 4, 4, 4))
    assert torch.equal(voxels, before)


def test_the_joint_part_makes_no_copy_of_all_landmarks_on_a_gpu_either(monkeypatch):
    joint, voxels = Joint(NetworkConfig(3, 5, (4, 6), 6, 1)), some(2, 1, 5, 8, 8, 8)
    nn.init.normal_(joint.leave.weight)
    features = some(3, 1, 6, 4, 4, 4)
    learning = joint(voxels, features).detach()
    # What is not at rest takes the way of a GPU.
    monkeypatch.setattr(at_rest, "is_at_rest", lambda x: False)
    with torch.no_grad():
        found = joint(voxels, features)
    close(found, learning)
    assert found.data_ptr() == voxels.data_ptr()


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_what_is_not_of_float32_is_left_to_torch(kind):
    block, x = Residual(3, 2, 3).to(kind), some(0, 1, 2, 4, 5, 6).to(kind)
    with torch.no_grad():
        assert not at_rest.is_at_rest(x)
        assert block(x).dtype == kind


def test_an_automatic_precision_is_left_to_torch():
    x = some(0, 1, 2, 4, 5, 6)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert not at_rest.is_at_rest(x)
    with torch.no_grad():
        assert at_rest.is_at_rest(x)
    assert not at_rest.is_at_rest(x)


@quickly
@given(
    SIZES,
    SEEDS,
    st.sampled_from([1, 50, 2000]),
    st.sampled_from([-2000.0, -40.0, 0.0, 60.0, 2000.0]),
)
def test_heatmaps_are_those_of_the_belief_however_far_apart_logits_are(size, seed, scale, nowhere):
    voxels = scale * some(seed, 1, 2, *size)
    logits = Logits(voxels, torch.full((1, 2), nowhere))
    exact = belief_of(Logits(voxels.double(), logits.nowhere.double()), "distribution", 20.0)
    heatmaps, presences = heatmaps_and_presences(logits, "distribution", 20.0)
    close(heatmaps, exact.heatmap[0].float(), max(1e-4, ROUNDED * scale))
    close(presences, torch.sigmoid(exact.presence_logit[0]).float(), max(1e-4, ROUNDED * scale))
