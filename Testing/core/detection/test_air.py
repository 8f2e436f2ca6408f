"""How much air a scan has around the body makes no difference to what a network sees of it."""

import numpy as np
import pytest

from landmark_heatmap.detection.prepare import prepare_with_window, without_air
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.model.description import (
    COARSE,
    IntensityNormalisation,
    NetworkConfig,
    Stage,
)

PERCENTILES = IntensityNormalisation("percentiles", 0.5, 99.5)
STAGE = Stage(COARSE, (2.0,) * 3, 3.0, NetworkConfig(3, 2, (4, 8), 0, 1))
AFFINE = np.array([[0, -2.0, 0, 5], [2, 0, 0, -7], [0, 0, 2, 11], [0, 0, 0, 1]])


def body(seed=0, size=(20, 24, 28)) -> np.ndarray:
    return np.random.default_rng(seed).normal(300, 100, size).clip(50)


def in_air(values, before, after, air=-1000.0, noise=0.0) -> Image:
    """The body with so much air before and after it along each axis, at the same place."""
    array = np.pad(values, list(zip(before, after)), constant_values=air)
    array += np.random.default_rng(1).normal(0, noise, array.shape)
    affine = AFFINE.copy()
    affine[:3, 3] -= AFFINE[:3, :3] @ np.array(before[::-1], float)
    return Image(array.astype(np.float32), affine)


@pytest.mark.parametrize("noise", [0.0, 5.0])
def test_a_network_sees_the_same_whatever_the_air_around(noise):
    values = body()
    little, window = prepare_with_window(
        in_air(values, (6,) * 3, (6,) * 3, noise=noise), STAGE, PERCENTILES
    )
    much, other = prepare_with_window(
        in_air(values, (40, 9, 30), (7, 50, 22), noise=noise), STAGE, PERCENTILES
    )
    # The axes i and j of the image are the other way round for a network.
    assert little.array.shape == much.array.shape == (28, 36, 32)
    np.testing.assert_allclose(window, other, rtol=1e-2)
    np.testing.assert_allclose(much.ijk_to_lps, little.ijk_to_lps, atol=1e-9)
    np.testing.assert_allclose(much.array, little.array, atol=0.1)


def test_four_voxels_of_air_stay_and_less_is_not_filled_up():
    image = in_air(body(), (2, 9, 4), (30, 0, 5))
    found = without_air(image)
    assert found.array.shape == (2 + 20 + 4, 4 + 24, 4 + 28 + 4)
    # Where it is, it was.
    start = np.rint(image.grid.to_ijk(found.grid.to_lps([0, 0, 0]))).astype(int)
    assert start.tolist() == [0, 5, 0]


@pytest.mark.parametrize(
    "array",
    [
        body(),
        1000 - np.pad(body(), 20, constant_values=0.0),  # a bright background
        np.random.default_rng(2).normal(0, 300, (30, 30, 30)),  # noise all over
        np.pad(np.full((2, 2, 2), 5.0), 30),  # hardly anything in it
        np.zeros((9, 9, 9)),
        np.full((9, 9, 9), np.nan),
    ],
    ids=["all body", "bright", "noise", "a dot", "nothing", "not finite"],
)
def test_what_has_no_dark_surroundings_stays_as_it_is(array):
    image = Image(array.astype(np.float32), AFFINE)
    assert without_air(image).array.shape in (array.shape, (10, 10, 10))


def test_a_flat_image_keeps_its_dark_margin():
    array = np.pad(np.full((1, 30, 30), 200.0), ((0, 0), (50, 50), (50, 50)))
    assert without_air(Image(array, AFFINE)).array.shape == array.shape


def test_voxels_that_are_not_finite_are_air():
    array = np.pad(body(), 12, constant_values=np.nan)
    assert without_air(Image(array, AFFINE)).array.shape == (28, 32, 36)
