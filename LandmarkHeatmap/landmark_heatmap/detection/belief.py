"""Belief, position and marker: three things from one source, the probabilities of one landmark.

p is what the network says of each voxel. With the form of the model (model/belief_form.py):

    core      f = p^power * t^joint, sums to one. t is where the other landmarks have this one, a
              t-distribution (model/joint_shape.py). It is zero where p is: no point leaves the region
              that its own heatmap allows.
    belief    b = (1 - tail) f * G(spread) + tail f * G(wide): where an expert would click. G(s) is a
              Gaussian of s mm, and * before it the convolution. Shown as one less the content c, the
              share of b that is denser than here, as it came out on cases held out.
    position  the peak of f^(peak_power / power) * G(2 sigma): the mode of p is a noisy estimate of a
              wide peak.
    marker    m = f^(8 / power) * G(s), times the mass of that Gaussian, with its peak moved onto the
              position: of height one and one width wherever p has one mode, lower where it has two. s
              is 3 sigma of a fine stage, 1.5 sigma of a coarse one.

sigma is that of the stage whose heatmap it is, in mm; nothing depends on the voxels. Needs no torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..images.geometry import Grid, Image
from ..model.belief_form import BeliefForm
from ..model.description import COARSE, FINE, Stage
from ..model.heatmap import decode_peak, gaussian_mass, uphill
from ..model.joint_shape import FREEDOM
from .seen import Seen, box_of, shown_part, square_mm

# A fine stage's own sigma is too narrow to be seen, a coarse one's wide enough.
_MARKER_SIGMAS = {COARSE: 1.5, FINE: 3.0}
_MARKER_POWER = 8.0
_PEAK_SIGMAS = 2.0
_TAIL_SIGMAS = 3.0
_NARROWEST_VOXELS = 0.4
# What is further from the first position, in sigmas, is another place.
_REACH_SIGMAS = 12.0
# Of the highest value: what counts of f, of a belief, and of a marker.
_LEAST_CORE, _LEAST_BELIEF, _LEAST_MARKER = 1e-6, 1e-4, 1e-2
# Of the highest value of a power: as good as zero.
_NOTHING = 1e-30
# So many peaks are higher than the chosen one at most.
_MOST_HIGHER = 3
# Gaussians are cut at so many sigmas, those of tails earlier.
_CUT, _TAIL_CUT = 3.5, 2.5
# What is shown of a belief: up to this level.
_SHOWN_LEVEL = 0.99


@dataclass(frozen=True, eq=False)
class Core:
    """f on its own grid, (K, J, I), sums to one. axes: those of the array along which it extends. peak:
    the voxel (k, j, i) from which its mode is looked for."""

    values: np.ndarray
    grid: Grid
    axes: tuple
    sigma_mm: float
    peak: np.ndarray

    @property
    def spacing_mm(self) -> np.ndarray:
        """Along the axes of the array."""
        return self.grid.spacing_mm[::-1]


@dataclass(frozen=True, eq=False)
class Word:
    """What the others say of a landmark, in mm along i, j (, k) of its heatmap. mean: (D,), from its
    peak. covariance: (D, D). square: the Mahalanobis distance squared of what its own heatmap says.
    mends: by how much the others are expected to get nearer in all if it is placed right."""

    mean: np.ndarray
    covariance: np.ndarray
    square: float
    mends: float = 0.0


def core_of(seen: Seen, form: BeliefForm, word: Word = None) -> Core:
    """word: of the others, which counts as the form says."""
    values, grid, axes, first = _window(seen, form.power)
    f = values / values.max()
    f = f**form.power if form.power != 1 else f
    if word is not None and form.joint > 0:
        f = f * _others(f.shape, seen.position_kji - first, grid, word, form.joint)
    peak = np.clip(np.rint(seen.position_kji - first).astype(int), 0, np.array(f.shape) - 1)
    return Core((f / f.sum()).astype(np.float32), grid, axes, seen.stage.sigma_mm, peak)


def near(seen: Seen) -> Seen:
    """The same without what is too far from the peak to count: of a whole image, a small part."""
    first, last = _around(seen)
    image = seen.heatmap.cropped(first[::-1].tolist(), (last - first + 1)[::-1].tolist())
    image = replace(image, array=image.array.copy())
    return replace(seen, heatmap=image, position_kji=seen.position_kji - first)


def _around(seen: Seen) -> tuple:
    """(first, last) voxel within reach of the peak."""
    spacing = seen.heatmap.grid.spacing_mm[::-1]
    reach = np.ceil(_REACH_SIGMAS * seen.stage.sigma_mm / spacing).astype(int)
    peak, end = np.rint(seen.position_kji).astype(int), np.array(seen.heatmap.array.shape) - 1
    return np.clip(peak - reach, 0, end), np.clip(peak + reach, 0, end)


def _window(seen: Seen, power: float) -> tuple:
    """(values, grid, axes, first voxel) of what counts of a heatmap.

    Where the other landmarks chose a lower peak, a higher one counts as much as the chosen, no more.
    """
    heatmap = seen.heatmap.array
    axes = tuple(axis for axis in range(3) if heatmap.shape[axis] > 1)
    first, last = _around(seen)
    peak = np.rint(seen.position_kji).astype(int)
    close = _none_higher(heatmap[_slices(first, last)], peak - first)
    low, high = box_of(close > max(_LEAST_CORE ** (1 / power), _NOTHING) * close.max())
    size = (high - low + 1)[::-1].tolist()
    grid = seen.heatmap.grid.cropped((first + low)[::-1].tolist(), size)
    values = close[_slices(low, high)].astype(np.float64)
    return values if values.max() > 0 else np.ones_like(values), grid, axes, first + low


def _none_higher(values: np.ndarray, peak) -> np.ndarray:
    """With higher peaks, and what is nearer to them than to the chosen one, as low as that."""
    low, high = np.maximum(peak - 1, 0), np.minimum(peak + 1, np.array(values.shape) - 1)
    most = float(values[_slices(low, high)].max())
    for _ in range(_MOST_HIGHER):
        other = np.array(np.unravel_index(np.argmax(values), values.shape))
        if not values[tuple(other)] > most > 0:
            break
        index = np.indices(values.shape).reshape(3, -1)
        nearer = (2 * index - (other + peak)[:, None]).T @ (other - peak) > 0
        factor = np.where(nearer, most / values[tuple(other)], 1.0).astype(values.dtype)
        values = values * factor.reshape(values.shape)
    return np.minimum(values, most) if most > 0 else values


def _slices(first, last) -> tuple:
    return tuple(slice(int(a), int(b) + 1) for a, b in zip(first, last))


def _others(shape, origin, grid: Grid, word: Word, weight: float) -> np.ndarray:
    """t^weight at each voxel, one at most. origin: the voxel from which the word is told."""
    d, spacing = len(word.mean), grid.spacing_mm
    to_mm = np.column_stack([np.diag(spacing), -spacing * origin[::-1]])[:d]
    square = squares_of(shape, to_mm, word.mean, word.covariance)
    return (1 + square / FREEDOM) ** (-0.5 * weight * (FREEDOM + d))


def squares_of(shape, to_mm, mean, covariance) -> np.ndarray:
    """(K, J, I): the Mahalanobis distance squared of every voxel. to_mm: (D, 4), from (i, j, k, 1) to
    where mean (D,) and covariance (D, D) are."""
    root = np.linalg.inv(np.linalg.cholesky(covariance))
    # From voxels to whitened mm, one affine.
    linear, offset = root @ to_mm[:, :3], root @ (to_mm[:, 3] - mean)
    k, j, i = np.ogrid[tuple(map(slice, shape))]
    return sum(
        (row[0] * i + row[1] * j + row[2] * k + shift) ** 2 for row, shift in zip(linear, offset)
    )


def smoothed(core: Core, values, sigma_mm: float, shift_mm=(0, 0, 0), cut=_CUT) -> tuple:
    """(array, number of voxels that it has more at either end): values * G, moved.

    The Gaussian is given its place before it is sampled, so that a shift is exact. Along each axis it
    sums to one.
    """
    pads = np.zeros(3, int)
    for axis in core.axes:
        spacing = core.spacing_mm[axis]
        pads[axis] = math.ceil((cut * sigma_mm + abs(shift_mm[axis])) / spacing)
        index = np.arange(values.shape[axis])
        wanted = np.arange(-pads[axis], values.shape[axis] + pads[axis])
        apart = (wanted[:, None] - index) * spacing - shift_mm[axis]
        kernel = np.exp(-0.5 * (apart / sigma_mm) ** 2)
        kernel = (kernel / np.maximum(kernel.sum(0), 1e-30)).astype(np.float32)
        values = _along(kernel, values, axis)
    return values, pads


def _along(matrix: np.ndarray, values: np.ndarray, axis: int) -> np.ndarray:
    """The product of a matrix (m, n) with all lines of n values along an axis."""
    before, after = values.shape[:axis], values.shape[axis + 1 :]
    if not after:
        return values @ matrix.T
    lines = values.reshape(math.prod(before), values.shape[axis], math.prod(after))
    return (matrix @ lines).reshape(*before, len(matrix), *after)


def position_of(core: Core, form: BeliefForm) -> np.ndarray:
    """(3,), LPS, mm."""
    sharp = _sharp(core, form, form.peak_power)
    array, pads = smoothed(sharp, sharp.values, _PEAK_SIGMAS * core.sigma_mm)
    return sharp.grid.to_lps((_mode(sharp, array, sharp.peak + pads) - pads)[::-1])


def _mode(core: Core, array: np.ndarray, voxel) -> np.ndarray:
    """(3,), the peak that is reached from a voxel, uphill in steps of up to a sigma."""
    reach = np.ceil(core.sigma_mm / core.spacing_mm).astype(int)
    return decode_peak(array, uphill(array, voxel, reach))


def marker_sigma_mm(stage: Stage) -> float:
    """How wide the markers are that are made of a stage's heatmaps."""
    return _MARKER_SIGMAS[stage.role] * stage.sigma_mm


