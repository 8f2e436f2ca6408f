"""Images in space: grids, frames, and the same anatomy whichever way a file orders its axes."""

import itertools

import numpy as np
import pytest

from landmark_heatmap.errors import GeometryError
from landmark_heatmap.images.geometry import (
    RAS_TO_LPS,
    Grid,
    Image,
    apply_affine,
    canonical_grid,
    spaced_grid,
)

# All ways to permute and flip three axes.
AXIS_ORDERS = [
    (order, flips)
    for order in itertools.permutations(range(3))
    for flips in itertools.product((False, True), repeat=3)
]


def rotation(seed=0):
    """A rotation by up to some 25 degrees about an arbitrary axis."""
    x, y, z = np.random.default_rng(seed).uniform(-0.25, 0.25, 3)
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.linalg.solve(np.eye(3) + skew, np.eye(3) - skew)


def affine(matrix, origin=(-12.5, 30.0, 7.25)):
    result = np.eye(4)
    result[:3, :3], result[:3, 3] = matrix, origin
    return result


def reordered(image, order, flips):
    """The same image in space, its voxels stored with other axes."""
    size = image.grid.size_ijk
    reorder = np.zeros((4, 4))
    reorder[3, 3] = 1
    for target, (source, flip) in enumerate(zip(order, flips)):
        reorder[source, target] = -1 if flip else 1
        reorder[source, 3] = size[source] - 1 if flip else 0
    array = image.array.transpose([2 - order[2 - axis] for axis in range(3)])
    array = array[tuple(slice(None, None, -1 if flip else None) for flip in flips[::-1])]
    return Image(array, image.ijk_to_lps @ reorder)


def values_on(grid, image):
    """The values of `image` at the voxels of `grid`, which are voxels of the image too."""
    ijk = np.stack(np.meshgrid(*map(np.arange, grid.size_ijk), indexing="ij"), axis=-1)
    i, j, k = np.rint(image.grid.to_ijk(grid.to_lps(ijk))).astype(int).reshape(-1, 3).T
    return image.array[k, j, i].reshape(grid.size_ijk)


def test_voxel_indices_go_to_mm_and_back():
    grid = Grid((4, 5, 6), affine(rotation() @ np.diag([0.5, 1, 3])))
    points = np.random.default_rng(0).uniform(-3, 9, (7, 2, 3))
    np.testing.assert_allclose(grid.to_ijk(grid.to_lps(points)), points, atol=1e-12)
    np.testing.assert_allclose(grid.spacing_mm, [0.5, 1, 3])


def test_ras_and_lps_differ_by_the_sign_of_the_first_two_axes():
    grid = Grid((1, 2, 3), affine(np.eye(3), (1, 2, 3)))
    np.testing.assert_array_equal(grid.ijk_to_ras @ [0, 0, 0, 1], [-1, -2, 3, 1])
    image = Image.from_ras(np.zeros((3, 2, 1)), grid.ijk_to_ras)
    np.testing.assert_array_equal(image.ijk_to_lps, grid.ijk_to_lps)
    np.testing.assert_array_equal(RAS_TO_LPS @ RAS_TO_LPS, np.eye(4))


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.eye(3), r"shape \(4, 4\)"),
        (np.diag([1, 1, np.nan, 1]), "finite"),
        (np.diag([1, 1, 1, 2]), "affine"),
        (np.diag([1, 0, 1, 1]), "flat"),
        (affine([[1, 0, 1], [0, 1, 0], [0, 0, 1e-9]]), "flat"),
    ],
)
def test_an_affine_that_places_nothing_is_refused(matrix, words):
    with pytest.raises(GeometryError, match=words):
        Grid((2, 2, 2), matrix)


@pytest.mark.parametrize("size", [(2, 2), (2, 2, 0), (2, -1, 2), (1, 2, 3, 4)])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(GeometryError, match="three sizes"):
        Grid(size, np.eye(4))


def test_an_image_of_other_than_three_axes_is_refused_with_its_shape():
    with pytest.raises(GeometryError, match=r"\(2, 3\)"):
        Image(np.zeros((2, 3)), np.eye(4))


def test_a_very_small_spacing_is_no_flat_voxel():
    assert Grid((2, 2, 2), np.diag([1e-4, 1e-4, 1e-4, 1])).spacing_mm[0] == pytest.approx(1e-4)


def test_the_affine_of_an_image_cannot_be_changed_by_accident():
    matrix = np.eye(4)
    image = Image(np.zeros((2, 2, 2)), matrix)
    matrix[0, 3] = 5
    assert image.ijk_to_lps[0, 3] == 0
    with pytest.raises(ValueError, match="read-only"):
        image.ijk_to_lps[0, 3] = 5


