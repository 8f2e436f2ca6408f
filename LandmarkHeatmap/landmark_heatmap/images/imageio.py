"""Reading images through SimpleITK: NRRD, NIfTI, MetaImage, DICOM, TIFF, PNG, JPEG, BMP.

Everything else about image files stands behind this door: what a header may say in `headers`, how
ITK is asked in `itk`, how an image is written in `writing`. SimpleITK is imported where it is used:
it takes a second and some 90 MB, which whoever starts Slicer for something else need not pay.
"""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from pathlib import Path

from ..errors import GeometryError, ImageFileError
from .geometry import Grid, Image
from .headers import Header, check_values, read_header
from .headers.dicom import DICOM_READER
from .headers.header import check_claim
from .itk import affine_of, check_path, readable, told_of
from .pixels import shown, to_grey
from .placing import Placed, check_spacing, placed
from .series import is_series, place_of_series, read_series
from .writing import storable_array, write_image

__all__ = [
    "IMAGE_SUFFIXES",
    "image_stem",
    "is_image_file",
    "read_grid",
    "read_image",
    "read_place",
    "storable_array",
    "to_grey",
    "write_image",
]

# Longest first, so that '.nii.gz' is found before '.gz' would be.
IMAGE_SUFFIXES = (
    ".seq.nrrd",
    ".nii.gz",
    ".nrrd",
    ".nhdr",
    ".nii",
    ".mha",
    ".mhd",
    ".dcm",
    ".tiff",
    ".tif",
    ".png",
    ".jpeg",
    ".jpg",
    ".bmp",
)
# Red, green, blue and opacity.
_MOST_COMPONENTS = 4


def image_stem(path) -> str:
    """The file's name without its image extension: 'scan.nii.gz' gives 'scan'."""
    name = Path(path).name
    for suffix in IMAGE_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return Path(path).stem


def is_image_file(path) -> bool:
    """Whether the name ends as an image's does, and is not hidden."""
    name = Path(path).name
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)


def read_image(path, spacing_mm: float = None) -> Image:
    """Read a 2D or 3D image; colour becomes grey. Raises ImageFileError if that is not possible.

    path: of a file, or of a folder with the slices of one DICOM series. spacing_mm: the size of a
    voxel along all axes, where the file does not state it or is not to be believed. Of an image
    without either, the unit is px: a voxel is 1 px.
    Nothing is allocated before the header was found to be true of the file, and nothing is read that
    is not whole.
    """
    import SimpleITK as sitk

    check_spacing(spacing_mm)
    if is_series(path):
        return read_series(path, spacing_mm)
    path = Path(path)
    with _opened(path) as (reader, header):
        check_values(header, path)
        image = told_of(path, reader.Execute)
        size, affine = image.GetSize(), affine_of(image)
    if image.GetDimension() == 2:
        image = sitk.JoinSeries(image)
    try:
        place = placed(header, size, affine, spacing_mm)
        array = shown(sitk.GetArrayFromImage(image), header)
        return Image(
            array, place.grid.ijk_to_lps, place.grid.unit, place.note, place.is_size_stated
        )
    except GeometryError as error:
        raise ImageFileError(f"'{path}' cannot be placed in space: {error}") from error


def read_grid(path, spacing_mm: float = None) -> Grid:
    """The grid on which `read_image` would give the image, from the file's header alone.

    Raises ImageFileError if the header cannot be read; what else is wrong shows when it is read.
    """
    return read_place(path, spacing_mm).grid


def read_place(path, spacing_mm: float = None) -> Placed:
    """As `read_grid`, with the note that `read_image` would give."""
    check_spacing(spacing_mm)
    if is_series(path):
        return place_of_series(path, spacing_mm)
    path = Path(path)
    with _opened(path) as (reader, header):
        try:
            return placed(header, reader.GetSize(), affine_of(reader), spacing_mm)
        except GeometryError as error:
            raise ImageFileError(f"'{path}' cannot be placed in space: {error}") from error


@contextmanager
def _opened(path: Path):
    """(a reader of ITK that has read the header, which ours has read before; and our header)."""
    import SimpleITK as sitk

    if not path.exists():
        raise ImageFileError(f"There is no image file '{path}'.")
    check_path(path)
    header = read_header(path)
    reader = sitk.ImageFileReader()
    # By the content and not by the name: what ITK reads is what was checked.
    reader.SetImageIO(header.reader)
    with readable(path, header) as name:
        reader.SetFileName(name)
        told_of(path, reader.ReadImageInformation)
        axes, components = reader.GetDimension(), reader.GetNumberOfComponents()
        if axes not in (2, 3):
            raise ImageFileError(f"'{path}' has {axes} dimensions; 2 or 3 are possible.")
        if header.reader == DICOM_READER and axes == 3 and reader.GetSize()[2] > 1:
            # GDCM takes times for slices, and slices for evenly spaced.
            raise ImageFileError(
                f"'{path}' is a DICOM file of {reader.GetSize()[2]} frames (enhanced, or multi-frame),"
                " whose places are not read here. Load it in Slicer, and save it as .nrrd."
            )
        if components > _MOST_COMPONENTS:
            raise ImageFileError(
                f"'{path}' has {components} values in each voxel, which are no colours: a series, or"
                " directions. Save the one that is meant as an image of its own."
            )
        # No pixel type is larger than a double. Our header's ratio has room for that.
        claimed = math.prod(reader.GetSize()) * components
        check_claim(path, claimed, _bytes_on_disk(path, header), header.ratio)
        yield reader, header


def _bytes_on_disk(path: Path, header: Header) -> int:
    return os.path.getsize(path if header.values is None else header.values.path)
