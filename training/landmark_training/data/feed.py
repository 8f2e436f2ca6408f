"""What a run is fed with: cases as the network sees them, in augmented batches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from landmark_heatmap.annotation.landmarks import Annotation
from landmark_heatmap.images.geometry import Grid, Image

from .. import parallel
from ..planning.plan import Plan
from .augment import SpatialMap, draw_maps, generators, occlude, warp
from .contrasts import with_other_looks
from .targets import TargetShape, Wanted


@dataclass(frozen=True, eq=False)
class TrainingCase:
    """A case as the run uses it: the image as the network sees it, and what it teaches.

    image_id: of images.identity. known_as: all its ids, those of earlier versions, too.
    grid: of the image as it is in its file. is_size_stated: as of Image.
    centred_mm: (L, D), along the array axes from the grid's centre, NaN where nothing is placed.
    absent: (L,) bool. weight: (L,), what each point counts. window: the intensities that became -1
    and 1.
    """

    name: str
    image_path: Path
    image_id: str
    known_as: frozenset
    grid: Grid
    is_size_stated: bool
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


@dataclass(frozen=True)
class Share:
    """A process's share of a batch. generators: of all that is drawn for each of the cases. lead: the
    first case of the whole batch, whose size all of it gets."""

    cases: list
    generators: list
    lead: TrainingCase


class Feed:
    """Endless augmented batches of the cases; each comes once before any comes again."""

    def __init__(self, cases, plan: Plan, permutation, generator: torch.Generator):
        self.cases, self.plan, self.generator = cases, plan, generator
        self.permutation = torch.as_tensor(permutation)
        self.size = tuple(np.max([case.pixels.shape for case in cases], axis=0).tolist())
        # Numbers of the cases that come next; names of those of the latest batch, of all processes.
        self.queue, self.names = [], ()

    def state_dict(self) -> dict:
        """What it takes to go on with the same batches."""
        return {"generator": self.generator.get_state(), "queue": list(self.queue)}

    def load_state_dict(self, state: dict) -> None:
        """Raises ValueError or RuntimeError for a state that is none of these cases'."""
        if any(number >= len(self.cases) for number in state["queue"]):
            raise ValueError(f"there are only {len(self.cases)} cases to draw from")
        self.generator.set_state(state["generator"].cpu())
        self.queue = list(state["queue"])

    def next_share(self) -> Share:
        """What this process does of the next batch."""
        wanted = self.plan.config.batch_size
        while len(self.queue) < wanted:
            self.queue += torch.randperm(len(self.cases), generator=self.generator).tolist()
        batch, self.queue = self.queue[:wanted], self.queue[wanted:]
        self.names = tuple(self.cases[number].name for number in batch)
        # Every process draws for all, or their generators would part.
        drawn = list(zip(batch, generators(wanted, self.generator)))
        mine = parallel.team().share(drawn)
        cases = [self.cases[number] for number, _ in mine]
        return Share(cases, [own for _, own in mine], self.cases[batch[0]])

    def augmented(self, share: Share, shape: TargetShape, done: float = 1.0) -> tuple:
        """(images (B, 1, *size), Wanted).

        A point that the map carries out of the picture is absent from it; that teaches absence.
        """
        config, device = self.plan.config, self.plan.device
        spacing = self.plan.stage.spacing_mm[::-1]
        # As large as any one of them, in turn, so that each is seen as it will be in detection, and
        # not only with the margin that a larger one leaves around it; what is cut off is absent.
        size = tuple(share.lead.pixels.shape)
        extent = [n * s for n, s in zip(size, spacing)]
        maps = SpatialMap.joined(
            [draw_maps(1, extent, config, self.plan.flip, each) for each in share.generators]
        )
        images = warp([case.pixels for case in share.cases], spacing, maps, size, device)
        for image, each in zip(images.split(1), share.generators):
            with_other_looks(image, spacing, config, each)
            occlude(image, config, each)
        points = maps.push(torch.stack([case.centred_mm for case in share.cases]))
        absent = torch.stack([case.absent for case in share.cases])
        weight = torch.stack([case.weight for case in share.cases])
        points, absent, weight = (
            self._mirrored(each, maps.flipped) for each in (points, absent, weight)
        )
        voxels = points / torch.tensor(spacing) + (torch.tensor(size) - 1) / 2
        inside = ((voxels > -0.5) & (voxels < torch.tensor(size) - 0.5)).all(-1)
        known = ~torch.isnan(points).any(-1)
        # An absent landmark is asked for nothing, not for what of its Gaussian reaches in.
        voxels = torch.where((known & inside)[..., None], voxels, torch.nan)
        energy = shape.energy().to(device)
        present, absent = (known & inside).to(device), (absent | (known & ~inside)).to(device)
        target = shape.draw(voxels.to(device), size)
        wanted = Wanted(target, energy, present, absent, weight.to(device), done)
        return images, wanted

    def _mirrored(self, values: torch.Tensor, flipped: torch.Tensor) -> torch.Tensor:
        """(B, L, ...) with left and right swapped where the image was flipped (B,)."""
        flipped = flipped.reshape(-1, *(1,) * (values.ndim - 1))
        return torch.where(flipped, values[:, self.permutation], values)
