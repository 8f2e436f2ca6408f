"""Position, belief and marker: what each of them is, of heatmaps whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from landmark_heatmap.detection.belief import (
    content_of,
    core_of,
    density_at,
    density_of,
    marker_of,
    marker_sigma_mm,
    position_of,
)
from landmark_heatmap.detection.joint import Word, believed, predictions, score, value_at
from landmark_heatmap.detection.seen import Seen
from landmark_heatmap.images.geometry import Grid, Image
from landmark_heatmap.judging.consistency import measure_channel
from landmark_heatmap.model.belief_form import BeliefForm, HeldOut
from landmark_heatmap.model.description import COARSE, FINE, NetworkConfig, Stage

SIGMA = 2.0
TURN = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
SHAPES = {"3D": ((30, 32, 34), 3), "2D": ((48, 44, 1), 2)}
both_dimensions = pytest.mark.parametrize("kind", SHAPES)
PLAIN = BeliefForm(np.full(1, 0.5), np.zeros(1), power=1.0)


def grid_of(kind):
    affine = np.eye(4)
    affine[:3, :3] = TURN * [1.0, 0.8, 1.2]
    affine[:3, 3] = (5, -20, 30)
    return Grid(SHAPES[kind][0], affine)


def stage_of(kind, role=FINE):
    dimension = SHAPES[kind][1]
    network = NetworkConfig(dimension, 1, (4, 8), 0, 1)
    return Stage(
        role, (1.0,) * dimension, SIGMA, network, None if role == COARSE else (16,) * dimension
    )


def bump(grid, centre_ijk, sigmas_mm, height=1.0):
    """A Gaussian along the axes of the grid."""
    square = 0.0
    for axis, (n, at) in enumerate(zip(grid.size_ijk, centre_ijk)):
        line = (np.arange(n) - at) * grid.spacing_mm[axis] / sigmas_mm[axis]
        square = square + (line**2).reshape([-1 if a == 2 - axis else 1 for a in range(3)])
    return (height * np.exp(-0.5 * square)).astype(np.float32)


def seen_of(kind, array, voxel_ijk, name="A", role=FINE):
    grid = grid_of(kind)
    position = np.array(voxel_ijk, float)[::-1]
    return Seen(name, Image(array, grid.ijk_to_lps), position, 1.0, 1.0, stage_of(kind, role))


def middle(kind, shift=(0.3, -0.4, 0.2)):
    size = np.array(SHAPES[kind][0])
    return np.where(size > 1, size // 2 + np.array(shift), 0)


def away(kind, mm=6.0):
    return middle(kind) + [mm, 0, 0]


@both_dimensions
def test_of_a_gaussian_the_position_is_its_centre(kind):
    grid, centre = grid_of(kind), middle(kind)
    seen = seen_of(kind, bump(grid, centre, (SIGMA,) * 3), np.rint(centre))
    for power in (0.5, 1.0, 4.0):
        found = position_of(core_of(seen, replace(PLAIN, power=power)), PLAIN)
        assert np.linalg.norm(found - grid.to_lps(centre)) < 0.02


@both_dimensions
def test_a_peak_on_a_wide_plateau_does_not_draw_the_position_to_itself(kind):
    grid, centre = grid_of(kind), middle(kind)
    array = bump(grid, centre, (2 * SIGMA,) * 3)
    spike = np.rint(centre).astype(int) + [2, 0, 0]
    array[tuple(spike[::-1])] *= 1.3
    assert np.argmax(array) == np.ravel_multi_index(tuple(spike[::-1]), array.shape)
    seen = seen_of(kind, array, spike)
    assert np.linalg.norm(position_of(core_of(seen, PLAIN), PLAIN) - grid.to_lps(centre)) < 0.5


@both_dimensions
@pytest.mark.parametrize("role", [COARSE, FINE])
def test_markers_of_narrow_and_of_wide_heatmaps_are_alike(kind, role):
    grid, shapes = grid_of(kind), []
    for sigmas in ((0.6, 0.7, 0.6), (SIGMA,) * 3, (3.5, 1.5, 2.0)):
        seen = seen_of(kind, bump(grid, middle(kind), sigmas), np.rint(middle(kind)), role=role)
        (point,) = predictions([seen], PLAIN, None, grid)
        shapes.append(measure_channel(point, grid, point.sigma_mm))
        assert point.sigma_mm == marker_sigma_mm(seen.stage) > SIGMA
    peaks, spreads = (
        np.array([getattr(s, n) for s in shapes]) for n in ("peak_ratio", "spread_ratio")
    )
    limit = 0.06 if role == FINE else 0.2
    assert np.ptp(peaks) < limit and np.ptp(spreads) < limit
    assert peaks.max() < 1.01


@both_dimensions
def test_the_marker_peaks_at_the_position_wherever_that_lies_between_voxels(kind):
    grid = grid_of(kind)
    for shift in ((0, 0, 0), (0.5, 0.5, 0.5), (0.2, -0.3, 0.4)):
        centre = middle(kind, shift)
        skew = bump(grid, centre, (1.0,) * 3) + 0.6 * bump(grid, centre + [3, 0, 0], (2.0,) * 3)
        seen = seen_of(kind, skew, np.rint(centre))
        (point,) = predictions([seen], PLAIN, None, grid)
        heatmap = point.heatmap
        highest = np.array(np.unravel_index(np.argmax(heatmap.array), heatmap.array.shape))[::-1]
        apart = heatmap.grid.to_ijk(point.position_lps) - highest
        assert abs(apart).max() <= 0.51


@both_dimensions
def test_a_marker_of_two_modes_has_two_and_is_lower(kind):
    grid = grid_of(kind)
    array = bump(grid, middle(kind), (1.0,) * 3) + bump(grid, away(kind, 14), (1.0,) * 3, 0.98)
    (point,) = predictions(
        [seen_of(kind, array, np.rint(middle(kind)), role=COARSE)], PLAIN, None, grid
    )
    assert 0.4 < point.heatmap.array.max() < 0.65
    assert measure_channel(point, grid, point.sigma_mm).has_second_mode


@both_dimensions
def test_where_the_others_chose_the_lower_peak_the_position_is_there(kind):
    grid = grid_of(kind)
    array = bump(grid, middle(kind), (1.0,) * 3, 0.3) + bump(grid, away(kind, 12), (1.0,) * 3)
    for power in (1.0, 8.0):
        form = replace(PLAIN, power=power)
        (point,) = predictions([seen_of(kind, array, np.rint(middle(kind)))], form, None, grid)
        assert np.linalg.norm(point.position_lps - grid.to_lps(middle(kind))) < 0.2


@both_dimensions
def test_no_point_leaves_the_region_that_its_own_heatmap_allows(kind):
    grid, dimension = grid_of(kind), SHAPES[kind][1]
    array = bump(grid, middle(kind), (1.0,) * 3)
    square = sum(
        ((np.arange(n) - m) ** 2).reshape([-1 if a == 2 - axis else 1 for a in range(3)])
        for axis, (n, m) in enumerate(zip(grid.size_ijk, middle(kind)))
    )
    array = np.where(square < 16, array, 0).astype(np.float32)
    form = replace(PLAIN, joint=1.0)
    elsewhere = Word(np.full(dimension, 9.0), 0.1 * np.eye(dimension), 400.0)
    found = believed(seen_of(kind, array, np.rint(middle(kind))), 0, form, elsewhere)
    assert np.linalg.norm(found.position_lps - grid.to_lps(middle(kind))) < 5.5
    index = found.core.grid.to_ijk(found.position_lps)[::-1]
    assert found.core.values[tuple(np.rint(index).astype(int))] > 0


@both_dimensions
def test_the_word_of_the_others_moves_a_doubtful_point_and_hardly_a_sure_one(kind):
    grid, dimension = grid_of(kind), SHAPES[kind][1]
    form, moved = replace(PLAIN, joint=1.0), []
    mean = np.zeros(dimension)
    mean[0] = 3.0
    for sigma in (0.5, 4.0):
        seen = seen_of(kind, bump(grid, middle(kind), (sigma,) * 3), np.rint(middle(kind)))
        peak = seen.position_lps
        found = believed(seen, 0, form, Word(mean, np.eye(dimension), 1.0))
        moved.append(float((found.position_lps - peak) @ grid.directions[:, 0]))
    assert moved[0] < 1.2 < 2.2 < moved[1] < 3.1


@both_dimensions
def test_a_belief_sums_to_one_and_its_content_to_what_a_gaussian_has(kind):
    grid = grid_of(kind)
    seen = seen_of(kind, bump(grid, middle(kind), (SIGMA,) * 3), np.rint(middle(kind)))
    form = replace(PLAIN, spreads_mm=np.array([1.5]))
    core = core_of(seen, form)
    density, wide = density_of(core, form, 0)
    assert density.sum() == pytest.approx(1)
    at = grid.to_lps(middle(kind) + [2.5, 0, 0])
    distance2 = (2.5 * grid.spacing_mm[0]) ** 2 / (SIGMA**2 + 1.5**2)
    expected = 1 - np.exp(-distance2 / 2)
    if SHAPES[kind][1] == 3:
        from math import erf, exp, pi, sqrt

        r = sqrt(distance2)
        expected = erf(r / sqrt(2)) - sqrt(2 / pi) * r * exp(-distance2 / 2)
    content = Image(content_of(density), wide.ijk_to_lps)
    assert value_at(content, at, outside=1.0) == pytest.approx(expected, abs=0.02)
    voxel = np.prod([core.spacing_mm[axis] for axis in core.axes])
    there = value_at(Image(density, wide.ijk_to_lps), at, outside=0.0) / voxel
    assert density_at(core, at, 1.5) == pytest.approx(there, rel=0.05)


@both_dimensions
def test_what_held_out_cases_say_changes_the_contours_and_the_distance_told(kind):
    grid = grid_of(kind)
    seen = seen_of(kind, bump(grid, middle(kind), (SIGMA,) * 3), np.rint(middle(kind)))
    rng = np.random.default_rng(0)

    def told(scores):
        column = np.clip(scores, 0, 1)[:, None]
        form = replace(PLAIN, held_out=HeldOut(column, column, column))
        return predictions([seen], form, None, grid)[0]

    honest, too_sure = told(rng.random(200)), told(rng.random(200) ** 0.3)
    at = grid.to_lps(middle(kind) + [2, 0, 0])
    levels = [1 - value_at(point.belief, at, outside=0.0) for point in (honest, too_sure)]
    assert levels[1] < levels[0] / 2
    assert too_sure.doubt.within_mm > honest.doubt.within_mm > 0
    assert honest.doubt.level == 0.9


def test_few_held_out_cases_claim_little_and_none_nothing():
    grid = grid_of("2D")
    seen = seen_of("2D", bump(grid, middle("2D"), (SIGMA,) * 3), np.rint(middle("2D")))
    scores = np.linspace(0.1, 0.9, 3)[:, None]
    few = replace(PLAIN, held_out=HeldOut(scores, scores, scores))
    assert predictions([seen], few, None, grid)[0].doubt.level == 0.75
    nothing = predictions([seen], None, None, grid)[0].doubt
    assert nothing.level is None and nothing.within_mm is None and nothing.expected_mm > 0


def test_what_the_last_stage_did_not_see_is_not_claimed():
    grid = grid_of("2D")
    seen = seen_of("2D", bump(grid, middle("2D"), (SIGMA,) * 3), np.rint(middle("2D")))
    scores = np.linspace(0.01, 0.99, 30)[:, None]
    form = replace(PLAIN, held_out=HeldOut(scores, scores, scores))
    (point,) = predictions([seen], form, None, grid, is_last=[False])
    assert point.doubt.level is None


@both_dimensions
def test_an_empty_heatmap_says_nothing_and_breaks_nothing(kind):
    grid = grid_of(kind)
    empty = np.zeros(grid.size_ijk[::-1], np.float32)
    (point,) = predictions([seen_of(kind, empty, middle(kind, (0, 0, 0)))], PLAIN, None, grid)
    assert np.isfinite(point.position_lps).all() and np.isfinite(point.heatmap.array).all()
    assert point.doubt.expected_mm > SIGMA


@both_dimensions
def test_a_peak_at_the_border_stays_in_the_image(kind):
    grid = grid_of(kind)
    corner = np.where(np.array(grid.size_ijk) > 1, 0.2, 0)
    seen = seen_of(kind, bump(grid, corner, (SIGMA,) * 3), np.zeros(3))
    (point,) = predictions([seen], PLAIN, None, grid)
    assert np.linalg.norm(point.position_lps - grid.to_lps(corner)) < SIGMA
    told = score(believed(seen, 0, PLAIN), grid.to_lps(corner))
    assert 0 <= told[0] <= 1 and 0 <= told[1] <= 1


def test_a_marker_does_not_depend_on_the_voxels_it_is_sampled_with():
    heights = []
    for spacing in (1.0, 0.5):
        size = (int(40 / spacing), int(40 / spacing), 1)
        grid = Grid(size, np.diag([spacing, spacing, 1.0, 1.0]))
        centre = np.array([20.2 / spacing, 19.7 / spacing, 0])
        image = Image(bump(grid, centre, (SIGMA,) * 3), grid.ijk_to_lps)
        seen = Seen("A", image, np.rint(centre)[::-1], 1.0, 1.0, stage_of("2D"))
        core = core_of(seen, PLAIN)
        marker = marker_of(core, PLAIN, grid.to_lps(centre), 6.0)
        heights.append(value_at(marker, grid.to_lps(centre + [4 / spacing, 0, 0]), outside=0.0))
    assert heights[0] == pytest.approx(heights[1], abs=0.01)
