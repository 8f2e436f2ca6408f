"""The fine stage's part in a run: crops around landmarks, one landmark at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from landmark_heatmap.detection.locate import choose
from landmark_heatmap.detection.prepare import scaled
from landmark_heatmap.detection.refine import Refiner, Source
from landmark_heatmap.images.geometry import Image, canonical_grid, spaced_grid
from landmark_heatmap.images.resample import resample
from landmark_heatmap.model.description import Stage

from .. import parallel
from ..data.augment import draw_maps, rotations, warp_around
from ..data.contrasts import with_other_looks
from ..data.feed import Feed, TrainingCase
from ..data.targets import TargetShape, Wanted
from ..progress import each
from .coarse import LEARNING_TIMES, CoarseTask, found_in, metrics_of
from .outcome import RunOutcome

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

    name: str
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
    return FineCase(case.name, pixels, positions, case.absent, case.weight)


class FineTask:
    """See Run. Goes on from what the coarse stage reached.

    cases: FineCases. images: the Image of each held-out case; none in a process that does not judge.
    coarse: the CoarseTask that is done, coarse_network and coarse_stage: what came of it.
    """

    def __init__(self, coarse: CoarseTask, coarse_network, coarse_stage, network, cases, images):
        self.plan, self.stage, self.network = coarse.plan, coarse.plan.fine, network
        self.coarse_network, self.coarse_stage = coarse_network, coarse_stage
        self.writer, self.held_out, self.seen = coarse.writer, coarse.held_out, []
        # A crop is always around some landmark.
        cases = [case for case in cases if not torch.isnan(case.centred_mm).any(1).all()]
        generator = torch.Generator().manual_seed(coarse.plan.config.seed)
        self.feed = Feed(cases, self.plan, coarse.feed.permutation, generator)
        self.extent = [n * s for n, s in zip(coarse.feed.size, coarse_stage.spacing_mm[::-1])]
        self.sources = [Source(i, c.window) for i, c in zip(images, self.held_out)]
        self.found = [
            found_in(case, coarse_network, coarse_stage, self.plan.device)
            for case, _ in each(
                zip(self.held_out, self.sources), "what the coarse stage finds in held-out images"
            )
        ]
        metrics = parallel.team().decided(lambda: coarse.judged(self.found, coarse_stage))
        # A fine stage that makes it worse is not kept.
        self.score_to_beat = metrics.get("score", np.inf)
        usual = _USUAL_ERROR_VOXELS * max(coarse_stage.spacing_mm)
        self.off_mm = max(usual, metrics.get("median_mm") or 0.0)

    @property
    def validation_steps(self) -> float:
        """See CoarseTask: by the crops, of which there is one around each landmark at least."""
        judged = len(self.held_out) * self.stage.network.landmarks
        config = self.plan.config
        return judged / (LEARNING_TIMES * config.batch_size * config.crops_per_image)

    def batch(self, shape: TargetShape, done: float) -> tuple:
        """((crops (C, 1, *crop), landmarks (C,)), Wanted with one channel a crop)."""
        share = self.feed.next_share()
        drawn = [self._crops(case, own) for case, own in zip(share.cases, share.generators)]
        crops, seen_as, voxels, weight = map(torch.cat, zip(*drawn))
        wanted = self._wanted(voxels, weight, self.stage.crop_size[::-1], shape, done)
        return (crops, seen_as.to(self.plan.device)), wanted

    def _crops(self, case: FineCase, generator) -> tuple:
        """(crops (C, 1, *crop), landmark that each is asked for (C,), where it is in the crop (C, D) in
        voxels, what it counts (C,)), of one case."""
        config, spacing = self.plan.config, self.stage.spacing_mm[::-1]
        size = self.stage.crop_size[::-1]
        drawn = draw_maps(1, self.extent, config, self.plan.flip, generator)
        moved = drawn.push(case.centred_mm[None])[0]
        # In a mirrored image the landmarks are seen as their partners.
        partner = self.feed.permutation if drawn.flipped[0] else torch.arange(len(moved))
        landmark = self._drawn(case, generator)
        centres = self._centres(moved, landmark, generator)
        turn = self._turn(moved[partner], generator)
        maps, images = drawn.repeated(len(landmark)), [case.pixels] * len(landmark)
        crops = warp_around(images, spacing, maps, centres, size, self.plan.device, turn)
        crops = with_other_looks(crops, spacing, config, generator)
        apart = (moved[landmark] - centres) @ turn
        voxels = apart / torch.tensor(spacing) + (torch.tensor(size) - 1) / 2
        return crops, partner[landmark], voxels, case.weight[landmark]

    def _turn(self, seen, generator) -> torch.Tensor:
        """(D, D): the axes of the crops in an augmented image, as columns. seen: (L, D).

        Where crops are turned with the anatomy: as its pose has it, and a little off, as the pose
        that the coarse stage gives will be.
        """
        dimension = seen.shape[1]
        if not self.stage.turned:
            return torch.eye(dimension)
        angles = (torch.rand(1, 3, generator=generator) * 2 - 1) * math.radians(_POSE_ERROR_DEGREES)
        pose = self.writer.prior.pose_of(seen.numpy()[:, ::-1])  # array axes to i, j, k
        if pose is None:
            return torch.eye(dimension)
        turn = torch.from_numpy(pose.rotation[::-1, ::-1].copy()).float()
        return turn @ rotations(angles, dimension)[0]

    def _drawn(self, case: FineCase, generator) -> torch.Tensor:
        """(C,) landmarks, of those judged."""
        placed = ~torch.isnan(case.centred_mm).any(1)
        judged = torch.nonzero(placed | case.absent)[:, 0]
        count = self.plan.config.crops_per_image
        return judged[torch.randint(len(judged), (count,), generator=generator)]

    def _centres(self, moved, landmark, generator) -> torch.Tensor:
        """(C, D) mm: near the landmark, as the coarse stage would have it; some near another one."""
        centres = moved[landmark]
        elsewhere = torch.rand(len(centres), generator=generator) < _ELSEWHERE
        elsewhere |= torch.isnan(centres).any(1)
        points = moved[~torch.isnan(moved).any(1)]
        for number in torch.nonzero(elsewhere)[:, 0].tolist():
            other = torch.randint(len(points), (1,), generator=generator)
            centres[number] = points[other[0]]
        off = torch.randn(centres.shape, generator=generator) * self.off_mm
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
        self.seen = [
            refiner.refine(names, found, choose(found, prior), source, prior)
            for found, source in each(zip(self.found, self.sources), "validating")
        ]
        return metrics_of(self.held_out, self.seen, self.writer.landmarks)

    def save(self, network, stage, metrics: dict, outcome: RunOutcome) -> None:
        stages, networks = [self.coarse_stage, stage], [self.coarse_network, network]
        self.writer.write(stages, networks, metrics, outcome)
