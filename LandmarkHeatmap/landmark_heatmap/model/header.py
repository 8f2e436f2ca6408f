"""The header of a safetensors file: which tensors it has, and the text that came with them.

Eight bytes of length, then that much JSON. It is read here, without torch and without the tensors, so
that all that a file asks for is known before anything is done for it.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelFileError, quoted
from ..files import open_file
from .values import sequence, whole

# Bytes. The largest that can be needed: thousands of tensors, and a description.
_LARGEST_HEADER = 24 * 2**20
_LARGEST_FILE = 2**40
_MOST_AXES = 8
# Those that a model may hold, with their bytes.
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4}


@dataclass(frozen=True)
class Header:
    """tensors: of each name (type as safetensors names it, shape). texts: the metadata."""

    tensors: dict
    texts: dict


def read_header(path: Path) -> Header:
    """Raises ModelFileError for what is no safetensors file, or not as long as its header says."""
    with open_file(path, ModelFileError) as file:
        start = file.read(8)
        count = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= count <= _LARGEST_HEADER:
            raise ModelFileError("It is not a safetensors file.")
        content = file.read(count)
        size = file.seek(0, 2)
    if len(content) < count:
        raise ModelFileError("It is truncated: its header is not complete.")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelFileError("It is not a safetensors file, or its header is damaged.") from error
    texts = document.pop("__metadata__", {}) if isinstance(document, dict) else None
    if not isinstance(texts, dict):
        raise ModelFileError("It is not a safetensors file, or its header is damaged.")
    tensors, end = {}, 0
    for name, tensor in document.items():
        tensors[name], last = _tensor(name, tensor)
        end = max(end, last)
    wanted = 8 + count + end
    if size != wanted:
        state = "truncated" if size < wanted else "damaged"
        raise ModelFileError(f"It is {state}: {size} bytes where its header says {wanted}.")
    return Header(tensors, texts)


def _tensor(name: str, tensor) -> tuple:
    """((type, shape), where its bytes end)."""
    told = f"The header's entry {quoted(name)}"
    if not isinstance(tensor, dict) or set(tensor) != {"dtype", "shape", "data_offsets"}:
        raise ModelFileError(f"{told} is damaged: {quoted(tensor)}.")
    dtype = tensor["dtype"]
    if not isinstance(dtype, str) or dtype not in BYTES:
        raise ModelFileError(f"{told} is of the type {quoted(dtype)}, which no model holds.")
    shape = tuple(
        whole(told, length, 0, _LARGEST_FILE)
        for length in sequence(told, tensor["shape"], 0, _MOST_AXES)
    )
    start, end = (
        whole(told, offset, 0, _LARGEST_FILE)
        for offset in sequence(told, tensor["data_offsets"], 2, 2)
    )
    if end - start != math.prod(shape) * BYTES[dtype]:
        raise ModelFileError(f"{told} has {end - start} bytes, which its shape {shape} has not.")
    return (dtype, shape), end
