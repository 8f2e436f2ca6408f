"""The model file: one .safetensors file, weights and a JSON description together.

safetensors holds nothing but numbers and text, so loading runs no code from the file. The
description stands in the file's metadata, so it can be read without torch and cannot get lost from
the weights; a checksum guards each of the two. Tensors are named STAGE.parameter ('coarse.stem...'),
prior.part, joint.part and belief.part.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelFileError, quoted
from ..files import replacing, sha256_of
from . import belief_file
from .belief_form import BeliefForm
from .description import MODEL_SCHEMA, ModelDescription, ModelIdentity
from .header import Header, read_header
from .joint_shape import JointShape
from .prior import ShapePrior
from .prior_file import PREFIX as PRIOR
from .prior_file import arrays_of, check_header, prior_from

MODEL_SUFFIX = ".safetensors"
# Letters of JSON: with the images of tens of thousands of cases that it was trained on.
_LONGEST_DESCRIPTION = 8 * 2**20
# Bytes of all weights of a model. Networks of ours take a few megabytes.
_MOST_WEIGHTS = 4 * 2**30
# What a file holds beside the weights of its networks.
_KNOWLEDGE = (PRIOR, belief_file.JOINT, belief_file.BELIEF)
_REAL_TYPES = ("F32", "F64", "F16", "BF16")
_DESCRIPTION, _DESCRIPTION_SUM, _WEIGHTS_SUM = "description", "description_sha256", "weights_sha256"


@dataclass(frozen=True, eq=False)
class Model:
    """A model ready to use.

    networks: one torch module per stage of the description, in eval mode; of an ensemble, a
    network.Ensemble. prior: what is known of
    the shape, joint: of all landmarks at once, belief: how what is shown is made; or None.
    """

    description: ModelDescription
    networks: tuple
    identity: ModelIdentity
    prior: ShapePrior = None
    joint: JointShape = None
    belief: BeliefForm = None

    def __repr__(self) -> str:
        return f"Model({self.description.told()})"


def read_description(path) -> ModelDescription:
    """The description of a model file, without its weights and without torch.

    Raises ModelFileError for a file that is missing, damaged, truncated, foreign or newer.
    """
    path = Path(path)
    with _refusing(path):
        return _described(_metadata(read_header(path)))


def read_model(path) -> Model:
    """Load a model with its networks on the processor. Raises ModelFileError as above.

    What the file asks for is compared with what it holds before anything is made for it.
    """
    path = Path(path)
    with _refusing(path):
        return _model(path)


def write_model(
    path, description: ModelDescription, networks, prior=None, joint=None, belief=None, half=False
) -> ModelIdentity:
    """Write a model file, atomically: what `read_model` would refuse takes no good model's place.

    networks: one torch module for each stage, in order. prior, joint, belief: as in Model. half: the
    networks' weights as float16, in a file of half the size, for models that are given away; they are
    read as float32, and what the shapes and the belief say stays exact. Raises ModelFileError for what
    makes no model, weights that are not finite among it.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path = Path(path)
    if path.suffix != MODEL_SUFFIX:
        raise ModelFileError(f"'{path}': a model file's name has to end in {MODEL_SUFFIX}.")
    tensors = {
        f"{stage.role}.{name}": _stored(tensor, half)
        for stage, network in zip(description.stages, networks)
        for name, tensor in network.state_dict().items()
    }
    known = {} if prior is None else arrays_of(prior)
    known.update(belief_file.joint_arrays(joint), **belief_file.belief_arrays(belief))
    tensors.update({name: torch.from_numpy(array) for name, array in known.items()})
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
        with _refusing(path, "is not written"):
            _model(temporary)
    return ModelIdentity(description.name, description.version, sha256_of(path))


def _stored(tensor, half: bool):
    """A weight as it stands in the file. One that is too large for a float16 becomes infinite there,
    and is refused when the file is read back."""
    tensor = tensor.detach().cpu().contiguous()
    return tensor.half() if half else tensor


@contextmanager
def _refusing(path: Path, what: str = "cannot be used"):
    """Whatever goes wrong in here is told as a ModelFileError with the file's name.

    The libraries that read a file from elsewhere may raise anything; only what is missing on this
    machine is no fault of the file.
    """
    try:
        yield
    except (ImportError, KeyboardInterrupt):
        raise
    except ModelFileError as error:
        # In one line, also where it tells of a name with line ends in it.
        reason = " ".join(str(error).split())
        raise ModelFileError(f"The model file '{path}' {what}. {reason}") from error
    except MemoryError as error:
        text = f"The model file '{path}' {what}. There is not enough memory for it."
        raise ModelFileError(text) from error
    except OSError as error:
        text = f"The model file '{path}' {what}. It cannot be opened: {error.strerror or error}."
        raise ModelFileError(text) from error
    except Exception as error:
        text = f"The model file '{path}' {what}. It is damaged ({quoted(error, 200)})."
        raise ModelFileError(text) from error


