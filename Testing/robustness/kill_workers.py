"""Clients and workers that are killed at random moments: python kill_workers.py --runs 200 --seed 1

Each run starts an application that detects in a worker, kills one of them or both, and looks some
seconds later: which processes still live, what lies in the temporary folder, and whether the next
application can detect. Only where both were killed at once may an image lie there, and only until
the next application starts.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil

from landmark_heatmap.worker.client import SERVER
from places import MODELS, SUPPORT

STAND_IN = SUPPORT / "worker_stand_in.py"
SHIPPED = MODELS / "synthetic_hip.safetensors"
# Says when the worker is there, and how the detection ended.
_APPLICATION = """
import sys, time
import numpy as np
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.worker.client import WorkerClient
server, model, side = sys.argv[1:]
client = WorkerClient(sys.executable, server)
client.detect(Image(np.ones((int(side),) * 3, np.int16), np.diag([2.0, 2.0, 2.0, 1.0])), model)
print("begun", flush=True)
events = []
while client.is_busy or not events:
    events += client.poll()
    time.sleep(0.002)
print(type(events[-1]).__name__, flush=True)
if model != "fine-once":
    time.sleep(60)
client.close()
"""
# Within this an orphan has to be gone; how long an application runs before somebody is killed.
_PATIENCE_SECONDS, _LONGEST_LIFE = 10.0, 2.5
_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)


def started(folder: Path, server, model, side: int):
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _APPLICATION, str(server), str(model), str(side)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)


def workers_in(folder: Path) -> list:
    """The processes whose shared folder lies in `folder`."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if any(argument.startswith(f"{folder}/") for argument in process.cmdline()):
                found.append(process)
    return found


def one_run(rng: random.Random) -> list:
    """What went wrong, by name; 'left' and 'cleared' are no faults where both were killed."""
    victims = rng.choice((("client",), ("client",), ("worker",), ("client", "worker")))
    with tempfile.TemporaryDirectory(prefix="kill-workers-") as name:
        folder = Path(name)
        kind = rng.random()
        server, model = (
            (SERVER, SHIPPED) if kind < 0.3 else (STAND_IN, "slow" if kind < 0.8 else "fine")
        )
        application = started(folder, server, model, rng.choice((20, 60, 300)))
        if rng.random() < 0.8:
            application.stdout.readline()
        time.sleep(rng.random() ** 2 * _LONGEST_LIFE)
        workers = workers_in(folder)
        if "worker" in victims:
            for worker in workers:
                with suppress(psutil.Error):
                    worker.send_signal(rng.choice(_SIGNALS))
        if victims == ("worker",) and workers:
            # The application hears of it, and is then ended in any way.
            while application.stdout.readline() == "begun\n":
                pass
        application.send_signal(rng.choice(_SIGNALS))
        application.wait()
        application.stdout.close()
        told = ["both killed"] if len(victims) == 2 and workers else []
        return told + _looked_at(folder)


def _looked_at(folder: Path) -> list:
    end = time.monotonic() + _PATIENCE_SECONDS
    while workers_in(folder) and time.monotonic() < end:
        time.sleep(0.05)
    alive = workers_in(folder)
    for worker in alive:
        worker.kill()
    told = ["alive"] if alive else []
    # An application that dies before its worker is there leaves an empty folder, and no image.
    told += ["left"] if any(path.is_file() for path in folder.rglob("*")) else []
    with started(folder, STAND_IN, "fine-once", 20) as application:
        said = application.stdout.read().split()
    told += [] if said == ["begun", "Finished"] and application.returncode == 0 else ["not again"]
    return told + (["never cleared"] if any(folder.iterdir()) else [])


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    counts = Counter()
    for number in range(options.runs):
        told = one_run(random.Random(f"{options.seed}-{number}"))
        counts.update(told)
        if "left" in told and "both killed" not in told:
            counts["left by one"] += 1
    print("Clients and workers killed at random moments")
    print(f"  runs                                   {options.runs:>6}")
    print(f"  of those, both killed at once          {counts['both killed']:>6}")
    print(f"  images left, until the next application{counts['left']:>6}")
    faults = {
        "images left where one was killed": counts["left by one"],
        "anything left after the next application": counts["never cleared"],
        f"workers alive after {_PATIENCE_SECONDS:.0f} s": counts["alive"],
        "next detection failed": counts["not again"],
    }
    for name, count in faults.items():
        print(f"  {name:<38} {count:>6}")
    return 1 if any(faults.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
