"""What a NIfTI header states of the place in space: two affines, and the unit of their lengths."""

from __future__ import annotations

import struct

import numpy as np

from ...errors import ImageFileError, quoted
from .units import NO_SIZE, Lengths, lengths_in

# Where each version states: sizes of voxels (with the handedness before them), the unit, the codes of
# qform and sform, the quaternion, its offset, and the rows of the sform.
_AT = {
    348: ((76, "4f"), (123, "B"), (252, "hh"), (256, "3f"), (268, "3f"), (280, "12f")),
    540: ((104, "4d"), (500, "i"), (344, "ii"), (352, "3d"), (376, "3d"), (400, "12d")),
}
# The bits of the unit that are of space; 0 is not stated.
_SPACE, _UNITS = 7, {0: "", 1: "m", 2: "mm", 3: "um"}


def lengths_and_forms(header: bytes, order: str, version: int, path) -> tuple:
    """(Lengths, ((name, IJK to RAS in the unit of the file), ...)).

    Raises ImageFileError for a unit that there is not.
    """
    sizes, unit, codes, quaternion, offset, rows = (
        struct.unpack_from(order + code, header, at) for at, code in _AT[version]
    )
    unit = unit[0] & _SPACE
    if unit not in _UNITS:
        raise ImageFileError(
            f"'{path}': its header states the unit of length {unit} (xyzt_units), which there is not."
            " Mend its header: 2 is mm."
        )
    qform_code, sform_code = codes
    forms = []
    if sform_code > 0 and not np.isfinite(rows).all():
        raise ImageFileError(
            f"'{path}': its sform has numbers that are none ({quoted(rows)}), so nothing says where it"
            " lies. Set its sform_code to 0, or save it again with the program that wrote it."
        )
    if sform_code > 0 and not np.reshape(rows, (3, 4))[:, :3].any():
        raise ImageFileError(
            f"'{path}': its sform is all zeros, though its sform_code {sform_code} says that it counts."
            " Set its sform_code to 0, or save it again with the program that wrote it."
        )
    if sform_code > 0:
        forms.append(("sform", np.vstack([np.reshape(rows, (3, 4)), [0, 0, 0, 1]])))
    if qform_code > 0:
        forms.append(("qform", _of_quaternion(sizes, quaternion, offset)))
    stated = sizes[1:4]
    # What libraries write where nobody said anything: ones, of no unit, that lie nowhere.
    is_default = set(stated) <= {0.0, 1.0} and not unit and not qform_code > 0
    if not sform_code > 0 and (is_default or not any(stated)):
        return NO_SIZE, ()
    lengths = lengths_in(path, [_UNITS[unit]])
    axes = None if sform_code > 0 else sum(size != 0 for size in stated)
    lengths = Lengths(lengths.unit, lengths.in_mm, lengths.said, is_applied=True, axes=axes)
    return lengths, tuple(form for form in forms if np.isfinite(form[1]).all())


def _of_quaternion(sizes, quaternion, offset) -> np.ndarray:
    """As the NIfTI standard defines the qform."""
    b, c, d = quaternion
    a = np.sqrt(max(0.0, 1 - b * b - c * c - d * d))
    handed = -1.0 if sizes[0] < 0 else 1.0
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.array([sizes[1], sizes[2], sizes[3] * handed])
    matrix[:3, 3] = offset
    return matrix
