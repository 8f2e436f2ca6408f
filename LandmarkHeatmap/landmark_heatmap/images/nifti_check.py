"""What ITK does not notice about a NIfTI file, and reads wrong values without a word.

A file that ends too soon is filled up with zeros; and of 'a.nii' and 'a.nii.gz' in one folder the
values of 'a.nii' are read for both.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

from ..errors import ImageFileError

# The size of the header, which stands at its beginning, tells the version and the byte order.
_NIFTI_1, _NIFTI_2 = 348, 540
# Where the header states: the sizes (a count and seven numbers), bits a voxel, where values begin.
_FIELDS = {
    _NIFTI_1: ((40, "8h"), (72, "h"), (108, "f")),
    _NIFTI_2: ((16, "8q"), (14, "h"), (168, "q")),
}
_BLOCK = 1 << 20


def check_nifti(path) -> None:
    """Raises ImageFileError if ITK would read other values than this .nii or .nii.gz holds.

    A compressed file is decompressed once for this, which also tests its checksum. A file whose
    header is not that of a NIfTI file is left to ITK to judge.
    """
    path = Path(path)
    is_compressed = path.name.lower().endswith(".gz")
    sibling = path.with_name(path.name[:-3])
    if is_compressed and sibling.exists():
        raise ImageFileError(
            f"'{path}' lies beside '{sibling.name}', whose values would be read in its place. Move"
            " or rename one of the two."
        )
    try:
        with gzip.open(path) if is_compressed else open(path, "rb") as file:
            wanted = _length_by_header(file.read(_NIFTI_2))
            file.seek(0)
            found = _length(file) if is_compressed else path.stat().st_size
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ImageFileError(f"'{path}' is damaged or truncated: {error}.") from error
    except OSError as error:
        raise ImageFileError(f"'{path}' cannot be read: {error.strerror}.") from error
    if wanted is not None and found < wanted:
        raise ImageFileError(
            f"'{path}' is truncated: {found} bytes where its header says {wanted}."
        )


def _length(file) -> int:
    """The bytes that a stream gives until its end."""
    return sum(len(block) for block in iter(lambda: file.read(_BLOCK), b""))


def _length_by_header(header: bytes):
    """How many bytes the file needs, None if this is no header of a file with its values inside."""
    for order in "<>":
        version = struct.unpack_from(order + "i", header)[0] if len(header) >= 4 else None
        if version in _FIELDS and len(header) >= version:
            sizes, bits, start = (
                struct.unpack_from(order + kind, header, at) for at, kind in _FIELDS[version]
            )
            if not 1 <= sizes[0] <= 7 or not math.isfinite(start[0]):
                return None
            return int(start[0]) + math.prod(max(n, 1) for n in sizes[1 : sizes[0] + 1]) * (
                bits[0] // 8
            )
    return None
