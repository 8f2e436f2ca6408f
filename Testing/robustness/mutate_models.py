"""Model files with something wrong in them: python mutate_models.py --inputs 100000 --seed 1

Headers, descriptions with checksums that are right, priors, types, shapes and offsets of tensors, bytes.
What is read is used: described, and applied to a small image. Nothing may come of a file but a
model or a ModelFileError, within limits of time and memory.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.detection.memory import network_bytes
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.detection.prepare import stage_grid
from landmark_heatmap.errors import LandmarkHeatmapError, ModelFileError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.model import model_file
from landmark_heatmap.model.belief_form import BeliefForm, HeldOut
from landmark_heatmap.model.description import (
    MODEL_SCHEMA,
    IntensityNormalisation,
    ModelDescription,
    NetworkConfig,
    Stage,
)
from landmark_heatmap.model.joint_shape import JointShape
from landmark_heatmap.model.model_file import read_description, read_model, write_model
from landmark_heatmap.model.network import network_for
from landmark_heatmap.model.pose import align
from landmark_heatmap.model.prior import fit_prior
from limited import OVER_LIMIT, READ, REFUSED, main
from odd import odd_bytes, odd_document, odd_value

_TYPES = (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32, torch.bool)
_TYPES += (torch.complex64, torch.uint8)
# Larger ones are judged by their description alone: using them would take long, and rightly so.
_SMALL = 2**26


@lru_cache(maxsize=1)
def _folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="mutate-models-")


def _path() -> Path:
    return Path(_folder().name) / "model.safetensors"


@lru_cache(maxsize=1)
def good() -> tuple:
    """(description as JSON, tensors, bytes) of a small two-stage model with all that may be known."""
    torch.set_num_threads(1)
    network = NetworkConfig(3, 3, (2, 4), 2, 1)
    fine = Stage("fine", (1,) * 3, 1.5, NetworkConfig(3, 3, (2, 4), 0, 1), (8,) * 3, True)
    stages = (Stage("coarse", (4, 4, 4), 6.0, network), fine)
    landmarks = LandmarkSet((Landmark("A_L"), Landmark("A_R"), Landmark("B")), (("A_L", "A_R"),))
    training = {"training_images": ["0123", "4567"], "config": {"rate": 1e-3}}
    description = ModelDescription(
        "m", landmarks, IntensityNormalisation(), stages, training=training, metrics={"mre": 1.5}
    )
    cases = np.random.default_rng(0).normal(0, 30, size=(6, 3, 3))
    torch.manual_seed(0)
    networks = [network_for(stage) for stage in stages]
    joint = JointShape(np.arange(9.0).reshape(3, 3), np.eye(9).reshape(3, 3, 3, 3), 1.5)
    scores = np.random.default_rng(1).random((7, 3))
    belief = BeliefForm(np.ones(3), np.zeros(3), held_out=HeldOut(scores, scores, scores))
    prior = fit_prior(cases, align(cases)[1])
    write_model(_path(), description, networks, prior, joint, belief)
    return description.to_json(), load_file(str(_path())), _path().read_bytes()


def _odd_file(rng) -> bytes:
    document, tensors, content = good()
    kind = rng.randrange(6)
    if kind == 0:
        return odd_bytes(rng, content)
    if kind == 1:
        return _with_odd_header(rng, content)
    if kind == 2:
        return _saved(odd_document(rng, json.loads(json.dumps(document))), tensors, rng)
    name = rng.choice(sorted(tensors))
    if rng.random() < 0.5:
        known = ("prior", "joint", "belief")
        name = rng.choice([each for each in sorted(tensors) if each.startswith(known)])
    return _saved(document, _with_odd_tensor(rng, dict(tensors), name), rng)


def _with_odd_header(rng, content: bytes) -> bytes:
    length = struct.unpack("<Q", content[:8])[0]
    if rng.random() < 0.2:
        odd = rng.choice(
            (0, 1, length - 1, length + 1, 2**31, 2**63, 2**64 - 1, rng.randrange(2**40))
        )
        return struct.pack("<Q", odd) + content[8:]
    header = json.dumps(odd_document(rng, json.loads(content[8 : 8 + length]))).encode()
    return struct.pack("<Q", len(header)) + header + content[8 + length :]


def _saved(document, tensors, rng) -> bytes:
    """With checksums that are right, mostly."""
    text = json.dumps(document, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.05:
        text = odd_bytes(rng, text.encode("utf-8", "replace")).decode("utf-8", "surrogateescape")
    metadata = {
        "description": text,
        "description_sha256": hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
        "weights_sha256": model_file._checksum(tensors),
    }
    if rng.random() < 0.1:
        metadata = odd_document(rng, metadata)
    save_file(tensors, str(_path()), {MODEL_SCHEMA: json.dumps(metadata)})
    return _path().read_bytes()


def _with_odd_tensor(rng, tensors: dict, name: str) -> dict:
    tensor = tensors[name].clone()
    kind = rng.randrange(6)
    if kind == 0:
        del tensors[name]
        return tensors
    if kind == 1:
        tensors[name + rng.choice((".x", "0", "\n"))] = tensor
        return tensors
    if kind == 2:
        tensor = tensor.to(rng.choice(_TYPES))
    elif kind == 3:
        tensor = rng.choice(
            (tensor[None], tensor.reshape(-1), tensor.flatten()[:-1], tensor[..., None])
        )
    elif tensor.numel():
        at, value = rng.randrange(tensor.numel()), odd_value(rng, 1.0)
        usable = isinstance(value, (int, float)) and abs(value) < 2**62 or value != value
        usable = usable if tensor.is_floating_point() else usable and value == value
        tensor = tensor.contiguous()
        tensor.view(-1)[at] = value if usable else -1
        tensor = tensor * rng.choice((1, 1, -1)) if kind == 5 else tensor
    tensors[name] = tensor.contiguous()
    return tensors


def _use(path: Path) -> None:
    """What is done with a model that could be read."""
    json.dumps(read_description(path).to_json(), allow_nan=False, ensure_ascii=False).encode()
    model = read_model(path)
    if model.prior is not None:
        model.prior.precision()
    coarse = model.description.stages[0]
    shape = (12, 12, 12) if coarse.network.dimension == 3 else (1, 12, 12)
    image = Image(
        np.arange(np.prod(shape), dtype=np.float32).reshape(shape), np.diag([4, 4, 4, 1.0])
    )
    size = stage_grid(image.grid, coarse).size_ijk[::-1]
    fine = model.description.stages[1:]
    needed = network_bytes(
        size, coarse.network, model.description.members, len(model.description.landmarks)
    )
    needed += sum(network_bytes(s.crop_size, s.network, model.description.members, 1) for s in fine)
    if needed < _SMALL:
        Predictor(model, "cpu").predict(image).annotation()


def try_one(rng) -> str:
    _path().write_bytes(_odd_file(rng))
    try:
        _use(_path())
    except ModelFileError as error:
        text = str(error)
        if "memory" in text:
            return f"{OVER_LIMIT}\t{text[-200:]}".encode("ascii", "backslashreplace").decode()
        if len(text) > 1000 or "\n" in text:
            raise AssertionError(f"a message that is no line: {text!r}") from error
        return REFUSED
    except LandmarkHeatmapError:
        return REFUSED
    return READ


if __name__ == "__main__":
    sys.exit(main("Model files with something wrong in them", try_one))
