"""What the scripts of the bench have in common: where the code is, how figures are printed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATHS = [ROOT / "LandmarkHeatmap", ROOT / "training", ROOT / "Testing" / "support"]
sys.path[:0] = map(str, PATHS)


def environment() -> dict:
    """For a process of its own: the code of this working tree, one thread."""
    paths = os.pathsep.join(map(str, [*PATHS, Path(__file__).parent]))
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}


def print_table(columns, rows) -> None:
    """rows: lists of texts and numbers; the first column to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in [columns, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells)]
    for first, *rest in cells:
        numbers = (cell.rjust(width) for cell, width in zip(rest, widths[1:]))
        print("  ".join([first.ljust(widths[0]), *numbers]), flush=True)
