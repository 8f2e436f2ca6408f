"""From the values that ITK reads to those that every viewer shows: upright, one grey a voxel, bright is
bright. Arrays have the axes (K, J, I), and perhaps the colours last."""

from __future__ import annotations

import numpy as np

from .headers import Header

# ITU-R BT.601, the weights by which colour photographs are commonly turned grey.
_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# What shows a picture of each EXIF orientation upright: whether x and y are exchanged, and which axes
# are then mirrored.
_I, _J, _K = 2, 1, 2
_UPRIGHT = {
    1: (False, ()), 2: (False, (_I,)), 3: (False, (_I, _J)), 4: (False, (_J,)),
    5: (True, ()), 6: (True, (_I,)), 7: (True, (_I, _J)), 8: (True, (_J,)),
}  # fmt: skip


def is_transposed(orientation: int) -> bool:
    """Whether a picture of this EXIF orientation is shown as wide as it is stored high."""
    return _UPRIGHT[orientation][0]


def upright_indices(orientation: int, size) -> np.ndarray:
    """(4, 4): from voxel indices as a picture is stored to those of the upright one. size: of that."""
    exchanged, mirrored = _UPRIGHT[orientation]
    matrix = np.eye(4)[[1, 0, 2, 3]] if exchanged else np.eye(4)
    for axis in mirrored:
        world = _K - axis
        matrix[world] *= -1
        matrix[world, 3] = size[world] - 1
    return matrix


def shown(array: np.ndarray, header: Header) -> np.ndarray:
    """The grey values (K, J, I) of what ITK read."""
    if header.grey_bytes == 1:
        # Grey in the high byte, opacity in the low one.
        array = (array >> 8).astype(np.uint8)
    elif header.grey_bytes == 2:
        array = (array[..., 0].astype(np.uint16) << 8) | array[..., 1]
    elif header.white_is_zero and array.ndim == 3:
        # Of colours, as which ITK reads some greys, this is done.
        limits = np.iinfo(array.dtype)
        array = (limits.max + limits.min - array.astype(np.int64)).astype(array.dtype)
    return np.ascontiguousarray(_upright(to_grey(array), header.orientation))


def to_grey(array: np.ndarray) -> np.ndarray:
    """(K, J, I) unchanged; (K, J, I, components) as luminance of the first three, or the first."""
    if array.ndim == 3:
        return array
    if array.shape[-1] >= 3:
        return array[..., :3].astype(np.float32) @ _LUMINANCE
    return np.ascontiguousarray(array[..., 0])


def _upright(array: np.ndarray, orientation: int) -> np.ndarray:
    exchanged, mirrored = _UPRIGHT[orientation]
    return np.flip(array.swapaxes(_I, _J) if exchanged else array, mirrored)
