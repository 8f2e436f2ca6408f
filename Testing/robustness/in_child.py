"""Run many inputs in a process under limits of processor time and memory, restarted when it dies.

The child says the number and the outcome of each input; when it ends before it has said one, that
input has killed it.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import traceback
from collections import Counter

from bench import environment

CPU_SECONDS = 10
MEMORY_BYTES = 2 * 2**30
READ, REFUSED, TRACEBACK, CRASH, LIMIT = "read", "refused", "traceback", "crash", "over limit"
OUTCOMES = (READ, REFUSED, TRACEBACK, CRASH, LIMIT)


def run_all(script: str, arguments, count: int):
    """Outcomes of the inputs 0 to count - 1: {kind: Counter}, and [(number, outcome, what was said)].

    script: a file that, given `arguments`, the first input and the count, calls `serve`.
    """
    counts, faults, at, last = {}, [], 0, "?"
    while at < count:
        first = at
        command = [sys.executable, script, *arguments, str(at), str(count)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(), text=True
        ) as child:
            kind = "?"
            for line in child.stdout:
                word, _, rest = line.rstrip("\n").partition("\t")
                if word == "begins":
                    kind = rest
                    continue
                counts.setdefault(kind, Counter())[word] += 1
                if word in (TRACEBACK, LIMIT):
                    faults.append((at, kind, word, rest))
                at, last, kind = at + 1, kind, "?"
        if child.returncode == 0:
            break
        if kind == "?" and at == first:
            raise SystemExit(f"The process that reads ended with {child.returncode} for no input.")
        if kind == "?":
            # It died of what it had read before: memory was damaged.
            faults.append((at - 1, last, CRASH, f"ended with {child.returncode} afterwards"))
            counts[last][CRASH] += 1
            continue
        word = LIMIT if child.returncode == -signal.SIGPROF else CRASH
        counts.setdefault(kind, Counter())[word] += 1
        faults.append((at, kind, word, f"ended with {child.returncode}"))
        at += 1
    return counts, faults


def serve(
    first: int, count: int, prepare, refusals, cpu_seconds=CPU_SECONDS, once=lambda: None
) -> None:
    """In the child: prepare(number) gives (kind, call); each call is made under the limits.

    call gives an outcome, or nothing for READ. refusals: the errors that are an answer. once: what
    libraries need once, before the limits.
    """
    out = os.fdopen(os.dup(1), "w")
    # What ITK prints goes nowhere.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    once()
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in range(first, count):
        kind, call = prepare(number)
        print(f"begins\t{kind}", file=out, flush=True)
        print(_outcome(call, refusals, cpu_seconds), file=out, flush=True)


def _outcome(call, refusals, cpu_seconds) -> str:
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    try:
        return call() or READ
    except refusals as error:
        told = str(error)
        if "not enough memory" in told:
            return f"{LIMIT}\t{told[:200]}"
        return REFUSED if _is_fit(told) else f"{TRACEBACK}\tan unfit message: {told[:200]!a}"
    except MemoryError:
        return f"{LIMIT}\tMemoryError"
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{where.filename.rpartition('/')[2]}:{where.lineno}"
        return f"{TRACEBACK}\t{type(error).__name__}: {str(error)[:200]!a} at {place}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _is_fit(message: str) -> bool:
    """Whether a terminal may show it: short, no control characters, nothing of ITK's insides."""
    return len(message) < 3000 and message.isprintable() and "itk::" not in message
