"""The way of the peers: a network slid over the whole volume at full resolution, MONAI's way."""

from __future__ import annotations

import time

import numpy as np
import torch

from landmark_heatmap.images.geometry import Image, canonical_grid, spaced_grid
from landmark_heatmap.images.resample import resample
from landmark_heatmap.model.description import INDEPENDENT, NetworkConfig
from landmark_heatmap.model.network import LandmarkUNet

ROI, OVERLAP = 96, 0.25  # the overlap is MONAI's default
_WINDOW = (-200, 1200)


def windows_of(size) -> int:
    """How many windows MONAI slides over so many voxels."""
    step = int(ROI * (1 - OVERLAP))
    return int(np.prod([max(0, -(-(n - ROI) // step)) + 1 for n in size]))


def heatmap_bytes(size, landmarks: int) -> int:
    """One float32 heatmap over the whole volume for each landmark, and MONAI's map of counts."""
    return 4 * (landmarks + 1) * int(np.prod(size))


def size_at(image: Image, spacing_mm: float) -> tuple:
    """The volume's voxels at another spacing; at its own if the spacing is None."""
    grid = canonical_grid(image.grid)
    return grid.size_ijk if spacing_mm is None else spaced_grid(grid, (spacing_mm,) * 3).size_ijk


@torch.inference_mode()
def slide(image: Image, landmarks: int, features, spacing_mm=None, device="cpu") -> float:
    """Seconds to normalise the image and slide the network of one heatmap a landmark over it.

    On a GPU the windows are seen there, and the heatmaps, too many for it, put together here.
    """
    from monai.inferers import sliding_window_inference

    config = NetworkConfig(3, landmarks, tuple(features), 0, 3, INDEPENDENT)
    network = LandmarkUNet(config).eval().to(device)
    start = time.perf_counter()
    if spacing_mm is not None:
        grid = canonical_grid(image.grid)
        image = resample(image, spaced_grid(grid, (spacing_mm,) * 3))
    low, high = _WINDOW
    array = torch.from_numpy(image.array).float()
    array.sub_(low).div_(high - low).clamp_(0, 1).mul_(2).sub_(1)
    heatmaps = sliding_window_inference(
        array[None, None],
        (ROI,) * 3,
        1,
        lambda x: network(x).voxels,
        overlap=OVERLAP,
        sw_device=device,
        device="cpu",
    )
    for heatmap in heatmaps[0]:
        heatmap.argmax()
    return time.perf_counter() - start