def test_the_outermost_half_voxels_belong_to_the_image():
    grid = Grid((4, 5, 6), affine(np.diag([2.0, 1, 1]), (0, 0, 0)))
    inside = grid.contains([[-0.99, 0, 0], [6.99, 4.49, 5.49]])
    outside = grid.contains([[-1.01, 0, 0], [7.01, 0, 0], [0, 0, 5.51]])
    assert inside.all() and not outside.any()


def test_a_point_beside_a_thin_slice_by_a_rounding_error_is_still_in_it():
    grid = Grid((100, 100, 1), np.diag([1.0, 1.0, 0.01, 1.0]))
    assert grid.contains([50, 50, 0.09])
    assert not grid.contains([50, 50, 0.5])


def test_a_cropped_image_keeps_every_value_at_its_place():
    image = Image(np.arange(4 * 5 * 6).reshape(4, 5, 6), affine(rotation() @ np.diag([0.5, 1, -3])))
    part = image.cropped((1, 2, 1), (3, 2, 2))
    assert part.array.shape == (2, 2, 3) and np.shares_memory(part.array, image.array)
    np.testing.assert_array_equal(values_on(part.grid, image).T, part.array)


@pytest.mark.parametrize("size_kji", [(4, 5, 6), (1, 5, 6)])
def test_all_48_axis_orders_show_a_network_the_same_voxels(size_kji):
    matrix = rotation() @ np.diag([0.5, 1.0, 3.0])
    image = Image(np.arange(np.prod(size_kji)).reshape(size_kji), affine(matrix))
    expected = canonical_grid(image.grid)
    for order, flips in AXIS_ORDERS:
        stored = reordered(image, order, flips)
        grid = canonical_grid(stored.grid)
        assert grid.size_ijk == expected.size_ijk
        np.testing.assert_allclose(grid.ijk_to_lps, expected.ijk_to_lps, atol=1e-9)
        np.testing.assert_array_equal(values_on(grid, stored), values_on(expected, image))


def test_canonical_axes_run_closest_to_left_posterior_superior():
    grid = canonical_grid(Grid((4, 5, 6), affine(rotation()[:, [2, 0, 1]] * [-1, 1, -1])))
    assert grid.size_ijk == (5, 6, 4)
    assert (np.diag(grid.ijk_to_lps)[:3] > 0.8).all()
    assert np.linalg.det(grid.ijk_to_lps) > 0


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        ([[1, 0, 0], [0, 0, 1], [0, -1, 0]], [(1, 0, 0), (0, 0, 1)]),  # coronal: L, S
        ([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], [(0, 1, 0), (0, 0, 1)]),  # sagittal: P, S
        ([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], [(1, 0, 0), (0, 1, 0)]),  # axial: L, P
    ],
)
def test_one_slice_becomes_the_k_axis_and_its_own_axes_follow_the_body(axes, expected):
    grid = canonical_grid(Grid((7, 8, 1), affine(np.array(axes, dtype=float))))
    assert grid.size_ijk[2] == 1
    np.testing.assert_array_equal(grid.ijk_to_lps[:3, :2].T, expected)


def test_another_spacing_covers_the_same_extent_around_the_same_centre():
    grid = Grid((10, 7, 5), affine(rotation() @ np.diag([0.7, 1.3, -2.5])))
    other = spaced_grid(grid, (2, 2, 2))
    np.testing.assert_allclose(other.spacing_mm, 2)
    centre = grid.to_lps((np.array(grid.size_ijk) - 1) / 2)
    np.testing.assert_allclose(other.to_lps((np.array(other.size_ijk) - 1) / 2), centre)
    corners = np.array(list(itertools.product(*((-0.5, n - 0.5) for n in grid.size_ijk))))
    assert other.contains(grid.to_lps(corners)).all()
    assert (np.array(other.size_ijk) == np.ceil(np.array([7, 9.1, 12.5]) / 2)).all()


def test_a_spacing_that_divides_the_extent_adds_no_voxel():
    assert (
        spaced_grid(Grid((30, 30, 30), np.diag([0.1, 0.1, 0.1, 1])), (0.3,) * 3).size_ijk
        == (10,) * 3
    )


def test_a_single_slice_keeps_its_thickness():
    grid = spaced_grid(Grid((10, 10, 1), np.diag([1, 1, 5.0, 1])), (2, 2, 2))
    assert grid.size_ijk == (5, 5, 1)
    np.testing.assert_allclose(grid.spacing_mm, [2, 2, 5])


def test_points_of_any_shape_can_be_mapped():
    moved = apply_affine(affine(np.eye(3), (1, 2, 3)), np.zeros((2, 0, 3)))
    assert moved.shape == (2, 0, 3)
