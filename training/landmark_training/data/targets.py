"""The Gaussians that are asked for: of a fixed covariance, or of one that is learned.

A learned covariance follows the network's own certainty: its Gaussians shrink as far as the data
allow. It pays for growing, or the easiest targets would be the widest. Where every landmark has its own
(Thaler et al., MELBA 2021), all keep the same mass, so wide ones are low: equal heights and equal
spreads exclude each other there. One shared by all has both by construction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from landmark_heatmap.model.heatmap import encode, encode_with_covariance, gaussian_mass


@dataclass(frozen=True)
class Wanted:
    """What a batch asks for.

    target: (B, L, *size), Gaussians of height one; all zero where a landmark is absent or unknown.
    energy: the sum of the squares of a whole Gaussian. present, absent: (B, L) bool; a channel in
    neither was not judged. weight: (B, L), what a channel counts. done: the share of the run that
    is over, 0 to 1.
    """

    target: torch.Tensor
    energy: torch.Tensor
    present: torch.Tensor
    absent: torch.Tensor
    weight: torch.Tensor
    done: float = 1.0


class TargetShape(nn.Module):
    """Draws targets. kind: 'fixed', 'shared' or 'per_landmark'. sigma_mm: what it starts from.

    spacing_mm: along the array's axes. `height` of Gaussians is one on (geometric) average.
    """

    def __init__(self, kind: str, landmarks: int, sigma_mm: float, spacing_mm):
        super().__init__()
        self.initial_mm, self.spacing_mm = float(sigma_mm), tuple(map(float, spacing_mm))
        self.learned = kind != "fixed"
        if self.learned:
            dimension, count = len(self.spacing_mm), landmarks if kind == "per_landmark" else 1
            # A Cholesky factor: any values give a covariance that is positive definite.
            start = torch.full((count, dimension), math.log(self.initial_mm))
            self.log_diagonal = nn.Parameter(start)
            self.below = nn.Parameter(torch.zeros(count, dimension, dimension))

    def covariance(self) -> torch.Tensor:
        """(1 or L, D, D) mm squared, of a learned shape."""
        factor = torch.diag_embed(self.log_diagonal.exp()) + self.below.tril(-1)
        return factor @ factor.transpose(1, 2)

    @property
    def sigma_mm(self) -> float:
        """The geometric mean of all sigmas."""
        if not self.learned:
            return self.initial_mm
        return float(self.log_diagonal.detach().mean().exp())

    @property
    def mass(self) -> float:
        """The sum over the voxels of a whole Gaussian of height one and this sigma."""
        return gaussian_mass(self.sigma_mm, self.spacing_mm)

    def draw(self, voxels: torch.Tensor, size) -> torch.Tensor:
        """Targets (B, L, *size) at positions (B, L, D) in voxels; NaN gives an empty one."""
        if not self.learned:
            return encode(voxels, size, self.spacing_mm, self.initial_mm)
        target = encode_with_covariance(voxels, size, self.spacing_mm, self.covariance())
        return target * self._heights().reshape(1, -1, *(1,) * len(size))

    def energy(self) -> torch.Tensor:
        """(1,) or (L,): the sum of squares of a whole target; no gradient runs through it."""
        mass = self.mass / 2 ** (len(self.spacing_mm) / 2)
        return mass * self._heights().detach() if self.learned else torch.tensor([mass])

    def inflation(self) -> torch.Tensor:
        """log(sigma / initial sigma): what growing costs."""
        return self.log_diagonal.mean() - math.log(self.initial_mm)

    def _heights(self) -> torch.Tensor:
        """The height of each landmark's Gaussian at which all have the same mass."""
        own = self.log_diagonal.sum(1)
        return torch.exp(own.mean() - own)
