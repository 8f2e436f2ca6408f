"""What the benchmarks detect in, and with: a large synthetic CT, and a two-stage model of any number
of landmarks. Neither needs a download; the CT is kept in the folder for temporary files.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from landmark_heatmap.annotation.annotation_files import read_annotation, write_annotation
from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.model.description import FINE, NetworkConfig, Stage
from landmark_heatmap.model.model_file import Model, read_model
from landmark_heatmap.model.network import network_for
from landmark_heatmap.model.prior import ShapePrior
from landmark_heatmap.synthetic.hip import make_synthetic_hip
from landmark_training.planning.plan import _CROP, _FINE_FEATURES, _FINER, _SIGMA_VOXELS

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "LandmarkHeatmap" / "Resources" / "Models" / "synthetic_hip.safetensors"
SIZE_IJK, SPACING_MM = (512, 512, 600), 0.8
# The phantom is drawn at so many times the spacing, and each voxel then fills a block.
_BLOCK = 2
_SEED = 7
# Log-odds: all that a network of random weights has to be told, so that it answers at all.
_CERTAIN = 30.0


def large_ct(size_ijk=SIZE_IJK, *, mapped: bool = False) -> tuple:
    """(image, int16, 0.8 mm; the true positions). Drawn on the first call, then read.

    mapped: leave the values in the file until they are used, to take a part of them.
    """
    name = "x".join(map(str, size_ijk))
    folder = Path(tempfile.gettempdir()) / f"landmark-heatmap-benchmark-{name}"
    values, places, truth = (folder / n for n in ("ct.npy", "affine.json", "truth.mrk.json"))
    if not truth.is_file():
        folder.mkdir(exist_ok=True)
        small = tuple(n // _BLOCK for n in size_ijk)
        hip = make_synthetic_hip(_SEED, small, _BLOCK * SPACING_MM, whole_pelvis=True)
        array = hip.image.array
        for axis in range(3):
            array = np.repeat(array, _BLOCK, axis=axis)
        affine = hip.image.ijk_to_lps @ np.diag([1 / _BLOCK] * 3 + [1])
        # The first of the small voxels lies before the centre of the block.
        affine[:3, 3] = hip.image.grid.to_lps([-(_BLOCK - 1) / (2 * _BLOCK)] * 3)
        np.save(values, array)
        places.write_text(json.dumps(affine.tolist()), encoding="utf-8")
        write_annotation(truth, hip.annotation)
    affine = np.array(json.loads(places.read_text(encoding="utf-8")))
    return Image(np.load(values, mmap_mode="r" if mapped else None), affine), read_annotation(truth)


def middle_of(image: Image, side: int) -> Image:
    """A cube of `side` voxels about the centre, with values of its own."""
    size = np.minimum(side, image.grid.size_ijk)
    start = (np.array(image.grid.size_ijk) - size) // 2
    part = image.cropped(start.tolist(), size.tolist())
    return Image(np.array(part.array), part.ijk_to_lps)


def two_stage_model(landmarks: int, *, all_present: bool = False) -> Model:
    """The shipped model's coarse network for any number of landmarks, with a fine stage of the
    default size.

    The twelve trained landmarks come again under new names until there are enough: the coarse
    stage finds them as the shipped model does, and as many candidates as it. The fine stage has
    random weights, and says 'not in this crop' to everything, so that the coarse positions stay,
    while all its work is done. all_present: the coarse stage believes every landmark to be there,
    whatever the image shows: the most work there can be.
    """
    shipped = read_model(SHIPPED)
    source = np.arange(landmarks) % len(shipped.description.landmarks)
    coarse = shipped.description.stages[0]
    stage = replace(coarse, network=replace(coarse.network, landmarks=landmarks))
    network = network_for(stage)
    network.load_state_dict(_repeated(shipped.networks[0].state_dict(), source))
    fine_stage = _fine_stage(stage)
    torch.manual_seed(0)
    fine = network_for(fine_stage)
    with torch.no_grad():
        fine.nowhere.bias.fill_(_CERTAIN)
        if all_present:
            network.nowhere.bias.fill_(-_CERTAIN)
    names = shipped.description.landmarks.names
    description = replace(
        shipped.description,
        name=f"Benchmark of {landmarks} landmarks",
        landmarks=LandmarkSet(
            tuple(Landmark(f"{names[s]}_{i // len(names)}", "") for i, s in enumerate(source))
        ),
        stages=(stage, fine_stage),
    )
    prior = shipped.prior and _repeated_prior(shipped.prior, source)
    return Model(description, (network.eval(), fine.eval()), shipped.identity, prior)


def _fine_stage(coarse: Stage) -> Stage:
    """As training plans it by default for images that are finer than this."""
    spacing = coarse.spacing_mm[0] / _FINER
    network = NetworkConfig(3, coarse.network.landmarks, _FINE_FEATURES[3], 0, 2)
    return Stage(FINE, (spacing,) * 3, _SIGMA_VOXELS[3] * spacing, network, (_CROP[3],) * 3)


def _repeated(weights: dict, source: np.ndarray) -> dict:
    """The weights for landmarks that are copies of others: outputs repeat, inputs are shared out."""
    weights, index = dict(weights), torch.from_numpy(source)
    trained = len(weights["local.bias"])
    for name in ("local", "nowhere", "joint.leave"):
        for part in ("weight", "bias"):
            weights[f"{name}.{part}"] = weights[f"{name}.{part}"][index]
    # The joint part's inputs are the landmarks, then features.
    enter = weights["joint.enter.weight"]
    copies = torch.bincount(index, minlength=trained)[index].reshape(1, -1, 1, 1, 1)
    weights["joint.enter.weight"] = torch.cat([enter[:, index] / copies, enter[:, trained:]], dim=1)
    return weights


def _repeated_prior(prior: ShapePrior, source) -> ShapePrior:
    pairs = np.ix_(source, source)
    return ShapePrior(prior.mean[pairs], prior.covariance[pairs], prior.cases[pairs], prior.limit)


def set_threads(threads: int) -> None:
    """For torch and for ITK; before either has begun to work."""
    import SimpleITK as sitk

    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
