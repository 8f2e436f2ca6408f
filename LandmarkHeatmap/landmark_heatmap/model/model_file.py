"""The model file: one .safetensors file, weights and a JSON description together.

safetensors holds nothing but numbers and text, so loading runs no code from the file. The
description stands in the file's metadata, so it can be read without torch and cannot get lost from
the weights; a checksum guards each of the two. Tensors are named STAGE.parameter ('coarse.stem...')
and prior.part.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ModelFileError
from ..files import replacing, sha256_of
from .description import MODEL_SCHEMA, ModelDescription, ModelIdentity
from .prior import ShapePrior

MODEL_SUFFIX = ".safetensors"
# safetensors' own limit for a header; a larger one is damage or an attack.
_LARGEST_HEADER = 100_000_000
_PRIOR_PARTS = ("mean", "covariance", "cases")
_DESCRIPTION, _DESCRIPTION_SUM, _WEIGHTS_SUM = "description", "description_sha256", "weights_sha256"


@dataclass(frozen=True, eq=False)
class Model:
    """A model ready to use.

    networks: one torch module per stage of the description, in eval mode; of an ensemble, a
    network.Ensemble. prior: what is known of
    the shape, or None.
    """

    description: ModelDescription
    networks: tuple
    identity: ModelIdentity
    prior: ShapePrior = None

    def __repr__(self) -> str:
        return f"Model({self.description.told()})"


def read_description(path) -> ModelDescription:
    """The description of a model file, without its weights and without torch.

    Raises ModelFileError for a file that is missing, damaged, truncated, foreign or newer.
    """
    path = Path(path)
    try:
        return _described(_read_metadata(path))
    except ModelFileError as error:
        raise ModelFileError(f"The model file '{path}' cannot be used. {error}") from error


def read_model(path) -> Model:
    """Load a model with its networks on the processor. Raises ModelFileError as above."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(path)
    description = read_description(path)
    try:
        tensors = load_file(str(path))
        if _checksum(tensors) != _read_metadata(path).get(_WEIGHTS_SUM):
            raise ModelFileError("Its weights do not match their checksum: the file is damaged.")
        networks = tuple(
            _network(stage, tensors, description.members) for stage in description.stages
        )
        prior = _prior(tensors, description)
        if description.stages[-1].turned and (prior is None or prior.shape is None):
            raise ModelFileError("Its crops are turned with the anatomy, but it has no mean shape.")
    except (ModelFileError, SafetensorError, RuntimeError, OSError, ValueError) as error:
        raise ModelFileError(f"The model file '{path}' cannot be used. {error}") from error
    identity = ModelIdentity(description.name, description.version, sha256_of(path))
    return Model(description, networks, identity, prior)


