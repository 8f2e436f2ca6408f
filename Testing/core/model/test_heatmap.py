"""Heatmaps: peaks decoded to a fraction of a voxel, and targets drawn where they belong."""

import math

import numpy as np
import pytest

from landmark_heatmap.model.heatmap import decode_peak, encode, gaussian_mass


def gaussian(shape, position, sigmas):
    """A Gaussian of height one; position and sigmas in voxels along each axis."""
    axes = np.ogrid[tuple(slice(n) for n in shape)]
    exponent = sum(((x - p) / s) ** 2 for x, p, s in zip(axes, position, sigmas))
    return np.exp(-0.5 * exponent).astype(np.float32)


def assert_decoded(heatmap, position, tolerance=0.05):
    decoded = decode_peak(heatmap)
    assert decoded.shape == (heatmap.ndim,)
    np.testing.assert_allclose(decoded, position, rtol=0, atol=tolerance)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("shape", "sigmas"),
    [
        ((20, 30), (2, 2)),
        ((20, 30), (0.6, 5)),
        ((16, 20, 24), (2, 2, 2)),
        ((16, 20, 24), (0.7, 2, 4)),
    ],
    ids=["2D", "2D anisotropic", "3D", "3D anisotropic"],
)
def test_a_peak_anywhere_inside_is_found_to_a_fraction_of_a_voxel(shape, sigmas, seed):
    position = np.random.default_rng(seed).uniform(1, np.array(shape) - 2)
    assert_decoded(gaussian(shape, position, sigmas), position)


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    ("size", "spacing"), [((40, 48), (1.0, 1.0)), ((24, 20, 22), (1.0, 1.0, 1.0)),
                          ((24, 20, 22), (1.5, 0.8, 1.0))],
)  # fmt: skip
def test_half_precision_does_not_move_a_peak(half, size, spacing):
    torch = pytest.importorskip("torch")
    positions = torch.rand(20, len(size)) * (torch.tensor(size) - 6) + 3
    targets = encode(positions, size, spacing, 2.0).to(getattr(torch, half)).float()
    for target, position in zip(targets, positions):
        # Neighbours of the peak may tie in half precision: any of them leads to the same place.
        assert_decoded(target.numpy(), position.numpy(), 0.05)


