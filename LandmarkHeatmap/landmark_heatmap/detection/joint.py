"""All landmarks together: what the others say of each, and what is told of it. Needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..annotation.doubt import BY_SHAPE
from ..images.geometry import Grid, Image
from ..model.belief_form import BeliefForm, uncalibrated
from ..model.joint_shape import GATE, Expected, JointShape
from .belief import (
    Core,
    Word,
    content_of,
    core_of,
    density_of,
    distances_mm,
    marker_of,
    marker_sigma_mm,
    position_of,
    share_within,
    shown,
)
from .prediction import Doubt, LandmarkPrediction
from .seen import Seen, line_mm

# The level that is told of; lower where too few cases were held out.
TOLD_LEVEL = 0.9
# How well a person places a landmark, in voxels of the coarse grid.
_SURE_VOXELS = 0.3


@dataclass(frozen=True, eq=False)
class Believed:
    """Core, position and belief of one landmark. position_lps: (3,). density: sums to one, on `grid`.
    distances_mm: of each of its voxels from the position."""

    core: Core
    position_lps: np.ndarray
    density: np.ndarray
    grid: Grid
    distances_mm: np.ndarray

    @property
    def expected_mm(self) -> float:
        """The mean distance of the position from where an expert would click."""
        return float(np.vdot(self.density, self.distances_mm))

    def shares(self) -> tuple:
        """(radii in mm, share of the belief within)."""
        return share_within(self.density, self.distances_mm, float(min(self.grid.spacing_mm)))


def believed(seen: Seen, landmark: int, form: BeliefForm, word: Word = None) -> Believed:
    core = core_of(seen, form, word)
    position_lps = position_of(core, form)
    density, grid = density_of(core, form, landmark)
    return Believed(core, position_lps, density, grid, distances_mm(density, grid, position_lps))


def predictions(
    seen, form: BeliefForm, shape: JointShape, grid: Grid, is_last=None, run=map
) -> tuple:
    """A LandmarkPrediction for each Seen.

    form: None for a model that has none. grid: see `words`. is_last: for each whether it is what the
    model's last stage saw, which alone is calibrated; by default all. run: see `told`.
    """
    form = form or uncalibrated_of(seen)
    return told(seen, form, words(seen, form, shape, grid), is_last, run)


def uncalibrated_of(seen) -> BeliefForm:
    """The form of a model that has none."""
    return uncalibrated(len(seen), min(each.stage.sigma_mm for each in seen))


def told(seen, form: BeliefForm, said, is_last=None, run=map) -> tuple:
    """A LandmarkPrediction for each Seen; None for None. said: a Word for each, or None. run: how one
    function is called for each of many, as `map` does."""
    is_last = [True] * len(seen) if is_last is None else is_last

    def of_one(asked):
        number, each, word, last = asked
        return None if each is None else _told(each, number, _form_for(each, form, last), word)

    return tuple(run(of_one, zip(range(len(seen)), seen, said, is_last)))


def positions(seen, form: BeliefForm, said) -> np.ndarray:
    """(L, 3), LPS, mm: where the same are, and nothing else of them."""
    return np.array(
        [
            position_of(core_of(each, own, word), own)
            for each, own, word in zip(seen, (_form_for(s, form, False) for s in seen), said)
        ]
    )


def _form_for(seen: Seen, form: BeliefForm, is_last: bool) -> BeliefForm:
    if seen.look == BY_SHAPE:
        # It is the others' word already, and no network's.
        return replace(form.without_held_out(), power=1.0, peak_power=1.0, joint=0.0)
    return form if is_last else form.without_held_out()


def _told(seen: Seen, landmark: int, form: BeliefForm, word: Word) -> LandmarkPrediction:
    found, sigma_mm = believed(seen, landmark, form, word), marker_sigma_mm(seen.stage)
    return LandmarkPrediction(
        seen.name,
        found.position_lps,
        seen.presence,
        seen.confidence,
        marker_of(found.core, form, found.position_lps, sigma_mm),
        shown(content_of(found.density), found.grid, form, landmark),
        _doubt(found, landmark, form, seen, word),
        sigma_mm,
    )


def _doubt(found: Believed, landmark: int, form: BeliefForm, seen: Seen, word: Word) -> Doubt:
    level = within = apart = oddness = mends = None
    if form.is_calibrated:
        level = form.claimed(TOLD_LEVEL)
        known, levels = form.held_out.level_of_share(landmark)
        radii, shares = found.shares()
        within = float(np.interp(np.interp(level, levels, known), shares, radii))
    if word is not None:
        moved = (found.position_lps - seen.position_lps) @ seen.heatmap.grid.directions
        apart = float(np.linalg.norm(word.mean - moved[: len(word.mean)]))
        oddness, mends = math.sqrt(word.square / GATE[len(word.mean)]), word.mends
    expected = form.error_scale * found.expected_mm
    return Doubt(expected, level, within, apart, oddness, seen.look, mends)


def words(seen, form: BeliefForm, shape: JointShape, grid: Grid, given=None) -> list:
    """What the others say of each landmark; None where there is no shape, or it is absent.

    grid: of the coarse stage, along whose axes, in mm, the landmarks are put together. given: index to
    position_lps of landmarks that a person has placed.
    """
    nothing = [None] * len(seen)
    if shape is None:
        return nothing
    dimension = shape.mean.shape[1]
    positions = np.full((len(seen), dimension), np.nan)
    covariances = np.tile(np.eye(dimension), (len(seen), 1, 1))
    turns = [turn_between(each.heatmap.grid, grid)[:dimension, :dimension] for each in seen]
    peaks = [(grid.to_ijk(each.position_lps) * grid.spacing_mm)[:dimension] for each in seen]
    for index, (each, turn) in enumerate(zip(seen, turns)):
        if each.is_there:
            mean, own = moments(core_of(each, form), each)
            positions[index] = peaks[index] + turn @ mean[:dimension]
            covariances[index] = turn @ own[:dimension, :dimension] @ turn.T
    is_given = np.zeros(len(seen), bool)
    for index, position_lps in (given or {}).items():
        is_given[index] = True
        positions[index] = (grid.to_ijk(position_lps) * grid.spacing_mm)[:dimension]
        covariances[index] = sure(grid, dimension)
    said = shape.expected(positions, covariances, given=is_given)
    if said is None:
        return nothing
    return [
        Word(turn.T @ (mean - peak), turn.T @ covariance @ turn, float(square), float(mends))
        if each.is_there and np.isfinite(square)
        else None
        for each, turn, peak, mean, covariance, square, mends in zip(
            seen, turns, peaks, said.mean, said.covariance, said.square, mends_of(said)
        )
    ]


def mends_of(said: Expected) -> np.ndarray:
    """(L,) mm: by how much the errors of all others together are expected to shrink if a landmark is
    placed right; 0 for one that is not there.

    What is known of all of them together has the covariance P; of the others, once one is known, P less
    what they share with it: the errors are as the roots of the traces.
    """
    spread, own, there = said.spread, said.own, said.there
    index = np.flatnonzero(there)
    count, d = len(index), own.shape[-1]
    prior = spread[np.ix_(index, range(d), index, range(d))].reshape(count * d, -1)
    noise = np.zeros((count, d, count, d))
    noise[range(count), :, range(count), :] = own[index]
    known = prior - prior @ np.linalg.solve(prior + noise.reshape(prior.shape), prior)
    known = known.reshape(count, d, count, d)
    traces = np.maximum(np.einsum("aiai->a", known), 0)
    mends = np.zeros(len(own))
    for number, landmark in enumerate(index):
        shared = known[:, :, number, :]
        inverse = np.linalg.inv(known[number, :, number, :] + 1e-9 * np.eye(d))
        less = np.einsum("aij,jk,aik->a", shared, inverse, shared)
        shrunk = np.sqrt(traces) - np.sqrt(np.maximum(traces - less, 0))
        mends[landmark] = shrunk.sum() - shrunk[number]
    return mends


def sure(grid: Grid, dimension: int) -> np.ndarray:
    """(D, D), mm squared: how well known is what a person has placed."""
    return (_SURE_VOXELS * float(min(grid.spacing_mm[:dimension]))) ** 2 * np.eye(dimension)


def turn_between(heatmap: Grid, grid: Grid) -> np.ndarray:
    """(3, 3): columns are the axes of the heatmap along those of the grid, of length one."""
    return grid.directions.T @ heatmap.directions


def moments(core: Core, seen: Seen) -> tuple:
    """(mean (3,), covariance (3, 3)) of f in mm from the peak, along i, j, k."""
    origin = core.grid.to_ijk(seen.position_lps)[::-1]
    lines = [line_mm(core.values.shape, axis, origin, core.grid).ravel() for axis in (2, 1, 0)]
    sums = [core.values.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in (2, 1, 0)]
    mean = np.array([own @ line for own, line in zip(sums, lines)])
    covariance = np.diag([own @ (line - m) ** 2 for own, line, m in zip(sums, lines, mean)])
    for a in range(3):
        for b in range(a):
            # What is left has the axes 2 - a and 2 - b of the array, in this order.
            pair = core.values.sum(axis=a + b - 1)
            covariance[a, b] = (lines[a] - mean[a]) @ pair @ (lines[b] - mean[b])
            covariance[b, a] = covariance[a, b]
    least = (0.3 * min(core.spacing_mm)) ** 2
    return mean, covariance + least * np.eye(3)


def score(found: Believed, reference_lps) -> tuple:
    """(content, share, error in mm) of a reference (3,): what the belief says of where it is.

    content: the share of the belief that is denser than there. share: that is nearer to the position.
    """
    error = float(np.linalg.norm(reference_lps - found.position_lps))
    content = Image(content_of(found.density), found.grid.ijk_to_lps, found.grid.unit)
    radii, shares = found.shares()
    return (
        value_at(content, reference_lps, outside=1.0),
        float(np.interp(error, radii, shares)),
        error,
    )


def value_at(image: Image, position_lps, outside: float) -> float:
    """Linear between the voxels; `outside` beyond the centres of the outermost."""
    index = image.grid.to_ijk(position_lps)[::-1]
    size = np.array(image.array.shape)
    index = np.where(size == 1, 0.0, index)
    if not ((index >= 0) & (index <= size - 1)).all():
        return outside
    first = np.minimum(np.floor(index).astype(int), np.maximum(size - 2, 0))
    block = image.array[tuple(slice(f, f + 2) for f in first)].astype(float)
    for part in index - first:
        block = block[0] if len(block) == 1 else (1 - part) * block[0] + part * block[1]
    return float(block)
