"""The bytes of the voxels of a file, unpacked block by block: nothing of the image's size in memory."""

from __future__ import annotations

import zlib

from ...errors import ImageFileError
from ...files import open_file
from .header import Header, Values, truncated

_BLOCK = 1 << 20
# What zlib calls the two kinds of streams.
_WINDOW = {"gzip": 31, "zlib": 15}


def check_values(header: Header, path) -> None:
    """Unpack the values once: their number and their checksum. Raises ImageFileError.

    Of raw values the header's reader has compared the number with the length of the file.
    """
    if header.values is None or header.values.packing == "raw":
        return
    found = sum(len(block) for block in blocks_of(header.values, path))
    if found < header.values.length:
        raise truncated(path, found, header.values.length)


def blocks_of(values: Values, path):
    """The bytes of the voxels, at most `values.length`, block by block.

    Raises ImageFileError if they are damaged or end within the stream. path: for messages.
    """
    left = values.length
    try:
        with open_file(values.path, ImageFileError) as file:
            file.seek(values.start)
            source = _raw(file) if values.packing == "raw" else _unpacked(file, values)
            for block in source:
                yield block[:left]
                left -= len(block[:left])
                # The end of the stream, with the checksum, is read even if it brings no values.
                if not left and values.packing == "raw":
                    return
    except (zlib.error, EOFError) as error:
        raise ImageFileError(f"'{path}' is damaged or truncated: {error}.") from error
    except OSError as error:
        raise ImageFileError(f"'{path}' cannot be read: {error.strerror or error}.") from error


def _raw(file):
    return iter(lambda: file.read(_BLOCK), b"")


def _unpacked(file, values: Values):
    """Blocks of a packed stream. EOFError if the file ends before the stream does.

    A stream that goes on for ever is followed a little past the length that the header states.
    """
    unpack, given = zlib.decompressobj(_WINDOW[values.packing]), 0
    for packed in _raw(file):
        while packed:
            block = unpack.decompress(packed, _BLOCK)
            given += len(block)
            yield block
            if given > values.length + _BLOCK:
                return
            packed = unpack.unconsumed_tail
            if unpack.eof:
                # A gzip file may be several streams, one after the other.
                packed = unpack.unused_data
                if values.packing != "gzip" or not packed.startswith(b"\x1f\x8b"):
                    return
                unpack = zlib.decompressobj(_WINDOW[values.packing])
    if not unpack.eof:
        raise EOFError("the file ends before its compressed values do")
