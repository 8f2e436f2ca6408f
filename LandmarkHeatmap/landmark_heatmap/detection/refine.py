"""The fine stage: a small crop around each candidate, looked at with more resolution.

No heatmap is larger than a crop, whatever the image; and each comes with an affine of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import torch

from ..images.geometry import Grid, Image, canonical_grid
from ..images.resample import resample
from ..model.description import Stage
from ..model.heatmap import decode_peak, gaussian_mass
from ..model.logits import belief_of
from ..model.prior import choose_peaks
from ..side_by_side import side_by_side
from .agreement import Candidate
from .locate import Choice, Found, grid_mm, located, logs_of
from .prepare import scaled
from .seen import Seen, seen_at

# Crops that go through the network together: on the processor one, which stays in its cache and was
# measured a fifth faster than eight; on a GPU more. And how many of these batches there are at a time: on
# the processor one a thread, unless a crop is so large that it keeps all threads busy; on a GPU the next
# is read meanwhile. The memory is the same for any number of landmarks.
_BATCH, _BATCH_ON_GPU = 1, 8
_LARGE, _BATCHES_ON_GPU = 64**3, 2
# A peak that is so many sigmas from where the pose has it is doubted: the pose, told by all landmarks
# together, knows better than a coarse peak where a landmark is, though not to the millimetre.
_FAR_SIGMAS = 1
# If the fine stage sees the landmark in the crop with less than this, the coarse position stays.
_LEAST_PRESENCE = 0.2


@dataclass(frozen=True, eq=False)
class Source:
    """The image that is cropped from, as it is, and the window of intensities, (low, high)."""

    image: Image
    window: tuple


@dataclass(frozen=True, eq=False)
class Crop:
    """One landmark in one crop. heatmap: (K, J, I). presence: that the landmark is in the crop."""

    heatmap: Image
    presence: float
    position_kji: np.ndarray
    stage: Stage

    @property
    def position_lps(self) -> np.ndarray:
        return self.heatmap.grid.to_lps(self.position_kji[::-1])


def crop_grid(image: Grid, centre_lps, stage: Stage, turn=None) -> Grid:
    """The grid of a fine stage's crop around a point, along the canonical axes of the image.

    In 2D it lies in the image's slice. turn: (D, D), columns are the axes of the crop, if they are
    others.
    """
    canonical = canonical_grid(image)
    size = np.array((*stage.crop_size, 1)[:3])
    spacing = np.array((*stage.spacing_mm, canonical.spacing_mm[2])[:3])
    centre = canonical.to_ijk(centre_lps)
    if stage.network.dimension == 2:
        centre[2] = 0.0
    axes = np.eye(3)
    if turn is not None:
        axes[: len(turn), : len(turn)] = turn
    matrix = np.eye(4)
    matrix[:3, :3] = axes * spacing / canonical.spacing_mm[:, None]
    matrix[:3, 3] = centre - matrix[:3, :3] @ (size - 1) / 2
    return Grid(tuple(size.tolist()), canonical.ijk_to_lps @ matrix, canonical.unit)


def read_crop(source: Source, grid: Grid) -> np.ndarray:
    """(K, J, I) float32, -1 to 1; -1 outside the image."""
    crop = scaled(resample(source.image, grid).array, source.window)
    to_image = np.linalg.inv(source.image.ijk_to_lps) @ grid.ijk_to_lps
    k, j, i = np.ogrid[tuple(map(slice, crop.shape))]
    for row, count in zip(to_image, source.image.grid.size_ijk):
        index = row[0] * i + row[1] * j + row[2] * k + row[3]
        crop[(index < -0.5 - 1e-6) | (index > count - 0.5 + 1e-6)] = -1
    return crop


def batches_on(device, stage: Stage) -> tuple:
    """(how many crops go through the network together, how many times that at a time)."""
    if torch.device(device).type != "cpu":
        return _BATCH_ON_GPU, _BATCHES_ON_GPU
    return _BATCH, 1 if math.prod(stage.crop_size) > _LARGE else torch.get_num_threads()


class Refiner:
    """Applies a fine stage. network: a CropUNet."""

    def __init__(self, network, stage: Stage, device):
        self.network, self.stage, self.device = network, stage, device

    def refine(self, names, found: Found, choice: Choice, source: Source, prior=None) -> tuple:
        """A Seen for each landmark: the first of its candidates."""
        told = self.candidates(names, found, choice, source, prior)
        return tuple(each[0].seen for each in told)

    def candidates(self, names, found: Found, choice: Choice, source: Source, prior=None) -> tuple:
        """The Candidates of each landmark, from crops around the peaks, the chosen one first.

        Where a coarse heatmap has several peaks, all of them are looked at, and the prior chooses
        again, knowing what the fine stage thinks of each. Landmarks that are absent from the image,
        or that the fine stage cannot see, or sees outside of the image, stay as the coarse stage left
        them.
        """
        present, first = np.asarray(found.presences) >= 0.5, choice
        turn = None
        if self.stage.turned:
            pose = _pose(found, choice, present, prior)
            choice = _with_expected(choice, found, pose, prior)
            turn = None if pose is None else pose.rotation
        wanted = [
            (landmark, found.grid.to_lps(decode_peak(found.heatmaps[landmark], peak)[::-1]))
            for landmark in np.flatnonzero(present)
            for peak in choice.peaks[landmark]
        ]
        looked = iter(self.look(source, wanted, turn))
        crops = [
            [next(looked) for _ in peaks] if there else None
            for peaks, there in zip(choice.peaks, present)
        ]
        choice = _chosen_again(found, choice, crops, prior)
        coarse, logs = located(names, found, _of_the_coarse(first, choice)), logs_of(found, choice)
        return tuple(
            (Candidate(point, trust=point.presence),)
            if each is None
            else self._of_landmark(point, each, chosen, log, source.image.grid)
            for point, each, chosen, log in zip(coarse, crops, choice.chosen, logs)
        )

    def _of_landmark(self, coarse: Seen, crops, chosen: int, logs, image: Grid) -> tuple:
        """The chosen one, though it be the coarse stage's; and what else is seen."""
        told = []
        for index in (chosen, *(i for i in range(len(crops)) if i != chosen)):
            crop, is_seen = crops[index], _is_seen(crops[index], image)
            if is_seen or index == chosen:
                seen = self._seen(coarse, crop) if is_seen else coarse
                log = logs[index] + float(np.log(max(crop.presence, 1e-6)))
                told.append(Candidate(seen, log, crop.presence))
        return tuple(told)

    def look(self, source: Source, wanted, turn=None) -> list:
        """A Crop for each (index of a landmark, position_lps) of `wanted`. turn: see crop_grid."""
        count, most = batches_on(self.device, self.stage)
        batches = [wanted[start : start + count] for start in range(0, len(wanted), count)]

        def looked_at(batch):
            grids = [crop_grid(source.image.grid, centre, self.stage, turn) for _, centre in batch]
            arrays = np.stack([read_crop(source, grid) for grid in grids])
            which = torch.tensor([int(landmark) for landmark, _ in batch])
            return self._crops(arrays, which, grids)

        return list(chain.from_iterable(side_by_side(looked_at, batches, most)))

    @torch.inference_mode()
    def _crops(self, arrays: np.ndarray, which, grids) -> list:
        images = torch.from_numpy(arrays)[:, None].to(self.device)
        is_2d = self.stage.network.dimension == 2
        logits = self.network(images[:, :, 0] if is_2d else images, which.to(self.device))
        mass = gaussian_mass(self.stage.sigma_mm, self.stage.spacing_mm)
        belief = belief_of(logits, self.stage.network.head, mass)
        presences = torch.sigmoid(belief.presence_logit)[:, 0].cpu().numpy()
        heatmaps = belief.heatmap.clamp_min(0).cpu().numpy().reshape(arrays.shape)
        return [
            Crop(
                Image(heatmap, grid.ijk_to_lps, grid.unit),
                float(presence),
                decode_peak(heatmap),
                self.stage,
            )
            for heatmap, grid, presence in zip(heatmaps, grids, presences)
        ]

    def _seen(self, coarse: Seen, crop: Crop) -> Seen:
        """The coarse stage's name and presence, the crop's position and heatmap."""
        seen = seen_at(coarse.name, crop.heatmap, crop.position_kji, coarse.presence, self.stage)
        return replace(seen, confidence=seen.confidence * coarse.presence)


