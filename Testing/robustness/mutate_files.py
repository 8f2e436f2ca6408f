"""Structure-aware mutation of everything that is read: no input may end in anything but an answer.

Annotation files, tables, records, dataset.json and image headers of all formats are changed in ways
that their readers get to see, N inputs from a seed. Each is read under limits of processor time and
memory. An answer is the content or a message that a terminal may show; a traceback, a dead process
and a passed limit are faults.

    python3 Testing/robustness/mutate_files.py [--inputs N] [--seed S] [--only KIND] [--keep DIR]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

import bench
import in_child

SHORT, LONG = 1500, 100_000
# Of faults of one sort.
_SHOWN = 3


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--inputs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="kinds whose name has this in it")
    parser.add_argument(
        "--keep", default="", metavar="DIR", help="keep the last input of each kind"
    )
    parser.add_argument("--long", action="store_true", help=f"{LONG} inputs, not {SHORT}")
    options = parser.parse_args(arguments)
    inputs = options.inputs or (LONG if options.long else SHORT)
    arguments = ["--child", str(options.seed), options.only, options.keep]
    with tempfile.TemporaryDirectory() as folder:
        counts, faults = in_child.run_all(__file__, [*arguments, folder], inputs)
    total = sum(counts.values(), Counter())
    rows = [
        [kind, sum(count.values()), *(count[outcome] for outcome in in_child.OUTCOMES)]
        for kind, count in [*sorted(counts.items()), ("all", total)]
    ]
    bench.print_table(["kind", "inputs", *in_child.OUTCOMES], rows)
    shown = Counter()
    for number, kind, outcome, told in faults:
        shown[kind, outcome] += 1
        if shown[kind, outcome] > _SHOWN:
            continue
        print(f"input {number} ({kind}): {outcome}: {told}")
    return 1 if faults else 0


def child(seed: str, only: str, keep: str, folder: str, first: str, count: str) -> None:
    """Read the inputs from `first` on. Of self-tests one is chosen with --only only."""
    from kinds import SELF_TESTS, kinds_in
    from landmark_heatmap.errors import LandmarkHeatmapError

    kinds = [kind for kind in kinds_in(Path(folder) / first) if only in kind.name]
    kinds = kinds or [kind for kind in SELF_TESTS if only in kind.name]

    def prepare(number: int):
        random = Random(f"{seed}-{number}")
        kind = kinds[number % len(kinds)]
        path = kind.write(random)
        if keep and path is not None:
            Path(keep).mkdir(parents=True, exist_ok=True)
            (Path(keep) / f"{number}-{path.name}").write_bytes(path.read_bytes())
        return kind.name, lambda: kind.read(path)

    in_child.serve(int(first), int(count), prepare, LandmarkHeatmapError)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        sys.exit(main())
