"""Run the whole bench: python3 dev.py robustness [--long]. Exit code 1 if a script found a fault.

Each script runs alone as well, and has options of its own (--help). To add one, write a script that
takes --long, prints its figures and returns 1 for faults, and put its name into the list.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from bench import environment

SCRIPTS = ("mutate_files.py", "kill_exports.py", "full_disk.py")


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="at length, not for CI")
    options = parser.parse_args(arguments)
    failed = []
    for script in SCRIPTS:
        print(f"\n== {script}", flush=True)
        command = [sys.executable, str(Path(__file__).with_name(script))]
        command += ["--long"] if options.long else []
        if subprocess.run(command, env=environment()).returncode:
            failed.append(script)
    print(f"\nFaults were found by: {', '.join(failed)}" if failed else "\nNo faults.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
