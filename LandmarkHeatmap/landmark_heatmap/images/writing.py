"""Writing images so that what was written is read back before it takes its place."""

from __future__ import annotations

import errno
import os

import numpy as np

from ..errors import ImageFileError, LandmarkHeatmapError, printable
from ..files import disk_is_full, replacing
from .geometry import PX, Grid, Image, apply_affine
from .headers import Header, read_header
from .headers.units import STATED, UNIT_KEY
from .headers.values import blocks_of
from .itk import affine_of, check_path, told_of

# Formats of a header and a second file with the values: they cannot be replaced in one step.
_TWO_FILE_SUFFIXES = (".nhdr", ".mhd")
# How far a voxel may move, in voxels, when a format rounds the geometry (NIfTI keeps float32).
_ROUNDING_VOXELS = 0.01
# Formats that have place for a statement of ours.
_KEEPING_SUFFIXES = (".nrrd", ".mha")
# Formats that have place for the statement that lengths are in px, and those that mean it anyway.
_PX_SUFFIXES = (*_KEEPING_SUFFIXES, ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


def write_image(path, image: Image, new: bool = False) -> None:
    """Write an image, compressed, atomically; the format follows from the extension.

    bool is written as uint8, float16 as float32. new: nothing is replaced.
    Raises ImageFileError if the format cannot hold the values or the place in space, or if the file
    is not read back as it was written; OSError if the disk is full. An old file then stays as it was.
    FileExistsError if `new` and it exists.
    """
    import SimpleITK as sitk

    if str(path).lower().endswith(_TWO_FILE_SUFFIXES):
        raise ImageFileError(f"'{path}': write .nrrd or .mha, which keep all in one file.")
    check_path(path)
    if image.unit == PX and not str(path).lower().endswith(_PX_SUFFIXES):
        raise ImageFileError(
            f"'{path}': the image's lengths are in px, and this format would call them mm. Write .nrrd."
        )
    array = storable_array(image.array)
    itk_image = _itk_image(path, array, image)
    # GDCM frees what it does not own when it packs, and ends the process.
    packs = not str(path).lower().endswith(".dcm")
    with replacing(path, new) as temporary:
        try:
            told_of(path, lambda: sitk.WriteImage(itk_image, str(temporary), useCompression=packs))
            _check_written(path, temporary, itk_image, array, image.grid)
        except LandmarkHeatmapError as error:
            if disk_is_full(temporary):
                # Few of ITK's writers notice; and this is no fault of one image.
                told = os.strerror(errno.ENOSPC)
                raise OSError(errno.ENOSPC, told, str(path)) from error
            # The user knows the file that was to be, and not the one on the way to it.
            told = str(error).replace(printable(temporary), str(path))
            raise ImageFileError(told) from error


def storable_array(array: np.ndarray) -> np.ndarray:
    """The values in the type in which an image file keeps them: no bool, no float16."""
    types = {np.dtype(bool): np.uint8, np.dtype(np.float16): np.float32}
    native = types.get(array.dtype, array.dtype.newbyteorder("="))
    return np.ascontiguousarray(array, dtype=native)


def _itk_image(path, array: np.ndarray, image: Image):
    import SimpleITK as sitk

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
    if image.unit == PX:
        itk_image.SetMetaData(UNIT_KEY, PX)
    elif image.is_size_stated and str(path).lower().endswith(_KEEPING_SUFFIXES):
        itk_image.SetMetaData(UNIT_KEY, STATED)
    return itk_image


def _check_written(path, written, itk_image, array: np.ndarray, grid: Grid) -> None:
    """Read it back, values (K, J, I) and place. Raises ImageFileError unless both are the same.

    In the formats that hold an image's place the values are compared as they are unpacked, block by
    block: a large image does not need its memory twice.
    """
    import SimpleITK as sitk

    header = read_header(written)
    if header.values is not None:
        is_same = _is_stored(header, written, array)
        _check_place(path, written, itk_image, grid)
    else:
        _check_place(path, written, itk_image, grid)
        found = sitk.GetArrayFromImage(told_of(path, lambda: sitk.ReadImage(str(written))))
        is_same = found.shape == array.shape and found.tobytes() == array.tobytes()
    if not is_same:
        raise ImageFileError(
            f"'{path}' cannot be written: what was written is not what is read back."
        )


def _check_place(path, written, itk_image, grid: Grid) -> None:
    """Read the header back: some formats drop in silence what they cannot hold."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(written))
    told_of(path, reader.ReadImageInformation)
    if reader.GetDimension() != 3 or reader.GetPixelID() != itk_image.GetPixelID():
        raise ImageFileError(
            f"'{path}': this format cannot hold 3D images of {itk_image.GetPixelIDTypeAsString()}."
        )
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(grid.size_ijk) - 1)
    moved = grid.to_ijk(apply_affine(affine_of(reader), corners)) - corners
    if reader.GetSize() != grid.size_ijk or abs(moved).max() > _ROUNDING_VOXELS:
        raise ImageFileError(
            f"'{path}': this format cannot hold the image's place in space; write .nrrd, which holds"
            f" any. The IJK to LPS is {grid.ijk_to_lps.tolist()}."
        )


def _is_stored(header: Header, written, array: np.ndarray) -> bool:
    """Whether the file holds the bytes of these values, which ITK writes in this machine's order."""
    wanted = array.reshape(-1).view(np.uint8)
    # Of a packed NIfTI file, the header is packed with the values, and comes first.
    at = wanted.size - header.values.length
    for block in blocks_of(header.values, written):
        found = np.frombuffer(block, np.uint8)[max(0, -at) :]
        start, at = max(0, at), at + len(block)
        if not np.array_equal(found, wanted[start : max(0, at)]):
            return False
    return at == wanted.size
