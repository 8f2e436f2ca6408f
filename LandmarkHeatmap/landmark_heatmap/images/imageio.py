"""Reading images through SimpleITK: NRRD, NIfTI, MetaImage, DICOM, TIFF, PNG, JPEG, BMP.

Everything else about image files stands behind this door: what a header may say in `headers`, how
ITK is asked in `itk`, how an image is written in `writing`. SimpleITK is imported where it is used:
it takes a second and some 90 MB, which whoever starts Slicer for something else need not pay.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from ..errors import GeometryError, ImageFileError
from .geometry import Grid, Image
from .headers import Header, check_values, read_header
from .headers.header import check_claim
from .itk import affine_of, check_path, told_of
from .writing import storable_array, write_image

__all__ = [
    "IMAGE_SUFFIXES",
    "image_stem",
    "is_image_file",
    "read_grid",
    "read_image",
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
# ITU-R BT.601, the weights by which colour photographs are commonly turned grey.
_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)


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


def read_image(path) -> Image:
    """Read a 2D or 3D image; colour becomes grey. Raises ImageFileError if that is not possible.

    Nothing is allocated before the header was found to be true of the file, and nothing is read that
    is not whole.
    """
    import SimpleITK as sitk

    path = Path(path)
    reader, header = _reader(path)
    check_values(header, path)
    image = told_of(path, reader.Execute)
    if image.GetDimension() == 2:
        image = sitk.JoinSeries(image)
    try:
        return Image(to_grey(sitk.GetArrayFromImage(image)), affine_of(image))
    except GeometryError as error:
        raise ImageFileError(f"'{path}' cannot be placed in space: {error}") from error


def read_grid(path) -> Grid:
    """The grid on which `read_image` would give the image, from the file's header alone.

    Raises ImageFileError if the header cannot be read; what else is wrong shows when it is read.
    """
    reader, _ = _reader(Path(path))
    try:
        return Grid((*reader.GetSize(), 1)[:3], affine_of(reader))
    except GeometryError as error:
        raise ImageFileError(f"'{path}' cannot be placed in space: {error}") from error


def _reader(path: Path):
    """A reader of ITK that has read the header, which ours has read before; and our header."""
    import SimpleITK as sitk

    if path.is_dir():
        raise ImageFileError(
            f"'{path}' is a folder, not an image file. Load a DICOM series in Slicer, or convert it"
            " to one .nrrd or .nii.gz file."
        )
    if not path.exists():
        raise ImageFileError(f"There is no image file '{path}'.")
    check_path(path)
    header = read_header(path)
    reader = sitk.ImageFileReader()
    # By the content and not by the name: what ITK reads is what was checked.
    reader.SetImageIO(header.reader)
    reader.SetFileName(str(path))
    told_of(path, reader.ReadImageInformation)
    axes, components = reader.GetDimension(), reader.GetNumberOfComponents()
    if axes not in (2, 3):
        raise ImageFileError(f"'{path}' has {axes} dimensions; 2 or 3 are possible.")
    if components > _MOST_COMPONENTS:
        raise ImageFileError(
            f"'{path}' has {components} values in each voxel, which are no colours: a series, or"
            " directions. Save the one that is meant as an image of its own."
        )
    # No pixel type is larger than a double. Our header's ratio has room for that.
    claimed = math.prod(reader.GetSize()) * components
    check_claim(path, claimed, _bytes_on_disk(path, header), header.ratio)
    return reader, header


def _bytes_on_disk(path: Path, header: Header) -> int:
    return os.path.getsize(path if header.values is None else header.values.path)


def to_grey(array: np.ndarray) -> np.ndarray:
    """(K, J, I) unchanged; (K, J, I, components) as luminance of the first three, or the first."""
    if array.ndim == 3:
        return array
    if array.shape[-1] >= 3:
        return array[..., :3].astype(np.float32) @ _LUMINANCE
    return np.ascontiguousarray(array[..., 0])
