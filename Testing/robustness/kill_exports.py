"""Kill exports at random moments: the dataset stays whole, and nothing that was exported is lost.

One process after another exports into the same dataset, image after image, and is killed (SIGKILL)
somewhere in it. Then every revision that a process had reported has to be there, unchanged, the
check of the dataset may find leftovers and orphaned images only, and after one more export of each
case neither.

    python3 Testing/robustness/kill_exports.py [--kills N] [--seed S]
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
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
from landmark_heatmap.dataset.cases import add_case, read_cases
from landmark_heatmap.dataset.check import check_dataset
from landmark_heatmap.dataset.folder import create_dataset
from landmark_heatmap.dataset.record import CaseRecord, Review
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.leftovers import is_leftover

SHORT, LONG = 20, 300
CASES = 3
# An export takes about a tenth of it: kills fall into every part of one.
LONGEST_LIFE_S = 0.3


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--long", action="store_true", help=f"{LONG} kills, not {SHORT}")
    options = parser.parse_args(arguments)
    kills, random = options.kills or (LONG if options.long else SHORT), Random(options.seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "dataset"
        create_dataset(folder, LandmarkSet((Landmark("A"), Landmark("B"))))
        reported, cut_short = {}, 0
        for number in range(kills):
            reported.update(_killed(folder, number, random))
            cut_short += any(is_leftover(path) for path in folder.rglob(".*"))
        lost = sum(_digest(Path(path)) != digest for path, digest in reported.items())
        faults = check_dataset(folder)
        leftovers = [fault for fault in faults if is_leftover(fault.path)]
        # An image, or the folder of a case of which no export was ever reported: on a busy machine none
        # may come so far. The next export of the case takes them on.
        known = {path.parent.name for path in map(Path, reported)}
        orphans = [fault for fault in faults if _is_begun(fault, known)]
        others = [fault for fault in faults if fault not in leftovers + orphans]
        for number in range(CASES):
            export(folder, number)
        after = check_dataset(folder)
        cases = len(read_cases(folder))
    bench.print_table(
        [
            "kills",
            "exports reported",
            "cut short",
            "lost",
            "faults",
            "leftovers",
            "orphans",
            "after one more",
        ],
        [
            [
                kills,
                len(reported),
                cut_short,
                lost,
                len(others),
                len(leftovers),
                len(orphans),
                len(after),
            ]
        ],
    )
    for fault in [*others, *after]:
        print(f"{fault.path}: {fault.reason}")
    return 1 if lost or others or after or cases != CASES else 0


def export(folder: Path, number: int) -> Path:
    """One export of a case whose image is always the same."""
    values = np.random.default_rng(number % CASES).integers(0, 999, (40, 40, 40)).astype(np.int16)
    annotation = Annotation({"A": Point(PointState.PLACED, (number, 2, 3))})
    record = CaseRecord({"A": Review.CORRECTED})
    name = f"case-{number % CASES}"
    return add_case(folder, name, Image(values, np.eye(4)), annotation, record, annotation)


def export_for_ever(folder: Path, number: int) -> None:
    print("ready", flush=True)
    while True:
        revision = export(folder, number)
        print(f"{revision}\t{_digest(revision)}", flush=True)
        number += 1


def _is_begun(fault, known) -> bool:
    """Whether it is what an export leaves that was killed before its revision. known: names of cases of
    which an export was reported."""
    if "No revision names this image" in fault.reason:
        return True
    return "It has no revision" in fault.reason and fault.path.name not in known


def _killed(folder: Path, number: int, random: Random) -> dict:
    """{revision: digest} of what a process reported before it was killed."""
    command = [sys.executable, __file__, "--child", str(folder), str(number)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=bench.environment(), text=True
    ) as child:
        child.stdout.readline()
        time.sleep(random.random() * LONGEST_LIFE_S)
        child.kill()
        # The last line may have been cut off by the kill.
        lines = [line[:-1] for line in child.stdout if line.endswith("\n")]
    return dict(line.split("\t") for line in lines)


def _digest(revision: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(revision.iterdir()) if revision.is_dir() else ():
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        export_for_ever(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(main())
