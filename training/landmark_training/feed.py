"""What a run is fed with: cases as the network sees them, in augmented batches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from landmark_heatmap.geometry import Image
from landmark_heatmap.landmarks import Annotation

from .augment import draw_maps, jitter_intensities, occlude, warp
from .losses import Wanted
from .plan import Plan
from .targets import TargetShape


@dataclass(frozen=True, eq=False)
class TrainingCase:
    """A case as the run uses it: the image as the network sees it, and what it teaches.

    image_id: the beginning of the SHA-256 of the image file.
    centred_mm: (L, D), along the array axes from the grid's centre, NaN where nothing is placed.
    absent: (L,) bool. weight: (L,), what each point counts. window: the intensities that became -1
    and 1.
    """

    name: str
    image_path: Path
    image_id: str
    prepared: Image
    label: Annotation
    centred_mm: torch.Tensor
    absent: torch.Tensor
    weight: torch.Tensor
    window: tuple

    @property
    def pixels(self) -> torch.Tensor:
        """The image without its slice axis, if it is 2D."""
        tensor = torch.from_numpy(self.prepared.array)
        return tensor[0] if self.centred_mm.shape[1] == 2 else tensor


class Feed:
    """Endless augmented batches of the cases; each comes once before any comes again."""

    def __init__(self, cases, plan: Plan, permutation, generator: torch.Generator):
        self.cases, self.plan, self.generator = cases, plan, generator
        self.permutation = torch.as_tensor(permutation)
        self.size = tuple(np.max([case.pixels.shape for case in cases], axis=0).tolist())
        self.queue = []

    def next_batch(self) -> list:
        """The next TrainingCases."""
        wanted = self.plan.config.batch_size
        while len(self.queue) < wanted:
            order = torch.randperm(len(self.cases), generator=self.generator).tolist()
            self.queue += [self.cases[i] for i in order]
        batch, self.queue = self.queue[:wanted], self.queue[wanted:]
        return batch

    def augmented(self, batch, shape: TargetShape, done: float = 1.0) -> tuple:
        """(images (B, 1, *size), Wanted).

        A point that the map carries out of the picture is absent from it; that teaches absence.
        """
        spacing = self.plan.stage.spacing_mm[::-1]
        # As large as any one of them, in turn, so that each is seen as it will be in detection, and
        # not only with the margin that a larger one leaves around it; what is cut off is absent.
        size = tuple(batch[0].pixels.shape)
        extent = [n * s for n, s in zip(size, spacing)]
        maps = draw_maps(len(batch), extent, self.plan.config, self.plan.flip, self.generator)
        images = warp([case.pixels for case in batch], spacing, maps, size)
        images = jitter_intensities(images, self.plan.config, self.generator)
        images = occlude(images, self.plan.config, self.generator)
        points = maps.push(torch.stack([case.centred_mm for case in batch]))
        absent = torch.stack([case.absent for case in batch])
        weight = torch.stack([case.weight for case in batch])
        points, absent, weight = (
            self._mirrored(each, maps.flipped) for each in (points, absent, weight)
        )
        voxels = points / torch.tensor(spacing) + (torch.tensor(size) - 1) / 2
        inside = ((voxels > -0.5) & (voxels < torch.tensor(size) - 0.5)).all(-1)
        known = ~torch.isnan(points).any(-1)
        # An absent landmark is asked for nothing, not for what of its Gaussian reaches in.
        voxels = torch.where((known & inside)[..., None], voxels, torch.nan)
        device = self.plan.device
        energy = shape.energy().to(device)
        present, absent = (known & inside).to(device), (absent | (known & ~inside)).to(device)
        target = shape.draw(voxels.to(device), size)
        wanted = Wanted(target, energy, present, absent, weight.to(device), done)
        return images.to(device), wanted

    def _mirrored(self, values: torch.Tensor, flipped: torch.Tensor) -> torch.Tensor:
        """(B, L, ...) with left and right swapped where the image was flipped (B,)."""
        flipped = flipped.reshape(-1, *(1,) * (values.ndim - 1))
        return torch.where(flipped, values[:, self.permutation], values)
