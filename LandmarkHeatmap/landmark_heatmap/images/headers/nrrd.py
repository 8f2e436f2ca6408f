"""NRRD: .nrrd with its values inside, .nhdr with a file of values beside it."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

from ...errors import ImageFileError, quoted
from .header import Header, Values, beside
from .units import NO_SIZE, PX, STATED, UNIT_KEY, Lengths, lengths_in

_MAGIC = re.compile(rb"NRRD000[1-5]\r?\n")
_LARGEST_HEADER = 2**22
_LONGEST_LINE = 2**16
_PACKINGS = {"raw": "raw", "gzip": "gzip", "gz": "gzip"}
_BYTES_OF = {
    1: ("signed char", "int8", "int8_t", "uchar", "unsigned char", "uint8", "uint8_t"),
    2: (
        "short", "short int", "signed short", "signed short int", "int16", "int16_t",
        "ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t",
    ),
    4: (
        "int", "signed int", "int32", "int32_t", "uint", "unsigned int", "uint32", "uint32_t",
        "float",
    ),
    8: (
        "longlong", "long long", "long long int", "signed long long", "signed long long int",
        "int64", "int64_t", "ulonglong", "unsigned long long", "unsigned long long int",
        "uint64", "uint64_t", "double",
    ),
}  # fmt: skip
_BYTES = {name: size for size, names in _BYTES_OF.items() for name in names}
# All fields that there are, without the spaces in their names. ITK crashes on some others.
_FIELDS = frozenset(
    (
        "content", "number", "type", "blocksize", "dimension", "space", "spacedimension",
        "spaceunits", "spaceorigin", "spacedirections", "measurementframe", "sizes", "spacings",
        "thicknesses", "axismins", "axismaxs", "centers", "centerings", "kinds", "labels", "units",
        "min", "max", "oldmin", "oldmax", "endian", "encoding", "lineskip", "byteskip",
        "sampleunits", "datafile",
    )
)  # fmt: skip
_LONGEST_FIELD = 1000
_VECTOR = r"(?:none|\(\s*[-+0-9.eE]{1,40}(?:\s*,\s*[-+0-9.eE]{1,40})*\s*\))"
_TOLD = {"units": "units", "spaceunits": "space units"}
_QUOTED = re.compile('"([^"]*)"')
_PATTERNS = {
    "spacedirections": re.compile(rf"{_VECTOR}(?:\s*{_VECTOR})*"),
    "spaceorigin": re.compile(_VECTOR),
    "measurementframe": re.compile(rf"{_VECTOR}(?:\s*{_VECTOR})*"),
    "spacings": re.compile(r"(?:[-+0-9.eE]{1,40}|nan)(?:\s+(?:[-+0-9.eE]{1,40}|nan))*", re.I),
    "spacedimension": re.compile("[1-8]"),
    "endian": re.compile("little|big", re.I),
}


def recognises(beginning: bytes, path: Path) -> bool:
    return beginning.startswith(b"NRRD")


def read(file, path: Path) -> Header:
    """Raises ImageFileError for a header that is not complete, or says something impossible."""
    fields, start = _fields(file, path)
    sizes = _whole_numbers(path, fields, "sizes")
    (axes,) = _whole_numbers(path, fields, "dimension", count=1)
    if axes != len(sizes):
        raise ImageFileError(f"'{path}': its header states {axes} axes and {len(sizes)} sizes.")
    kind = fields.get("type", "").lower()
    if kind not in _BYTES:
        raise ImageFileError(f"'{path}': its header states the unknown type {quoted(kind)}.")
    packing = _PACKINGS.get(fields.get("encoding", "").lower())
    if packing is None:
        raise ImageFileError(
            f"'{path}': its values are stored as {quoted(fields.get('encoding', ''))}; raw and gzip"
            " are read. Open it in Slicer, and save it again."
        )
    detached = _values_file(path, fields)
    values = detached or path
    length = math.prod(sizes) * _BYTES[kind]
    start = _start(path, fields, values, 0 if detached else start, length, packing)
    values = Values(values, start, packing, length)
    return Header("NrrdImageIO", sizes, _BYTES[kind], values, lengths=_lengths(path, fields))


def _lengths(path, fields) -> Lengths:
    """The unit of the axes along which there are lengths: a colour, or a time, has another one."""
    directions = re.findall(_VECTOR, fields.get("spacedirections", ""))
    spacings = fields.get("spacings", "").split()
    has_length = [each != "none" for each in directions] or list(map(_is_length, spacings))
    _check_units(path, fields, directions)
    if not any(has_length) and any(map(_is_length, fields.get("axismaxs", "").split())):
        raise ImageFileError(
            f"'{path}': its header states its extent ('axis mins' and 'axis maxs') in place of the size"
            " of a voxel, of which ITK and Slicer take the place alone. State 'spacings' or 'space"
            " directions', and remove these lines."
        )
    if fields.get(UNIT_KEY) == PX or not any(has_length):
        return NO_SIZE
    along = _QUOTED.findall(fields.get("units", ""))
    if len(along) == len(has_length):
        along = [word for word, has in zip(along, has_length) if has]
    words = []
    for stated in (along, _QUOTED.findall(fields.get("spaceunits", ""))):
        # All of them empty says nothing; some of them, that they differ.
        words += stated if any(stated) else []
    lengths = lengths_in(path, words)
    return replace(lengths, is_stated=fields.get(UNIT_KEY) == STATED, axes=sum(has_length))


def _check_units(path, fields, directions) -> None:
    """Raises ImageFileError for units that are not one in quotation marks for each axis, and for those
    of axes that have directions, whose units stand elsewhere."""
    axes = next((each.count(",") + 1 for each in directions if each != "none"), None)
    counts = {"units": int(fields["dimension"]), "spaceunits": axes}
    for key, count in counts.items():
        text = fields.get(key)
        if text is None or count is None:
            continue
        if _QUOTED.sub("", text).strip() or len(_QUOTED.findall(text)) != count:
            example = " ".join(['"mm"'] * count)
            raise ImageFileError(
                f"'{path}': its header states the {_TOLD[key]} {quoted(text)}; {count} are needed, each"
                f" in quotation marks: {example}. Mend its header."
            )
    along = _QUOTED.findall(fields.get("units", ""))
    if any(word and direction != "none" for word, direction in zip(along, directions)):
        raise ImageFileError(
            f"'{path}': its header states the units {quoted(fields['units'])} of axes with space"
            " directions, whose units are the 'space units'. Mend its header."
        )


def _is_length(spacing: str) -> bool:
    return spacing.lower() != "nan"


def values_file(file, path: Path):
    """The file with the values, None if they are in this one."""
    return _values_file(path, _fields(file, path)[0])


def _values_file(path: Path, fields):
    name = fields.get("datafile")
    return None if name is None else beside(path, name)


def _fields(file, path: Path):
    """The fields of the header by name, in small letters; and where the values begin."""
    if not _MAGIC.fullmatch(file.readline(20)):
        raise ImageFileError(f"'{path}' is no NRRD file of a known version.")
    fields, start = {}, file.tell()
    while True:
        line = file.readline(_LONGEST_LINE)
        start += len(line)
        if len(line) == _LONGEST_LINE or start > _LARGEST_HEADER:
            raise ImageFileError(
                f"'{path}': its header has a line or a length that no image needs."
            )
        text = line.decode("utf-8", "replace").strip()
        # The header of a file of its own may end with the file.
        if not text and (line or "datafile" in fields):
            return fields, start
        if not line or not (line.endswith(b"\n") or "datafile" in fields):
            raise ImageFileError(f"'{path}' is truncated: it ends within its header.")
        key, colon, value = text.partition(":")
        if text.startswith("#"):
            continue
        if value.startswith("="):
            # A statement of somebody's own; so is ours.
            if key == UNIT_KEY:
                fields[key] = value[1:].strip()
            continue
        key, value = "".join(key.lower().split()), value.strip()
        if not colon or key not in _FIELDS or len(text) > _LONGEST_FIELD:
            raise ImageFileError(f"'{path}': its header has the line {quoted(text)}.")
        if key in fields:
            raise ImageFileError(f"'{path}': its header states '{key}' twice.")
        if key in _PATTERNS and not _PATTERNS[key].fullmatch(value):
            raise ImageFileError(f"'{path}': its header states the {key} {quoted(value)}.")
        fields[key] = value


def _whole_numbers(path, fields, key, count=None) -> tuple:
    words = fields.get(key, "").split()
    if not words or not all(re.fullmatch("[0-9]{1,10}", word) for word in words):
        raise ImageFileError(
            f"'{path}': its header states the {key} {quoted(fields.get(key, ''))}."
        )
    if count is not None and len(words) != count:
        raise ImageFileError(f"'{path}': its header states the {key} {quoted(fields[key])}.")
    return tuple(map(int, words))


def _start(path, fields, values: Path, start: int, length: int, packing: str) -> int:
    """Where the values begin, what the header says to skip left out."""
    if fields.get("lineskip", "0") != "0":
        raise ImageFileError(f"'{path}': its values begin after lines of text, which is not read.")
    skip = fields.get("byteskip", "0")
    if skip == "0":
        return start
    if packing == "raw" and skip == "-1":
        return max(start, values.stat().st_size - length)
    if packing == "raw" and re.fullmatch("[0-9]{1,10}", skip):
        return start + int(skip)
    raise ImageFileError(f"'{path}': its header states the byte skip {quoted(skip)}.")
