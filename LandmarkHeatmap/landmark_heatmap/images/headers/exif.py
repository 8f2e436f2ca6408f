"""The one statement of EXIF that moves pixels: how the camera was held."""

from __future__ import annotations

import struct

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ORIENTATION, _ENTRY = 0x112, 12
# One byte, two or four: the standard says two, some programs write four.
_CODES = {1: "B", 3: "H", 4: "I"}
UPRIGHT = 1


def orientation_in(content: bytes) -> int:
    """1 to 8 from a block of EXIF (a TIFF without pixels); 1, which is upright, if it says nothing."""
    order = _ORDERS.get(content[:4])
    if order is None or len(content) < 8:
        return UPRIGHT
    (at,) = struct.unpack_from(order + "I", content, 4)
    if at + 2 > len(content):
        return UPRIGHT
    (count,) = struct.unpack_from(order + "H", content, at)
    for start in range(at + 2, min(at + 2 + count * _ENTRY, len(content) - _ENTRY + 1), _ENTRY):
        tag, kind, _ = struct.unpack_from(order + "HHI", content, start)
        if tag == _ORIENTATION and kind in _CODES:
            return checked(struct.unpack_from(order + _CODES[kind], content, start + 8)[0])
    return UPRIGHT


def checked(value: int) -> int:
    """What is no orientation is none: every viewer shows such a picture as it is stored."""
    return value if 1 <= value <= 8 else UPRIGHT
