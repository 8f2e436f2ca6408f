"""What ITK is asked in one place: names that it can open, places in space, and its errors in words."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..errors import ImageFileError
from .headers import Header

# What ITK says, in part; and what it means for the person whose file it is.
_WORDS = (
    ("orthonormal", "its sform is not rectangular: its axes are not at right angles to each other (a"
     " shear, as an affine registration leaves it), which ITK and Slicer do not read. Resample it onto"
     " a straight grid with the program that wrote it, or save it as .nrrd, which may have a shear"),
    ("spacing", "the spacing that it states is zero or negative"),
    ("direction", "the direction of its axes that it states is none: some axes fall into one"),
    ("allocat", "there is not enough memory for it"),
    ("recognized as a nifti", "it is no whole NIfTI file, or one of NIfTI-2, which ITK and Slicer do not"
     " read. Save it as NIfTI-1 or .nrrd with the program that wrote it"),
    ("write", "it cannot be written in this format. Write .nrrd, which holds any image"),
)  # fmt: skip
_OTHERWISE = (
    "it is damaged or truncated, or of a kind that is not read here. If Slicer opens it, save it"
    " there as .nrrd"
)


def check_path(path) -> None:
    """Raises ImageFileError for a name that ITK cannot open: it would end the process."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ImageFileError(
            f"'{path}': the name of the file or of a folder is not in UTF-8. Rename it."
        ) from error


@contextmanager
def readable(path: Path, header: Header):
    """The name by which ITK reads a file rightly: its own, or that of a copy that lives as long as this.

    Raises ImageFileError if there is no room for a copy.
    """
    if not header.patches and not header.ending:
        yield str(path)
        return
    try:
        with tempfile.TemporaryDirectory(prefix="landmark-heatmap-") as folder:
            copy = Path(folder) / ("image" + (header.ending or path.suffix.lower()))
            shutil.copyfile(path, copy)
            with open(copy, "r+b") as file:
                for place, content in header.patches:
                    file.seek(place)
                    file.write(content)
            yield str(copy)
    except OSError as error:
        raise ImageFileError(f"'{path}' cannot be read: {error.strerror or error}.") from error


def affine_of(image) -> np.ndarray:
    """IJK to LPS (4, 4) of a sitk.Image of 2 or 3 axes, or of a reader that has read a header."""
    axes = image.GetDimension()
    matrix = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(axes, axes)
    matrix[:axes, :axes] = direction * np.array(image.GetSpacing())
    matrix[:axes, 3] = image.GetOrigin()
    return matrix


def told_of(path: Path, call):
    """What `call()` of ITK returns. Raises ImageFileError, in the user's words, for its errors."""
    import SimpleITK as sitk

    # What ITK has to say of a header is told in our words, or not at all.
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        return call()
    except RuntimeError as error:
        # The lines before name places in ITK's source, which are nobody's business.
        said = str(error).lower().rpartition("error")[2]
        for name in (str(path), Path(path).name):
            said = said.replace(name.lower(), "")
        why = next((words for part, words in _WORDS if part in said), _OTHERWISE)
        raise ImageFileError(f"'{path}': {why}.") from error
