"""BMP: a header, and lines of pixels, each filled up to four bytes."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from ...errors import ImageFileError, quoted
from .header import Header, truncated
from .units import NO_SIZE

_NOT_PACKED = (0, 3)


def recognises(beginning: bytes, path: Path) -> bool:
    return beginning.startswith(b"BM")


def read(file, path: Path) -> Header:
    """Raises ImageFileError for what is cut off: ITK reads anything in place of what is missing."""
    header, size = file.read(54), os.fstat(file.fileno()).st_size
    if len(header) < 54:
        raise ImageFileError(f"'{path}' is truncated: its header is not complete.")
    start, rest, width, height, planes, bits, packing = struct.unpack_from("<IIiiHHI", header, 10)
    width, height = abs(width), abs(height)
    if rest < 40 or planes != 1 or bits not in (1, 4, 8, 16, 24, 32) or not width or not height:
        raise ImageFileError(
            f"'{path}': its header states {quoted((rest, width, height, planes, bits))}, which is no"
            " BMP that is read here."
        )
    if packing not in _NOT_PACKED:
        # ITK writes past its memory where packed pixels are not what they should be.
        raise ImageFileError(f"'{path}' is a packed BMP, which is not read. Save it as PNG.")
    wanted = start + (width * bits + 31) // 32 * 4 * height
    if size < wanted:
        raise truncated(path, size, wanted)
    return Header(
        "BMPImageIO", (width, height), 3 if bits != 8 else 1, ratio=8 * 3, lengths=NO_SIZE
    )