def _sharp(core: Core, form: BeliefForm, power: float) -> Core:
    """f to the power that makes `power` of the network's probabilities, where that is anything."""
    values, power = core.values / core.values.max(), power / form.power
    low, high = box_of(values > _NOTHING ** (1 / power))
    low, high = np.minimum(low, core.peak), np.maximum(high, core.peak)
    # What a float32 can hardly hold would take many times as long.
    sharp = np.maximum(values[_slices(low, high)], _NOTHING ** (1 / power)) ** np.float32(power)
    grid = core.grid.cropped(low[::-1].tolist(), (high - low + 1)[::-1].tolist())
    return replace(core, values=sharp / sharp.sum(), grid=grid, peak=core.peak - low)


def marker_of(core: Core, form: BeliefForm, position_lps, sigma_mm: float) -> Image:
    """position_lps: onto which the peak is moved."""
    core = _sharp(core, form, _MARKER_POWER)
    position = core.grid.to_ijk(position_lps)[::-1]
    array, pads = smoothed(core, core.values, sigma_mm)
    nearest = np.clip(np.rint(position + pads).astype(int), 0, np.array(array.shape) - 1)
    apart_mm = (position - (_mode(core, array, nearest) - pads)) * core.spacing_mm
    array, pads = smoothed(core, core.values, sigma_mm, apart_mm)
    spacing = [core.spacing_mm[axis] for axis in core.axes]
    array = (array * gaussian_mass(sigma_mm, spacing)).astype(np.float32)
    grid = _padded(core.grid, pads)
    marker = Image(array, grid.ijk_to_lps, grid.unit)
    return shown_part(marker, _LEAST_MARKER * float(array.max()))


