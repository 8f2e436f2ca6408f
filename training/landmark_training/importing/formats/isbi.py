"""The cephalometric text format of the ISBI 2014 and 2015 challenges.

A file an image, 001.txt for 001.bmp: 19 lines 'x,y' in pixels from the top left, 0.1 mm each, and
then the classes of eight measurements, a number a line, which are no landmarks. Each reader has a
folder of such files, 400_senior and 400_junior.
"""

from __future__ import annotations

from pathlib import Path

from landmark_heatmap.errors import DatasetError

from ..frames import PictureFrame, defined_frame
from ..table import Marks, Stated, Table, number_of, place, point_of, read_text

TAKES = ("unit", "origin", "spacing_mm", "endings")
SPACING_MM = 0.1
NAMES = (
    "Sella",
    "Nasion",
    "Orbitale",
    "Porion",
    "Subspinale (A)",
    "Supramentale (B)",
    "Pogonion",
    "Menton",
    "Gnathion",
    "Gonion",
    "Lower incisal incision",
    "Upper incisal incision",
    "Upper lip",
    "Lower lip",
    "Subnasale",
    "Soft-tissue pogonion",
    "Posterior nasal spine",
    "Anterior nasal spine",
    "Articulare",
)


def recognises(path: Path) -> bool:
    """A .txt, or a folder with some, that begins with two numbers and a comma between."""
    files = _files(path)
    if not files:
        return False
    cells = read_text(files[0]).lstrip().split("\n", 1)[0].split(",")
    return len(cells) == 2 and all(number_of(cell) is not None for cell in cells)


def read(path: Path, stated: Stated) -> Table:
    """Raises DatasetError, naming file and line, for a file that is not as described above."""
    files = _files(path)
    if not files:
        folders = sorted(p.name for p in path.iterdir() if p.is_dir()) if path.is_dir() else []
        raise DatasetError(
            f"'{path}' has no .txt files"
            + (f"; give one of its folders, {', '.join(folders)}." if folders else ".")
        )
    frame = defined_frame("The format of the challenge", stated, SPACING_MM)
    return Table(tuple(_read_file(file, frame) for file in files), NAMES)


def _files(path: Path) -> list:
    if path.is_dir():
        return sorted(p for p in path.iterdir() if p.suffix.lower() == ".txt" and p.is_file())
    return [path] if path.suffix.lower() == ".txt" and path.is_file() else []


def _read_file(path: Path, frame: PictureFrame) -> Marks:
    lines = [(n, text.strip()) for n, text in enumerate(read_text(path).splitlines(), 1)]
    lines = [(number, text) for number, text in lines if text]
    points = [(number, text.split(",")) for number, text in lines if "," in text]
    if len(points) != len(NAMES) or lines[: len(NAMES)] != [(n, ",".join(c)) for n, c in points]:
        raise DatasetError(
            f"'{path}' has {len(points)} lines x,y; in this format {len(NAMES)} come first, and none"
            " after them."
        )
    marks = {}
    for name, (number, cells) in zip(NAMES, points):
        if len(cells) != 2:
            raise DatasetError(f"{place(path, number)}: {len(cells)} numbers, not 2.")
        marks[name] = point_of([c.strip() for c in cells], place(path, number), name)
    return Marks(path.stem, marks, frame, f"'{path}'", is_own_file=True)
