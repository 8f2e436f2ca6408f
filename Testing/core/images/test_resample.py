"""Resampling to a model's spacing and back is exact in mm, whatever the axes of the image."""

import numpy as np
import pytest

from landmark_heatmap.errors import GeometryError
from landmark_heatmap.images.geometry import Grid, Image, canonical_grid, spaced_grid
from landmark_heatmap.images.resample import resample

# Some 60 degrees about an arbitrary axis (Cayley's formula).
SKEW = np.array([[0, -0.4, 0.3], [0.4, 0, -0.3], [-0.3, 0.3, 0]])
ROTATION = np.linalg.solve(np.eye(3) + SKEW, np.eye(3) - SKEW)
SHEAR = np.array([[1, 0.3, 0], [0, 1, -0.2], [0.1, 0, 1]])
# Directions and spacings; sizes so that all images are about 60 mm wide.
PLACES = {
    "straight": np.diag([1.5, 1.5, 1.5]),
    "oblique": ROTATION * 1.5,
    "left-handed": ROTATION * [1.5, -1.5, 1.5],
    "anisotropic": ROTATION * [0.8, 1.1, 4.0],
    "sheared": SHEAR * [1.2, 1.2, 2.0],
    "fine": ROTATION * [0.6, 0.6, 0.7],
}
places = pytest.mark.parametrize("matrix", PLACES.values(), ids=PLACES.keys())


def grid_of(matrix, slices=None):
    size = np.ceil(60 / np.linalg.norm(matrix, axis=0)).astype(int)
    if slices is not None:
        size[2] = slices
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = matrix, (-20, 35, 110)
    return Grid(size, affine)


def world_of(grid):
    """The world positions of all voxels, with the axes of the array: (K, J, I, 3), mm."""
    ijk = np.stack(np.meshgrid(*map(np.arange, grid.size_ijk), indexing="ij"), axis=-1)
    return grid.to_lps(ijk).transpose(2, 1, 0, 3)


def ramp(grid):
    return (world_of(grid) @ [2.0, -3.0, 0.5]).astype(np.float32)


def centre_of(grid):
    return grid.to_lps((np.array(grid.size_ijk) - 1) / 2)


def blob(grid, at, sigma_mm):
    distance = np.linalg.norm(world_of(grid) - at, axis=-1)
    return np.exp(-0.5 * (distance / sigma_mm) ** 2).astype(np.float32)


def centroid(image):
    weights = image.array[..., None].astype(float)
    return (weights * world_of(image.grid)).sum((0, 1, 2)) / weights.sum()


@places
@pytest.mark.parametrize("spacing_mm", [1.0, 2.0, 3.1])
def test_a_linear_ramp_is_reproduced_at_any_spacing(matrix, spacing_mm):
    source = grid_of(matrix)
    target = spaced_grid(canonical_grid(source), (spacing_mm,) * 3)
    result = resample(Image(ramp(source), source.ijk_to_lps), target)
    assert result.array.dtype == np.float32 and result.grid.size_ijk == target.size_ijk
    # A bin's width from the edge inwards, nothing is continued outwards.
    ijk = source.to_ijk(world_of(target))
    margin = 1 + spacing_mm / source.spacing_mm * np.sqrt(3)
    inside = np.all((ijk >= margin) & (ijk <= np.array(source.size_ijk) - 1 - margin), axis=-1)
    assert inside.sum() > 50
    np.testing.assert_allclose(result.array[inside], ramp(target)[inside], atol=1e-3)


@places
@pytest.mark.parametrize("slices", [None, 1], ids=["volume", "slice"])
def test_a_blob_stays_where_it_is_to_a_model_spacing_and_back(matrix, slices):
    source = grid_of(matrix, slices)
    at = centre_of(source) + (matrix @ [1.7, -2.3, 0 if slices == 1 else 0.4])
    image = Image(blob(source, at, 6.0), source.ijk_to_lps)
    there = resample(image, spaced_grid(canonical_grid(source), (2.5,) * 3))
    back = resample(there, source)
    expected = centroid(image)
    # In voxels of whichever grid is the coarser along each axis.
    voxel_mm = np.maximum(source.spacing_mm, 2.5)
    for result, name in ((there, "there"), (back, "back")):
        moved = np.linalg.inv(source.ijk_to_lps[:3, :3]) @ (centroid(result) - expected)
        assert (abs(moved) * source.spacing_mm / voxel_mm).max() < 0.05, name


