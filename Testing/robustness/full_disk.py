"""Write to a disk that becomes full: each write is whole, or is told of and leaves the old file.

A small tmpfs is mounted for it, which needs root (or a name space in which one is); else the script
says that it was skipped, and finds nothing.

    python3 Testing/robustness/full_disk.py [--writes N]
"""

from __future__ import annotations

import argparse
import errno
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from random import Random

import numpy as np

import bench
from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.dataset.cases import add_case
from landmark_heatmap.dataset.check import check_dataset
from landmark_heatmap.dataset.folder import create_dataset
from landmark_heatmap.dataset.record import CaseRecord, Review
from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import read_image, write_image

SHORT, LONG = 30, 500
DISK_BYTES = 400_000
_ENDINGS = (".nrrd", ".mha", ".nii", ".nii.gz")
_COLUMNS = ("what", "writes", "whole", "told of", "not told of", "old file lost")


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--writes", type=int, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--long", action="store_true", help=f"{LONG} of each kind, not {SHORT}")
    options = parser.parse_args(arguments)
    writes, random = options.writes or (LONG if options.long else SHORT), Random(options.seed)
    with small_disk() as disk:
        if disk is None:
            print("Skipped: no small disk can be mounted here (that needs root).")
            return 0
        rows = [_images(disk, ending, writes, random) for ending in _ENDINGS]
        rows.append(_exports(disk, writes, random))
    bench.print_table(_COLUMNS, rows)
    return 1 if any(row[4] or row[5] for row in rows) else 0


@contextmanager
def small_disk():
    """A folder on a disk of DISK_BYTES; None where none can be mounted."""
    with tempfile.TemporaryDirectory() as folder:
        options = f"size={DISK_BYTES}"
        command = ["mount", "-t", "tmpfs", "-o", options, "landmark-heatmap-bench", folder]
        try:
            mounted = subprocess.run(command, capture_output=True).returncode == 0
        except OSError:
            mounted = False
        try:
            yield Path(folder) if mounted else None
        finally:
            if mounted:
                subprocess.run(["umount", folder], check=True)


def _image(size: int, seed: int) -> Image:
    """Noise, which nothing packs, of about `size` bytes."""
    values = np.random.default_rng(seed).integers(0, 2**16, (4, 4, max(1, size // 32)))
    return Image(values.astype(np.uint16), np.eye(4))


def _images(disk: Path, ending: str, writes: int, random: Random) -> list:
    counts = dict.fromkeys(_COLUMNS[2:], 0)
    path, old = disk / f"scan{ending}", _image(50_000, 0)
    write_image(path, old)
    free = DISK_BYTES - path.stat().st_size
    for seed in range(1, writes + 1):
        # Most are about as large as what is left: the last buffer is what does not fit.
        image = _image(int(free * random.uniform(0.8, 1.1)), seed)
        counts[_outcome(path, lambda image=image: write_image(path, image))] += 1
        stored = read_image(path).array
        if not (np.array_equal(stored, old.array) or np.array_equal(stored, image.array)):
            counts["old file lost"] += 1
        if np.array_equal(stored, image.array):
            path.unlink()
            write_image(path, old)
    path.unlink()
    return [f"image {ending}", writes, *counts.values()]


def _exports(disk: Path, writes: int, random: Random) -> list:
    counts = dict.fromkeys(_COLUMNS[2:], 0)
    for seed in range(writes):
        folder = disk / f"dataset-{seed}"
        filler = disk / "filler"
        filler.write_bytes(bytes(DISK_BYTES - 60_000 - random.randrange(40_000)))
        create_dataset(folder, LandmarkSet((Landmark("A"),)))
        annotation = Annotation({"A": Point(PointState.PLACED, (1, 2, 3))})
        record = CaseRecord({"A": Review.CORRECTED})
        image = _image(random.randrange(10_000, 80_000), seed)

        def export(folder=folder, image=image, annotation=annotation, record=record):
            add_case(folder, "a", image, annotation, record)

        outcome = _outcome(folder / "cases" / "a", export)
        counts[outcome] += 1
        filler.unlink()
        faults = [fault.reason for fault in check_dataset(folder)]
        expected = [] if outcome == "whole" else ["It has no revision", "No revision names"]
        if not all(any(reason.startswith(e) for e in expected) for reason in faults):
            counts["old file lost"] += 1
        subprocess.run(["rm", "-r", str(folder)], check=True)
    return ["export", writes, *counts.values()]


def _outcome(path: Path, write) -> str:
    """Whether it was whole, or what it said: the file that the user knows, and that the disk is full."""
    try:
        write()
    except OSError as error:
        named = str(error.filename or "")
        is_fit = (
            error.errno == errno.ENOSPC and named.startswith(str(path)) and ".new-" not in named
        )
        return "told of" if is_fit else "not told of"
    except LandmarkHeatmapError as error:
        print(f"{path}: {error}")
        return "not told of"
    return "whole"


if __name__ == "__main__":
    sys.exit(main())
