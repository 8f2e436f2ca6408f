"""The fine stage's part in a run: crops around landmarks, one landmark at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from landmark_heatmap.description import Stage
from landmark_heatmap.geometry import Image, canonical_grid, spaced_grid
from landmark_heatmap.locate import choose
from landmark_heatmap.prepare import scaled
from landmark_heatmap.refine import Refiner, Source
from landmark_heatmap.resample import resample

from .augment import centred_positions, draw_maps, jitter_intensities, rotations, warp_at
from .coarse import CoarseTask, found_in, metrics_of
from .feed import Feed, TrainingCase
from .losses import Wanted
from .targets import TargetShape

# The share of crops that are not around their landmark, to learn what 'nowhere' looks like.
_ELSEWHERE = 0.1
# How far the pose may be off, about each axis, where crops are turned with the anatomy.
_POSE_ERROR_DEGREES = 10.0
# How far crops are off their landmark, in coarse voxels, where no case was held out to tell.
_USUAL_ERROR_VOXELS = 1.0


@dataclass(frozen=True, eq=False)
class FineCase:
    """pixels: the whole image at the fine spacing, -1 to 1, float16, without the slice axis in 2D.

    centred_mm: (L, D), along the array axes from this grid's centre, NaN where nothing is placed.
    """

    pixels: torch.Tensor
    centred_mm: torch.Tensor
    absent: torch.Tensor
    weight: torch.Tensor


def fine_case(case: TrainingCase, image: Image, stage: Stage, names) -> FineCase:
    """From the image as it was read. Bounded: half precision, one such image a case."""
    canonical = canonical_grid(image.grid)
    grid = spaced_grid(canonical, (*stage.spacing_mm, canonical.spacing_mm[2])[:3])
    array = scaled(resample(image, grid).array, case.window).astype(np.float16)
    d = stage.network.dimension
    pixels = torch.from_numpy(array[0] if d == 2 else array)
    ijk = grid.to_ijk(case.label.positions_lps(names))
    centred = (ijk - (np.array(grid.size_ijk) - 1) / 2) * grid.spacing_mm
    positions = torch.from_numpy(centred[:, :d][:, ::-1].copy()).float()
    return FineCase(pixels, positions, case.absent, case.weight)


class FineTask:
    """See Run. Goes on from what the coarse stage reached.

    cases: FineCases. images: the Image of each held-out case. coarse: the CoarseTask that is done,
    coarse_network and coarse_stage: what came of it.
    """

    def __init__(self, coarse: CoarseTask, coarse_network, coarse_stage, network, cases, images):
        self.plan, self.stage, self.network = coarse.plan, coarse.plan.fine, network
        self.coarse_network, self.coarse_stage = coarse_network, coarse_stage
        self.cases, self.writer, self.held_out = cases, coarse.writer, coarse.held_out
        self.generator = torch.Generator().manual_seed(coarse.plan.config.seed)
        self.feed = Feed(cases, self.plan, coarse.feed.permutation, self.generator)
        self.extent = [n * s for n, s in zip(coarse.feed.size, coarse_stage.spacing_mm[::-1])]
        self.sources = [Source(i, c.window) for i, c in zip(images, self.held_out)]
        self.found = [
            found_in(case, coarse_network, coarse_stage, self.plan.device) for case in self.held_out
        ]
        metrics = coarse.validate(coarse_network, coarse_stage)
        # A fine stage that makes it worse is not kept.
        self.score_to_beat = metrics.get("score", np.inf)
        usual = _USUAL_ERROR_VOXELS * max(coarse_stage.spacing_mm)
        self.off_mm = max(usual, metrics.get("median_mm") or 0.0)

    def batch(self, shape: TargetShape, done: float) -> tuple:
        """((crops (C, 1, *crop), landmarks (C,)), Wanted with one channel a crop)."""
        config, spacing = self.plan.config, torch.tensor(self.stage.spacing_mm[::-1])
        cases = self.feed.next_batch()
        maps = draw_maps(len(cases), self.extent, config, self.plan.flip, self.generator)
        moved = maps.push(torch.stack([case.centred_mm for case in cases]))
        case_index, landmark = self._drawn(cases)
        centres = self._centres(moved, case_index, landmark)
        size = self.stage.crop_size[::-1]
        turns = self._turns(moved, maps.flipped)[case_index]
        offsets = centred_positions(size, spacing).reshape(1, -1, len(size))
        output = centres[:, None] + offsets @ turns.transpose(1, 2)
        images = [cases[i].pixels for i in case_index.tolist()]
        crops = warp_at(images, spacing, maps.taken(case_index), output, size)
        crops = jitter_intensities(crops, config, self.generator)
        apart = (moved[case_index, landmark] - centres)[:, None] @ turns
        voxels = apart[:, 0] / spacing + (torch.tensor(size) - 1) / 2
        weight = torch.stack([case.weight for case in cases])[case_index, landmark]
        wanted = self._wanted(voxels, weight, size, shape, done)
        # In a mirrored image the landmark is seen as its partner.
        seen_as = torch.where(maps.flipped[case_index], self.feed.permutation[landmark], landmark)
        device = self.plan.device
        return (crops.to(device), seen_as.to(device)), wanted

    def _turns(self, moved, flipped) -> torch.Tensor:
        """(B, D, D): the axes of the crops in each augmented image, as columns.

        Where crops are turned with the anatomy: as its pose has it, and a little off, as the pose
        that the coarse stage gives will be.
        """
        dimension = moved.shape[-1]
        turns = torch.eye(dimension).repeat(len(moved), 1, 1)
        if not self.stage.turned:
            return turns
        off = rotations(
            (torch.rand(len(moved), 3, generator=self.generator) * 2 - 1)
            * math.radians(_POSE_ERROR_DEGREES),
            dimension,
        )
        for number, points in enumerate(moved):
            # In a mirrored image the landmarks are seen as their partners.
            seen = points[self.feed.permutation] if flipped[number] else points
            pose = self.writer.prior.pose_of(seen.numpy()[:, ::-1])  # array axes to i, j, k
            if pose is not None:
                turn = pose.rotation[::-1, ::-1].copy()
                turns[number] = torch.from_numpy(turn).float() @ off[number]
        return turns

    def _drawn(self, cases) -> tuple:
        """(index into the cases, landmark), both (C,): as many for each case, of those judged."""
        index, landmark = [], []
        for number, case in enumerate(cases):
            placed = ~torch.isnan(case.centred_mm).any(1)
            judged = torch.nonzero(placed | case.absent)[:, 0]
            if not placed.any():
                continue
            count = self.plan.config.crops_per_image
            order = torch.randint(len(judged), (count,), generator=self.generator)
            index += [number] * count
            landmark += judged[order].tolist()
        return torch.tensor(index), torch.tensor(landmark)

    def _centres(self, moved, case_index, landmark) -> torch.Tensor:
        """(C, D) mm: near the landmark, as the coarse stage would have it; some near another one."""
        centres = moved[case_index, landmark]
        elsewhere = torch.rand(len(centres), generator=self.generator) < _ELSEWHERE
        elsewhere |= torch.isnan(centres).any(1)
        for number in torch.nonzero(elsewhere)[:, 0].tolist():
            points = moved[case_index[number]]
            points = points[~torch.isnan(points).any(1)]
            other = torch.randint(len(points), (1,), generator=self.generator)
            centres[number] = points[other[0]]
        off = torch.randn(centres.shape, generator=self.generator) * self.off_mm
        half = (
            torch.tensor(self.stage.crop_size[::-1]) * torch.tensor(self.stage.spacing_mm[::-1]) / 2
        )
        most = half - self.stage.sigma_mm
        return centres + torch.minimum(torch.maximum(off, -most), most)

    def _wanted(self, voxels, weight, size, shape: TargetShape, done: float) -> Wanted:
        """voxels: (C, D), NaN where the landmark is absent; outside the crop it is absent, too."""
        limit = torch.tensor(size) - 0.5
        inside = ((voxels > -0.5) & (voxels < limit)).all(-1, keepdim=True)
        voxels = torch.where(inside, voxels, torch.nan)[:, None]
        device = self.plan.device
        target = shape.draw(voxels.to(device), size)
        present = inside.to(device)
        weight = weight[:, None].to(device)
        return Wanted(target, shape.energy().to(device), present, ~present, weight, done)

    def validate(self, network, stage) -> dict:
        """As in detection: from the whole image, through both stages."""
        refiner = Refiner(network, stage, self.plan.device)
        names, prior = self.writer.landmarks.names, self.writer.prior
        points = [
            refiner.refine(names, found, choose(found, prior), source, prior)
            for found, source in zip(self.found, self.sources)
        ]
        stages = [self.coarse_stage, stage]
        return metrics_of(self.held_out, points, self.writer.landmarks, stages)

    def save(self, network, stage, metrics: dict, progress: dict) -> None:
        stages, networks = [self.coarse_stage, stage], [self.coarse_network, network]
        self.writer.write(stages, networks, metrics, progress)

    def save_if_none(self, network, stage, progress: dict) -> None:
        """There is one: the coarse stage's."""
