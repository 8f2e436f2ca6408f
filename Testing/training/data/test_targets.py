"""Targets of a fixed and of a learned covariance."""

import math

import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.model.heatmap import decode_peak, encode, encode_with_covariance
from landmark_training.data.targets import TargetShape

GRIDS = [((40, 48), (1.0, 1.0)), ((40, 48), (0.5, 0.8)), ((20, 24, 28), (2.0, 1.0, 1.5))]
GRIDS = [pytest.param(*grid, id=f"{len(grid[0])}D {grid[1]}") for grid in GRIDS]


def middle_of(size, landmarks=2):
    return torch.tensor([[[(n - 1) / 2 + 0.3 for n in size]] * landmarks])


@pytest.mark.parametrize(("size", "spacing"), GRIDS)
@pytest.mark.parametrize("kind", ["shared", "per_landmark"])
def test_a_learned_shape_begins_as_the_fixed_one(kind, size, spacing):
    shape, fixed = (TargetShape(k, 2, 2.5, spacing) for k in (kind, "fixed"))
    voxels = middle_of(size)
    torch.testing.assert_close(shape.draw(voxels, size), fixed.draw(voxels, size))
    torch.testing.assert_close(shape.energy().expand(2), fixed.energy().expand(2))
    assert shape.mass == pytest.approx(fixed.mass)


@pytest.mark.parametrize(("size", "spacing"), GRIDS)
def test_an_oblique_gaussian_keeps_its_peak_and_its_covariance(size, spacing):
    dimension = len(size)
    factor = 2.0 * torch.eye(dimension) + 0.8 * torch.ones(dimension, dimension).tril(-1)
    covariance = (factor @ factor.T)[None]
    position = middle_of(size, 1)
    target = encode_with_covariance(position, size, spacing, covariance)[0, 0].double()

    assert decode_peak(target.numpy()) == pytest.approx(position[0, 0].tolist(), abs=0.05)
    grid = torch.meshgrid(*(torch.arange(n) * s for n, s in zip(size, spacing)), indexing="ij")
    apart = torch.stack(grid, -1) - position[0, 0] * torch.tensor(spacing)
    measured = torch.einsum("...a,...b,...->ab", apart.double(), apart.double(), target)
    torch.testing.assert_close(measured / target.sum(), covariance[0].double(), rtol=0.03, atol=0.1)


def test_the_energy_is_that_of_the_target_drawn():
    shape = TargetShape("fixed", 1, 2.5, (1.0, 1.2))
    target = shape.draw(middle_of((60, 60), 1), (60, 60))
    assert shape.energy().item() == pytest.approx(target.square().sum().item(), rel=1e-3)


def test_landmarks_with_shapes_of_their_own_share_the_mass():
    shape = TargetShape("per_landmark", 2, 2.0, (1.0, 1.0))
    with torch.no_grad():
        shape.log_diagonal[0] += 0.3
        shape.log_diagonal[1] -= 0.3
    target = shape.draw(middle_of((60, 60)), (60, 60))
    sums = target.flatten(2).sum(2)[0]
    assert sums[0].item() == pytest.approx(sums[1].item(), rel=1e-3)
    assert sums[0].item() == pytest.approx(shape.mass, rel=1e-3)
    torch.testing.assert_close(
        shape.energy(), target.square().flatten(2).sum(2)[0], rtol=1e-3, atol=0
    )
    assert target[0, 0].max() < 1 < target[0, 1].max()


def test_growing_costs():
    shape = TargetShape("shared", 3, 2.0, (1.0, 1.0))
    with torch.no_grad():
        shape.log_diagonal += math.log(1.5)
    assert shape.sigma_mm == pytest.approx(3.0)
    assert shape.inflation().item() == pytest.approx(math.log(1.5))


def test_the_shape_learns_the_spread_that_the_heatmaps_have():
    shape = TargetShape("shared", 1, 2.0, (1.0, 1.0))
    voxels = middle_of((40, 40), 1)
    heatmap = encode(voxels, (40, 40), (1.0, 1.0), 3.0)
    optimiser = torch.optim.Adam(shape.parameters(), 0.03)
    for _ in range(80):
        loss = (shape.draw(voxels, (40, 40)) - heatmap).square().sum() / shape.energy()
        optimiser.zero_grad()
        loss.sum().backward()
        optimiser.step()
    assert shape.sigma_mm == pytest.approx(3.0, rel=0.02)


def test_an_unknown_position_gives_an_empty_target():
    for kind in ("fixed", "shared", "per_landmark"):
        shape = TargetShape(kind, 1, 2.0, (1.0, 1.0))
        target = shape.draw(torch.full((1, 1, 2), torch.nan), (8, 8))
        assert (target == 0).all()
        target.sum().backward() if kind != "fixed" else None
        assert all(torch.isfinite(p.grad).all() for p in shape.parameters())
