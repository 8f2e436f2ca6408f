"""The synthetic hips: the landmarks are measured again from the images that they belong to."""

import numpy as np
import pytest

from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.annotation.mirror_pairs import infer_mirror_pairs
from landmark_heatmap.errors import GeometryError
from landmark_heatmap.images.geometry import Grid
from landmark_heatmap.synthetic.anatomy import draw_patient
from landmark_heatmap.synthetic.hip import (
    CARTILAGE,
    CORTICAL,
    SYNTHETIC_HIP_LANDMARKS,
    make_synthetic_hip,
    render_patient,
)

NAMES = SYNTHETIC_HIP_LANDMARKS.names
ON_BONE = [n for n in NAMES if "Centre" not in n and n != "Pubic_Symphysis"]
COARSE = {"size": 24, "spacing_mm": 12.0}


def grid_about(centre, size, spacing_mm) -> Grid:
    matrix = np.diag([*np.broadcast_to(spacing_mm, 3), 1.0])
    matrix[:3, 3] = centre - matrix.diagonal()[:3] * (size - 1) / 2
    return Grid((size, size, size), matrix)


def values_at(volume, grid, points_lps) -> np.ndarray:
    """Trilinear interpolation at points (n, 3)."""
    ijk = grid.to_ijk(points_lps)
    low = np.clip(np.floor(ijk).astype(int), 0, np.array(grid.size_ijk) - 2)
    part = ijk - low
    total = 0
    for corner in np.ndindex(2, 2, 2):
        i, j, k = (low + corner).T
        total = total + volume[k, j, i] * np.prod(np.where(corner, part, 1 - part), axis=1)
    return total


def surface_level(patient) -> float:
    """The value at the surface of a bone: halfway between its cortex and the cartilage round it."""
    return (CORTICAL * patient.bone_density + CARTILAGE) / 2


def bone_offsets(patient, name, half_size_mm) -> np.ndarray:
    """From a landmark to each voxel of bone (n, 3) within a cube round it, in mm in LPS."""
    spacing = 0.5
    grid = grid_about(patient.landmarks_lps[name], int(2 * half_size_mm / spacing) + 1, spacing)
    k, j, i = np.nonzero(render_patient(patient, grid) > surface_level(patient))
    return grid.to_lps(np.stack([i, j, k], axis=1)) - patient.landmarks_lps[name]


def solid_with(patient, name):
    return next(bone.solid for bone in patient.bones if name in bone.landmarks)


def test_there_are_twelve_landmarks_with_definitions_and_every_left_has_its_right():
    assert len(NAMES) == 12
    assert all(m.definition.endswith(".") for m in SYNTHETIC_HIP_LANDMARKS.landmarks)
    assert set(infer_mirror_pairs(NAMES)) == set(SYNTHETIC_HIP_LANDMARKS.mirror_pairs)


def test_one_seed_always_gives_the_same_hip_and_another_seed_another():
    first, again, other = (make_synthetic_hip(s, **COARSE) for s in (3, 3, 4))
    assert np.array_equal(first.image.array, again.image.array)
    assert np.array_equal(first.image.ijk_to_lps, again.image.ijk_to_lps)
    assert first.annotation == again.annotation
    assert not np.array_equal(first.image.array, other.image.array)
    assert first.annotation != other.annotation


def test_the_values_are_those_of_a_ct():
    hip = make_synthetic_hip(1, size=64, spacing_mm=4.5, whole_pelvis=True)
    assert hip.image.array.dtype == np.int16
    values = hip.image.array
    assert -1024 <= values.min() < -950
    assert 600 < values.max() <= 3071
    # Air round a body of fat, muscle and bone: each makes up a fair part of the image.
    assert np.mean(values < -900) > 0.1
    assert np.mean((values > -20) & (values < 110)) > 0.2
    assert 0.01 < np.mean(values > 200) < 0.2


