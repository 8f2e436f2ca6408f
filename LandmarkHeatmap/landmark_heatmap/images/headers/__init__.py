"""What the header of an image file states, read by us before ITK sees the file.

ITK reads some files that end too soon as if they were whole, allocates what a header claims before it
looks for it, opens whatever file a detached header names, and crashes on some headers. So each
format has its reader here: strict, without a look at the values, and without memory.
`read_header` tells the formats apart by their first bytes, as no ending can be trusted.
"""

from __future__ import annotations

from pathlib import Path

from ...errors import ImageFileError
from ...files import open_file
from . import bmp, dicom, jpeg, metaimage, nifti, nrrd, png, tiff
from .header import Header
from .values import check_values

__all__ = ["Header", "check_values", "read_header", "values_file_of"]

_BEGINNING = 132
# Those whose values may stand in a second file.
_DETACHED = (nrrd, metaimage, nifti)
_FORMATS = (nrrd, metaimage, nifti, dicom, tiff, png, jpeg, bmp)


def read_header(path) -> Header:
    """The header of an image file. Raises ImageFileError for what is none, or claims too much.

    Of a format without a known place of its values the length is checked here as well.
    """
    path = Path(path)
    try:
        with open_file(path, ImageFileError) as file:
            beginning = file.read(_BEGINNING)
            form = next((each for each in _FORMATS if each.recognises(beginning, path)), None)
            if form is None:
                raise ImageFileError(
                    f"'{path}' is no image in a format that is read here: NRRD, NIfTI, MetaImage,"
                    " DICOM, TIFF, PNG, JPEG or BMP. Open it in Slicer, and save it as .nrrd."
                )
            file.seek(0)
            header = form.read(file, path)
    except OSError as error:
        raise ImageFileError(f"'{path}' cannot be read: {error.strerror or error}.") from error
    header.check_plausible(path)
    return header


def values_file_of(path):
    """The second file, with the values, that a header names; None where the values are inside.

    Raises ImageFileError for a header that is not complete, or names a file that is not beside it.
    """
    path = Path(path)
    with open_file(path, ImageFileError) as file:
        beginning = file.read(_BEGINNING)
        form = next((each for each in _DETACHED if each.recognises(beginning, path)), None)
        file.seek(0)
        return None if form is None else form.values_file(file, path)
