"""DICOM: a file of one image. GDCM reads the header; what it does not notice is looked for here."""

from __future__ import annotations

import mmap
import os
import re
from pathlib import Path

from ...errors import ImageFileError
from .header import Header

# Pixels in pieces, each with its length, after an element whose own length is not stated.
_PIECES = re.compile(rb"\xe0\x7f\x10\x00(?:O[BW]\0\0)?\xff\xff\xff\xff(?=\xfe\xff\x00\xe0)")
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_RATIO = 10_000


def recognises(beginning: bytes, path: Path) -> bool:
    return beginning[128:132] == b"DICM"


def read(file, path: Path) -> Header:
    """The sizes are not read here: ITK tells them without reading the values."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for found in _PIECES.finditer(content):
            _check_pieces(content, found.end(), path)
    return Header("GDCMImageIO", (1, 1), 1, ratio=_RATIO)


def _check_pieces(content, at: int, path) -> None:
    while content[at : at + 4] == _ITEM:
        at += 8 + int.from_bytes(content[at + 4 : at + 8], "little")
    if at + 8 > len(content) or content[at : at + 4] != _END:
        raise ImageFileError(
            f"'{path}' is truncated or damaged: {os.path.getsize(path)} bytes, and its pixels do not"
            " end in them."
        )
