"""Two processes annotate one worklist in random steps, each in the other's way as much as it can be.

Both take cases and take them over, forget to refresh their locks, export late, ask for what is done
already, and bring new images. Then every export has to be there as it was reported, no case may have
been done twice unasked, and none may have been in two hands at once, but of who slept.

    python3 Testing/robustness/two_annotators.py [--steps N] [--runs N] [--seed S]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import bench
from random_annotator import faults, work_together

SHORT, LONG = 200, 1000


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, help="of each of the two")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--long", action="store_true", help=f"{LONG} steps, not {SHORT}")
    options = parser.parse_args(arguments)
    steps, rows, found = options.steps or (LONG if options.long else SHORT), [], []
    for run in range(options.runs):
        with tempfile.TemporaryDirectory() as place:
            start = time.monotonic()
            told = work_together(Path(place) / "work", steps, options.seed + run)
            new = faults(Path(place) / "work", told)
        count = Counter(each["what"] for each in told)
        over = sum(each.get("over") is not None for each in told)
        seconds = f"{time.monotonic() - start:.0f}"
        row = (count["took"], over, count["exported"], count["refused"], len(new), seconds)
        rows.append((options.seed + run, 2 * steps, *row))
        found += new
    bench.print_table(
        ("seed", "steps", "taken", "taken over", "exported", "refused", "faults", "s"), rows
    )
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
