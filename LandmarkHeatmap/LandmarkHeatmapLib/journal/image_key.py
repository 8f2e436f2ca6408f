"""Which image a journal is of, told from its voxels: no name, and nothing to make an image from."""

from __future__ import annotations

import hashlib

import numpy as np
import slicer

from ..volumes import ijk_to_ras, size_ijk

# The digest reads so many pieces of so many bytes, so that no window waits for a large image.
_PIECES, _PIECE = 4096, 4096
# Their places follow the golden ratio: they fall on every part of the rows and slices, whatever
# the image's size, and never on its dark border alone.
_STEP = (5**0.5 - 1) / 2
_SAME_SPACING = 1e-3


def shape_of(volume_node) -> dict:
    """What is known of an image without a look at its voxels.

    Where it lies is left out: it is the same image after it was centred or turned. That it was
    mirrored counts, for left is right then.
    """
    affine = ijk_to_ras(volume_node)[:3, :3]
    return {
        "size_ijk": size_ijk(volume_node),
        "spacing_mm": np.linalg.norm(affine, axis=0).tolist(),
        "is_mirrored": bool(np.linalg.det(affine) < 0),
    }


def is_same_shape(shape, volume_node) -> bool:
    """Whether a `shape_of` that was read from a file is this volume's."""
    own = shape_of(volume_node)
    try:
        return (
            shape["size_ijk"] == own["size_ijk"]
            and shape["is_mirrored"] == own["is_mirrored"]
            and np.allclose(shape["spacing_mm"], own["spacing_mm"], rtol=_SAME_SPACING, atol=0)
        )
    except (KeyError, TypeError, ValueError):
        return False


def digest_of(volume_node) -> str:
    """SHA-256 over type, size and voxels; of a large image over 16 MiB spread all over it."""
    array = np.ascontiguousarray(slicer.util.arrayFromVolume(volume_node))
    voxels = array.reshape(-1).view(np.uint8)
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode("ascii"))
    if voxels.size <= _PIECES * _PIECE:
        digest.update(voxels.data)
    else:
        places = np.sort(np.arange(_PIECES) * _STEP % 1.0 * (voxels.size - _PIECE)).astype(int)
        for place in places:
            digest.update(voxels[place : place + _PIECE].data)
    return digest.hexdigest()
