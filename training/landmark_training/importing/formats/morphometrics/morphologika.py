"""morphologika's text: sections in brackets, of which these count: individuals, landmarks, dimensions,
names and rawpoints. In the last a line with an apostrophe begins each image."""

from __future__ import annotations

import re
from pathlib import Path

from landmark_heatmap.errors import DatasetError

from ...table import Marks, Stated, Table, count_of, place, point_of, read_text
from ..csv_points import frame_of

TAKES = ("unit", "origin", "system", "spacing_mm")
_SECTION = re.compile(r"\[\s*([A-Za-z ]+?)\s*\]")


def recognises(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() not in (".txt", ".mph", ".morphologika"):
        return False
    return read_text(path).lstrip().lower().startswith("[individuals]")


def read(path: Path, stated: Stated) -> Table:
    """Raises DatasetError for a section that is missing, or has not what the counts announce."""
    sections = _sections(path)
    individuals, landmarks, axes = (
        _count(path, sections, key) for key in ("individuals", "landmarks", "dimensions")
    )
    images = [line for _, line in sections.get("names", ())]
    rows = [(n, line.split()) for n, line in sections.get("rawpoints", ()) if line[0] not in "'‘’"]
    if len(images) != individuals or len(rows) != individuals * landmarks:
        raise DatasetError(
            f"'{path}' announces {individuals} images of {landmarks} landmarks; it has {len(images)}"
            f" names and {len(rows)} points."
        )
    frame = frame_of(axes, stated, f"'{path}'")
    names = tuple(str(number) for number in range(1, landmarks + 1))
    marks = []
    for index, image in enumerate(images):
        own = rows[index * landmarks : (index + 1) * landmarks]
        points = {}
        for name, (line, cells) in zip(names, own):
            if len(cells) != axes:
                raise DatasetError(f"{place(path, line)}: {len(cells)} numbers, not {axes}.")
            points[name] = point_of(cells, place(path, line), name)
        marks.append(Marks(image, points, frame, f"'{path}', '{image}'"))
    return Table(tuple(marks), names)


def _sections(path: Path) -> dict:
    """Section to its lines, as (number, text)."""
    sections, lines = {}, []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        found = _SECTION.fullmatch(line.strip())
        if found:
            lines = sections.setdefault(found[1].lower(), [])
        elif line.strip():
            lines.append((number, line.strip()))
    return sections


def _count(path: Path, sections: dict, key: str) -> int:
    lines = sections.get(key, ())
    count = count_of(lines[0][1]) if len(lines) == 1 else None
    if not count:
        raise DatasetError(f"'{path}' needs a section [{key}] with one whole number.")
    return count