def write_model(path, description: ModelDescription, networks, prior=None) -> ModelIdentity:
    """Write a model file, atomically.

    networks: one torch module for each stage, in order. prior: a ShapePrior, or None.
    Raises ModelFileError, and leaves what was there, for what `read_model` would refuse.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path = Path(path)
    if path.suffix != MODEL_SUFFIX:
        raise ModelFileError(f"'{path}': a model file's name has to end in {MODEL_SUFFIX}.")
    tensors = {
        f"{stage.role}.{name}": tensor.detach().cpu().contiguous()
        for stage, network in zip(description.stages, networks)
        for name, tensor in network.state_dict().items()
    }
    if prior is not None:
        for name in _PRIOR_PARTS:
            tensors[f"prior.{name}"] = torch.from_numpy(np.ascontiguousarray(getattr(prior, name)))
        tensors["prior.limit"] = torch.tensor(prior.limit, dtype=torch.float64)
        if prior.shape is not None:
            tensors["prior.shape"] = torch.from_numpy(np.ascontiguousarray(prior.shape))
    try:
        for name, tensor in tensors.items():
            _check_finite(name, tensor)
    except ModelFileError as error:
        raise ModelFileError(f"'{path}' is not written. {error}") from error
    text = json.dumps(description.to_json(), ensure_ascii=False, allow_nan=False)
    metadata = {
        _DESCRIPTION: text,
        _DESCRIPTION_SUM: _text_sum(text),
        _WEIGHTS_SUM: _checksum(tensors),
    }
    with replacing(path) as temporary:
        # One key only: safetensors writes several in an order that changes from file to file.
        try:
            save_file(tensors, str(temporary), {MODEL_SCHEMA: json.dumps(metadata)})
        except SafetensorError as error:
            raise ModelFileError(f"'{path}' cannot be written: {error}") from error
    return ModelIdentity(description.name, description.version, sha256_of(path))


def _read_metadata(path: Path) -> dict:
    """The metadata in a safetensors header: eight bytes of length, then that much JSON."""
    try:
        with open(path, "rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= _LARGEST_HEADER:
                raise ModelFileError("It is not a safetensors file.")
            header = file.read(length)
        if len(header) < length:
            raise ModelFileError("It is truncated: its header is not complete.")
        document = json.loads(header)
    except OSError as error:
        raise ModelFileError(f"It cannot be opened: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ModelFileError("It is not a safetensors file, or its header is damaged.") from error
    texts = document.pop("__metadata__", None) if isinstance(document, dict) else None
    if not isinstance(texts, dict) or MODEL_SCHEMA not in texts:
        raise ModelFileError("It is a safetensors file, but not a LandmarkHeatmap model.")
    _check_length(path, 8 + length, document)
    try:
        metadata = json.loads(texts[MODEL_SCHEMA])
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelFileError("Its description is damaged.") from error
    if not isinstance(metadata, dict):
        raise ModelFileError("Its description is damaged.")
    return metadata


def _check_length(path: Path, start: int, tensors: dict) -> None:
    """That the file is as long as its header says."""
    try:
        wanted = start + max(tensor["data_offsets"][1] for tensor in tensors.values())
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ModelFileError("Its header is damaged: it lists no weights.") from error
    size = path.stat().st_size
    if size != wanted:
        state = "truncated" if size < wanted else "damaged"
        raise ModelFileError(f"It is {state}: {size} bytes where its header says {wanted}.")


def _described(metadata: dict) -> ModelDescription:
    text = metadata.get(_DESCRIPTION)
    if not isinstance(text, str) or _text_sum(text) != metadata.get(_DESCRIPTION_SUM):
        raise ModelFileError("Its description does not match its checksum: the file is damaged.")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError("Its description is not JSON.") from error
    return ModelDescription.from_json(document)


def _network(stage, tensors, members: int):
    """The stage's network with its weights.

    Raises ModelFileError if a tensor is missing or misshapen, or holds NaN or infinity.
    """
    from .network import network_for

    prefix = f"{stage.role}."
    network = network_for(stage, members)
    weights = {
        name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)
    }
    for name, value in weights.items():
        _check_finite(prefix + name, value)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        # torch lists every tensor on a line of its own; the first two lines say what is wrong.
        first = " ".join(line.strip() for line in str(error).splitlines()[:2])
        raise ModelFileError(f"Its weights do not fit its description. {first}") from error
    return network.eval()


def _check_finite(name: str, tensor) -> None:
    import torch

    # The prior's limit is infinite where nothing is known of it.
    if not name.startswith("prior.") and not torch.isfinite(tensor).all():
        raise ModelFileError(f"Its weights '{name}' are not all finite numbers.")


def _prior(tensors, description: ModelDescription):
    """The shape prior, if the file has one. ModelFileError if it is of another shape."""
    parts = [tensors.get(f"prior.{name}") for name in _PRIOR_PARTS]
    if any(part is None for part in parts):
        return None
    count, dimension = len(description.landmarks), description.dimension
    shapes = [(count, count, *rest) for rest in ((dimension,), (dimension, dimension), ())]
    if [tuple(part.shape) for part in parts] != shapes:
        raise ModelFileError("Its shape prior does not fit its landmarks.")
    limit = tensors.get("prior.limit")
    if limit is not None and limit.numel() != 1:
        raise ModelFileError("The limit of its shape prior is not one number.")
    shape = tensors.get("prior.shape")
    if shape is not None and tuple(shape.shape) != (count, dimension):
        raise ModelFileError("The mean shape of its prior does not fit its landmarks.")
    return ShapePrior(
        *(part.numpy() for part in parts),
        # Files from before there was a limit have none.
        np.inf if limit is None else float(limit),
        None if shape is None else shape.numpy(),
    )


def _checksum(tensors) -> str:
    """SHA-256 over names, types, shapes and values, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        # A view as bytes works for types numpy does not know, bfloat16 among them.
        digest.update(_as_bytes(tensor))
    return digest.hexdigest()


def _as_bytes(tensor) -> bytes:
    import torch

    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _text_sum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
