"""TIFF and BigTIFF: pages in a chain of directories, each with strips or tiles somewhere in the file."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import ImageFileError, quoted
from .exif import UPRIGHT, checked
from .header import Header, check_claim
from .units import NO_SIZE

_MAGICS = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
# Bytes and code of each type of number. What is not here has no length that could be checked.
_TYPES = {
    1: (1, "B"), 2: (1, "s"), 3: (2, "H"), 4: (4, "I"), 5: (8, ""), 6: (1, "b"), 7: (1, "B"),
    8: (2, "h"), 9: (4, "i"), 10: (8, ""), 11: (4, "f"), 12: (8, "d"), 13: (4, "I"), 16: (8, "Q"),
    17: (8, "q"), 18: (8, "Q"),
}  # fmt: skip
_SUBFILE, _WIDTH, _HEIGHT, _BITS, _PACKING, _SAMPLES = 254, 256, 257, 258, 259, 277
_COLOURS, _ORIENTATION, _KIND_OF_NUMBER = 262, 274, 339
_WHITE_IS_ZERO, _SMALLER, _FLOAT = 0, 1, 3
# Where the pieces of a page are, and how long each is: strips or tiles.
_PIECES = ((273, 279), (324, 325))
_NOT_PACKED = 1
_RATIO, _RATIO_PACKED = 64, 10_000
_MOST_PAGES, _MOST_NUMBERS = 100_000, 10_000_000


def recognises(beginning: bytes, path: Path) -> bool:
    return beginning[:4] in _MAGICS


def read(file, path: Path) -> Header:
    """Raises ImageFileError for what is cut off: ITK leaves out a page that is not there any more.

    The sizes are those of the first page, and the number of pages, if all are of one kind. If they are
    not, the first one is the image: the others are smaller copies, or a thumbnail.
    """
    document = _Document(file, path)
    pages, seen, first, patches = [], set(), None, []
    at = document.first
    while at:
        if at in seen or len(pages) >= _MOST_PAGES:
            raise ImageFileError(f"'{path}' is damaged: its pages go round in a circle.")
        seen.add(at)
        page = document.page(at)
        header, at = _header(document, page), page.following
        pages.append((header, document.number(page, _SUBFILE), document.number(page, _BITS, 1)))
        if header.orientation != UPRIGHT:
            # ITK turns some of them, in ways of its own.
            patches.append(document.patch(page, _ORIENTATION, UPRIGHT))
        first = first or page
    if not pages:
        raise ImageFileError(f"'{path}' is damaged: it has no page.")
    header = pages[0][0]
    note = ""
    if len(set(pages)) > 1:
        _check_first(path, pages)
        # ITK would write past the end of its memory.
        patches.append(document.patch_to_end(first))
        note = f"only the first of its {len(pages)} pages is read: they are of different kinds"
    elif len(pages) > 1:
        header = replace(header, sizes=(*header.sizes, len(pages)))
    return replace(header, patches=tuple(patches), note=note)


def _check_first(path, pages) -> None:
    """That the first page is the image, and not the thumbnail of a later one."""
    first, kind, _ = pages[0]
    largest = max(page.sizes[0] * page.sizes[1] for page, _, _ in pages)
    if kind & _SMALLER or first.sizes[0] * first.sizes[1] < largest:
        raise ImageFileError(
            f"'{path}' has pages of different sizes or kinds, and the first is not the largest. Save"
            " the page that is meant as an image of its own."
        )


def _header(document: _Document, page: _Page) -> Header:
    """Of one page; its pieces lie within the file."""
    path = document.path
    width, height = (document.number(page, tag) for tag in (_WIDTH, _HEIGHT))
    bits, samples = document.number(page, _BITS, 1), document.number(page, _SAMPLES, 1)
    packing = document.number(page, _PACKING, _NOT_PACKED)
    if not 1 <= bits <= 64 or not 1 <= samples <= 64 or not width or not height:
        told = quoted((width, height, bits, samples))
        raise ImageFileError(f"'{path}' is damaged: a page of it states {told}.")
    held = 0
    for places, lengths in _PIECES:
        starts, sizes = document.numbers(page, places), document.numbers(page, lengths)
        for start, size in zip(starts, sizes):
            if start + size > document.size:
                raise ImageFileError(
                    f"'{path}' is truncated: {document.size} bytes where its header says"
                    f" {start + size}."
                )
        held += sum(sizes)
    stored = height * ((width * bits * samples + 7) // 8)
    if packing == _NOT_PACKED and held and held < stored:
        raise ImageFileError(
            f"'{path}' is truncated: {held} bytes of values where its header says {stored}."
        )
    ratio = _RATIO if packing == _NOT_PACKED else _RATIO_PACKED
    voxel = max(bits, 8) // 8 * max(samples, 3)
    check_claim(path, width * height * voxel, held or document.size, ratio)
    is_white_zero = document.number(page, _COLOURS, 1) == _WHITE_IS_ZERO
    if is_white_zero and document.number(page, _KIND_OF_NUMBER, 1) == _FLOAT:
        raise ImageFileError(
            f"'{path}' states that 0 is white, of numbers that have no largest: what is black? Save it"
            " with 0 for black."
        )
    return Header(
        "TIFFImageIO",
        (width, height),
        voxel,
        ratio=ratio,
        lengths=NO_SIZE,
        orientation=checked(document.number(page, _ORIENTATION, UPRIGHT)),
        white_is_zero=is_white_zero,
    )


@dataclass(frozen=True)
class _Page:
    """fields: {tag: (type, count, the bytes of its numbers or where they are, the entry's place)}.
    following: the next page's place, 0 for none; which is stated at following_at."""

    fields: dict
    following: int
    following_at: int


class _Document:
    """A file of directories: each a count, entries, and the place of the next one."""

    def __init__(self, file, path):
        self._file, self.path = file, path
        self.size = os.fstat(file.fileno()).st_size
        beginning = self._at(0, 16 if self.size >= 16 else 8)
        self._order = _MAGICS[beginning[:4]]
        self._big = b"+" in beginning[:4]
        code, start = ("Q", 8) if self._big else ("I", 4)
        if self._big and len(beginning) < 16:
            raise self._cut_off()
        (self.first,) = struct.unpack_from(self._order + code, beginning, start)

    def page(self, at: int) -> _Page:
        count_code, entry_code, entry_size, next_code = (
            ("Q", "HHQ8s", 20, "Q") if self._big else ("H", "HHI4s", 12, "I")
        )
        head = struct.calcsize("<" + count_code)
        (count,) = struct.unpack(self._order + count_code, self._at(at, head))
        if not 1 <= count <= 65535:
            raise ImageFileError(f"'{self.path}' is damaged: a page has {count} entries.")
        table = self._at(at + head, count * entry_size + struct.calcsize("<" + next_code))
        fields = {}
        for number in range(count):
            tag, kind, length, value = struct.unpack_from(
                self._order + entry_code, table, number * entry_size
            )
            place = at + head + number * entry_size + entry_size - len(value)
            fields[tag] = (kind, length, self._content(kind, length, value), place)
        (following,) = struct.unpack_from(self._order + next_code, table, count * entry_size)
        return _Page(fields, following, at + head + count * entry_size)

    def patch(self, page: _Page, tag: int, value: int) -> tuple:
        """(place, bytes) that make an entry of one number state `value`."""
        kind, _, content, place = page.fields[tag]
        code = self._order + _TYPES[kind][1]
        return place, struct.pack(code, value).ljust(len(content), b"\0")

    def patch_to_end(self, page: _Page) -> tuple:
        """(place, bytes) that make `page` the last one."""
        return page.following_at, bytes(8 if self._big else 4)

    def _content(self, kind: int, count: int, value: bytes):
        """Where the numbers of an entry stand: the bytes in the entry, or their place in the file."""
        length = _TYPES.get(kind, (1, ""))[0] * count
        if length <= len(value):
            return value
        (at,) = struct.unpack(self._order + ("Q" if self._big else "I"), value)
        if at + length > self.size:
            raise self._cut_off()
        return at

    def numbers(self, page: _Page, tag: int) -> tuple:
        """The whole numbers of an entry, none if it is not there."""
        if tag not in page.fields:
            return ()
        kind, count, content, _ = page.fields[tag]
        size, code = _TYPES.get(kind, (0, ""))
        if code not in ("B", "H", "I", "Q") or count > _MOST_NUMBERS:
            raise ImageFileError(f"'{self.path}' is damaged: entry {tag} of a page is.")
        content = content if isinstance(content, bytes) else self._at(content, size * count)
        return struct.unpack_from(f"{self._order}{count}{code}", content)

    def number(self, page: _Page, tag: int, default: int = 0) -> int:
        return (*self.numbers(page, tag), default)[0]

    def _at(self, at: int, length: int) -> bytes:
        self._file.seek(min(at, self.size))
        content = self._file.read(length)
        if len(content) < length:
            raise self._cut_off()
        return content

    def _cut_off(self) -> ImageFileError:
        return ImageFileError(
            f"'{self.path}' is truncated or damaged: {self.size} bytes, and it refers to more."
        )
