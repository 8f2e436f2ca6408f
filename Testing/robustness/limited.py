"""Trying many inputs in a child process that may use so much processor time and memory, and no more.

A script calls `main(table, try_one)`. It runs itself again as a child, which tries one input after the
other and says what came of each. A child that dies is one fault; the next child goes on after it.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter

REFUSED, READ = "refused", "read"
TRACEBACK, CRASH, OVER_LIMIT = "traceback", "crash", "over limit"
FAULTS = (TRACEBACK, CRASH, OVER_LIMIT)
# For one input.
CPU_SECONDS, MEMORY_BYTES = 20, 2 * 2**30


def main(title: str, try_one, default: int = 300, arguments=None) -> int:
    """try_one: of random.Random, REFUSED, READ or OVER_LIMIT; what it raises counts as a traceback.

    Returns the exit code: 1 if there was a fault.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--inputs", type=int, default=default, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--from", type=int, dest="start", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.start is not None:
        _child(try_one, options)
        return 0
    start = time.monotonic()
    counts, told = _parent(options)
    print(f"{title}, {time.monotonic() - start:.0f} s")
    print(f"  inputs      {sum(counts.values()):>8}")
    for outcome in (REFUSED, READ, *FAULTS):
        print(f"  {outcome:<11} {counts[outcome]:>8}")
    for line in told[:20]:
        print(f"  {line}")
    is_whole = sum(counts.values()) == options.inputs
    return 0 if is_whole and not any(counts[fault] for fault in FAULTS) else 1


def _parent(options) -> tuple:
    """(how often what came, a line for each fault)."""
    counts, told, done = Counter(), [], 0
    while done < options.inputs:
        command = [sys.executable, sys.argv[0], "--inputs", str(options.inputs)]
        command += ["--seed", str(options.seed), "--from", str(done)]
        begun = None
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            for line in child.stdout:
                kind, _, rest = line.rstrip("\n").partition(" ")
                if kind == "begin":
                    begun = int(rest)
                elif kind == "done":
                    outcome, _, note = rest.partition(": ")
                    counts[outcome] += 1
                    if outcome in FAULTS:
                        told.append(f"input {begun}: {outcome}: {note}")
                    done, begun = begun + 1, None
        if begun is not None:
            outcome = OVER_LIMIT if child.returncode == -signal.SIGXCPU else CRASH
            counts[outcome] += 1
            told.append(f"input {begun}: {outcome}: the process ended with {child.returncode}")
            done = begun + 1
        elif child.returncode:
            raise SystemExit(f"The child cannot even begin: it ended with {child.returncode}.")
    return counts, told


def _child(try_one, options) -> None:
    try_one(random.Random(0))  # what libraries need once
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, used + MEMORY_BYTES))
    for number in range(options.start, options.inputs):
        print(f"begin {number}", flush=True)
        used = int(time.process_time()) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (used + CPU_SECONDS, resource.RLIM_INFINITY))
        print(f"done {_outcome(try_one, options.seed, number)}", flush=True)


def _outcome(try_one, seed: int, number: int) -> str:
    try:
        return try_one(random.Random(f"{seed}-{number}"))
    except MemoryError:
        return f"{OVER_LIMIT}: memory"
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = repr(error)[:200].encode("ascii", "backslashreplace").decode()
        return f"{TRACEBACK}: {text} at {where.filename.rpartition('/')[2]}:{where.lineno}"
