"""MetaImage: .mha with its values inside, .mhd with a file of values beside it."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

from ...errors import ImageFileError, quoted
from .header import Header, Values, beside
from .units import NO_SIZE, PX, STATED, UNIT_KEY, Lengths, lengths_in

_FIRST = re.compile(rb"\s*(ObjectType|NDims|Comment|ObjectSubType|TransformType|Name|ID)\s*=")
_LARGEST_HEADER = 2**20
_LONGEST_LINE = 2**14
_LONGEST_KEY = 200
_BYTES = {
    "MET_CHAR": 1, "MET_UCHAR": 1, "MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4,
    "MET_LONG": 4, "MET_ULONG": 4, "MET_LONG_LONG": 8, "MET_ULONG_LONG": 8, "MET_FLOAT": 4,
    "MET_DOUBLE": 8,
}  # fmt: skip
_TRUE, _FALSE = ("true", "t", "1", "y", "yes"), ("false", "f", "0", "n", "no", "")
_MOST_CHANNELS = 10_000
_SPACINGS = ("ElementSpacing", "ElementSize")
# Two statements of these would be read as the one by us, and as the other by ITK.
_ONCE = ("NDims", "DimSize", "ElementType", "CompressedData", "HeaderSize")


def recognises(beginning: bytes, path: Path) -> bool:
    return _FIRST.match(beginning) is not None


def read(file, path: Path) -> Header:
    """Raises ImageFileError for a header that is not complete, or says something impossible."""
    fields, start = _fields(file, path)
    axes = _whole_number(path, fields, "NDims")
    sizes = fields.get("DimSize", "").split()
    if len(sizes) != axes or not all(re.fullmatch("[0-9]{1,10}", size) for size in sizes):
        raise ImageFileError(
            f"'{path}': its header states {axes} axes and the DimSize"
            f" {quoted(fields.get('DimSize', ''))}."
        )
    kind = fields.get("ElementType", "")
    if kind not in _BYTES:
        raise ImageFileError(f"'{path}': its header states the unknown ElementType {quoted(kind)}.")
    if not _is_true(path, fields, "BinaryData", True):
        raise ImageFileError(
            f"'{path}': its values are written as text. Open it in Slicer, and save it as .nrrd."
        )
    channels = _whole_number(path, fields, "ElementNumberOfChannels", 1)
    if not 1 <= channels <= _MOST_CHANNELS:
        raise ImageFileError(f"'{path}': its header states {channels} values in each voxel.")
    sizes = tuple(map(int, sizes))
    detached = _values_file(path, fields)
    place = detached or path
    voxel = _BYTES[kind] * channels
    length = math.prod(sizes) * voxel
    packing = "zlib" if _is_true(path, fields, "CompressedData", False) else "raw"
    start = _start(path, fields, place, 0 if detached else start, length, packing)
    packed = _whole_number(path, fields, "CompressedDataSize", 0) or None
    values = Values(place, start, packing, length, packed if packing == "zlib" else None)
    return Header("MetaImageIO", sizes, voxel, values, lengths=_lengths(path, fields))


def _lengths(path, fields) -> Lengths:
    if fields.get(UNIT_KEY) == PX or not any(key in fields for key in _SPACINGS):
        return NO_SIZE
    lengths = lengths_in(path, [fields.get("DistanceUnits", "")])
    return replace(lengths, is_stated=fields.get(UNIT_KEY) == STATED)


def values_file(file, path: Path):
    """The file with the values, None if they are in this one."""
    return _values_file(path, _fields(file, path)[0])


def _values_file(path: Path, fields):
    """Raises ImageFileError for a list or a pattern of files, on which ITK crashes."""
    name = fields["ElementDataFile"]
    if name.upper() == "LOCAL":
        return None
    if name.upper().startswith("LIST") or "%" in name:
        raise ImageFileError(
            f"'{path}' takes its values from {quoted(name)}: from several files, which is not read."
            " Open it in Slicer, and save it as .nrrd."
        )
    return beside(path, name)


def _fields(file, path: Path):
    """The fields of the header; and where the values begin, which is after ElementDataFile."""
    fields, start = {}, 0
    while "ElementDataFile" not in fields:
        line = file.readline(_LONGEST_LINE)
        start += len(line)
        if len(line) == _LONGEST_LINE or start > _LARGEST_HEADER or b"\0" in line:
            raise ImageFileError(
                f"'{path}': its header has a line or a length that no image needs."
            )
        if not line or not (line.endswith(b"\n") or b"ElementDataFile" in line):
            raise ImageFileError(f"'{path}' is truncated: it ends within its header.")
        text = line.decode("utf-8", "replace").strip()
        if not text:
            continue
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not key or len(key) > _LONGEST_KEY:
            raise ImageFileError(f"'{path}': its header has the line {quoted(text)}.")
        if key in fields and key in _ONCE:
            raise ImageFileError(f"'{path}': its header states {key} twice.")
        fields[key] = value
    return fields, start


def _whole_number(path, fields, key: str, default=None) -> int:
    text = fields.get(key, "" if default is None else str(default))
    if not re.fullmatch("[0-9]{1,18}", text):
        raise ImageFileError(f"'{path}': its header states the {key} {quoted(text)}.")
    return int(text)


def _is_true(path, fields, key: str, default: bool) -> bool:
    text = fields.get(key, str(default)).lower()
    if text not in (*_TRUE, *_FALSE):
        raise ImageFileError(f"'{path}': its header states the {key} {quoted(text)}.")
    return text in _TRUE


def _start(path, fields, place: Path, start: int, length: int, packing: str) -> int:
    """Where the values begin, a foreign header before them left out."""
    skip = fields.get("HeaderSize", "0")
    if packing == "raw" and skip == "-1":
        return max(start, place.stat().st_size - length)
    if skip != "0" and (packing != "raw" or not re.fullmatch("[0-9]{1,10}", skip)):
        raise ImageFileError(f"'{path}': its header states the HeaderSize {quoted(skip)}.")
    return start + int(skip)
