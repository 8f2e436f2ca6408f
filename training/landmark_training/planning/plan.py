"""Settings derived from the data, where the configuration leaves them open, and the reasons."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.geometry import canonical_grid
from landmark_heatmap.launch import place
from landmark_heatmap.model.description import (
    COARSE,
    DISTRIBUTION,
    FINE,
    IntensityNormalisation,
    ModelDescription,
    NetworkConfig,
    Stage,
)

from ..progress import doing
from .config import TrainConfig
from .device import device_for, free_memory, is_gpu
from .poses import rotation_spread_degrees
from .precision import Probe, choose_precision
from .symmetry import off_the_plane

# The longest side of what the network sees, in voxels: what two cores train on in minutes; and what a
# GPU does, which has the time for more.
_LONGEST_SIDE = {2: 320, 3: 72}
_LONGEST_SIDE_ON_GPU = {2: 512, 3: 112}
_FEATURES = {2: (24, 48, 96, 128, 128), 3: (12, 24, 48, 96)}
_WIDER_ON_GPU = 2
_BATCH = {2: 4, 3: 2}
# Where images lie in any pose, there is more to learn and less to see: every orientation of the whole,
# but none of the details, for which crops are turned. So fewer voxels, and more images and features.
_COARSER = {2: 1.6, 3: 1.8}
_FEATURES_ANY_POSE = {2: (32, 64, 96, 128, 128), 3: (24, 48, 96, 128)}
_BATCH_ANY_POSE = {2: 8, 3: 4}
_CROP_ANY_POSE = {2: 48, 3: 24}
_SIGMA_VOXELS = {2: 2.0, 3: 1.5}
_JOINT_LEVEL = 3
# The fine stage is worth half of the time if the images are finer than this share of the coarse
# spacing. Its crops reach some five to ten coarse voxels to each side.
_WORTH_REFINING = 0.4
_FINER = 3
_CROP = {2: 64, 3: 32}
_FINE_FEATURES = {2: (24, 48, 64, 96), 3: (16, 32, 64)}
# From scratch, and when going on from a model, which large steps would make forget.
_LEARNING_RATE, _GENTLE_LEARNING_RATE = 2e-3, 5e-4
# Images are rotated by at least so much; by any angle, if the cases lie too differently.
_ROTATION_DEGREES = 15.0
_TOO_DIFFERENT_DEGREES = 60.0
ANY_POSE_DEGREES = 180.0
_WIDEST_KERNEL = 5
# Of each stage, where neither epochs nor minutes are stated.
_EPOCHS = 60
# The coarsest level keeps at least so many voxels along the longest side.
_FEWEST_VOXELS = 4
# float32 numbers that training keeps per voxel, feature of the level and image; and how much of the
# memory that is there a run may take.
_KEPT = 12
_MEMORY_SHARE = 0.4


@dataclass(frozen=True)
class Plan:
    """What a run will do: the model's stages (fine: None for one stage only), its intensities, and
    the settings in full. step_seconds: of each stage, what a step was measured to take. unit: of lengths.
    """

    stage: Stage
    fine: Stage
    intensity: IntensityNormalisation
    config: TrainConfig
    flip: bool
    precision: torch.dtype
    device: torch.device
    reasons: tuple
    unit: str
    step_seconds: dict = field(default_factory=dict)


def plan_run(
    config: TrainConfig, grids, labels, landmarks, parent: ModelDescription = None
) -> Plan:
    """Fill in what the configuration leaves open.

    grids: of the image of every case. labels: its Annotation. parent: the model to
    continue from, whose network and spacing are kept. Raises DatasetError for cases that cannot go
    into one model.
    """
    grids = [canonical_grid(grid) for grid in grids]
    dimension = _dimension(grids)
    reasons = []
    config = config.replaced(
        rotation_degrees=_rotation(config, grids, labels, landmarks, dimension, reasons)
    )
    device = device_for(config)
    if parent is not None:
        if parent.dimension != dimension:
            raise DatasetError(f"The model is {parent.dimension}D, the images are {dimension}D.")
        stage, intensity = parent.stages[0], parent.intensity
        fine = parent.stages[1] if len(parent.stages) > 1 else None
        reasons.append("network, spacing, sigma and intensities: those of the model it starts from")
    else:
        spacing = _spacing(config, grids, dimension, device, reasons)
        sigma = (config.sigma_voxels or _SIGMA_VOXELS[dimension]) * float(np.mean(spacing))
        features = config.features or _features(config, dimension, grids, spacing, device, reasons)
        joint_level = min(_JOINT_LEVEL, len(features) - 1)
        joint = config.joint_features if config.head == DISTRIBUTION else 0
        network = NetworkConfig(
            dimension, len(landmarks), features, joint, joint_level, config.head, aligned=True
        )
        stage = Stage(COARSE, spacing, sigma, network)
        fine = _fine_stage(config, stage, grids, reasons)
        intensity = IntensityNormalisation(**(config.intensity or {}))
        reasons.append(f"sigma {sigma:.3g} {grids[0].unit}")
        reasons.append(f"intensities by {intensity.kind} {intensity.low:g} to {intensity.high:g}")
    flip = _flip(config, grids, labels, landmarks, dimension, reasons)
    rate = _LEARNING_RATE if parent is None else _GENTLE_LEARNING_RATE
    config = config.replaced(
        epochs=config.epochs or (_EPOCHS if config.minutes is None else None),
        batch_size=config.batch_size or _batch(config, stage, grids, device, reasons),
        learning_rate=config.learning_rate or rate,
        head=stage.network.head,
    )
    if config.batch_size < place().size:
        raise DatasetError(
            f"batch_size is {config.batch_size}; each of the {place().size} processes needs an image"
            " of every batch."
        )
    doing("measuring in which precision to train")
    choice = choose_precision(config.precision, _probes(config, stage, fine, grids), device)
    # Going on with a run must not measure again, and perhaps find another one.
    config = config.replaced(precision=str(choice.precision).split(".")[-1])
    reasons.append(
        f"batches of {config.batch_size}, learning rate {config.learning_rate:g}, on {device.type}"
    )
    reasons.append(f"{config.precision} convolutions: {choice.why}")
    reasons.append("losses: " + ", ".join(f"{w:g} {name}" for name, w in config.losses.items()))
    return Plan(
        stage,
        fine,
        intensity,
        config,
        flip,
        choice.precision,
        device,
        tuple(reasons),
        grids[0].unit,
        choice.step_seconds,
    )


def _probes(config, stage: Stage, fine: Stage, grids) -> list:
    """What the steps of each stage work on: images of the largest size, and of the thinnest if that is
    a thinner one for a convolution at the lowest level."""
    sizes = [_size(grid, stage)[::-1] for grid in grids]
    largest, thinnest = max(sizes, key=np.prod), min(sizes, key=min)
    low = [-(-min(size) // 2 ** (len(stage.network.features) - 1)) for size in (largest, thinnest)]
    is_thinner = low[1] < min(low[0], _WIDEST_KERNEL)
    share = -(-config.batch_size // place().size)
    probes = [Probe(stage, (largest, thinnest) if is_thinner else (largest,), share)]
    if fine is not None:
        probes.append(Probe(fine, (fine.crop_size[::-1],), share * config.crops_per_image))
    return probes


def _size(grid, stage: Stage) -> tuple:
    """Voxels along i, j, k of an image as a stage sees it."""
    d = stage.network.dimension
    return tuple(
        int(n) for n in np.ceil(grid.size_ijk[:d] * grid.spacing_mm[:d] / stage.spacing_mm)
    )


def _fine_stage(config, coarse: Stage, grids, reasons) -> Stage:
    """The stage that looks at crops; None where the coarse one is as fine as the images."""
    dimension = coarse.network.dimension
    finest = _finest(grids, dimension)
    wanted = (
        finest < _WORTH_REFINING * min(coarse.spacing_mm) if config.fine is None else config.fine
    )
    if not wanted:
        reasons.append("one stage: it sees the images nearly as finely as they are")
        return None
    turned = config.prior and _is_any_pose(config)
    finer = _FINER * (_COARSER[dimension] if turned else 1)
    spacing = config.fine_spacing_mm or (max(finest, min(coarse.spacing_mm) / finer),)
    spacing = _for_each_axis("fine_spacing_mm", spacing, dimension)
    crop = config.crop_size or ((_CROP_ANY_POSE if turned else _CROP)[dimension],)
    crop = _for_each_axis("crop_size", crop, dimension)
    features = config.fine_features or _FINE_FEATURES[dimension]
    network = NetworkConfig(
        *(dimension, coarse.network.landmarks, features, 0, len(features) - 1, config.head),
        aligned=True,
    )
    sigma = (config.sigma_voxels or _SIGMA_VOXELS[dimension]) * float(np.mean(spacing))
    reasons.append(
        f"a fine stage: crops of {' x '.join(map(str, crop))} voxels of {spacing[0]:.3g}"
        f" {grids[0].unit}, sigma {sigma:.3g} {grids[0].unit}"
    )
    if turned:
        reasons.append("crops are turned with the anatomy")
    return Stage(FINE, spacing, sigma, network, crop, turned)


def _for_each_axis(name: str, values, dimension: int) -> tuple:
    if len(values) not in (1, dimension):
        raise DatasetError(f"{name} is {list(values)}; it takes one number or {dimension}.")
    return tuple(values) * (dimension // len(values))


def _finest(grids, dimension) -> float:
    """The typical spacing of the images, mm."""
    return float(np.median([min(g.spacing_mm[:dimension]) for g in grids]))


def _flip(config, grids, labels, landmarks, dimension, reasons) -> bool:
    """Whether images are mirrored: there are pairs, and no landmark without a partner is one-sided."""
    pairs, one_sided = landmarks.mirror_pairs, ()
    if pairs:
        one_sided = off_the_plane(
            positions_along(grids, labels, landmarks.names, dimension), landmarks
        )
    flip = bool(pairs) and not one_sided if config.flip is None else config.flip
    told = ", ".join(f"{left}/{right}" for left, right in pairs) or "none"
    reasons.append(
        f"{'half of the images are mirrored' if flip else 'no image is mirrored'}"
        f" ({len(pairs)} left/right pairs: {told})"
    )
    if one_sided:
        reasons.append(
            f"{', '.join(one_sided)}: to one side of the plane of symmetry in most cases, and no"
            " partner is known"
            + (
                ", but mirroring is asked for"
                if flip
                else "; state pairs and midline with --pairs to mirror"
            )
        )
    return flip


def positions_along(grids, labels, names, dimension) -> np.ndarray:
    """(N, L, D), mm along the axes of the canonical grids, which is how the network sees the images."""
    return np.array(
        [
            (grid.to_ijk(label.positions_lps(names)) * grid.spacing_mm)[:, :dimension]
            for grid, label in zip(grids, labels)
        ]
    )


def _rotation(config, grids, labels, landmarks, dimension, reasons) -> float:
    """What the poses of the cases ask for, unless it is stated."""
    if config.rotation_degrees is not None:
        return config.rotation_degrees
    spread = rotation_spread_degrees(positions_along(grids, labels, landmarks.names, dimension))
    if spread is None:
        reasons.append(
            f"rotated by up to {_ROTATION_DEGREES:.0f} degrees: too few cases to tell how differently"
            " they lie. If specimens lie in any pose, add --set rotation_degrees=180"
        )
        return _ROTATION_DEGREES
    degrees = max(_ROTATION_DEGREES, spread)
    if degrees > _TOO_DIFFERENT_DEGREES:
        degrees = ANY_POSE_DEGREES
    reasons.append(f"rotated by up to {degrees:.0f} degrees: the cases differ by {spread:.0f}")
    return degrees


def _is_any_pose(config: TrainConfig) -> bool:
    return config.rotation_degrees >= ANY_POSE_DEGREES


def _features(config, dimension, grids, spacing, device, reasons) -> tuple:
    """The default features, less the levels at which nothing of the images would be left."""
    longest = max(
        float(np.max(g.size_ijk[:dimension] * g.spacing_mm[:dimension] / spacing)) for g in grids
    )
    levels = max(2, 1 + int(np.log2(max(1.0, longest / _FEWEST_VOXELS))))
    features = (_FEATURES_ANY_POSE if _is_any_pose(config) else _FEATURES)[dimension][:levels]
    if is_gpu(device):
        features = tuple(_WIDER_ON_GPU * each for each in features)
        reasons.append("a larger network at finer spacing: there is a GPU")
    reasons.append(f"{len(features)} levels with {', '.join(map(str, features))} features")
    return features


def _batch(config, stage: Stage, grids, device, reasons) -> int:
    """The default batch, or as much of it as the memory holds."""
    network = stage.network
    d = network.dimension
    voxels = float(np.prod(np.max([_size(grid, stage) for grid in grids], axis=0)))
    kept = sum(f * voxels / 2 ** (d * level) for level, f in enumerate(network.features))
    per_image = 4 * (_KEPT * kept + 8 * network.landmarks * voxels)
    affordable = int(_MEMORY_SHARE * free_memory(device) / per_image)
    wanted = (_BATCH_ANY_POSE if _is_any_pose(config) else _BATCH)[d]
    if affordable < wanted:
        reasons.append(f"an image takes about {per_image / 2**30:.1f} GiB: fewer at a time")
    # Each process has an image at least.
    return max(place().size, min(wanted, affordable))


def _dimension(grids) -> int:
    flat = sum(grid.is_2d for grid in grids)
    if flat not in (0, len(grids)):
        raise DatasetError(
            f"{flat} of {len(grids)} images are 2D; one model takes 2D or 3D images."
        )
    return 2 if flat else 3


def _spacing(config, grids, dimension, device, reasons) -> tuple:
    """One spacing for all axes, so that the longest side fits, but no finer than the images."""
    if config.spacing_mm is not None:
        return _for_each_axis("spacing_mm", config.spacing_mm, dimension)
    longest = max(float(max(g.size_ijk[:dimension] * g.spacing_mm[:dimension])) for g in grids)
    finest = _finest(grids, dimension)
    coarser = _COARSER[dimension] if _is_any_pose(config) else 1
    side = (_LONGEST_SIDE_ON_GPU if is_gpu(device) else _LONGEST_SIDE)[dimension]
    spacing, unit = max(finest, longest / side * coarser), grids[0].unit
    reasons.append(
        f"spacing {spacing:.3g} {unit}: the longest image is {longest:.3g} {unit}, the images' own"
        f" spacing {finest:.3g} {unit}"
    )
    return (spacing,) * dimension