@pytest.mark.parametrize("offset", [-0.4, 0.0, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("far_end", [False, True])
def test_a_peak_at_the_border_is_found_too(offset, far_end):
    shape = (12, 14, 16)
    for axis in range(3):
        position = np.array([5.3, 6.6, 7.2])
        position[axis] = shape[axis] - 1 - offset if far_end else offset
        assert_decoded(gaussian(shape, position, (2, 1.5, 3)), position)


def test_a_peak_in_a_corner_is_found_too():
    assert_decoded(gaussian((8, 8, 8), (0.2, 6.9, -0.3), (2, 2, 2)), (0.2, 6.9, -0.3))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("thickness", [1, 2])
def test_an_axis_of_one_or_two_voxels_gives_the_voxel_and_the_others_their_fraction(
    axis, thickness
):
    shape, position = [12, 14, 16], np.array([4.3, 6.6, 7.2])
    shape[axis], position[axis] = thickness, 0
    assert_decoded(gaussian(shape, position, (2, 2, 2)), position)


def test_the_height_of_the_peak_does_not_matter():
    heatmap = gaussian((20, 20), (7.3, 8.6), (2, 2))
    for height in (1e-6, 1e-3, 50):
        assert_decoded(heatmap * np.float32(height), (7.3, 8.6))


def test_tilted_peaks_are_found_too():
    y, x = np.ogrid[:20, :20]
    u, v = (y - 8.3) + (x - 9.4), (y - 8.3) - (x - 9.4)
    assert_decoded(np.exp(-(u**2) / 40 - v**2 / 8), (8.3, 9.4))


def test_the_highest_of_several_peaks_is_taken_unless_another_is_asked_for():
    heatmap = gaussian((20, 40), (5.2, 8.3), (2, 2)) + 0.6 * gaussian(
        (20, 40), (12.4, 30.3), (2, 2)
    )
    assert_decoded(heatmap, (5.2, 8.3))
    np.testing.assert_allclose(decode_peak(heatmap, start=(12, 30)), (12.4, 30.3), atol=0.05)


@pytest.mark.parametrize("shape", [(5, 5), (3, 4, 5), (1, 1, 1), (1, 5, 5), (2, 2)])
def test_a_map_without_a_peak_gives_some_voxel_of_it(shape):
    for value in (0.0, 1.0):
        decoded = decode_peak(np.full(shape, value, dtype=np.float32))
        assert np.isfinite(decoded).all()
        assert ((decoded >= 0) & (decoded < shape)).all()


@pytest.mark.parametrize("seed", range(5))
def test_in_noise_the_position_stays_within_a_voxel_of_the_maximum(seed):
    heatmap = np.random.default_rng(seed).uniform(size=(7, 8, 9)).astype(np.float32)
    highest = np.unravel_index(heatmap.argmax(), heatmap.shape)
    assert abs(decode_peak(heatmap) - highest).max() <= 1


def test_a_single_bright_voxel_is_decoded_as_itself():
    heatmap = np.zeros((7, 7, 7), dtype=np.float32)
    heatmap[2, 3, 4] = 1
    np.testing.assert_array_equal(decode_peak(heatmap), (2, 3, 4))


def test_decoding_leaves_the_map_as_it_was():
    heatmap = gaussian((9, 9), (4.2, 4.4), (2, 2))
    before = heatmap.copy()
    decode_peak(heatmap)
    np.testing.assert_array_equal(heatmap, before)


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0), (0.5, 2.0), (1.0, 1.5, 2.0)])
def test_the_mass_of_a_gaussian_is_its_sum(spacing_mm):
    sigma_mm, shape = 5.0, [int(60 / s) for s in spacing_mm]
    sigmas = [sigma_mm / s for s in spacing_mm]
    total = gaussian(shape, [n / 2 for n in shape], sigmas).sum(dtype=float)
    assert gaussian_mass(sigma_mm, spacing_mm) == pytest.approx(total, rel=1e-4)


class TestTargets:
    torch = None

    @pytest.fixture(autouse=True)
    def _torch(self):
        self.torch = pytest.importorskip("torch")

    def encoded(self, positions, size, spacing_mm, sigma_mm):
        positions = self.torch.tensor(positions, dtype=self.torch.float64)
        return encode(positions, size, spacing_mm, sigma_mm).numpy()

    @pytest.mark.parametrize(
        ("size", "spacing_mm"),
        [((20, 30), (1, 1)), ((20, 30), (0.5, 2)), ((14, 16, 18), (1, 2, 3))],
    )
    def test_a_target_is_decoded_to_where_it_was_drawn(self, size, spacing_mm):
        positions = np.random.default_rng(0).uniform(0, np.array(size) - 1, (2, 4, len(size)))
        targets = self.encoded(positions, size, spacing_mm, 3.0)
        assert targets.shape == (2, 4, *size)
        for index in np.ndindex(2, 4):
            assert_decoded(targets[index], positions[index])

    def test_the_width_is_in_mm_along_every_axis(self):
        target = self.encoded([10, 10, 10], (21, 21, 21), (1.0, 2.0, 3.0), 6.0)
        half = math.exp(-0.5)
        assert target[10, 10, 10] == 1
        assert target[16, 10, 10] == pytest.approx(half)
        assert target[10, 13, 10] == pytest.approx(half)
        assert target[10, 10, 12] == pytest.approx(half)

    def test_an_unknown_position_gives_an_empty_map(self):
        assert self.encoded([np.nan] * 3, (5, 6, 7), (1, 1, 1), 2.0).max() == 0

    def test_a_position_outside_gives_what_reaches_in(self):
        target = self.encoded([-2.0, 5.0], (10, 10), (1, 1), 2.0)
        assert target[0, 5] == pytest.approx(math.exp(-0.5))
        assert target.max() == target[0, 5]

    def test_one_slice_is_drawn_through_the_landmark(self):
        assert self.encoded([0, 4, 4], (1, 9, 9), (5, 1, 1), 2.0)[0, 4, 4] == 1
