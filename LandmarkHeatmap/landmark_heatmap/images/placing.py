"""Where an image file's voxels lie, and in which unit: decided here for all formats and commands.

The header's statements (headers) against what ITK, and so Slicer, makes of them: where the two differ,
the image's note says so in words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import GeometryError, ImageFileError
from .geometry import MM, PX, RAS_TO_LPS, Grid, apply_affine
from .headers import Header
from .pixels import is_transposed, upright_indices

# Two statements of one length may differ by the rounding of a header.
_SAME = 1e-3
# Two affines of one header that differ by less, in voxels, are one.
_SAME_PLACE_VOXELS = 0.05


def check_spacing(spacing_mm) -> None:
    """Raises ImageFileError for a stated size of a voxel that is none."""
    if spacing_mm is not None and not (math.isfinite(spacing_mm) and spacing_mm > 0):
        raise ImageFileError(
            f"A voxel of {spacing_mm} mm is impossible; --spacing has to be above 0."
        )


@dataclass(frozen=True, eq=False)
class Placed:
    """Where an image lies: its grid; the note on how it was read; and, of an image in px, (4, 4) from
    where Slicer shows a point of it, in LPS and mm, to where that is on the grid. is_size_stated:
    whether a person said how large a voxel is."""

    grid: Grid
    note: str
    from_slicer: np.ndarray
    is_size_stated: bool = False


def placed(header: Header, size, itk_affine, spacing_mm: float = None) -> Placed:
    """What the header, or the user, says of an image's place.

    size: along the axes of the file, 2 or 3. itk_affine: (4, 4), IJK to LPS as ITK reads it.
    spacing_mm: the size of a voxel as the user states it; by default what the header states.
    """
    axes, lengths = len(size), header.lengths
    if spacing_mm is None and lengths.axes is not None and lengths.axes < axes:
        raise GeometryError(
            f"it states how large a voxel is along {lengths.axes} of its {axes} axes only. Mend its"
            " header, or state it for all with --spacing MM."
        )
    matrix = np.array(itk_affine, dtype=float)
    sizes = (*size, 1)[:3]
    unit, factor = lengths.unit, 1.0 if lengths.is_applied else lengths.in_mm
    # A picture has no third axis, along which one slice is as thick as one length.
    matrix[:3, :axes] *= factor
    matrix[:3, 3] *= factor
    own = np.linalg.norm(matrix[:3, :axes], axis=0)
    if unit == PX:
        matrix[:3, :axes] /= own
    if spacing_mm is not None:
        matrix[:3, :axes] *= spacing_mm / np.linalg.norm(matrix[:3, :axes], axis=0)
        matrix[:3, 3] *= spacing_mm if unit == PX else 1.0
        unit = MM
    if is_transposed(header.orientation):
        sizes = (sizes[1], sizes[0], sizes[2])
        # Shown upright, x is to the right and y down.
        along = np.linalg.norm(matrix[:3, :2], axis=0)
        matrix = np.diag([along[1], along[0], 1.0, 1.0])
    notes = [header.note]
    if spacing_mm is None:
        notes += [_size_note(header, axes, itk_affine, matrix), _forms_note(header, sizes, matrix)]
    if header.orientation != 1:
        notes.append(
            f"it is turned as its EXIF orientation {header.orientation} says; Slicer shows it as it is"
            " stored"
        )
    is_stated = spacing_mm is not None or lengths.is_stated
    turned = upright_indices(header.orientation, sizes)
    from_slicer = matrix @ turned @ np.linalg.inv(itk_affine) if lengths.unit == PX else np.eye(4)
    return Placed(Grid(sizes, matrix, unit), "; ".join(filter(None, notes)), from_slicer, is_stated)


def _size_note(header: Header, axes: int, itk_affine, matrix) -> str:
    """What Slicer makes of the same file, if that is another size."""
    shown, here = (np.linalg.norm(np.array(m)[:3, :axes], axis=0) for m in (itk_affine, matrix))
    lengths = header.lengths
    why = f"its lengths are in {lengths.said}, converted to mm" if lengths.said else ""
    if np.allclose(np.sort(shown), np.sort(here), rtol=_SAME):
        return why
    if lengths.unit == PX:
        why = "it does not state how large a pixel is (dots per inch are a printer's)"
    return (
        f"{why}; Slicer shows it with voxels of {_told(shown)} mm, here they are {_told(here)}"
        + (" px" if lengths.unit == PX else " mm")
    )


def _forms_note(header: Header, sizes, matrix) -> str:
    """How far sform, qform and sizes of a NIfTI file are apart, and by which of them it is read."""
    if not header.forms:
        return ""
    factor = header.lengths.in_mm
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(sizes) - 1)
    ours = apply_affine(RAS_TO_LPS @ matrix, corners)
    apart = {
        name: abs(np.linalg.norm(apply_affine(form, corners) * factor - ours, axis=1)).max()
        for name, form in header.forms
    }
    same = _SAME_PLACE_VOXELS * np.linalg.norm(matrix[:3, :3], axis=0).min()
    used, other = sorted(apart, key=apart.get)[0], sorted(apart, key=apart.get)[-1]
    if apart[other] < same:
        return ""
    if apart[used] >= same:
        return (
            f"its {used} and the sizes of voxels that it states (pixdim) disagree by up to"
            f" {apart[used]:.3g} mm; it is read by the sizes, as Slicer reads it. If its {used} is the"
            " right one, mend the sizes"
        )
    return (
        f"its sform and its qform disagree by up to {apart[other]:.3g} mm; it is read by its {used}, as"
        f" Slicer reads it. If its {other} is the right one, remove the other from the header"
    )


def _told(lengths) -> str:
    texts = [f"{length:.4g}" for length in lengths]
    return texts[0] if len(set(texts)) == 1 else " x ".join(texts)
