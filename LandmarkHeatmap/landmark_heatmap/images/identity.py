"""Which image it is: told by its voxels, however its file is called, packed, or split in two."""

from __future__ import annotations

import hashlib

import numpy as np

from ..files import sha256_of
from .geometry import PX, Image
from .headers import values_file_of
from .imageio import read_image
from .series import is_series, the_series

# Of a digest, as many hexadecimal digits: enough for all images that there are.
_DIGITS = 16
# Closer than this many decimals of a mm is the same place: the last digit differs between machines.
_DECIMALS = 6


def image_id(image: Image) -> str:
    """The same for the same voxels, wherever they lie; it says nothing of whose image it is."""
    return _digest(image, b"")


def placed_id(image: Image) -> str:
    """As `image_id`, of the voxels and where they lie: another one if the image was moved."""
    place = np.ascontiguousarray(np.round(image.ijk_to_lps, _DECIMALS) + 0.0).tobytes()
    return _digest(image, place + (PX.encode() if image.unit == PX else b""))


def ids_of(path, own: str = None) -> frozenset:
    """All ids under which files may name this image: `image_id`, and those of earlier versions.

    own: its `image_id`, where that is known already. Raises ImageFileError.
    """
    ids = {image_id(read_image(path)) if own is None else own}
    # An earlier version took the sum of the header alone, which is that of any image of its size.
    if not is_series(path) and values_file_of(path) is None:
        ids.add(sha256_of(path)[:_DIGITS])
    return frozenset(ids)


def files_sha256(path) -> str:
    """The SHA-256 of an image's file; of all its files, if there are several. The same file is the same
    image, without reading it. Raises LandmarkHeatmapError for what is no file."""
    if is_series(path):
        return _joined(map(sha256_of, the_series(path).files))
    values = values_file_of(path)
    return sha256_of(path) if values is None else _joined((sha256_of(path), sha256_of(values)))


def _joined(sums) -> str:
    return hashlib.sha256(" ".join(sums).encode()).hexdigest()


def _digest(image: Image, also: bytes) -> str:
    digest = hashlib.sha256(f"{image.array.dtype} {image.array.shape}".encode())
    digest.update(also)
    digest.update(np.ascontiguousarray(image.array).view(np.uint8))
    return digest.hexdigest()[:_DIGITS]