@dataclass(frozen=True, eq=False)
class Look:
    """For a second look at an image with the fine stage."""

    refiner: Refiner
    source: Source
    prior: object

    def turn_of(self, positions_mm):
        """(D, D), how crops are turned where landmarks (L, D) lie like this; None if they are not."""
        if not self.refiner.stage.turned or self.prior is None:
            return None
        pose = self.prior.pose_of(positions_mm)
        return None if pose is None else pose.rotation

    def at(self, wanted, positions_mm) -> list:
        """A Crop for each (index, position_lps) of `wanted`."""
        return self.refiner.look(self.source, wanted, self.turn_of(positions_mm))


def _pose(found: Found, choice: Choice, present, prior):
    """How the anatomy lies, by the peaks that were chosen; None if they cannot tell."""
    chosen = [peaks[index] for peaks, index in zip(choice.peaks, choice.chosen)]
    positions = [
        grid_mm(decode_peak(heatmap, peak), found.grid, found.stage) if there else np.nan
        for heatmap, peak, there in zip(found.heatmaps, chosen, present)
    ]
    dimension = found.stage.network.dimension
    return prior.pose_of(np.array([np.broadcast_to(p, dimension) for p in positions]))


def _with_expected(choice: Choice, found: Found, pose, prior) -> Choice:
    """With one more candidate where a landmark's peak lies far from where its pose has it."""
    if pose is None:
        return choice
    peaks = []
    for index, (each, expected) in enumerate(zip(choice.peaks, pose.applied(prior.shape))):
        voxel = np.zeros(3)
        voxel[: len(expected)] = expected / found.grid.spacing_mm[: len(expected)]
        is_inside = (voxel > -0.5).all() and (voxel < np.array(found.grid.size_ijk) - 0.5).all()
        near = grid_mm(each[choice.chosen[index]], found.grid, found.stage)
        if is_inside and np.linalg.norm(near - expected) > _FAR_SIGMAS * found.stage.sigma_mm:
            each = (*each, tuple(np.rint(voxel[::-1]).astype(int)))
        peaks.append(each)
    return replace(choice, peaks=tuple(peaks))


