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

import torch
from torch import nn
from torch.nn import functional

from .description import COARSE, DISTRIBUTION, NetworkConfig, Stage
from .layers.at_rest import convolved, is_at_rest
from .layers.blocks import CONV, Joint, Residual, Up
from .logits import Logits, log_probabilities


class LandmarkUNet(nn.Module):
    """Image (B, 1, *size) to Logits; any size, padded inside to what the levels need."""

    def __init__(self, config: NetworkConfig):
        super().__init__()
        self.config = config
        widths = config.features
        self.stem = Residual(config.dimension, 1, widths[0])
        self.down = nn.ModuleList(
            Residual(config.dimension, a, b, 2, config.aligned) for a, b in zip(widths, widths[1:])
        )
        self.up = nn.ModuleList(
            Up(config.dimension, b, a) for a, b in zip(widths[-2::-1], widths[:0:-1])
        )
        conv = CONV[config.dimension]
        self.local = conv(widths[0], config.landmarks, 1)
        self.nowhere = nn.Linear(2 * widths[-1], config.landmarks)
        self.joint = Joint(config) if config.joint_features else None

    def forward(self, image: torch.Tensor) -> Logits:
        decoded, pooled = self._decoded(image)
        nowhere = self.nowhere(pooled)
        # Half precision would move the peaks by a tenth of a voxel: the last step is done in full.
        with torch.autocast(image.device.type, enabled=False):
            last = decoded[0].float()
            voxels = convolved(self.local, last) if is_at_rest(last) else self.local(last)
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
        x = features.pop() if condition is None else condition(features.pop())
        flat = x.flatten(2)
        pooled = torch.cat([flat.mean(2), flat.amax(2)], dim=1)
        decoded = {len(self.down): x}
        for step, up in enumerate(self.up):
            level = len(self.down) - 1 - step
            x = decoded[level] = up(x, features.pop())
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
            weight, bias = self.local.weight[which].flatten(2).mT, self.local.bias[which]
            voxels = torch.matmul(weight, decoded[0].float().flatten(2)) + bias[:, None, None]
            voxels = voxels.view(len(which), 1, *decoded[0].shape[2:])
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


def _padded(image: torch.Tensor, multiple: int) -> torch.Tensor:
    """Edges continued at the far ends, to sizes that are multiples and leave two coarsest voxels.

    Instance norm needs more than one value in every channel.
    """
    pads = []
    for length in reversed(image.shape[2:]):
        wanted = max(2, -(-length // multiple)) * multiple
        pads += [0, wanted - length]
    return functional.pad(image, pads, mode="replicate") if any(pads) else image