def test_a_flipped_volume_gives_the_same_values_in_space():
    source = grid_of(PLACES["oblique"])
    image = Image(np.random.default_rng(0).normal(size=source.size_ijk[::-1]), source.ijk_to_lps)
    flip = np.diag([1.0, -1.0, 1.0, 1.0])
    flip[1, 3] = source.size_ijk[1] - 1
    flipped = Image(image.array[:, ::-1], source.ijk_to_lps @ flip)
    target = spaced_grid(canonical_grid(source), (1.0, 2.0, 1.0))
    np.testing.assert_allclose(
        resample(image, target).array, resample(flipped, target).array, atol=1e-5
    )


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32, np.float16, bool])
@pytest.mark.parametrize("slices", [1, 2, 13, 24])
def test_an_image_averaged_in_slabs_is_averaged_as_a_whole(dtype, slices, monkeypatch):
    array = np.random.default_rng(2).integers(0, 200, (slices, 10, 11)).astype(dtype)
    image = Image(array, np.eye(4))
    target = spaced_grid(image.grid, (3.3, 2.0, 4.1))
    whole = resample(image, target).array
    monkeypatch.setattr("landmark_heatmap.images.resample._SLAB_VOXELS", 1)
    np.testing.assert_array_equal(resample(image, target).array, whole)


@pytest.mark.parametrize("size", [7, 10, 11, 12])
def test_every_voxel_counts_where_bins_do_not_divide_the_size(size):
    for bright in range(size):
        array = np.zeros((1, 1, size), dtype=np.float32)
        array[0, 0, bright] = 1
        image = Image(array, np.eye(4))
        result = resample(image, spaced_grid(image.grid, (4, 1, 1)))
        assert result.array.max() >= 0.1, f"the voxel {bright} of {size} is lost"


def test_a_fine_pattern_is_averaged_and_not_aliased():
    grid = Grid((40, 40, 40), np.eye(4))
    checkers = np.indices((40, 40, 40)).sum(axis=0) % 2
    image = Image(checkers.astype(np.int16) * 100, grid.ijk_to_lps)
    result = resample(image, spaced_grid(grid, (4, 4, 4)))
    np.testing.assert_allclose(result.array, 50)


def test_what_lies_outside_continues_the_edge():
    image = Image(np.full((3, 3, 3), 7, dtype=np.int16), np.eye(4))
    far = Grid((2, 2, 2), np.diag([100.0, 100.0, 100.0, 1.0]))
    np.testing.assert_array_equal(resample(image, far).array, 7)


@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "longlong",
     "float16", "float32", "float64", ">i2", ">f4"],
)  # fmt: skip
@pytest.mark.parametrize("spacing_mm", [1.0, 2.0])
def test_every_type_of_number_can_be_resampled(dtype, spacing_mm):
    values = (np.indices((8, 8, 8)).sum(axis=0) // 4 % 2).astype(dtype)
    expected = Image(values.astype(np.float32), np.eye(4))
    target = spaced_grid(expected.grid, (spacing_mm,) * 3)
    result = resample(Image(values, np.eye(4)), target).array
    # ITK rounds the mean of whole numbers to a whole number.
    tolerance = 0.51 if np.dtype(dtype).kind in "iu" and spacing_mm > 1 else 1e-6
    np.testing.assert_allclose(result, resample(expected, target).array, atol=tolerance)


@pytest.mark.parametrize("dtype", ["complex64", "object", "U1", "datetime64[s]"])
def test_what_is_no_number_is_refused_with_its_type(dtype):
    with pytest.raises(GeometryError, match=dtype.split("[")[0].replace("U1", "<U1")):
        resample(Image(np.zeros((2, 2, 2), dtype=dtype), np.eye(4)), Grid((2, 2, 2), np.eye(4)))


def test_views_of_an_array_are_resampled_as_what_they_show():
    array = np.random.default_rng(0).normal(size=(8, 9, 10)).astype(np.float32)
    grid = Grid((4, 4, 4), np.eye(4))
    for view in (array[::-2, ::-1, 1:], array.T, np.asfortranarray(array)):
        copied = resample(Image(view.copy(order="C"), np.eye(4)), grid).array
        np.testing.assert_array_equal(resample(Image(view, np.eye(4)), grid).array, copied)


def test_resampling_leaves_the_image_as_it_was():
    array = np.arange(27, dtype=np.float32).reshape(3, 3, 3)
    image = Image(array.copy(), np.eye(4))
    resample(image, Grid((2, 2, 2), np.diag([2.0, 2.0, 2.0, 1.0])))
    np.testing.assert_array_equal(image.array, array)


def test_whole_numbers_of_all_64_bits_keep_their_size():
    small = np.arange(1600, dtype=np.uint64).reshape(1, 40, 40)
    grid = spaced_grid(canonical_grid(Image(small, np.eye(4)).grid), (2.0, 2.0, 1.0))
    unit = 2**52
    large = resample(Image(small * np.uint64(unit) + np.uint64(2**63), np.eye(4)), grid).array
    expected = resample(Image(small, np.eye(4)), grid).array
    assert np.allclose((large.astype(np.float64) - 2**63) / unit, expected, atol=0.01)
