"""What is decoded in few passes over a heatmap is what looking at every voxel would give."""

import numpy as np
import pytest

pytest.importorskip("hypothesis")

from hypothesis import given, settings
from hypothesis import strategies as st

from landmark_heatmap.detection.belief import Core, marker_of, position_of, smoothed
from landmark_heatmap.detection.locate import find_peaks, local_maxima
from landmark_heatmap.images.geometry import Grid
from landmark_heatmap.model.belief_form import BeliefForm

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 12), st.integers(1, 12))
SEEDS = st.integers(0, 2**16)
quickly = settings(max_examples=60, deadline=None)


def plain_maxima(heatmap, lowest):
    """Voxel by voxel."""
    found = []
    for index in np.ndindex(heatmap.shape):
        around = tuple(slice(max(n - 1, 0), n + 2) for n in index)
        if heatmap[index] > lowest and heatmap[index] >= heatmap[around].max():
            found.append(index)
    return found


def grid_of(shape):
    return Grid(shape[::-1], np.diag([1.0, 1.5, 2.0, 1.0]))


@quickly
@given(SHAPES, SEEDS, st.integers(1, 4), st.floats(-0.5, 3.5))
def test_local_maxima_are_found_in_their_order_plateaus_too(shape, seed, levels, lowest):
    # Few levels: many voxels are as high as each other.
    heatmap = np.random.default_rng(seed).integers(0, levels, shape).astype(np.float32)
    found = local_maxima(heatmap, lowest)
    assert [tuple(each) for each in found] == plain_maxima(heatmap, lowest)


@quickly
@given(SHAPES, SEEDS, st.integers(1, 1000))
def test_the_first_peak_is_the_first_of_the_highest_voxels(shape, seed, levels):
    heatmap = np.random.default_rng(seed).integers(0, levels, shape).astype(np.float32)
    peaks = find_peaks(heatmap, grid_of(shape), 1.0)
    assert tuple(peaks[0]) == np.unravel_index(np.argmax(heatmap), shape)
    candidates = plain_maxima(heatmap, 0.05 * heatmap.max())
    assert all(tuple(each) in candidates for each in peaks[1:])


def core_of(shape, seed, sharpness):
    values = np.random.default_rng(seed).random(shape).astype(np.float32)
    values = (values / values.max()) ** sharpness
    axes = tuple(axis for axis in range(3) if shape[axis] > 1)
    peak = np.array(np.unravel_index(np.argmax(values), shape))
    return Core(values / values.sum(), grid_of(shape), axes, 1.5, peak)


@quickly
@given(SHAPES, SEEDS, st.sampled_from([0.0, 0.7]))
def test_lines_are_smoothed_along_each_axis(shape, seed, shift):
    core = core_of(shape, seed, 2)
    found, pads = smoothed(core, core.values, 1.3, (shift,) * 3)
    wanted = core.values.astype(float)
    for axis in core.axes:
        n, spacing = shape[axis], core.spacing_mm[axis]
        at, line = np.arange(-pads[axis], n + pads[axis]), np.arange(n)
        kernel = np.exp(-0.5 * (((at[:, None] - line) * spacing - shift) / 1.3) ** 2)
        wanted = np.apply_along_axis((kernel / kernel.sum(0)).dot, axis, wanted)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-7)


@quickly
@given(SHAPES, SEEDS, st.sampled_from([0.3, 1.0]))
def test_powers_that_leave_next_to_nothing_are_no_part_of_position_and_marker(shape, seed, power):
    # 60th powers of what is random: all but a few voxels are below what a float32 can hold.
    core = core_of(shape, seed, 60 * power)
    form = BeliefForm(np.full(1, 0.5), np.zeros(1), power=power)
    values = (core.values / core.values.max()).astype(float)
    whole = values ** (8 / power)
    plain, _ = smoothed(core, whole / whole.sum(), 4.0)
    position = position_of(core, form)
    assert np.isfinite(position).all()
    marker = marker_of(core, form, position, 4.0)
    assert np.isfinite(marker.array).all()
    spacing = [core.spacing_mm[axis] for axis in core.axes]
    height = plain.max() * np.prod([np.sqrt(2 * np.pi) * 4.0 / mm for mm in spacing])
    # Its peak was moved between voxels, so that the highest of them may be a little lower or higher.
    assert marker.array.max() == pytest.approx(height, rel=0.2)
