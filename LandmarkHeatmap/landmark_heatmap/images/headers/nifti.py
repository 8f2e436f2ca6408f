"""NIfTI 1 and 2: .nii and .nii.gz, or .hdr with its values in an .img beside it.

ITK fills up with zeros a file that ends too soon; and of 'a.nii' and 'a.nii.gz' in one folder it
reads the values of 'a.nii' for both.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

from ...errors import ImageFileError, quoted
from .header import Header, Values, beside
from .nifti_forms import lengths_and_forms

# The size of the header, which stands at its beginning, tells the version and the byte order.
_NIFTI_1, _NIFTI_2 = 348, 540
# Where the header states: the sizes (a count and seven numbers), the type, bits a voxel, where
# values begin; and the mark of the version, which says whether they stand in the same file.
_FIELDS = {
    _NIFTI_1: ((40, "8h"), (70, "h"), (72, "h"), (108, "f")),
    _NIFTI_2: ((16, "8q"), (12, "h"), (14, "h"), (168, "q")),
}
_MARK_AT = {_NIFTI_1: 344, _NIFTI_2: 4}
_INSIDE, _BESIDE = {b"n+1", b"n+2"}, {b"ni1", b"ni2"}
_BITS_OF_TYPE = {
    2: 8, 4: 16, 8: 32, 16: 32, 32: 64, 64: 64, 128: 24, 256: 8, 512: 16, 768: 32, 1024: 64,
    1280: 64, 1536: 128, 1792: 128, 2048: 256, 2304: 32,
}  # fmt: skip
_ENDINGS = (".nii", ".nii.gz", ".hdr", ".hdr.gz")
# The NIfTI library goes by the name, in small letters or in capitals.
_READ_BY_ITK = (*_ENDINGS, *(ending.upper() for ending in _ENDINGS))


def recognises(beginning: bytes, path: Path) -> bool:
    """A packed file says nothing but that it is packed."""
    if beginning[:2] == b"\x1f\x8b":
        return path.name.lower().endswith(".gz")
    return _version(beginning) is not None or path.name.lower().endswith(".nii")


def read(file, path: Path) -> Header:
    """Raises ImageFileError for a header that is not complete, or says something impossible."""
    _check_name(path)
    is_packed = path.name.lower().endswith(".gz")
    beginning = file.read(1 << 16)
    header = _unpacked(beginning, path) if is_packed else beginning[:_NIFTI_2]
    found = _version(header)
    if found is None or len(header) < found[1]:
        raise ImageFileError(
            f"'{path}' is no NIfTI file, or truncated: its header is not complete."
        )
    order, version = found
    sizes, kind, bits, start = (
        struct.unpack_from(order + code, header, at) for at, code in _FIELDS[version]
    )
    mark = header[_MARK_AT[version] : _MARK_AT[version] + 3]
    if mark not in _INSIDE | _BESIDE:
        raise ImageFileError(
            f"'{path}' is a file of Analyze 7.5, which does not say where left is. Convert it to"
            " .nrrd or .nii.gz with a program that knows."
        )
    if not 1 <= sizes[0] <= 7 or _BITS_OF_TYPE.get(kind[0]) != bits[0]:
        raise ImageFileError(
            f"'{path}': its header states {sizes[0]} axes, the type {kind[0]} and {bits[0]} bits."
        )
    # Axes after the last one that counts may be 0 as well as 1.
    sizes = tuple(sizes[1 : sizes[0] + 1])
    while len(sizes) > 1 and sizes[-1] in (0, 1):
        sizes = sizes[:-1]
    values = _values(path, mark, start[0], is_packed, math.prod(sizes) * (bits[0] // 8))
    lengths, forms = lengths_and_forms(header, order, version, path)
    return Header(
        "NiftiImageIO",
        sizes,
        bits[0] // 8,
        values,
        lengths=lengths,
        forms=forms,
        ending="" if path.name.endswith(_READ_BY_ITK) else _ending(path),
    )


def values_file(file, path: Path):
    """The file with the values, None if they are in this one."""
    if not path.name.lower().endswith((".hdr", ".hdr.gz")):
        return None
    values = read(file, path).values
    return None if values.path == path else values.path


def _values(path: Path, mark: bytes, start: float, is_packed: bool, length: int) -> Values:
    if not math.isfinite(start) or start < 0 or start > 2**40:
        raise ImageFileError(f"'{path}': its values begin at {quoted(start)}.")
    start = int(start)
    if mark in _BESIDE:
        place = beside(path, _values_name(path, is_packed))
    else:
        place = path
    if not is_packed:
        return Values(place, start, "raw", length)
    # The values of a packed file begin within what is packed.
    return Values(place, 0, "gzip", start + length)


def _version(header: bytes):
    """('<' or '>', the size of the header), None if it is none."""
    for order in "<>":
        size = struct.unpack_from(order + "i", header)[0] if len(header) >= 4 else None
        if size in _FIELDS:
            return order, size
    return None


def _unpacked(beginning: bytes, path) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(beginning, _NIFTI_2)
    except zlib.error as error:
        raise ImageFileError(f"'{path}' is damaged or truncated: {error}.") from error


def _check_name(path: Path) -> None:
    """That ITK will read this file, and not its sibling."""
    name = path.name
    is_read = name.endswith(_READ_BY_ITK) or name.lower().endswith(_ENDINGS[:2])
    if not is_read:
        raise ImageFileError(f"'{path}' is a NIfTI file: rename it to end in .nii or .nii.gz.")
    if name.lower().endswith(".gz") and path.with_name(name[:-3]).exists():
        raise ImageFileError(
            f"'{path}' lies beside '{name[:-3]}', whose values would be read in its place. Move or"
            " rename one of the two."
        )


def _ending(path: Path) -> str:
    return next(ending for ending in _ENDINGS[1::-1] if path.name.lower().endswith(ending))


def _values_name(path: Path, is_packed: bool) -> str:
    stem = path.name[: -len(".hdr.gz" if is_packed else ".hdr")]
    return f"{stem}.img.gz" if is_packed else f"{stem}.img"
