"""JPEG: segments with a length each, and scans that only their end tells the length of."""

from __future__ import annotations

import mmap
import re
import struct
from dataclasses import replace
from pathlib import Path

from ...errors import ImageFileError, quoted
from .exif import UPRIGHT, orientation_in
from .header import Header
from .units import NO_SIZE

# Within a scan 0xFF stands before 0 or a restart mark only; before anything else the scan is over.
_MARK = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
_START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _END = 0xDA, 0xD9
_APP1, _EXIF = 0xE1, b"Exif\0\0"
_ALONE = {0x01, *range(0xD0, 0xD9)}
# 64 pixels need two bits in one scan at the least, and a progressive file less: half a bit.
_RATIO = 1024


def recognises(beginning: bytes, path: Path) -> bool:
    return beginning.startswith(b"\xff\xd8\xff")


def read(file, path: Path) -> Header:
    """Raises ImageFileError for what is cut off: ITK reads grey in place of what is missing."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _read(content, path)


def _read(content, path: Path) -> Header:
    header, at, orientation = None, 2, None
    while True:
        if at >= len(content):
            raise ImageFileError(f"'{path}' is truncated: its end is missing.")
        found = _MARK.search(content, at)
        if found is None:
            raise ImageFileError(f"'{path}' is truncated: its end is missing.")
        mark, at = found[1][0], found.end()
        if mark == _END:
            break
        if mark in _ALONE:
            continue
        length = int.from_bytes(content[at : at + 2], "big")
        if length < 2 or at + length > len(content):
            raise ImageFileError(f"'{path}' is truncated or damaged: within a segment.")
        if mark in _START_OF_FRAME:
            header = _header(content[at : at + length], path)
        if mark == _APP1 and orientation is None:
            orientation = _orientation(content[at + 2 : at + length])
        at += length
    if header is None:
        raise ImageFileError(f"'{path}' is damaged: it states no size.")
    return replace(header, orientation=orientation or UPRIGHT)


def _orientation(segment: bytes):
    """None for a segment of something else: a photograph has several of this kind."""
    return orientation_in(segment[len(_EXIF) :]) if segment.startswith(_EXIF) else None


def _header(frame: bytes, path) -> Header:
    if len(frame) < 8:
        raise ImageFileError(f"'{path}' is damaged: it states no size.")
    bits, height, width, components = struct.unpack_from(">BHHB", frame, 2)
    if components not in (1, 3, 4) or bits not in (8, 12):
        raise ImageFileError(f"'{path}': it states {quoted((bits, components))} bits and colours.")
    return Header("JPEGImageIO", (width, height), components, ratio=_RATIO, lengths=NO_SIZE)
