"""What a header's lengths are: one rule for all formats, of what is converted and what is refused."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ImageFileError, quoted
from ..geometry import MM, PX

# A length of each unit in mm; the names are those of UCUM, and what programs write in their place.
_IN_MM = {"nm": 1e-6, "um": 1e-3, "mm": 1.0, "cm": 10.0, "dm": 100.0, "m": 1000.0, "in": 25.4}
_NAMES = {
    "nm": ("nanometer", "nanometre", "nanometers", "nanometres"),
    "um": ("µm", "μm", "micron", "microns", "micrometer", "micrometre", "micrometers", "micrometres"),
    "mm": ("millimeter", "millimetre", "millimeters", "millimetres"),
    "cm": ("centimeter", "centimetre", "centimeters", "centimetres"),
    "dm": ("decimeter", "decimetre", "decimeters", "decimetres"),
    "m": ("meter", "metre", "meters", "metres"),
    "in": ("inch", "inches"),
}  # fmt: skip
_UNIT_OF = {name: unit for unit, names in _NAMES.items() for name in (unit, *names)}
_PIXELS = ("px", "pixel", "pixels", "voxel", "voxels")
# How formats write that they do not know. All programs read that as mm.
_UNKNOWN = ("", "?", "unknown", "none")


@dataclass(frozen=True)
class Lengths:
    """unit: 'mm', or 'px' where a header does not state how large a voxel is. in_mm: one length of the
    file in mm. said: the unit that the file states, if that is another one. is_applied: whether ITK,
    and so Slicer, converts it as well. is_stated: whether a person said it, and no device. axes: along
    how many axes there is a length; None for all."""

    unit: str = MM
    in_mm: float = 1.0
    said: str = ""
    is_applied: bool = False
    is_stated: bool = False
    axes: int = None


NO_SIZE = Lengths(PX)
# Our own statement in files that have place for one: their formats have no word for px.
UNIT_KEY = "landmark_heatmap_unit"
# What it says besides px: that a person stated the size of a voxel.
STATED = "mm-stated"


def lengths_in(path, words) -> Lengths:
    """What the unit of a file's lengths, a word an axis, means. Raises ImageFileError for a unit that
    is none of length, and for axes of different units."""
    units = {_unit_of(path, word) for word in words} or {MM}
    if len(units) > 1:
        raise ImageFileError(
            f"'{path}': the lengths along its axes are in different units, {quoted(list(words))}. Save"
            " it with lengths in mm."
        )
    (unit,) = units
    if unit == PX:
        return NO_SIZE
    return Lengths(MM, _IN_MM[unit], "" if unit == MM else unit)


def _unit_of(path, word: str) -> str:
    text = word.strip().lower()
    if text in _UNKNOWN:
        return MM
    if text in _PIXELS:
        return PX
    # Capitals do not change a unit, but for 'Mm', which nobody means.
    if text not in _UNIT_OF:
        raise ImageFileError(
            f"'{path}': its lengths are in {quoted(word)}, which is no unit of length that is known"
            f" here ({', '.join(_IN_MM)}, px). Mend its header, or save it with lengths in mm."
        )
    return _UNIT_OF[text]
