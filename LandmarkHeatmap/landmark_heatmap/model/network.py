"""The network: one residual U-Net for 2D and 3D, with a part that sees all landmarks jointly.

Each landmark's answer is ONE probability distribution, over all voxels and one further outcome,
'nowhere in this image'. From it follow, with no second head that could disagree: the position (its
peak), presence (one minus nowhere) and the heatmap (the distribution scaled by the constant mass of
the target Gaussian, so that a perfect channel has height one, every channel alike).

The independent head, whose channels are heatmaps as they come and whose presence is a logit of its
own, is what others start from: it is here to be measured against.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from .description import COARSE, DISTRIBUTION, NetworkConfig, Stage

_CONV = {2: nn.Conv2d, 3: nn.Conv3d}
_NORM = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
_LINEAR = {2: "bilinear", 3: "trilinear"}


class Logits(NamedTuple):
    """Unnormalised log-probabilities. voxels: (B, L, *size). nowhere: (B, L)."""

    voxels: torch.Tensor
    nowhere: torch.Tensor


class Belief(NamedTuple):
    """What the network's answer means, whichever head gave it.

    heatmap: (B, L, *size), height one where perfect. presence_logit: (B, L), the log-odds that the
    landmark is in the image. log_p: normalised Logits, None for the independent head.
    """

    heatmap: torch.Tensor
    presence_logit: torch.Tensor
    log_p: Logits


class LandmarkUNet(nn.Module):
    """Image (B, 1, *size) to Logits; any size, padded inside to what the levels need."""

    def __init__(self, config: NetworkConfig):
        super().__init__()
        self.config = config
        widths = config.features
        self.stem = _Residual(config.dimension, 1, widths[0])
        self.down = nn.ModuleList(
            _Residual(config.dimension, a, b, 2, config.aligned) for a, b in zip(widths, widths[1:])
        )
        self.up = nn.ModuleList(
            _Up(config.dimension, b, a) for a, b in zip(widths[-2::-1], widths[:0:-1])
        )
        conv = _CONV[config.dimension]
        self.local = conv(widths[0], config.landmarks, 1)
        self.nowhere = nn.Linear(2 * widths[-1], config.landmarks)
        self.joint = _Joint(config) if config.joint_features else None

    def forward(self, image: torch.Tensor) -> Logits:
        decoded, pooled = self._decoded(image)
        nowhere = self.nowhere(pooled)
        # Half precision would move the peaks by a tenth of a voxel: the last step is done in full.
        with torch.autocast(image.device.type, enabled=False):
            voxels = self.local(decoded[0].float())
        if self.joint is not None:
            voxels = self.joint(voxels, decoded[self.config.joint_level])
        return Logits(_cut(voxels, image), nowhere.float())

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """(B, C, *size): what the last layer finds the landmarks in."""
        return _cut(self._decoded(image)[0][0], image)

    def _decoded(self, image: torch.Tensor, condition=None) -> tuple:
        """(decoder features by level, 0 at full resolution; pooled features of the lowest level).

        condition: changes the features of the lowest level.
        """
        features = [self.stem(_padded(image, 2 ** len(self.down)))]
        for level in self.down:
            features.append(level(features[-1]))
        x = features[-1] if condition is None else condition(features[-1])
        flat = x.flatten(2)
        pooled = torch.cat([flat.mean(2), flat.amax(2)], dim=1)
        decoded = {len(self.down): x}
        for step, up in enumerate(self.up):
            level = len(self.down) - 1 - step
            x = decoded[level] = up(x, features[level])
        return decoded, pooled


class CropUNet(LandmarkUNet):
    """A crop (B, 1, *size), and which landmark is looked for in it (B,), to Logits of one channel.

    One network for all landmarks, so that its memory does not grow with their number: which one is
    asked for scales and shifts the lowest features, and picks the weights of the last layer.
    'Nowhere' means: not in this crop.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__(replace(config, joint_features=0))
        self.condition = nn.Embedding(config.landmarks, 2 * config.features[-1])
        nn.init.zeros_(self.condition.weight)

    def forward(self, image: torch.Tensor, which: torch.Tensor) -> Logits:
        ones = (1,) * (image.ndim - 2)
        scale, shift = self.condition(which).reshape(len(which), -1, *ones).chunk(2, dim=1)
        decoded, pooled = self._decoded(image, lambda x: x * (1 + scale) + shift)
        with torch.autocast(image.device.type, enabled=False):
            weight = self.local.weight[which].reshape(len(which), -1, *ones)
            voxels = (decoded[0].float() * weight).sum(1, keepdim=True)
            voxels = voxels + self.local.bias[which].reshape(-1, 1, *ones)
            nowhere = (pooled.float() * self.nowhere.weight[which]).sum(1)
            nowhere = nowhere + self.nowhere.bias[which]
        return Logits(_cut(voxels, image), nowhere[:, None])


