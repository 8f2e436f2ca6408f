"""Kill trainings at random moments, go on with them, and compare with one that nobody disturbed.

    python Testing/robustness/training_kills.py [--runs N] [--kills K] [--seed S]

A training of both stages on tiny synthetic pairs is run once undisturbed. Then, N times, the same one is
started in a process of its own and killed (SIGKILL) at a random moment, up to K times in a row; each time
it is looked at what lies on the disk; then it goes on to its end. A table of counts says how often. The
exit code is 1 if a damaged model was ever on the disk, or a run did not end with the same weights.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("LandmarkHeatmap", "training", "Testing/support")]

from dataclasses import replace

import torch

from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.model.model_file import read_model
from training_examples import TINY, make_eyes, write_pairs

CONFIG = replace(TINY, fine=True, spacing_mm=(4.0,), epochs=6, steps_per_epoch=15)
# Seconds after which a training that takes some ten is taken to hang.
HANGS = 600


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3, metavar="N")
    parser.add_argument("--kills", type=int, default=2, metavar="K", help="of each run, at most")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    dice, counts = random.Random(options.seed), Counter()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "data").mkdir()
        write_pairs(folder / "data", make_eyes, 8)
        (folder / "config.json").write_text(json.dumps(CONFIG.to_json()))
        _finish(folder, folder / "whole")
        expected = _weights(folder / "whole")
        for number in range(options.runs):
            run = folder / f"run-{number}"
            for _ in range(dice.randint(1, options.kills)):
                _kill(folder, run, dice, counts)
            _finish(folder, run)
            counts["ended with the same weights"] += _same(_weights(run), expected)
            counts["left something half written"] += any(run.glob(".new-*"))
            shutil.rmtree(run)
    return _tell(options.runs, counts)


def _command(folder: Path, run: Path) -> list:
    """To begin the run, or to go on with it."""
    start = [sys.executable, "-m", "landmark_training.cli", "fit"]
    if (run / "run.json").exists():
        return [*start, "--resume", str(run)]
    if run.exists():
        shutil.rmtree(run)  # killed before it had begun
    return [
        *(*start, "--data", str(folder / "data"), "--output", str(run)),
        *("--config", str(folder / "config.json")),
    ]


def _environment() -> dict:
    places = os.pathsep.join(str(ROOT / part) for part in ("LandmarkHeatmap", "training"))
    return {**os.environ, "PYTHONPATH": places, "OMP_NUM_THREADS": "1"}


def _finish(folder: Path, run: Path) -> None:
    done = subprocess.run(
        _command(folder, run), env=_environment(), capture_output=True, text=True, timeout=HANGS
    )
    if done.returncode:
        raise SystemExit(f"A training ended with {done.returncode}:\n{done.stderr}")


def _kill(folder: Path, run: Path, dice: random.Random, counts: Counter) -> None:
    """Let it train for a random number of epochs and a moment more, kill it, and look at what is there.

    Epochs, not seconds: how fast it is depends on what else the machine does.
    """
    epochs, moment = dice.randrange(2 * CONFIG.epochs), dice.uniform(0.0, 0.4)
    process = subprocess.Popen(
        _command(folder, run),
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and _epochs_done(run) < epochs:
        time.sleep(0.01)
    time.sleep(moment)
    if process.poll() is not None:
        counts["had ended before the kill"] += 1
        return
    process.send_signal(signal.SIGKILL)
    process.wait()
    counts["killed"] += 1
    stages = [s for s in ("coarse", "fine") if (run / f"{s}-checkpoint.pt").exists()]
    counts[f"killed with checkpoints: {', '.join(stages) or 'none yet'}"] += 1
    model = run / "model.safetensors"
    if not model.exists():
        counts["no model was there yet"] += 1
        return
    try:
        read_model(model)
        counts["a whole model was there"] += 1
    except LandmarkHeatmapError as error:
        print(f"damaged: {error}")
        counts["a damaged model was there"] += 1


def _epochs_done(run: Path) -> int:
    try:
        return len((run / "progress.csv").read_text(encoding="utf-8").splitlines()) - 1
    except OSError:
        return 0


def _weights(run: Path) -> dict:
    networks = read_model(run / "model.safetensors").networks
    return {f"{n}.{k}": v for n, net in enumerate(networks) for k, v in net.state_dict().items()}


def _same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def _tell(runs: int, counts: Counter) -> int:
    """The table, and the exit code."""
    counts["a damaged model was there"] += 0
    print(f"{runs:6d}  runs")
    for what, count in sorted(counts.items()):
        print(f"{count:6d}  {what}")
    good = counts["ended with the same weights"] == runs
    return 0 if good and not counts["a damaged model was there"] else 1


if __name__ == "__main__":
    sys.exit(main())
