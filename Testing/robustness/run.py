"""Run the whole bench: python3 dev.py robustness [--long]. Exit code 1 if a script found a fault.

Each script runs alone as well, and has options of its own (--help). To add one, write a script that
prints its figures and returns 1 for faults, and put its name into the list, with the options for a short
and for a long run.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

from bench import environment

SCRIPTS = {
    "mutate_files.py": ("", "--long"),
    "kill_exports.py": ("", "--long"),
    "full_disk.py": ("", "--long"),
    "two_annotators.py": ("", "--long --runs 10"),
    "mutate_models.py": ("", "--inputs 100000"),
    "mutate_messages.py": ("", "--inputs 100000"),
    "kill_workers.py": ("--runs 3", "--runs 100"),
    "training_kills.py": ("--runs 1 --kills 1", "--runs 10"),
    "precision.py": ("--steps 1 --sets thin", ""),
}
NEEDS_TORCH = (
    "training_kills.py", "precision.py", "mutate_models.py", "mutate_messages.py", "kill_workers.py",
)  # fmt: skip


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="at length, not for CI")
    options = parser.parse_args(arguments)
    failed = []
    for script, runs in SCRIPTS.items():
        print(f"\n== {script}", flush=True)
        if script in NEEDS_TORCH and importlib.util.find_spec("torch") is None:
            print("Skipped: there is no torch here.")
            continue
        command = [
            sys.executable,
            str(Path(__file__).with_name(script)),
            *runs[options.long].split(),
        ]
        if subprocess.run(command, env=environment()).returncode:
            failed.append(script)
    print(f"\nFaults were found by: {', '.join(failed)}" if failed else "\nNo faults.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
