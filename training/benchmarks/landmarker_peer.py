"""The peer: `landmarker` 0.4.1 trained on the same cases for the same time, judged by the same code.

    python training/benchmarks/landmarker_peer.py TRAIN TEST --output DIR --minutes M --seed N

Runs in an environment of its own: torch 2.13.0 first, then landmarker, monai, SimpleITK and this
repository's LandmarkHeatmap folder on PYTHONPATH. 2D images with every landmark placed. Writes one
annotation for each test image to DIR; judge with `landmark-heatmap evaluate DIR TEST`.

Two recipes. `published` is the project's own example of adaptive heatmap regression (SCN with 128
channels, 512 x 512, batches of one, SGD with Nesterov momentum .99 and rate 1e-6, learned
covariance, its augmentation). It is meant for hours on a GPU, so `helped` keeps its network, loss,
targets, augmentation and decoding, and does for them what helps in minutes on a processor: 256 x 256,
32 channels, batches of four, AdamW with a rate that warms up and falls to nothing.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

# landmarker needs torchvision to be importable, and a build for another version of torch lacks these.
for _name in ("nms", "qnms"):
    torch.library.define(
        f"torchvision::{_name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    )

from landmarker.data import LandmarkDataset
from landmarker.heatmap.decoder import heatmap_to_coord
from landmarker.heatmap.generator import GaussianHeatmapGenerator
from landmarker.losses import GaussianHeatmapL2Loss
from landmarker.models.spatial_configuration_net import (
    OriginalSpatialConfigurationNet,
)
from monai.transforms import (
    Compose,
    RandAdjustContrastd,
    RandAffined,
    RandGaussianNoised,
    RandHistogramShiftd,
    RandScaleIntensityd,
    RandStdShiftIntensityd,
)

from landmark_heatmap.annotation.annotation_files import read_annotation, write_annotation
from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.images.imageio import image_stem, is_image_file, read_image


@dataclass(frozen=True)
class Recipe:
    """size: of the images, along each axis. translation: pixels."""

    size: int
    channels: int
    batch: int
    translation: float
    adam: bool


RECIPES = {
    "published": Recipe(size=512, channels=128, batch=1, translation=10, adam=False),
    "helped": Recipe(size=256, channels=32, batch=4, translation=5, adam=True),
}
_SIGMA, _GAMMA, _ALPHA = 3, 100, 5
_WARM_UP = 0.05


@dataclass(frozen=True)
class Case:
    """image (1, J, I) from 0 to 1; points (L, 2): j, i."""

    name: str
    grid: object
    image: np.ndarray
    points: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", choices=RECIPES, default="published")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    np.random.seed(options.seed)
    recipe = RECIPES[options.recipe]
    names, cases = read_cases(options.train)
    network, steps = train(recipe, cases, options.minutes, options.seed)
    print(f"{steps} steps of {recipe.batch} in {options.minutes:g} minutes.")
    options.output.mkdir(parents=True, exist_ok=True)
    for case in read_cases(options.test)[1]:
        write_annotation(
            options.output / f"{case.name}.mrk.json", predict(network, recipe, names, case)
        )


def read_cases(folder: Path) -> tuple:
    """(names of the landmarks, Cases)."""
    cases, names = [], None
    for path in sorted(filter(is_image_file, folder.iterdir())):
        image, annotation = (
            read_image(path),
            read_annotation(folder / f"{image_stem(path)}.mrk.json"),
        )
        names = names or annotation.names
        points = image.grid.to_ijk(annotation.positions_lps(names))[:, 1::-1]
        grey = image.array[0].astype(np.float32)
        low, high = np.percentile(grey, (0.5, 99.5))
        scaled = np.clip((grey - low) / max(high - low, 1e-6), 0, 1)
        cases.append(Case(image_stem(path), image.grid, scaled[None], points))
    return names, cases


def dataset_of(images, points, size: int, transform=None) -> LandmarkDataset:
    return LandmarkDataset(
        list(images), np.array(points), transform=transform, dim_img=(size, size)
    )


def augmentation(translation: float) -> Compose:
    keys, angle = ("image",), np.pi / 12
    moves = {"translate_range": (-translation, translation), "scale_range": (-0.1, 0.1)}
    return Compose(
        [
            RandAffined(
                keys, prob=1, rotate_range=(-angle, angle), shear_range=(-0.1, 0.1), **moves
            ),
            RandGaussianNoised(keys, prob=0.1, mean=0, std=0.005),
            RandStdShiftIntensityd(keys, prob=0.1, factors=0.1),
            RandScaleIntensityd(keys, factors=0.25, prob=0.1),
            RandAdjustContrastd(keys, prob=0.1, gamma=(0.5, 2)),
            RandHistogramShiftd(keys, prob=0.1),
        ]
    )


def train(recipe: Recipe, cases, minutes: float, seed: int) -> tuple:
    """(network, number of steps); the images are read and resized before the clock starts."""
    count = len(cases[0].points)
    network = OriginalSpatialConfigurationNet(
        out_channels=count, la_channels=recipe.channels, sp_channels=recipe.channels
    )
    targets = GaussianHeatmapGenerator(
        count, _SIGMA, _GAMMA, heatmap_size=(recipe.size,) * 2, learnable=True
    )
    transform = augmentation(recipe.translation)
    transform.set_random_state(seed)
    images, points = [case.image for case in cases], [case.points for case in cases]
    dataset = dataset_of(images, points, recipe.size, transform)
    groups = [
        {"params": network.parameters(), "weight_decay": 1e-3},
        {"params": [targets.sigmas, targets.rotation], "weight_decay": 0.0},
    ]
    if recipe.adam:
        optimiser = torch.optim.AdamW(groups, lr=1e-3)
    else:
        optimiser = torch.optim.SGD(groups, lr=1e-6, momentum=0.99, nesterov=True)
    rates = [group["lr"] for group in optimiser.param_groups]
    loss_of = GaussianHeatmapL2Loss(_ALPHA)
    loader = torch.utils.data.DataLoader(dataset, recipe.batch, shuffle=True, drop_last=True)
    start, steps, done = time.monotonic(), 0, 0.0
    while done < 1:
        for batch in loader:
            done = (time.monotonic() - start) / (60 * minutes)
            if done >= 1:
                break
            if recipe.adam:
                for group, rate in zip(optimiser.param_groups, rates):
                    group["lr"] = rate * schedule(done)
            heatmaps = network(torch.as_tensor(batch["image"]))
            loss = loss_of(heatmaps, targets.sigmas, targets(batch["landmark"]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            steps += 1
            if steps % 100 == 0:
                print(f"step {steps}: {100 * done:.0f} %, loss {loss.item():.4g}", flush=True)
    return network.eval(), steps


def schedule(done: float) -> float:
    if done < _WARM_UP:
        return 0.1 + 0.9 * done / _WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))


@torch.inference_mode()
def predict(network, recipe: Recipe, names, case: Case) -> Annotation:
    """The example's own decoding; then back through the resizing and the padding."""
    # Two corners tell where their own code puts the original picture.
    corners = np.array([[0.0, 0.0], np.array(case.image.shape[1:]) - 1.0])
    dataset = dataset_of([case.image], [corners], recipe.size)
    heatmaps = network(torch.as_tensor(dataset[0]["image"])[None])
    found = heatmap_to_coord(heatmaps, method="local_soft_argmax")[0].double().numpy()
    first, last = np.array(dataset.landmarks[0], dtype=float)
    points = (found - first) / (last - first) * corners[1]
    ijk = np.column_stack([points[:, 1], points[:, 0], np.zeros(len(points))])
    lps = case.grid.to_lps(ijk)
    return Annotation(
        {name: Point(PointState.PREDICTED, tuple(map(float, p))) for name, p in zip(names, lps)}
    )


if __name__ == "__main__":
    main()
