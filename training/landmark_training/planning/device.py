"""On what a run computes, and how much it may take."""

from __future__ import annotations

import psutil
import torch

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.launch import place

from .config import TrainConfig


def device_for(config: TrainConfig) -> torch.device:
    """Of this process. Raises DatasetError if it cannot be used."""
    wanted = place().device(config.device)
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise DatasetError(f"The device '{wanted}' cannot be used: {error}") from error
    return device


def is_gpu(device: torch.device) -> bool:
    """Whether it trains so much faster than processors that more is asked of it."""
    return device.type == "cuda"


def free_memory(device) -> float:
    """Bytes that are free for a run."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available
