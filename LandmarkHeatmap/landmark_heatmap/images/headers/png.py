"""PNG: pieces with a checksum each, the first the header, the last an empty one."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

from ...errors import ImageFileError, quoted
from .header import Header

_MAGIC = b"\x89PNG\r\n\x1a\n"
# Values in each pixel, by the number that the header has for the kind of colour.
_COLOURS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_FRAME = 12


def recognises(beginning: bytes, path: Path) -> bool:
    return beginning.startswith(_MAGIC)


def read(file, path: Path) -> Header:
    """Raises ImageFileError for what is cut off or damaged."""
    size, end, at, header = os.fstat(file.fileno()).st_size, None, len(_MAGIC), None
    while end is None:
        file.seek(at)
        start = file.read(8)
        if len(start) < 8:
            raise ImageFileError(f"'{path}' is truncated: its last piece is missing.")
        length, kind = struct.unpack(">I4s", start)
        if at + _FRAME + length > size:
            raise ImageFileError(f"'{path}' is truncated: {size} bytes where it needs more.")
        if header is None:
            header = _header(file, path, length, kind)
        if kind == b"IEND":
            end = at
        at += _FRAME + length
    return header


def _header(file, path, length: int, kind: bytes) -> Header:
    content = file.read(13)
    (checksum,) = struct.unpack(">I", file.read(4).rjust(4, b"\0"))
    if kind != b"IHDR" or length != 13 or zlib.crc32(kind + content) != checksum:
        raise ImageFileError(f"'{path}' is damaged: its header is.")
    width, height, bits, colour = struct.unpack_from(">IIBB", content)
    if bits not in (1, 2, 4, 8, 16) or colour not in _COLOURS:
        raise ImageFileError(f"'{path}': its header states {quoted((bits, colour))}.")
    # Pixels of less than a byte become one each in memory.
    voxel = max(bits, 8) // 8 * _COLOURS[colour]
    return Header("PNGImageIO", (width, height), voxel, ratio=1032 * 8 * 3)
