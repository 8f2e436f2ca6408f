"""Augmentation moves image and points by the same map, to a small part of a voxel."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

torch = pytest.importorskip("torch")

from landmark_training.data.augment import draw_maps, jitter_intensities, occlude, warp
from landmark_training.planning.config import TrainConfig

STRONG = TrainConfig(
    rotation_degrees=180, scaling=0.25, translation_share=0.1, elastic_share=0.03, seed=3
)
GRIDS = [((48, 56), (1.0, 1.0)), ((48, 40), (0.7, 1.3)), ((28, 30, 32), (1.0, 1.0, 1.0))]
GRIDS += [((24, 30, 32), (2.0, 1.2, 0.8))]


def maps_for(size, spacing, config=STRONG, flip=True, batch=8, seed=1):
    generator = torch.Generator().manual_seed(seed)
    extent = [n * s for n, s in zip(size, spacing)]
    return draw_maps(batch, extent, config, flip, generator)


@pytest.mark.parametrize(("size", "spacing"), GRIDS)
def test_points_pushed_forward_are_pulled_back_to_where_they_were(size, spacing):
    maps = maps_for(size, spacing)
    extent = torch.tensor([n * s for n, s in zip(size, spacing)])
    points = (torch.rand(8, 50, len(size)) - 0.5) * extent

    returned = maps.pull(maps.push(points))

    assert (returned - points).abs().max() < 0.01 * min(spacing)


@pytest.mark.parametrize(("size", "spacing"), GRIDS)
def test_the_warped_image_shows_at_a_moved_point_what_was_at_the_point(size, spacing):
    """Images of their own coordinates: linear interpolation of them is exact, so what is left is
    the difference between the image's map and the points'."""
    maps = maps_for(size, spacing)
    centre = (torch.tensor(size) - 1) / 2
    points = centre + (torch.rand(8, 30, len(size)) - 0.5) * torch.tensor(size) * 0.5
    moved_mm = maps.push((points - centre) * torch.tensor(spacing))
    moved = moved_mm / torch.tensor(spacing) + centre

    for axis, ramp in enumerate(torch.meshgrid(*map(torch.arange, size), indexing="ij")):
        warped = warp([ramp.float()] * 8, spacing, maps, size)
        for image, at, true in zip(warped, moved, points):
            inside = ((at > 1) & (at < torch.tensor(size) - 2)).all(-1)
            shown = map_coordinates(image[0].numpy(), at[inside].T.numpy(), order=1)
            assert inside.sum() > 5
            assert np.abs(shown - true[inside, axis].numpy()).max() < 0.05


@pytest.mark.parametrize(("size", "spacing"), GRIDS)
def test_no_point_comes_from_outside_the_reach_of_its_map(size, spacing):
    maps, dimension = maps_for(size, spacing), len(size)
    turn = torch.linalg.qr(torch.randn(dimension, dimension)).Q
    centres, half = torch.randn(8, dimension) * 5, torch.tensor(size) / 4
    low, high = maps.reach(centres, half, turn)
    offsets = (torch.rand(8, 200, dimension) * 2 - 1) * half
    source = maps.pull(centres[:, None] + offsets @ turn.T)
    assert (source >= low[:, None]).all()
    assert (source <= high[:, None]).all()
    # And the reach is not the whole world.
    assert (high - low < 4 * (source.amax(1) - source.amin(1))).all()


def test_images_are_warped_on_the_device_that_trains():
    maps = maps_for((12, 16), (1.0, 1.0))
    # This device computes nothing, but refuses to mix with any other.
    warped = warp([torch.rand(12, 16)] * 8, (1.0, 1.0), maps, (12, 16), "meta")
    assert warped.device.type == "meta"


def test_a_flip_is_the_mirror_image_along_the_last_axis():
    still = replace(
        STRONG, rotation_degrees=0, scaling=0, translation_share=0, elastic_share=0, noise=0
    )
    maps = maps_for((12, 16), (1.0, 1.0), still)
    image = torch.rand(12, 16)

    warped = warp([image] * 8, (1.0, 1.0), maps, (12, 16))[:, 0]

    assert maps.flipped.any()
    assert not maps.flipped.all()
    for result, flipped in zip(warped, maps.flipped):
        torch.testing.assert_close(result, image.flip(-1) if flipped else image)


def test_without_left_and_right_nothing_is_flipped():
    assert not maps_for((12, 16), (1.0, 1.0), flip=False).flipped.any()


def test_the_elastic_map_never_folds():
    maps = maps_for((40, 40), (1.0, 1.0), replace(STRONG, elastic_share=10.0))
    v = torch.rand(8, 200, 2) * 40 - 20
    v.requires_grad_(True)
    moved = v + maps.displacement(v)
    rows = [torch.autograd.grad(moved[..., a].sum(), v, retain_graph=True)[0] for a in (0, 1)]
    determinant = rows[0][..., 0] * rows[1][..., 1] - rows[0][..., 1] * rows[1][..., 0]
    assert determinant.min() > 0


def test_what_comes_from_outside_the_image_is_the_lowest_intensity():
    maps = maps_for((20, 20), (1.0, 1.0), replace(STRONG, translation_share=0.9))
    warped = warp([torch.ones(20, 20)] * 8, (1.0, 1.0), maps, (20, 20))
    assert warped.min() == -1
    assert warped.max() == 1


def test_intensities_change_and_stay_finite():
    images = torch.rand(4, 1, 20, 20) * 2 - 1
    changed = jitter_intensities(images.clone(), TrainConfig(), torch.Generator().manual_seed(0))
    assert torch.isfinite(changed).all()
    assert (changed - images).abs().mean() > 0.01


def test_boxes_hide_a_part_of_the_image_and_leave_the_rest():
    images = torch.full((16, 1, 40, 40), 5.0)
    hidden = occlude(images.clone(), TrainConfig(occlusion=0.3), torch.Generator().manual_seed(0))
    share = (hidden != images).float().mean((1, 2, 3))
    assert share.max() < 3 * 0.3**2
    assert 0 < (share > 0).sum() < 16
