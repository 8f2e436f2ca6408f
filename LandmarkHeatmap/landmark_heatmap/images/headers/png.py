"""PNG: pieces with a checksum each, the first the header, the last an empty one."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path

from ...errors import ImageFileError, quoted
from .exif import orientation_in
from .header import Header
from .units import NO_SIZE

_MAGIC = b"\x89PNG\r\n\x1a\n"
# Values in each pixel, by the number that the header has for the kind of colour.
_COLOURS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_FRAME = 12
# ITK cannot read grey with opacity. Its bytes lie as those of another kind do, which it can: grey of
# twice the bits, and of 16 bits red, green, blue and opacity of 8. {bits: (bits, kind)}.
_GREY_AND_OPACITY, _READ_AS = 4, {8: (16, 0), 16: (8, 6)}
_HEADER_AT, _LARGEST_EXIF = 12, 2**20


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
        if kind == b"eXIf":
            header = replace(
                header, orientation=orientation_in(file.read(min(length, _LARGEST_EXIF)))
            )
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
    header = Header("PNGImageIO", (width, height), voxel, ratio=1032 * 8 * 3, lengths=NO_SIZE)
    if colour != _GREY_AND_OPACITY or bits not in _READ_AS:
        return header
    patched = kind + content[:8] + bytes(_READ_AS[bits]) + content[10:]
    patched += struct.pack(">I", zlib.crc32(patched))
    return replace(header, grey_bytes=bits // 8, patches=((_HEADER_AT, patched),))
