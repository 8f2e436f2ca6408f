"""Reading and writing images through SimpleITK: NRRD, NIfTI, MetaImage, DICOM, TIFF, PNG, JPEG.

SimpleITK is imported where it is used: it takes a second and some 90 MB, which whoever starts Slicer
for something else need not pay.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import GeometryError, ImageFileError
from ..files import replacing
from .geometry import Grid, Image, apply_affine
from .nifti_check import check_nifti

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
# Formats of a header and a second file with the values: they cannot be replaced in one step.
_TWO_FILE_SUFFIXES = (".nhdr", ".mhd")
_NIFTI_SUFFIXES = (".nii", ".nii.gz")
# How far a voxel may move, in voxels, when a format rounds the geometry (NIfTI keeps float32).
_ROUNDING_VOXELS = 0.01
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
    """Read a 2D or 3D image; colour becomes grey. Raises ImageFileError if that is not possible."""
    import SimpleITK as sitk

    path = Path(path)
    if path.is_dir():
        raise ImageFileError(
            f"'{path}' is a folder, not an image file. Load a DICOM series in Slicer, or convert it"
            " to one .nrrd or .nii.gz file."
        )
    if not path.is_file():
        raise ImageFileError(f"There is no image file '{path}'.")
    if path.name.lower().endswith(_NIFTI_SUFFIXES):
        check_nifti(path)
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise ImageFileError(f"'{path}' cannot be read as an image: {_reason(error)}") from error
    if image.GetDimension() == 2:
        image = sitk.JoinSeries(image)
    if image.GetDimension() != 3:
        raise ImageFileError(
            f"'{path}' has {image.GetDimension()} dimensions; 2 or 3 are possible."
        )
    components = image.GetNumberOfComponentsPerPixel()
    if components > _MOST_COMPONENTS:
        raise ImageFileError(
            f"'{path}' has {components} values in each voxel, which are no colours: a series, or"
            " directions. Save the one that is meant as an image of its own."
        )
    try:
        return Image(to_grey(sitk.GetArrayFromImage(image)), _affine(image))
    except GeometryError as error:
        raise ImageFileError(f"'{path}' cannot be placed in space: {error}") from error


def read_grid(path) -> Grid:
    """The grid on which `read_image` would give the image, from the file's header alone.

    Raises ImageFileError if the header cannot be read; what else is wrong shows when it is read.
    """
    import SimpleITK as sitk

    if not Path(path).is_file():
        raise ImageFileError(f"There is no image file '{path}'.")
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise ImageFileError(f"'{path}' cannot be read as an image: {_reason(error)}") from error
    axes = reader.GetDimension()
    if axes not in (2, 3):
        raise ImageFileError(f"'{path}' has {axes} dimensions; 2 or 3 are possible.")
    matrix = np.eye(4)
    direction = np.array(reader.GetDirection()).reshape(axes, axes)
    matrix[:axes, :axes] = direction * np.array(reader.GetSpacing())
    matrix[:axes, 3] = reader.GetOrigin()
    try:
        return Grid((*reader.GetSize(), 1)[:3], matrix)
    except GeometryError as error:
        raise ImageFileError(f"'{path}' cannot be placed in space: {error}") from error


def write_image(path, image: Image, new: bool = False) -> None:
    """Write an image, compressed, atomically; the format follows from the extension.

    bool is written as uint8, float16 as float32. new: nothing is replaced. Raises ImageFileError if
    the format cannot hold the values or the place in space; an old file then stays as it was.
    FileExistsError if `new` and it exists.
    """
    import SimpleITK as sitk

    if str(path).lower().endswith(_TWO_FILE_SUFFIXES):
        raise ImageFileError(f"'{path}': write .nrrd or .mha, which keep all in one file.")
    itk_image = _itk_image(path, image)
    try:
        with replacing(path, new) as temporary:
            sitk.WriteImage(itk_image, str(temporary), useCompression=True)
            _check_written(path, temporary, itk_image, image.grid)
    except RuntimeError as error:
        raise ImageFileError(f"'{path}' cannot be written: {_reason(error)}") from error


def storable_array(array: np.ndarray) -> np.ndarray:
    """The values in the type in which an image file keeps them: no bool, no float16."""
    types = {np.dtype(bool): np.uint8, np.dtype(np.float16): np.float32}
    native = types.get(array.dtype, array.dtype.newbyteorder("="))
    return np.ascontiguousarray(array, dtype=native)


def _itk_image(path, image: Image):
    import SimpleITK as sitk

    array = storable_array(image.array)
    try:
        # ITK would take complex numbers, and then crash on them in some formats.
        if array.dtype.kind not in "iuf":
            raise TypeError("no real numbers")
        itk_image = sitk.GetImageFromArray(array)
    except (TypeError, KeyError) as error:
        raise ImageFileError(
            f"'{path}': images of the type {array.dtype} cannot be written."
        ) from error
    spacing = image.grid.spacing_mm
    itk_image.SetSpacing(spacing.tolist())
    itk_image.SetDirection((image.ijk_to_lps[:3, :3] / spacing).ravel().tolist())
    itk_image.SetOrigin(image.ijk_to_lps[:3, 3].tolist())
    return itk_image


def _check_written(path, written, itk_image, grid: Grid) -> None:
    """Read the header back: some formats drop in silence what they cannot hold.

    NIfTI does not even say that the disk was full.
    """
    import SimpleITK as sitk

    if written.name.lower().endswith(_NIFTI_SUFFIXES):
        check_nifti(written)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(written))
    reader.ReadImageInformation()
    if reader.GetDimension() != 3 or reader.GetPixelID() != itk_image.GetPixelID():
        raise ImageFileError(
            f"'{path}': this format cannot hold 3D images of {itk_image.GetPixelIDTypeAsString()}."
        )
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(grid.size_ijk) - 1)
    moved = grid.to_ijk(apply_affine(_affine(reader), corners)) - corners
    if reader.GetSize() != grid.size_ijk or abs(moved).max() > _ROUNDING_VOXELS:
        raise ImageFileError(
            f"'{path}': this format cannot hold the image's place in space; write .nrrd, which holds"
            f" any. The IJK to LPS is {grid.ijk_to_lps.tolist()}."
        )


def to_grey(array: np.ndarray) -> np.ndarray:
    """(K, J, I) unchanged; (K, J, I, components) as luminance of the first three, or the first."""
    if array.ndim == 3:
        return array
    if array.shape[-1] >= 3:
        return array[..., :3].astype(np.float32) @ _LUMINANCE
    return np.ascontiguousarray(array[..., 0])


def _affine(image) -> np.ndarray:
    """IJK to LPS of a sitk.Image, or of a reader that has read a header."""
    matrix = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    matrix[:3, :3] = direction * np.array(image.GetSpacing())
    matrix[:3, 3] = image.GetOrigin()
    return matrix


def _reason(error: RuntimeError) -> str:
    """What ITK says, without the first line, which is a place in its source."""
    lines = str(error).strip().splitlines()
    return " ".join(line.strip() for line in lines[1:] or lines)[:300]
