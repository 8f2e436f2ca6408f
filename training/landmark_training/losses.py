"""What the network is asked for. Each loss takes the same four things and returns one number a channel.

log_p: Logits, normalised (landmark_heatmap.network.log_probabilities). target: (B, L, *size),
Gaussians of height one, all zero where there is no position. mass: the sum of a whole such Gaussian.
A loss returns (B, L); which channels count is decided by the caller's masks.
"""

from __future__ import annotations

import torch

from landmark_heatmap.network import Logits


def cross_entropy(log_p: Logits, target: torch.Tensor, mass: float) -> torch.Tensor:
    """Kullback-Leibler divergence of the predicted distribution from the normalised target.

    sum over voxels of q (log q - log p), with q = target / sum(target). Its gradient is strong
    however far away the peak is, so it finds the place at once.
    """
    share = target.flatten(2)
    share = share / share.sum(2, keepdim=True).clamp_min(1e-12)
    entropy = torch.xlogy(share, share).sum(2)
    return entropy - (share * log_p.voxels.flatten(2)).sum(2)


def energy_normalised_mse(log_p: Logits, target: torch.Tensor, mass: float) -> torch.Tensor:
    """|h - g|^2 / |g|^2 with the heatmap h = mass * p and the target g.

    One for an empty heatmap and zero for a perfect one, whatever the grid, spacing, sigma or
    channel: every channel is asked for the same height and shape with the same force.
    """
    heatmap = mass * torch.exp(log_p.voxels)
    energy = target.square().flatten(2).sum(2).clamp_min(1e-12)
    return (heatmap - target).square().flatten(2).sum(2) / energy


def absence(log_p: Logits) -> torch.Tensor:
    """The negative log-probability of 'nowhere': for landmarks that are not in the image."""
    return -log_p.nowhere


def total_loss(log_p, target, mass, present, absent, shape_weight: float) -> torch.Tensor:
    """The mean over all judged channels; channels in neither mask (B, L) are left out."""
    located = cross_entropy(log_p, target, mass)
    if shape_weight:
        located = located + shape_weight * energy_normalised_mse(log_p, target, mass)
    zero = torch.zeros_like(located)
    per_channel = torch.where(present, located, torch.where(absent, absence(log_p), zero))
    return per_channel.sum() / (present | absent).sum().clamp_min(1)
