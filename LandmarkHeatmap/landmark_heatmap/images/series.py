"""DICOM series: the slices in a folder, put together to one volume a series.

Slices are sorted by where they lie, as GDCM does. What would make a wrong volume is refused: slices
that are missing, several at one place. Names of series say nothing of a patient.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import ImageFileError
from ..files import open_file
from .geometry import Grid, Image
from .headers import dicom
from .headers.header import check_claim
from .itk import check_path, told_of
from .pixels import to_grey
from .placing import Placed

# Distances between neighbouring slices may differ by so much of their median: the rounding of places.
_SAME_DISTANCE = 0.05
# The cosine of two directions that are one.
_SAME_DIRECTION = 1 - 1e-4
_RATIO = 10_000
_DIGITS = 8


@dataclass(frozen=True)
class DicomSeries:
    """The slices of one series. name: 'series-' and a digest of what DICOM calls it by. damaged: why a
    DICOM file beside them cannot be read, which may be one of them; empty if all can."""

    folder: Path
    name: str
    files: tuple
    damaged: str = ""

    def __str__(self) -> str:
        return f"{self.folder} ({self.name}, {len(self.files)} slices)"


@dataclass
class FoundDicom:
    """What a folder holds. series: DicomSeries of several slices. images: paths of images by
    themselves. notes: what was left out, in words."""

    series: list = field(default_factory=list)
    images: list = field(default_factory=list)
    notes: list = field(default_factory=list)


def is_series(path) -> bool:
    """Whether `read_image` takes it for slices: a DicomSeries, or a folder."""
    return isinstance(path, DicomSeries) or Path(path).is_dir()


def is_dicom_file(path: Path) -> bool:
    """Whether a file begins as DICOM does, whatever its name is."""
    try:
        with open_file(path, ImageFileError) as file:
            return dicom.recognises(file.read(132), path)
    except (OSError, ImageFileError):
        return False


def find_dicom(folder: Path) -> FoundDicom:
    """The DICOM images directly in a folder, by series."""
    by_series, found, damaged = {}, FoundDicom(), ""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not is_dicom_file(path):
            continue
        try:
            slice_ = _Slice.read(path)
        except ImageFileError as error:
            # It tells what is wrong with it when it is read.
            found.images.append(path)
            damaged = damaged or str(error)
            continue
        if slice_.has_pixels:
            by_series.setdefault(slice_.series, []).append(slice_)
    for uid, slices in by_series.items():
        _sort_in(found, folder, uid, slices)
    if damaged:
        found.series = [replace(series, damaged=damaged) for series in found.series]
    if found.series:
        _leave_out_single_slices(found, by_series)
    return found


def _sort_in(found: FoundDicom, folder: Path, uid: bytes, slices) -> None:
    stacked = [s for s in slices if s.is_placed]
    if len(slices) == 1 or len(stacked) < len(slices) or any(s.frames > 1 for s in slices):
        # Radiographs of one series have no places of their own.
        found.images += [s.path for s in slices]
        return
    name = f"series-{hashlib.sha256(uid).hexdigest()[:_DIGITS]}"
    if any(not s.is_parallel_to(slices[0]) for s in slices):
        found.notes.append(
            f"{name} in '{folder}' was left out: its {len(slices)} slices lie in different directions, as"
            " those of a localizer do"
        )
        return
    slices.sort(key=lambda s: s.depth)
    found.series.append(DicomSeries(folder, name, tuple(s.path for s in slices)))


def _leave_out_single_slices(found: FoundDicom, by_series: dict) -> None:
    """Beside a volume, a series of one slice is its localizer, or a report that was scanned."""
    single = {slices[0].path for slices in by_series.values() if len(slices) == 1}
    alone = [path for path in found.images if path in single]
    if alone:
        found.images = [path for path in found.images if path not in single]
        found.notes.append(
            f"{len(alone)} series of one slice in '{found.series[0].folder}' were left out, as"
            f" localizers: {', '.join(path.name for path in alone[:5])}"
        )


def the_series(path) -> DicomSeries:
    """The series that is meant. Raises ImageFileError for a folder without one, or with several."""
    if isinstance(path, DicomSeries):
        return path
    folder = Path(path)
    found = find_dicom(folder)
    if len(found.series) == 1:
        return found.series[0]
    if found.series:
        told = ", ".join(f"{s.name} ({len(s.files)} slices)" for s in found.series)
        raise ImageFileError(
            f"'{folder}' holds {len(found.series)} DICOM series: {told}. Put the one that is meant into a"
            " folder of its own."
        )
    left_out = "".join(f" {note}." for note in found.notes)
    raise ImageFileError(
        f"'{folder}' is a folder without a DICOM series, not an image file.{left_out} Give an image file,"
        " or the folder of a series' slices."
    )


def place_of_series(path, spacing_mm: float = None) -> Placed:
    """Where the volume lies. Raises ImageFileError for slices that make none."""
    series = the_series(path)
    if series.damaged:
        raise ImageFileError(
            f"'{series}' may lack a slice: {series.damaged} Copy it again, or take it out of the folder"
            " if it is none of them."
        )
    slices = [_Slice.read(file) for file in series.files]
    first, last = slices[0], slices[-1]
    _check_alike(series, slices)
    steps = np.diff([s.depth for s in slices])
    _check_steps(series, slices, steps)
    matrix = np.eye(4)
    matrix[:3, 0] = first.direction[0] * first.spacing[1]
    matrix[:3, 1] = first.direction[1] * first.spacing[0]
    matrix[:3, 2] = (last.position - first.position) / (len(slices) - 1)
    matrix[:3, 3] = first.position
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    notes = [first.note]
    if matrix[:3, 2] @ first.normal < _SAME_DIRECTION * lengths[2]:
        notes.append("its slices are shifted, as by a tilted gantry; each is where it says it is")
    if spacing_mm is not None:
        matrix[:3, :3] *= spacing_mm / lengths
    return Placed(
        Grid((*first.size, len(slices)), matrix), "; ".join(filter(None, notes)), np.eye(4)
    )


def read_series(path, spacing_mm: float = None) -> Image:
    """The volume of a series; colour becomes grey. Raises ImageFileError if that is not possible."""
    import SimpleITK as sitk

    series = the_series(path)
    place = place_of_series(series, spacing_mm)
    grid, note = place.grid, place.note
    room = sum(file.stat().st_size for file in series.files)
    check_claim(series, math.prod(grid.size_ijk), room, _RATIO)
    reader = sitk.ImageSeriesReader()
    reader.SetImageIO(dicom.DICOM_READER)
    for file in series.files:
        check_path(file)
    reader.SetFileNames([str(file) for file in series.files])
    array = to_grey(sitk.GetArrayFromImage(told_of(series, reader.Execute)))
    if array.shape[::-1] != grid.size_ijk:
        raise ImageFileError(f"'{series}' is not as large as its headers say.")
    return Image(array, grid.ijk_to_lps, grid.unit, note, spacing_mm is not None)


@dataclass(frozen=True, eq=False)
class _Slice:
    """What one file says of itself. position: (3,), of its first pixel; direction: (2, 3), along i and
    along j; both in LPS, None where it does not say so. spacing: (2,), along j and along i, in mm."""

    path: Path
    series: bytes
    size: tuple
    has_pixels: bool
    frames: int
    position: np.ndarray
    direction: np.ndarray
    spacing: np.ndarray
    note: str

    @classmethod
    def read(cls, path: Path) -> _Slice:
        with open_file(path, ImageFileError) as file:
            found = dicom.elements_of(file, path)
        direction = _numbers(found, dicom.ORIENTATION, 6)
        frames = found.get(dicom.FRAMES, b"").strip(b"\0 ")
        return cls(
            path,
            found.get(dicom.SERIES, b"").strip(b"\0 "),
            tuple(
                int.from_bytes(found.get(t, b"")[:2], "little") for t in (dicom.COLUMNS, dicom.ROWS)
            ),
            dicom.PIXELS in found,
            int(frames) if frames.isdigit() else 1,
            _numbers(found, dicom.POSITION, 3),
            None if direction is None else direction.reshape(2, 3),
            _numbers(found, dicom.SIZE_OF_PIXEL, 2),
            dicom.note_of(found),
        )

    @property
    def is_placed(self) -> bool:
        return self.position is not None and self.direction is not None

    @property
    def normal(self) -> np.ndarray:
        return np.cross(*self.direction)

    @property
    def depth(self) -> float:
        return float(self.position @ self.normal)

    def is_parallel_to(self, other) -> bool:
        cosines = np.sum(self.direction * other.direction, axis=1)
        return bool((cosines > _SAME_DIRECTION).all())


def _check_alike(series: DicomSeries, slices) -> None:
    first = slices[0]
    if first.spacing is None or not (first.spacing > 0).all():
        raise ImageFileError(
            f"'{series}': its slices do not state how large a pixel is (Pixel Spacing)."
        )
    for slice_ in slices[1:]:
        same = slice_.size == first.size and slice_.spacing is not None
        if not same or not np.allclose(slice_.spacing, first.spacing, rtol=1e-3):
            raise ImageFileError(
                f"'{series}': '{slice_.path.name}' is of another size than '{first.path.name}'."
            )


def _check_steps(series: DicomSeries, slices, steps) -> None:
    """Raises ImageFileError unless there is a slice at each of the same distances."""
    usual = float(np.median(steps))
    if steps.min() <= 1e-3 * max(usual, 1e-3):
        at = int(np.argmin(steps))
        raise ImageFileError(
            f"'{series}': '{slices[at].path.name}' and '{slices[at + 1].path.name}' lie at one place, as"
            " those of several times or echoes do. Load it in Slicer, and save the one that is meant as"
            " .nrrd."
        )
    at = int(np.argmax(abs(steps - usual)))
    if abs(steps[at] - usual) > _SAME_DISTANCE * usual:
        raise ImageFileError(
            f"'{series}': its slices are {usual:.3g} mm apart, but {steps[at]:.3g} mm between"
            f" '{slices[at].path.name}' and '{slices[at + 1].path.name}': some are missing, or they are"
            " not evenly spaced. Complete it; or load it in Slicer, which resamples it, and save it as"
            " .nrrd."
        )


def _numbers(found: dict, tag: tuple, count: int):
    """The numbers of an element; None if they are not all there."""
    words = found.get(tag, b"").strip(b"\0 ").split(b"\\")
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError:
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None
