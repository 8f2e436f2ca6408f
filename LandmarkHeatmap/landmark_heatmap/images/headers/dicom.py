"""DICOM: a file of one image. GDCM reads the header; what it does not notice is looked for here.

It allocates what an element claims before it looks whether it is there, and takes pixels that are cut
off for whole. So all elements are walked through once, those in sequences too, without their values.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from ...errors import ImageFileError
from .header import Header
from .units import NO_SIZE, Lengths

_PREAMBLE = 132
_ITEM, _END_OF_ITEM, _END_OF_SEQUENCE = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
PIXELS, _SYNTAX = (0x7FE0, 0x0010), (0x0002, 0x0010)
_OPEN_END = 0xFFFFFFFF
# Elements of these types have four bytes for their length, the others two.
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
_IMPLICIT, _BIG_ENDIAN = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.2"
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_DEEPEST = 20
_RATIO = 10_000
DICOM_READER = "GDCMImageIO"
SERIES, KIND_OF_IMAGE = (0x0020, 0x000E), (0x0008, 0x0008)
POSITION, ORIENTATION, SIZE_OF_PIXEL = (0x0020, 0x0032), (0x0020, 0x0037), (0x0028, 0x0030)
ROWS, COLUMNS, FRAMES = (0x0028, 0x0010), (0x0028, 0x0011), (0x0028, 0x0008)
COLOURS = (0x0028, 0x0004)
_WHITE_IS_LOWEST = b"MONOCHROME1"
# Besides that of the pixels: of the detector, of a scanner for film, of a region of an ultrasound.
_SIZES = (SIZE_OF_PIXEL, (0x0018, 0x1164), (0x0018, 0x2010), (0x0018, 0x602C))
_KEPT = (
    SERIES,
    KIND_OF_IMAGE,
    POSITION,
    ORIENTATION,
    ROWS,
    COLUMNS,
    FRAMES,
    COLOURS,
    PIXELS,
    *_SIZES,
)
_LONGEST_KEPT = 1024


def recognises(beginning: bytes, path: Path) -> bool:
    return beginning[128:132] == b"DICM"


def read(file, path: Path) -> Header:
    """Raises ImageFileError for elements that do not end in the file.

    The sizes are not read here: ITK tells them without reading the values.
    """
    found = elements_of(file, path)
    has_size = any(tag in found for tag in _SIZES)
    lengths = Lengths() if has_size else NO_SIZE
    return Header(DICOM_READER, (1, 1), 1, ratio=_RATIO, lengths=lengths, note=note_of(found))


def note_of(found: dict) -> str:
    """What has to be known of the values. found: of `elements_of`."""
    if found.get(COLOURS, b"").strip(b"\0 ") != _WHITE_IS_LOWEST:
        return ""
    # A volume in Slicer holds such values as they are, too; and the same model sees both.
    return "its lowest values are white (MONOCHROME1); they are taken as they are, as in Slicer's volumes"


def elements_of(file, path: Path) -> dict:
    """{tag: bytes} of the elements that say which image it is and where; PIXELS if it has any.

    Sizes of pixels are found in sequences, too. Raises ImageFileError as `read` does.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        walk = _Walk(content, path)
        at = walk.group_of_the_file(_PREAMBLE)
        if walk.syntax == _DEFLATED:
            raise ImageFileError(
                f"'{path}' is a DICOM file packed as a whole, which is not read. Open it in Slicer,"
                " and save it as .nrrd."
            )
        order = ">" if walk.syntax == _BIG_ENDIAN else "<"
        walk.elements(at, len(content), order, walk.syntax != _IMPLICIT)
        return walk.found


class _Walk:
    """Through the elements of a file; each has to end where there still are bytes."""

    def __init__(self, content, path: Path):
        self._content, self._path, self.syntax, self.found = content, path, b"", {}

    def group_of_the_file(self, at: int) -> int:
        """Read the elements that say how the others are written; returns where those begin."""
        while at < len(self._content) and self._content[at : at + 2] == b"\x02\x00":
            tag, _, length, start = self._element(at, "<", True)
            at = self._end(start, length)
            if tag == _SYNTAX:
                self.syntax = self._content[start:at].rstrip(b"\0 ")
        return at

    def elements(self, at: int, end: int, order: str, explicit: bool, depth: int = 0) -> int:
        """Walk up to `end`, or to the mark that ends an item; returns where it stopped."""
        if depth > _DEEPEST:
            raise self._damaged()
        while at < end:
            tag, kind, length, start = self._element(at, order, explicit)
            if tag == _END_OF_ITEM:
                return start
            if length == _OPEN_END:
                self._keep(tag, start, start, depth)
                # What has no type is written without types.
                at = self._items(start, order, explicit and kind != b"UN", tag == PIXELS, depth)
            else:
                at = self._end(start, length)
                self._keep(tag, start, at, depth)
                if kind == b"SQ" or not explicit and tag != PIXELS and self._is_item(start, order):
                    self._sequence(start, at, order, explicit, depth)
        return at

    def _is_item(self, at: int, order: str) -> bool:
        """Where types are not written, a sequence is known by its first item."""
        return self._content[at : at + 4] == struct.pack(order + "HH", *_ITEM)

    def _keep(self, tag, start: int, end: int, depth: int) -> None:
        if tag in (_SIZES if depth else _KEPT):
            end = start if tag == PIXELS else min(end, start + _LONGEST_KEPT)
            self.found.setdefault(tag, self._content[start:end])

    def _sequence(self, at: int, end: int, order: str, explicit: bool, depth: int) -> None:
        while at < end:
            tag, _, length, start = self._element(at, order, False)
            if tag != _ITEM:
                raise self._damaged()
            stop = end if length == _OPEN_END else self._end(start, length)
            at = self.elements(start, stop, order, explicit, depth + 1)

    def _items(self, at: int, order: str, explicit: bool, are_pixels: bool, depth: int) -> int:
        """Items up to the mark that ends them; returns where it ends."""
        while True:
            tag, _, length, start = self._element(at, order, False)
            if tag == _END_OF_SEQUENCE:
                return start
            if tag != _ITEM or (are_pixels and length == _OPEN_END):
                raise self._damaged()
            if are_pixels:
                at = self._end(start, length)
            else:
                end = len(self._content) if length == _OPEN_END else self._end(start, length)
                at = self.elements(start, end, order, explicit, depth + 1)

    def _element(self, at: int, order: str, explicit: bool):
        """(tag, type, length, where its value starts); marks of items never have a type."""
        head = self._content[at : at + 12]
        if len(head) < 8:
            raise self._damaged()
        tag = struct.unpack_from(order + "HH", head)
        if not explicit or tag[0] == 0xFFFE:
            return tag, b"", struct.unpack_from(order + "I", head, 4)[0], at + 8
        kind = head[4:6]
        if kind in _LONG:
            if len(head) < 12:
                raise self._damaged()
            return tag, kind, struct.unpack_from(order + "I", head, 8)[0], at + 12
        if not (kind.isalpha() and kind.isupper()):
            raise self._damaged()
        return tag, kind, struct.unpack_from(order + "H", head, 6)[0], at + 8

    def _end(self, start: int, length: int) -> int:
        if start + length > len(self._content):
            raise self._damaged()
        return start + length

    def _damaged(self) -> ImageFileError:
        return ImageFileError(
            f"'{self._path}' is truncated or damaged: {len(self._content)} bytes, and an element of"
            " its header or its pixels does not end in them."
        )
