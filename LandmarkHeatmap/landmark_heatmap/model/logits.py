"""What a network answers, and what that means."""

from __future__ import annotations

from typing import NamedTuple

import torch

from ..side_by_side import most_of, side_by_side
from .description import DISTRIBUTION
from .layers.at_rest import exponentials_


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

    def of_one(answer):
        each, absent = answer
        highest = each.max()
        there = exponentials_(each.sub_(highest)).sum().log() + highest
        total = torch.logaddexp(there, absent)
        each.mul_(mass * torch.exp(highest - total))
        return torch.exp(there - total)

    return voxels, torch.stack(side_by_side(of_one, zip(voxels, nowhere), most_of(voxels)))


def log_probabilities(logits: Logits) -> Logits:
    """Normalised jointly over all voxels and nowhere: the exponentials of a channel sum to one."""
    flat = logits.voxels.flatten(2)
    total = torch.logsumexp(torch.cat([flat, logits.nowhere[..., None]], dim=2), dim=2)
    shape = total.shape + (1,) * (logits.voxels.ndim - 2)
    return Logits(logits.voxels - total.view(shape), logits.nowhere - total)
