"""BMP: a header, and lines of pixels, each filled up to four bytes."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from ...errors import ImageFileError, quoted
from .header import Header, truncated

_RAW, _PACKED, _MASKS = 0, (1, 2), 3


def recognises(beginning: bytes, path: Path) -> bool:
    return beginning.startswith(b"BM")


def read(file, path: Path) -> Header:
    """Raises ImageFileError for what is cut off: ITK reads anything in place of what is missing."""
    header, size = file.read(54), os.fstat(file.fileno()).st_size
    if len(header) < 54:
        raise ImageFileError(f"'{path}' is truncated: its header is not complete.")
    stated, _, start, rest, width, height, planes, bits, packing = struct.unpack_from(
        "<IIIIiiHHI", header, 2
    )
    width, height = abs(width), abs(height)
    if rest < 40 or planes != 1 or bits not in (1, 4, 8, 16, 24, 32) or not width or not height:
        raise ImageFileError(
            f"'{path}': its header states {quoted((rest, width, height, planes, bits))}, which is no"
            " BMP that is read here."
        )
    if packing in _PACKED:
        # How long it is packed only the header says.
        wanted = max(stated, start)
    elif packing in (_RAW, _MASKS):
        wanted = start + (width * bits + 31) // 32 * 4 * height
    else:
        raise ImageFileError(f"'{path}': its pixels are packed in the way {packing}, unknown here.")
    if size < wanted:
        raise truncated(path, size, wanted)
    ratio = 8 * 3 if packing not in _PACKED else 255 * 3
    return Header("BMPImageIO", (width, height), 3 if bits != 8 else 1, ratio=ratio)