class Ensemble(nn.Module):
    """Several networks of one kind, taken for one: the mean of their distributions.

    What they agree on keeps its height. Where they disagree, the mean is lower and wider, or has a
    peak for each opinion: the heatmap shows a doubt that a single network would not.
    """

    def __init__(self, members):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, *inputs) -> Logits:
        """What one network would answer whose distributions are the means."""
        if self.members[0].config.head != DISTRIBUTION:
            answers = [member(*inputs) for member in self.members]
            voxels = sum(each.voxels for each in answers) / len(answers)
            presence = sum(torch.sigmoid(-each.nowhere) for each in answers) / len(answers)
            return Logits(voxels, -torch.logit(presence, 1e-6))
        total = None
        for member in self.members:
            log_p = log_probabilities(member(*inputs))
            total = log_p if total is None else Logits(*map(torch.logaddexp, total, log_p))
        return total


def network_for(stage: Stage, members: int = 1) -> nn.Module:
    """A new network of the kind that the stage needs, or an ensemble of so many."""
    kind = LandmarkUNet if stage.role == COARSE else CropUNet
    if members == 1:
        return kind(stage.network)
    return Ensemble([kind(stage.network) for _ in range(members)])


def _cut(voxels: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Without what was padded."""
    return voxels[(..., *(slice(n) for n in image.shape[2:]))]


class _Residual(nn.Module):
    """Two convolutions with instance norm, and a way past them.

    aligned: one that halves is 4 wide, so that a coarse voxel lies in the middle of the two that it
    stands for, as the way past, the interpolation back and the joint part take it. 3 wide, it lies on
    the first of them: half a voxel off at every level.
    """

    def __init__(self, dimension: int, inputs: int, outputs: int, stride=1, aligned=False):
        super().__init__()
        conv, norm = _CONV[dimension], _NORM[dimension]
        width = 4 if aligned and stride == 2 else 3
        self.first = conv(inputs, outputs, width, stride=stride, padding=1, bias=False)
        self.first_norm = norm(outputs, affine=True)
        self.second = conv(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = norm(outputs, affine=True)
        same = inputs == outputs and stride == 1
        self.past = nn.Identity() if same else conv(inputs, outputs, stride, stride=stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.leaky_relu_(self.first_norm(_convolved(self.first, x)), 0.01)
        y = self.second_norm(_convolved(self.second, y))
        return functional.leaky_relu_(y + self.past(x), 0.01)


class _Up(nn.Module):
    """To twice the resolution: fewer channels, linear interpolation, the encoder's added."""

    def __init__(self, dimension: int, inputs: int, outputs: int):
        super().__init__()
        self.mode = _LINEAR[dimension]
        self.reduce = _CONV[dimension](inputs, outputs, 1)
        self.refine = _Residual(dimension, outputs, outputs)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        x = functional.interpolate(
            self.reduce(x), size=skip.shape[2:], mode=self.mode, align_corners=False
        )
        return self.refine(x + skip)


class _Joint(nn.Module):
    """Where each landmark can be, given where all the others seem to be.

    The idea of the spatial configuration network (Payer et al., Medical Image Analysis 54, 2019):
    a wide view at low resolution that sees every channel. There its heatmaps multiply the local
    ones; here, among logarithms, they add. It starts at zero, so training begins with the local
    answer alone.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        conv, norm = _CONV[config.dimension], _NORM[config.dimension]
        width = config.joint_features
        self.mode = _LINEAR[config.dimension]
        self.enter = conv(config.landmarks + config.features[config.joint_level], width, 1)
        self.wide = nn.ModuleList(
            nn.Sequential(conv(width, width, 5, padding=2, bias=False), norm(width, affine=True))
            for _ in range(3)
        )
        self.leave = conv(width, config.landmarks, 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, voxels: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """The local logarithms and what the others say of each; in place where nothing learns."""
        x = torch.cat([self._shares(voxels, features).to(features.dtype), features], dim=1)
        x = self.enter(x)
        for convolution, norm in self.wide:
            x = x + functional.leaky_relu(norm(_learned(convolution, x)), 0.01)
        leave = self.leave(x).float()
        if torch.is_grad_enabled():
            return voxels + self._enlarged(leave, voxels)
        for landmark in range(voxels.shape[1]):
            part = slice(landmark, landmark + 1)
            voxels[:, part] += self._enlarged(leave[:, part], voxels)
        return voxels

    def _shares(self, voxels: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """The share of all of a landmark's probability that falls into each coarse cell."""
        size = features.shape[2:]
        # The landmarks one by one, where nothing learns: all at once would be a copy of them all.
        parts = [voxels] if torch.is_grad_enabled() else voxels.split(1, dim=1)
        cells = voxels[0, 0].numel() / features[0, 0].numel()
        shares = [
            _adaptive_mean(functional.softmax(part.float().flatten(2), 2).view_as(part), size)
            for part in parts
        ]
        return torch.cat(shares, dim=1) * cells

    def _enlarged(self, small: torch.Tensor, voxels: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(
            small, size=voxels.shape[2:], mode=self.mode, align_corners=False
        )


def _learned(layer, x: torch.Tensor) -> torch.Tensor:
    """layer(x), in full precision where it learns from an image that is thinner than its kernel.

    There, the gradient by the weights of a 3D convolution in bfloat16 is memory that nobody wrote
    to, NaN or any number: torch 2.13 on processors with AVX512-bf16 and without AMX.
    """
    thin = any(length < width for length, width in zip(x.shape[2:], layer.kernel_size))
    if not thin or not torch.is_grad_enabled():
        return layer(x)
    with torch.autocast(x.device.type, enabled=False):
        return layer(x.float())


def _convolved(layer, x: torch.Tensor) -> torch.Tensor:
    """layer(x), by oneDNN where torch would take a loop of its own that is many times slower.

    It does so, on the processor, for one small volume in float32: the lower levels of a U-Net.
    """
    by_hand = x.ndim == 5 and len(x) == 1 and x.dtype == torch.float32 and x.device.type == "cpu"
    if (
        not by_hand
        or _is_autocast_on()
        or torch.is_grad_enabled()
        or not torch.backends.mkldnn.is_available()
    ):
        return _learned(layer, x)
    return torch.mkldnn_convolution(
        x, layer.weight, layer.bias, layer.padding, layer.stride, layer.dilation, layer.groups
    )


def _is_autocast_on() -> bool:
    """On the processor."""
    try:
        return torch.is_autocast_enabled("cpu")
    except TypeError:  # torch before 2.4
        return torch.is_autocast_cpu_enabled()


def _adaptive_mean(x: torch.Tensor, size) -> torch.Tensor:
    pool = functional.adaptive_avg_pool2d if len(size) == 2 else functional.adaptive_avg_pool3d
    return pool(x, size)


def _padded(image: torch.Tensor, multiple: int) -> torch.Tensor:
    """Edges continued at the far ends, to sizes that are multiples and leave two coarsest voxels.

    Instance norm needs more than one value in every channel.
    """
    pads = []
    for length in reversed(image.shape[2:]):
        wanted = max(2, -(-length // multiple)) * multiple
        pads += [0, wanted - length]
    return functional.pad(image, pads, mode="replicate") if any(pads) else image


def belief_of(logits: Logits, head: str, mass: float) -> Belief:
    """mass: the sum over the voxels of a target Gaussian of height one."""
    if head != DISTRIBUTION:
        return Belief(logits.voxels, -logits.nowhere, None)
    log_p = log_probabilities(logits)
    somewhere = torch.logsumexp(log_p.voxels.flatten(2), dim=2)
    return Belief(mass * torch.exp(log_p.voxels), somewhere - log_p.nowhere, log_p)


@torch.no_grad()
def heatmaps_and_presences(logits: Logits, head: str, mass: float) -> tuple:
    """`belief_of`, of one image, as (heatmaps (L, *size), presences (L,)): calculated in place.

    Nothing of the size of the logits is allocated; they are lost. A heatmap that is not finite
    has a presence that is not either.
    """
    voxels, nowhere = logits.voxels[0], logits.nowhere[0]
    if head != DISTRIBUTION:
        # The independent head may go below zero, which no heatmap means.
        total = voxels.clamp_min_(0).flatten(1).sum(1)
        return voxels, torch.sigmoid(-nowhere) + 0 * total
    presences = torch.empty_like(nowhere)
    for landmark, (each, absent) in enumerate(zip(voxels, nowhere)):
        highest = torch.maximum(each.max(), absent)
        there = each.sub_(highest).exp_().sum()
        total = there + torch.exp(absent - highest)
        each.mul_(mass / total)
        presences[landmark] = there / total
    return voxels, presences


def log_probabilities(logits: Logits) -> Logits:
    """Normalised jointly over all voxels and nowhere: the exponentials of a channel sum to one."""
    flat = logits.voxels.flatten(2)
    total = torch.logsumexp(torch.cat([flat, logits.nowhere[..., None]], dim=2), dim=2)
    shape = total.shape + (1,) * (logits.voxels.ndim - 2)
    return Logits(logits.voxels - total.view(shape), logits.nowhere - total)
