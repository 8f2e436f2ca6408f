"""How much memory a detection will take, told before it takes it. Needs no torch.

Asked for more than there is, the system ends the process, and with it whatever else runs in it. What
a network needs follows from its description and the size of what it sees. The estimate is of torch's own
layers; six plain networks, whose layers calculate in place on the processor (model/layers/at_rest.py),
took 3 to 31 % less there.
"""

from __future__ import annotations

import math

from ..errors import PredictionError
from ..model.description import ModelDescription, NetworkConfig, Stage

# Bytes. More than this is refused.
MOST_BYTES = 12 * 2**30
_GB = 2**30
_FLOAT = 4
# At its highest a level holds so many maps of its features as they are, and so many in oneDNN's own
# order, whose channels come by sixteen.
_PLAIN_MAPS, _ORDERED_MAPS, _ORDER = 4, 2, 16
# Maps of the joint part's features; copies of the heatmaps while the last layer makes them, in a single
# network and where several are averaged.
_JOINT_MAPS = 3
_SINGLE, _AVERAGED = 2, 4


def check_coarse(size_kji, stage: Stage, members: int = 1) -> None:
    """Raises PredictionError if a coarse stage of so many voxels would take too much memory."""
    needed = _coarse_bytes(size_kji, stage, members)
    if needed > MOST_BYTES:
        raise PredictionError(
            f"To see this image with voxels of {list(stage.spacing_mm)} mm, {_sides(size_kji)} of"
            f" them, the model's {stage.network.landmarks} landmarks would need some"
            f" {_told(needed)} of memory, {_told(MOST_BYTES)} at most. Crop the image to"
            " where they are, or train a model with a coarser first stage."
        )


def check_fine(size_kji, description: ModelDescription, crops: int, batch: int) -> None:
    """As `check_coarse`, for looking at so many crops, so many of them at a time.

    size_kji: what the coarse stage saw, whose heatmaps are there all the while.
    """
    stage = description.stages[1]
    crop = math.prod(stage.crop_size)
    kept = _FLOAT * (math.prod(size_kji) * stage.network.landmarks + crops * crop)
    at_a_time = min(crops, batch)
    seen = at_a_time * network_bytes(stage.crop_size, stage.network, description.members, 1)
    if kept + seen > MOST_BYTES:
        raise PredictionError(
            f"To look at {crops} crops of {_sides(stage.crop_size)} voxels, {at_a_time} at a time,"
            f" the model's fine stage would need some {_told(kept + seen)} of memory,"
            f" {_told(MOST_BYTES)} at most. Train a model with smaller crops."
        )


def _coarse_bytes(size_kji, stage: Stage, members: int) -> float:
    return network_bytes(size_kji, stage.network, members, stage.network.landmarks)


def network_bytes(size, network: NetworkConfig, members: int, channels: int) -> float:
    """The highest that one image of this size (D numbers, or 3 in 2D) makes a network take.

    channels: of what it says.
    """
    size = [n for n in size if n > 1] if network.dimension == 2 else list(size)
    lowest = len(network.features) - 1
    padded = [max(2, math.ceil(n / 2**lowest)) * 2**lowest for n in size]
    voxels = [math.prod(n // 2**level for n in padded) for level in range(lowest + 1)]
    kept = [width * count for width, count in zip(network.features, voxels)]
    # Down and up again: what the encoder made is kept, and so, in the end, what the decoder did.
    working = max(
        (_PLAIN_MAPS * width + _ORDERED_MAPS * _ordered(width)) * count
        for width, count in zip(network.features, voxels)
    )
    said = channels * voxels[0]
    copies = _SINGLE if members == 1 else _AVERAGED
    last = sum(kept) + sum(kept[:-1]) + copies * said
    joint = 0
    if network.joint_features:
        level = network.joint_level
        maps = channels + network.features[level] + _JOINT_MAPS * network.joint_features
        joint = sum(kept) + sum(kept[:-1]) + said + maps * voxels[level]
    others = 0 if members == 1 else said
    return _FLOAT * (max(sum(kept) + working, last, joint) + others)


def _ordered(width: int) -> int:
    return -(-width // _ORDER) * _ORDER


def _told(count: float) -> str:
    return f"{count / _GB:.1f} GB" if count < 10 * _GB else f"{count / _GB:.0f} GB"


def _sides(size) -> str:
    return " x ".join(str(n) for n in reversed(tuple(size)))