def _model(path: Path) -> Model:
    from safetensors.torch import load_file

    header = read_header(path)
    metadata = _metadata(header)
    description = _described(metadata)
    networks = _empty_networks(description)
    _check_fits(header.tensors, description, networks)
    tensors = load_file(str(path))
    if _checksum(tensors) != metadata.get(_WEIGHTS_SUM):
        raise ModelFileError("Its weights do not match their checksum: the file is damaged.")
    for stage, network in zip(description.stages, networks):
        _fill(network, f"{stage.role}.", tensors)
    known = {n: t.numpy() for n, t in tensors.items() if n.startswith(_KNOWLEDGE)}
    prior = prior_from({name: array for name, array in known.items() if name.startswith(PRIOR)})
    if description.stages[-1].turned and (prior is None or prior.shape is None):
        raise ModelFileError("Its crops are turned with the anatomy, but it has no mean shape.")
    identity = ModelIdentity(description.name, description.version, sha256_of(path))
    joint = belief_file.joint_from(known)
    belief = belief_file.belief_from(known, description.stages[-1].sigma_mm)
    return Model(description, networks, identity, prior, joint, belief)


def _metadata(header: Header) -> dict:
    """What this program has written beside the tensors."""
    if MODEL_SCHEMA not in header.texts:
        raise ModelFileError("It is a safetensors file, but not a LandmarkHeatmap model.")
    try:
        metadata = json.loads(header.texts[MODEL_SCHEMA])
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelFileError("Its description is damaged.") from error
    if not isinstance(metadata, dict):
        raise ModelFileError("Its description is damaged.")
    return metadata


def _described(metadata: dict) -> ModelDescription:
    text = metadata.get(_DESCRIPTION)
    if not isinstance(text, str) or len(text) > _LONGEST_DESCRIPTION:
        raise ModelFileError(
            f"Its description is damaged: no text of at most {_LONGEST_DESCRIPTION} letters."
        )
    try:
        is_whole = _text_sum(text) == metadata.get(_DESCRIPTION_SUM)
    except UnicodeEncodeError as error:
        raise ModelFileError("Its description is damaged: it is no Unicode.") from error
    if not is_whole:
        raise ModelFileError("Its description does not match its checksum: the file is damaged.")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError("Its description is not JSON.") from error
    return ModelDescription.from_json(document)


def _empty_networks(description: ModelDescription) -> tuple:
    """The networks of the stages, as shapes only: whatever size they have, they take no memory."""
    import torch

    from .network import network_for

    with torch.device("meta"):
        return tuple(network_for(stage, description.members) for stage in description.stages)


def _check_fits(tensors: dict, description: ModelDescription, networks) -> None:
    """That the file holds the networks' weights, and a prior or none, and nothing else.

    tensors: of each name (type, shape), as in a Header.
    """
    wanted = {
        f"{stage.role}.{name}": tuple(tensor.shape)
        for stage, network in zip(description.stages, networks)
        for name, tensor in network.state_dict().items()
    }
    size = 4 * sum(t.numel() for network in networks for t in network.state_dict().values())
    if size > _MOST_WEIGHTS:
        raise ModelFileError(
            f"Its networks would have {size / 2**30:.1f} GB of weights; at most"
            f" {_MOST_WEIGHTS / 2**30:.0f} GB are read."
        )
    told = "Its weights do not fit its description:"
    for name, shape in wanted.items():
        if name not in tensors:
            raise ModelFileError(f"{told} '{name}' is missing.")
        dtype, there = tensors[name]
        if there != shape or dtype not in _REAL_TYPES:
            raise ModelFileError(
                f"{told} '{name}' is {dtype}, {list(there)}, and has to be {list(shape)}."
            )
    for name in tensors:
        if name not in wanted and not name.startswith(_KNOWLEDGE):
            raise ModelFileError(f"{told} it says nothing of {quoted(name)}.")
    prior = {name: tensor for name, tensor in tensors.items() if name.startswith(PRIOR)}
    others = {name: tensor for name, tensor in tensors.items() if name.startswith(_KNOWLEDGE[1:])}
    size = len(description.landmarks), description.dimension
    check_header(prior, *size)
    belief_file.check_header(others, *size)


def _fill(network, prefix: str, tensors: dict) -> None:
    """Give an empty network its weights. ModelFileError if one is not finite as a float32."""
    weights = {
        name[len(prefix) :]: tensor.float()
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
    for name, value in weights.items():
        _check_finite(prefix + name, value)
    # Copied: the tensors may be views of the file, which somebody may write to.
    network.to_empty(device="cpu")
    network.load_state_dict(weights)
    network.eval()


def _check_finite(name: str, tensor) -> None:
    import torch

    if not torch.isfinite(tensor).all():
        raise ModelFileError(f"Its weights '{name}' are not all finite numbers.")


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
