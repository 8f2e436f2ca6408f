"""What networks see of landmarks whose places are known, with faults: for tests of the joint answer."""

from types import SimpleNamespace

import numpy as np

from landmark_heatmap.detection.agreement import Candidate, Frame, Places, coarse_candidates
from landmark_heatmap.detection.locate import Found, choose
from landmark_heatmap.detection.seen import seen_at
from landmark_heatmap.detection.sight import Sight
from landmark_heatmap.images.geometry import Grid, Image
from landmark_heatmap.model.belief_form import uncalibrated
from landmark_heatmap.model.description import COARSE, FINE, NetworkConfig, Stage
from landmark_heatmap.model.joint_shape import fit_joint_shape

COUNT, SCATTER, SPACING, SIZE = 12, 0.5, 2.0, 48
NAMES = tuple("ABCDEFGHIJKL")


def stages(dimension):
    network = NetworkConfig(dimension, COUNT, (4, 8), 0, 1)
    coarse = Stage(COARSE, (SPACING,) * dimension, 2 * SPACING, network)
    return coarse, Stage(FINE, (1.0,) * dimension, 1.5, network, (17,) * dimension)


def grid_of(dimension):
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = (7.0, -30.0, 100.0)
    return Grid((SIZE, SIZE, SIZE if dimension == 3 else 1), affine)


def shapes(dimension, count, seed=1):
    """(count, L, D), mm along the axes of the grid."""
    middle = SIZE * SPACING / 2
    mean = middle + 16 * np.random.default_rng(4).uniform(-1, 1, (COUNT, dimension)) * 1.3
    return mean + SCATTER * np.random.default_rng(seed).normal(size=(count, COUNT, dimension))


def to_lps(position_mm, dimension):
    index = np.zeros(3)
    index[:dimension] = np.asarray(position_mm) / SPACING
    return grid_of(dimension).to_lps(index)


def gaussian(grid, centre_lps, sigma_mm, height=1.0):
    """Exact along the axes of the grid."""
    centre, square = grid.to_ijk(centre_lps), 0.0
    for axis, n in enumerate(grid.size_ijk):
        line = (np.arange(n) - centre[axis]) * grid.spacing_mm[axis]
        square = square + (line**2).reshape([-1 if a == 2 - axis else 1 for a in range(3)])
    return (height * np.exp(-0.5 * square / sigma_mm**2)).astype(np.float32)


class Eye:
    """A fine stage that sees a landmark where it truly is, if that is in the crop.

    blind: indices of landmarks that it never sees. asked: all that it was asked for. turn: (D, D), of
    the crops that it takes.
    """

    def __init__(self, truth_lps, dimension, blind=(), turn=None):
        self.truth, self.dimension, self.blind, self.turn = truth_lps, dimension, blind, turn
        self.stage, self.asked = stages(dimension)[1], []

    def turn_of(self, positions_mm):
        return self.turn

    def at(self, wanted, positions_mm):
        self.asked += [index for index, _ in wanted]
        return [self.crop(index, at, self.turn) for index, at in wanted]

    def crop(self, index, at_lps, turn=None):
        affine, size = np.eye(4), np.array((*self.stage.crop_size, 1)[:3])
        if turn is not None:
            affine[: self.dimension, : self.dimension] = turn
        affine[:3, 3] = at_lps - affine[:3, :3] @ (size - 1) / 2
        grid = Grid(tuple(size.tolist()), affine)
        sees = index not in self.blind and grid.contains(self.truth[index])
        array = gaussian(grid, self.truth[index] if sees else at_lps, 1.5)
        image = Image(array, affine)
        return SimpleNamespace(heatmap=image, presence=0.95 if sees else 0.03, stage=self.stage)


def sight_of(dimension, truth_mm, shown_mm, eye=None, absent=(), cases=60, height=0.0):
    """A Sight of a coarse stage that shows landmarks at `shown_mm` (L, D), and with `height` where they
    truly are; and of a fine stage, if there is an eye."""
    coarse, fine = stages(dimension)
    grid = grid_of(dimension)
    heatmaps = np.array(
        [
            gaussian(grid, to_lps(shown, dimension), 2.5)
            + gaussian(grid, to_lps(true, dimension), 2.5, height)
            for shown, true in zip(shown_mm, truth_mm)
        ]
    )
    presences = np.array([0.1 if index in absent else 0.95 for index in range(COUNT)])
    found = Found(heatmaps, presences, grid, coarse)
    joint = fit_joint_shape(shapes(dimension, cases, seed=2))
    places = Places(Frame(joint, uncalibrated(COUNT, 2.0), grid))
    candidates = coarse_candidates(NAMES, found, choose(found))
    if eye is not None:
        candidates = tuple(_fine(each, eye, index) for index, each in enumerate(candidates))
    return Sight(NAMES, found, candidates, places, eye)


def _fine(candidates, eye, index):
    first = candidates[0]
    crop = eye.crop(index, first.seen.position_lps)
    log = first.log + float(np.log(crop.presence))
    if not first.seen.is_there or crop.presence < 0.2:
        return (Candidate(first.seen, log, crop.presence),)
    voxel = np.unravel_index(crop.heatmap.array.argmax(), crop.heatmap.array.shape)
    seen = seen_at(NAMES[index], crop.heatmap, np.array(voxel, float), 0.95, eye.stage)
    return (Candidate(seen, log, crop.presence),)
