"""A script that tries many inputs of one kind: it calls `main`, and prints what came of them.

It runs itself again as the child of in_child.py, whose limits hold for each input.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter

import in_child
from in_child import CRASH, READ, REFUSED, TRACEBACK
from in_child import LIMIT as OVER_LIMIT

__all__ = ["CPU_SECONDS", "FAULTS", "OVER_LIMIT", "READ", "REFUSED", "main"]

FAULTS = (TRACEBACK, CRASH, OVER_LIMIT)
# For one input.
CPU_SECONDS = 20
_MOST_TOLD = 20


def main(title: str, try_one, default: int = 300, arguments=None) -> int:
    """try_one: of random.Random, REFUSED, READ or OVER_LIMIT; what it raises counts as a traceback.

    Returns the exit code: 1 if there was a fault.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["--child"]:
        _child(try_one, *map(int, arguments[1:]))
        return 0
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--inputs", type=int, default=default, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    start = time.monotonic()
    child = ["--child", str(options.seed)]
    kinds, faults = in_child.run_all(sys.argv[0], child, options.inputs)
    counts = sum(kinds.values(), Counter())
    print(f"{title}, {time.monotonic() - start:.0f} s")
    print(f"  inputs      {sum(counts.values()):>8}")
    for outcome in (REFUSED, READ, *FAULTS):
        print(f"  {outcome:<11} {counts[outcome]:>8}")
    for number, _kind, outcome, told in faults[:_MOST_TOLD]:
        print(f"  input {number}: {outcome}: {told}")
    is_whole = sum(counts.values()) == options.inputs
    return 0 if is_whole and not faults else 1


def _child(try_one, seed: int, first: int, count: int) -> None:
    def prepare(number: int):
        return "input", lambda: try_one(random.Random(f"{seed}-{number}"))

    in_child.serve(first, count, prepare, (), CPU_SECONDS, lambda: try_one(random.Random(0)))
