"""What the network is asked for. A new loss is one function, and one line in LOSSES.

A loss takes the network's Belief and what is Wanted, and returns one number a channel, (B, L), for
landmarks that are present and for absent ones alike; which channels were judged at all is decided
in `total_loss`. Heatmaps are called h, targets g, both of height one where perfect.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.model.logits import Belief

from ..data.targets import Wanted

# Adaptive wing, as published.
_OMEGA, _THETA, _EPSILON, _ALPHA, _EMPHASIS = 14.0, 0.5, 1.0, 2.1, 10.0
_FAR_MODE = 0.2
# The value of a Gaussian of height one at three sigma: what is below is far from the landmark.
_THREE_SIGMA = math.exp(-4.5)


def mse(belief: Belief, wanted: Wanted) -> torch.Tensor:
    """mean over voxels of (h - g)^2: the naive loss. Nearly all of it is background."""
    return (belief.heatmap - wanted.target).square().flatten(2).mean(2)


def energy_normalised_mse(belief: Belief, wanted: Wanted) -> torch.Tensor:
    """|h - g|^2 / |g|^2, with the energy |g|^2 of a whole target.

    One for an empty heatmap and zero for a perfect one, whatever the grid, spacing, sigma or
    channel: every channel is asked for the same height and shape with the same force.
    """
    return (belief.heatmap - wanted.target).square().flatten(2).sum(2) / wanted.energy


def cross_entropy(belief: Belief, wanted: Wanted) -> torch.Tensor:
    """KL(q || p) of the predicted distribution p from the wanted one, q = g / sum(g).

    For an absent landmark q is 'nowhere', and this is -log p(nowhere). The gradient is strong
    however far away the peak is, so it finds the place at once.
    """
    q = wanted.target.flatten(2)
    q = q / q.sum(2, keepdim=True).clamp_min(1e-12)
    # Clamped, since the gradient of q log q is infinite at zero, for targets that are learned.
    entropy = torch.xlogy(q, q.clamp_min(1e-12)).sum(2)
    located = entropy - (q * belief.log_p.voxels.flatten(2)).sum(2)
    return torch.where(wanted.absent, -belief.log_p.nowhere, located)


def adaptive_wing(belief: Belief, wanted: Wanted) -> torch.Tensor:
    """Adaptive wing loss, weighted tenfold around the landmark (Wang et al., ICCV 2019).

    omega log(1 + |(g - h) / epsilon|^(alpha - g)) where |g - h| < theta, linear beyond; the mean
    over voxels.
    """
    g, apart = wanted.target, (belief.heatmap - wanted.target).abs()
    power = _ALPHA - g
    ratio = (_THETA / _EPSILON) ** power
    slope = _OMEGA * power * ratio / (_THETA * (1 + ratio))
    offset = _THETA * slope - _OMEGA * torch.log1p(ratio)
    # The small constant keeps the gradient of the power finite at zero.
    near = _OMEGA * torch.log1p((apart / _EPSILON + 1e-8) ** power)
    loss = torch.where(apart < _THETA, near, slope * apart - offset)
    return (loss * torch.where(g >= 0.2, _EMPHASIS + 1, 1.0)).flatten(2).mean(2)


def presence(belief: Belief, wanted: Wanted) -> torch.Tensor:
    """Binary cross-entropy of 'the landmark is in this image'."""
    return functional.binary_cross_entropy_with_logits(
        belief.presence_logit, wanted.present.float(), reduction="none"
    )


def far_mode_hinge(belief: Belief, wanted: Wanted) -> torch.Tensor:
    """max(0, max h beyond three sigma of the landmark - 0.2): no second mode anywhere."""
    far = torch.where(wanted.target < _THREE_SIGMA, belief.heatmap, 0.0).flatten(2).amax(2)
    return functional.relu(far - _FAR_MODE)


def local_consistency(belief: Belief, wanted: Wanted) -> torch.Tensor:
    """(log r - mean log r)^2 + (log s - mean log s)^2, over the channels of an image.

    r is the height within three sigma, s the second moment there; log s is halved, being squared.
    It grows from nothing to its full weight in the second half of the run: before that, there is no
    peak whose height could be compared.
    """
    near = wanted.target > _THREE_SIGMA
    h = torch.where(near, belief.heatmap.clamp_min(1e-6), 0.0).flatten(2)
    square = -2 * torch.log(wanted.target.clamp_min(_THREE_SIGMA)).flatten(2)
    height = torch.log(h.amax(2).clamp_min(1e-6))
    spread = 0.5 * torch.log(((h * square).sum(2) / h.sum(2).clamp_min(1e-6)).clamp_min(1e-6))
    present = wanted.present.float()
    count = present.sum(1, keepdim=True).clamp_min(1)
    apart = [x - (x * present).sum(1, keepdim=True) / count for x in (height, spread)]
    late = max(0.0, 2 * wanted.done - 1)
    return late * present * (apart[0].square() + apart[1].square())


LOSSES = {
    loss.__name__: loss
    for loss in (
        mse,
        energy_normalised_mse,
        cross_entropy,
        adaptive_wing,
        presence,
        far_mode_hinge,
        local_consistency,
    )
}


def total_loss(belief: Belief, wanted: Wanted, losses: dict) -> torch.Tensor:
    """The weighted mean over all judged channels. losses: name in LOSSES to its factor."""
    judged = wanted.present | wanted.absent
    per_channel = sum(factor * LOSSES[name](belief, wanted) for name, factor in losses.items())
    # `where`, not a product: what an unjudged channel gives may be infinite.
    weighted = torch.where(judged, wanted.weight * per_channel, torch.zeros_like(per_channel))
    return weighted.sum() / judged_weight(wanted).clamp_min(1e-6)


def judged_weight(wanted: Wanted) -> torch.Tensor:
    """What `total_loss` divides by: the sum of the weights of all judged channels."""
    return (wanted.weight * (wanted.present | wanted.absent)).sum()


def check_losses(losses: dict, head: str) -> None:
    """Raises DatasetError for losses that are not known, or not for this head."""
    unknown = sorted(set(losses) - set(LOSSES))
    if unknown or not losses:
        raise DatasetError(
            f"losses is {losses}; it has to give weights to any of {', '.join(LOSSES)}."
        )
    for name, factor in losses.items():
        if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not factor > 0:
            raise DatasetError(f"The weight of the loss {name} is {factor!r}, not above zero.")
    if head != "distribution" and "cross_entropy" in losses:
        raise DatasetError("The loss cross_entropy needs the head 'distribution'.")
