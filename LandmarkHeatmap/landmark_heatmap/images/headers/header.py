"""What a header says of an image, as far as it has to be known before the values are read."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

from ...errors import ImageFileError, quoted
from ...files import real_path
from .exif import UPRIGHT
from .units import Lengths

# Deflate packs 1032 bytes into one at the most.
DEFLATE_RATIO = 1032
_MOST_AXES = 8
_MOST_ALONG_AN_AXIS = 2**31 - 1
_RAW, _PACKED = "raw", ("gzip", "zlib")


@dataclass(frozen=True)
class Values:
    """Where the voxels stand.

    path: the file. start: its first byte of them. packing: raw, gzip or zlib. length: how many bytes
    they are unpacked. packed_length: how many bytes they are packed, if the header says so.
    """

    path: Path
    start: int
    packing: str
    length: int
    packed_length: int = None


@dataclass(frozen=True)
class Header:
    """reader: the name of the ImageIO of ITK that reads it. sizes: along each axis of the file.

    voxel_bytes: how many bytes each voxel takes. values: None where a format has them in pieces.
    ratio: how many bytes of voxels one byte of the file can become at the most. lengths: what its
    numbers are. orientation: of EXIF, how a picture is turned to be shown, 1 to 8. white_is_zero:
    whether the highest value is black. forms: of NIfTI, ((name, IJK to RAS in the file's unit), ...).
    grey_bytes: of grey with opacity, how many bytes the grey has.
    patches: ((place, bytes), ...) that make a copy of the file one that ITK reads rightly; ending: that
    such a copy needs, where ITK does not know the file's own. note: what the user has to know.
    """

    reader: str
    sizes: tuple
    voxel_bytes: float
    values: Values = None
    ratio: float = DEFLATE_RATIO
    lengths: Lengths = Lengths()
    orientation: int = UPRIGHT
    white_is_zero: bool = False
    forms: tuple = ()
    grey_bytes: int = None
    patches: tuple = ()
    ending: str = ""
    note: str = ""

    @property
    def length(self) -> int:
        """The bytes of all voxels in memory."""
        return math.ceil(math.prod(self.sizes) * self.voxel_bytes)

    def check_plausible(self, path) -> None:
        """That the file can hold what it claims, and this machine can. Raises ImageFileError."""
        if not 1 <= len(self.sizes) <= _MOST_AXES or not all(
            1 <= size <= _MOST_ALONG_AN_AXIS for size in self.sizes
        ):
            told = quoted(self.sizes)
            raise ImageFileError(f"'{path}': its header states the impossible size {told}.")
        check_claim(path, self.length, self._room(path), self.ratio)

    def _room(self, path) -> int:
        """The bytes in which the values have to stand. Raises ImageFileError if raw ones do not."""
        values = self.values
        if values is None:
            return os.path.getsize(path)
        size = os.path.getsize(values.path)
        wanted = values.length if values.packing == _RAW else values.packed_length or 0
        if size < values.start + wanted:
            raise truncated(values.path, size, values.start + wanted)
        return size - values.start


def check_claim(path, length: int, room: int, ratio: float) -> None:
    """That `length` bytes can come out of `room` bytes of a file, and go into this machine."""
    if length > room * ratio:
        raise ImageFileError(
            f"'{path}' is truncated or damaged: its header states {length} bytes of values, and"
            f" {room} bytes are there."
        )
    memory = _memory_of_this_machine()
    if memory is not None and length > memory:
        raise ImageFileError(
            f"'{path}' states {length / 2**30:.1f} GiB of values; this machine has"
            f" {memory / 2**30:.1f} GiB of memory. Crop or resample the image first."
        )


def truncated(path, found: int, wanted: int) -> ImageFileError:
    return ImageFileError(f"'{path}' is truncated: {found} bytes where its header says {wanted}.")


def beside(path: Path, name: str) -> Path:
    """The file with the values that a header names. Raises ImageFileError unless it lies beside it.

    A header can name any file of this machine: an import would copy it into a dataset.
    """
    if not name or name in (".", "..") or any(c in name for c in "/\\:\0") or "%" in name:
        raise ImageFileError(
            f"'{path}' takes its values from {quoted(name)}; only one file in the same folder is"
            " read. Open it in Slicer, and save it as .nrrd."
        )
    values = path.with_name(name)
    if not values.is_file():
        raise ImageFileError(
            f"'{path}' takes its values from {quoted(name)}, which is no file here."
        )
    if real_path(values).parent != real_path(path).parent:
        raise ImageFileError(
            f"'{path}' takes its values from {quoted(name)}, a link to another folder. Copy the file"
            " here."
        )
    return values


def _memory_of_this_machine():
    """In bytes, None where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