@pytest.mark.parametrize("spacing_mm", [1.0, (0.8, 1.2, 1.5)])
@pytest.mark.parametrize("side", ["L", "R"])
def test_the_femoral_head_centre_is_the_centre_of_a_sphere_in_the_image(side, spacing_mm):
    for seed in (0, 1, 2):
        patient = draw_patient(np.random.default_rng(seed))
        name = f"Femoral_Head_Centre_{side}"
        truth = patient.landmarks_lps[name]
        # The search starts off the centre, so that it cannot find the truth by standing on it.
        start = truth + [2.0, -1.5, 1.0]
        grid = grid_about(start, 71, spacing_mm)
        volume = render_patient(patient, grid)
        rng = np.random.default_rng(seed)
        rays = rng.standard_normal((600, 3))
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        # Away from the neck, which leaves the head outwards and down in the femur's own axes.
        femur_axes = solid_with(patient, name).local_to_world[:3, :3]
        rays = rays[rays @ (femur_axes @ [0.8, 0.2, -0.6]) < -0.1]
        depths = np.arange(15.0, 32.0, 0.1)
        along = start + rays[:, None] * depths[:, None]
        profile = values_at(volume, grid, along.reshape(-1, 3)).reshape(len(rays), -1)
        above = profile > surface_level(patient)
        # The first step from cortex into the joint space, and where between the steps it happens.
        step = np.argmax(above[:, :-1] & ~above[:, 1:], axis=1)
        row = np.arange(len(rays))
        upper, lower = profile[row, step], profile[row, step + 1]
        exact = depths[step] + 0.1 * (upper - surface_level(patient)) / (upper - lower)
        surface = start + rays * exact[:, None]
        # A sphere by least squares: |p|^2 = 2 p.c + (r^2 - c^2).
        local = surface - start
        system = np.column_stack([2 * local, np.ones(len(local))])
        solution = np.linalg.lstsq(system, (local**2).sum(axis=1), rcond=None)[0]
        radius = np.sqrt(solution[3] + solution[:3] @ solution[:3])
        roundness = abs(np.linalg.norm(local - solution[:3], axis=1) - radius)
        assert np.percentile(roundness, 95) < 0.2 * np.mean(spacing_mm)
        assert 18 < radius < 28
        assert np.linalg.norm(start + solution[:3] - truth) < 0.1 * np.min(spacing_mm)


@pytest.mark.parametrize("name", ON_BONE)
def test_the_landmark_lies_on_the_surface_of_bone(name):
    for seed in range(4):
        patient = draw_patient(np.random.default_rng(seed))
        grid = grid_about(patient.landmarks_lps[name], 9, 0.5)
        volume = render_patient(patient, grid)
        assert volume.min() < 150 < 400 < volume.max()
        # A voxel is filled from none to all of it over 0.5 mm: this is 0.1 mm off the surface.
        tolerance = 0.1 / 0.5 * (CORTICAL * patient.bone_density - CARTILAGE)
        assert abs(volume[4, 4, 4] - surface_level(patient)) < tolerance


@pytest.mark.parametrize(
    "name, direction",
    [
        ("Greater_Trochanter_L", (0, 0, 1)),
        ("Greater_Trochanter_R", (0, 0, 1)),
        ("Lesser_Trochanter_L", (-0.78, 0.62, 0)),
        ("Lesser_Trochanter_R", (-0.78, 0.62, 0)),
        ("ASIS_L", (0, -1, 0)),
        ("ASIS_R", (0, -1, 0)),
    ],
)
def test_no_bone_near_a_tip_lies_farther_out_than_the_tip(name, direction):
    for seed in range(4):
        patient = draw_patient(np.random.default_rng(seed))
        outwards = solid_with(patient, name).local_to_world[:3, :3] @ direction
        outwards /= np.linalg.norm(outwards)
        farthest = np.max(bone_offsets(patient, name, 6.0) @ outwards)
        assert -0.8 < farthest < 0.2


