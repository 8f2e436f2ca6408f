"""The images of a worklist, and what their cases are called."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path

from ..errors import LandmarkHeatmapError
from ..files import open_file
from ..images.below import images_below
from ..images.headers import values_file_of
from ..images.imageio import image_stem
from ..images.series import DicomSeries

# So much of a file is read from its begin, middle and end: of a network drive no more need be waited for.
_PIECE = 64 * 1024
_DIGITS = 10


def cases_in(folder, left_out) -> dict:
    """Case name to its image, a path or a DicomSeries, of all images below a folder, by path.

    Of two copies of one image the first counts: they are one case. left_out: a folder, as for
    `images_below`. Raises LandmarkHeatmapError for a folder without images, OSError for one that
    cannot be read.
    """
    found = {}
    for image in images_below(Path(folder), left_out):
        found.setdefault(case_name_of(image), image)
    return found


def case_name_of(image) -> str:
    """As 'case-3fa2b1c0d4': the same for the same file, wherever it lies and whatever it is called."""
    digest = hashlib.sha256()
    for path in _files_of(image):
        status = os.stat(path)
        digest.update(_digest(str(path), status.st_size, status.st_mtime_ns))
    return f"case-{digest.hexdigest()[:_DIGITS]}"


def title_of(image, folder) -> str:
    """What the user calls an image: its path below the folder, without the ending."""
    if isinstance(image, DicomSeries):
        path = image.folder / image.name
    else:
        path = image.parent / image_stem(image)
    return path.relative_to(folder).as_posix()


def _files_of(image) -> tuple:
    if isinstance(image, DicomSeries):
        return image.files
    try:
        values = values_file_of(image)
    except LandmarkHeatmapError:
        values = None  # what is wrong with it is told when it is opened
    return (image,) if values is None else (image, values)


@lru_cache(maxsize=100_000)
def _digest(path: str, size: int, changed_ns: int) -> bytes:
    """Of a file's size and three pieces. changed_ns: when it was written, so that it is read once."""
    digest = hashlib.sha256(str(size).encode())
    with open_file(path) as file:
        for start in sorted({0, max(0, size // 2 - _PIECE // 2), max(0, size - _PIECE)}):
            file.seek(start)
            digest.update(file.read(_PIECE))
    return digest.digest()