def density_of(core: Core, form: BeliefForm, landmark: int) -> tuple:
    """(b, its grid), b sums to one."""
    spread = form.spreads_mm[landmark]
    tail, pads = smoothed(core, core.values, wide_mm(core, spread), cut=_TAIL_CUT)
    close, inner = smoothed(core, core.values, narrow_mm(core, spread))
    belief = form.tails[landmark] * tail
    edge = pads - np.minimum(inner, pads)
    inside = _slices(edge, np.array(belief.shape) - 1 - edge)
    belief[inside] += (1 - form.tails[landmark]) * close
    return belief / belief.sum(), _padded(core.grid, pads)


def density_at(core: Core, position_lps, sigma_mm: float) -> float:
    """f * G(sigma) at one position, per mm (squared, cubed): what `smoothed` would have there."""
    index, values = core.grid.to_ijk(position_lps)[::-1], core.values
    for axis in (0, 1, 2):
        if axis not in core.axes:
            values = values.sum(0)
            continue
        apart = (np.arange(values.shape[0]) - index[axis]) * core.spacing_mm[axis] / sigma_mm
        kernel = np.exp(-0.5 * apart**2) / (math.sqrt(2 * math.pi) * sigma_mm)
        values = np.tensordot(kernel, values, 1)
    return float(values)