def test_the_symphysis_has_a_pubic_bone_at_the_same_distance_on_either_side():
    for seed in range(4):
        patient = draw_patient(np.random.default_rng(seed))
        across = patient.bones[0].solid.local_to_world[:3, 0]
        steps = np.arange(-8, 8.01, 0.1)
        centre = patient.landmarks_lps["Pubic_Symphysis"]
        grid = grid_about(centre, 37, 0.5)
        profile = values_at(render_patient(patient, grid), grid, centre + steps[:, None] * across)
        bone = steps[profile > surface_level(patient)]
        left, right = bone[bone > 0].min(), -bone[bone < 0].max()
        assert left == pytest.approx(right, abs=0.11)
        assert 0.5 < left < 6


def test_left_landmarks_lie_to_the_left_of_right_ones():
    for seed in range(100):
        positions = draw_patient(np.random.default_rng(seed)).landmarks_lps
        assert set(positions) == set(NAMES)
        for left, right in SYNTHETIC_HIP_LANDMARKS.mirror_pairs:
            assert positions[left][0] > positions[right][0] + 100


def test_landmarks_outside_the_image_are_absent_and_only_those():
    absent = 0
    for seed in range(40):
        hip = make_synthetic_hip(seed, **COARSE)
        # The random patient comes first in the seed's draws, whatever the image shows of it.
        truth = draw_patient(np.random.default_rng(seed)).landmarks_lps
        for name in NAMES:
            if hip.image.grid.contains(truth[name]):
                assert hip.annotation.state(name) is PointState.PLACED
                assert np.array_equal(hip.annotation.position_lps(name), truth[name])
            else:
                assert hip.annotation.state(name) is PointState.ABSENT
                absent += 1
    assert 20 < absent < 300


def test_a_whole_pelvis_fits_the_default_field_of_view_for_every_seed():
    for seed in range(60):
        hip = make_synthetic_hip(seed, **COARSE, whole_pelvis=True)
        assert all(hip.annotation.state(name) is PointState.PLACED for name in NAMES)


def test_blur_and_noise_do_not_shift_the_image_against_its_affine():
    for seed in range(3):
        hip = make_synthetic_hip(seed, size=64, spacing_mm=(4.5, 4.0, 3.5), whole_pelvis=True)
        patient = draw_patient(np.random.default_rng(seed), compact=True)
        clean = render_patient(patient, hip.image.grid)
        for axis in range(3):
            before, here, after = (
                np.corrcoef(clean.ravel(), np.roll(hip.image.array, shift, axis).ravel())[0, 1]
                for shift in (-1, 0, 1)
            )
            # The vertex of the parabola through the three correlations: the shift in voxels.
            assert here > max(before, after)
            assert abs((before - after) / (2 * (before - 2 * here + after))) < 0.05


def test_other_sizes_and_spacings_give_the_same_positions():
    hips = [
        make_synthetic_hip(5, size=size, spacing_mm=spacing, whole_pelvis=True)
        for size, spacing in ((24, 12.0), (32, 10.0), ((40, 20, 24), (7.5, 8.0, 10.0)))
    ]
    for hip in hips[1:]:
        assert hip.annotation == hips[0].annotation
    assert hips[2].image.array.shape == (24, 20, 40)
    assert np.allclose(hips[2].image.grid.spacing_mm, (7.5, 8.0, 10.0))


def test_an_image_too_small_for_a_whole_pelvis_is_refused():
    with pytest.raises(GeometryError, match="too small"):
        make_synthetic_hip(0, size=32, spacing_mm=3.0, whole_pelvis=True)


@pytest.mark.parametrize("wrong", [{"size": (8, 8)}, {"size": 0}, {"spacing_mm": -1.0}])
def test_a_size_or_spacing_that_makes_no_image_is_refused(wrong):
    with pytest.raises(GeometryError, match="above 0"):
        make_synthetic_hip(0, **{**COARSE, **wrong})