def _of_the_coarse(first: Choice, last: Choice) -> Choice:
    """The last choice as far as it is among the peaks that the coarse stage had found."""
    chosen = [
        late if late < len(peaks) else early
        for peaks, early, late in zip(first.peaks, first.chosen, last.chosen)
    ]
    return replace(first, chosen=tuple(chosen))


def _is_seen(crop: Crop, image: Grid) -> bool:
    return crop.presence >= _LEAST_PRESENCE and bool(image.contains(crop.position_lps))


def _chosen_again(found: Found, choice: Choice, crops, prior) -> Choice:
    """The choice among the peaks, with the fine stage's word on each."""
    if prior is None or all(len(peaks) < 2 for peaks in choice.peaks):
        return choice
    # What is no peak, but expected to be one, counts as the lowest that a peak may be.
    positions, heights = [], logs_of(found, choice)
    for index, (heatmap, peaks, each) in enumerate(zip(found.heatmaps, choice.peaks, crops)):
        kji = [decode_peak(heatmap, peak) for peak in peaks]
        if each is not None:
            heights[index] = heights[index] + np.log([max(c.presence, 1e-6) for c in each])
            kji = [found.grid.to_ijk(crop.position_lps)[::-1] for crop in each]
        positions.append(np.array([grid_mm(p, found.grid, found.stage) for p in kji]))
    present = np.asarray(found.presences) >= 0.5
    return replace(choice, chosen=tuple(choose_peaks(positions, heights, present, prior)))