def wide_mm(core: Core, spread_mm: float) -> float:
    """The sigma of the tail."""
    return max(_TAIL_SIGMAS * core.sigma_mm, 2 * spread_mm)


def narrow_mm(core: Core, spread_mm: float) -> float:
    """The sigma of what is no tail: no narrower than what voxels can hold."""
    return max(spread_mm, _NARROWEST_VOXELS * float(min(core.grid.spacing_mm)))


def content_of(density: np.ndarray) -> np.ndarray:
    """For each voxel the share of the probability that is denser; one where there is next to none."""
    flat = density.ravel()
    some = np.flatnonzero(flat > _LEAST_BELIEF * flat.max())
    order = some[np.argsort(-flat[some])]
    content = np.ones(flat.shape, np.float32)
    # A voxel is half in, half out of the region of its own density.
    content[order] = np.cumsum(flat[order]) - flat[order] / 2
    return content.reshape(density.shape)


def distances_mm(density: np.ndarray, grid: Grid, position_lps) -> np.ndarray:
    """Of each voxel from a position."""
    square = square_mm(density.shape, grid.to_ijk(position_lps)[::-1], grid)
    return np.sqrt(square).astype(np.float32)


def share_within(density: np.ndarray, distances: np.ndarray, spacing_mm: float) -> tuple:
    """(radii in mm, shares): how much of a belief lies within so far, in steps of half a voxel."""
    step = spacing_mm / 2
    counts = np.bincount((distances / step).astype(int).ravel(), density.ravel())
    return step * np.arange(1, len(counts) + 1), np.cumsum(counts)


def shown(content: np.ndarray, grid: Grid, form: BeliefForm, landmark: int) -> Image:
    """One less the content, by what held-out cases say of it."""
    if form.is_calibrated:
        known, levels = form.held_out.level_of_content(landmark)
        # Nearly all voxels have a content of one.
        some = content < 1
        content = content.copy()
        content[some] = np.interp(content[some], known, levels)
    return shown_part(Image(1 - content, grid.ijk_to_lps, grid.unit), 1 - _SHOWN_LEVEL)


def _padded(grid: Grid, pads) -> Grid:
    """With so many voxels (k, j, i) more at either end."""
    size = np.array(grid.size_ijk) + 2 * pads[::-1]
    matrix = grid.ijk_to_lps.copy()
    matrix[:3, 3] = grid.to_lps(-pads[::-1].astype(float))
    return replace(grid, size_ijk=tuple(size.tolist()), ijk_to_lps=matrix)
