"""How fast training is: one command that prints a table.

    python Testing/benchmarks/training.py [--quick] [--threads 2] [--only 2d 3d] [--device cuda]

Images a second, what augmentation and targets cost of a step, and what two processes gain over one. On
a GPU, which is one, instead of the processes: the memory that it holds.
Pictures are drawn for it and have nothing to be learned; settings are those that `fit` derives. Every
measurement runs in a process of its own; what is compared is measured in turns; medians are shown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
PATHS = [str(ROOT / "LandmarkHeatmap"), str(ROOT / "training")]
sys.path[:0] = PATHS

import numpy as np
import torch
from stages import gpu_bytes, wait_for

from landmark_heatmap.annotation.annotation_files import write_annotation
from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.heap import keep_freed_memory
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import write_image
from landmark_training import parallel
from landmark_training.fit import Job, fine_task, get_ready
from landmark_training.learning.clock import Clock
from landmark_training.learning.coarse import CoarseTask
from landmark_training.learning.outcome import nothing_yet
from landmark_training.learning.run import Run
from landmark_training.planning.config import TrainConfig

# (K, J, I), and how many landmarks.
_SETS = {"2d": ((1, 640, 512), 19), "3d": ((128, 112, 112), 28)}
_CASES = 6
_STAGES = ("coarse", "fine")


@dataclass(frozen=True)
class Way:
    """Of training: how many processes, and the share of the cores that each has."""

    name: str
    processes: int
    cores: float


_HALF = Way("one process, half of the cores", 1, 0.5)
_TWO = Way("two processes, half of the cores each", 2, 0.5)
_ALL = Way("one process, all cores", 1, 1.0)
_OF_PROCESSES = ["2 processes / 1, half of the cores each", "2 processes / 1, all cores"]


def main() -> int:
    options = _options()
    if options.child:
        _measure(options)
        return 0
    runs, steps = (1, 2) if options.quick else (5, 10)
    print(f"{platform.machine()}, {options.threads} threads, torch {torch.__version__},", end=" ")
    print(f"on {options.device}; medians of {runs} runs of {steps} steps\n")
    columns = ["images", "stage", "size", "batch", "precision", "images/s", "augmentation"]
    columns += _OF_PROCESSES if options.device == "cpu" else ["memory of the GPU"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for kind in options.only:
        with tempfile.TemporaryDirectory() as folder:
            _draw_cases(Path(folder), *_SETS[kind])
            _table_rows(kind, folder, options, runs, steps)
    return 0


def _options():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one run of few steps")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="the cores to use")
    parser.add_argument("--only", nargs="+", choices=list(_SETS), default=list(_SETS))
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    for hidden in ("--child", "--precision"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _draw_cases(folder: Path, size, landmarks: int) -> None:
    """Noise, with landmarks at about the same places in each: how they lie decides the settings."""
    rng = np.random.default_rng(0)
    middle = np.array(size[::-1]) / 2
    places = middle + rng.uniform(-0.35, 0.35, (landmarks, 3)) * size[::-1]
    for number in range(_CASES):
        array = rng.normal(size=size).astype(np.float32)
        points = {
            f"P{k}": Point(PointState.PLACED, (*place[:2], place[2] * (size[0] > 1)))
            for k, place in enumerate(places + rng.normal(0, 2, places.shape))
        }
        write_image(folder / f"{number}.nrrd", Image(array, np.eye(4)))
        write_annotation(folder / f"{number}.mrk.json", Annotation(points))


def _table_rows(kind: str, folder: str, options, runs: int, steps: int) -> None:
    # Which precision is the faster is found once, or the ways would not be comparable.
    precision = _child(_ALL, folder, options, 1, "auto")["precision"]
    ways = (_HALF, _TWO, _ALL) if options.device == "cpu" else (_ALL,)
    found = {way: [] for way in ways}
    for _ in range(runs):
        for way, results in found.items():
            results.append(_child(way, folder, options, steps, precision))
    for stage in _STAGES:

        def images_a_second(way, stage=stage):
            return [result[stage]["images_a_second"] for result in found[way]]

        def gain(way, of=images_a_second):
            return median(two / one for two, one in zip(of(_TWO), of(way)))

        of_one = found[_ALL][0][stage]
        share = median(result[stage]["augmentation"] for result in found[_ALL])
        cells = [kind, stage, of_one["size"], of_one["batch"], precision]
        cells += [f"{median(images_a_second(_ALL)):.2f}", f"{100 * share:.1f} %"]
        if _TWO in found:
            cells += [f"{gain(_HALF):.2f}", f"{gain(_ALL):.2f}"]
        else:
            cells.append(f"{of_one['gpu_bytes'] / 1e9:.2f} GB")
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


def _child(way: Way, folder: str, options, steps: int, precision: str) -> dict:
    """What the first process of `way` measured."""
    launcher = []
    if way.processes > 1:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    own = max(1, int(options.threads * way.cores))
    command = [sys.executable, *launcher, str(Path(__file__)), "--child", folder]
    command += ["--device", options.device]
    command += ["--threads", str(own), "--steps", str(steps), "--precision", precision]
    environment = {**os.environ, "OMP_NUM_THREADS": str(own)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def _measure(options) -> None:
    """In a child: a few steps of each stage, as `fit` makes them."""
    keep_freed_memory()
    team = parallel.team()
    torch.set_num_threads(options.threads)
    config = TrainConfig(
        fine=True, validation_share=0.0, precision=options.precision, device=options.device
    )
    with tempfile.TemporaryDirectory() as own:
        output = Path(team.decided(lambda: own))
        ready = get_ready(Job([options.child], config, None), output, lambda line: None)
        task = CoarseTask(ready.plan, ready.networks[0], ready.training, [], ready.writer)
        result = {"precision": ready.plan.config.precision}
        result["coarse"] = _seconds(task, ready.plan, output, options.steps)
        team.decided(lambda: task.save(task.network, task.stage, {}, nothing_yet(ready.plan, 0)))
        fine = fine_task(ready, task)
        result["fine"] = _seconds(fine, ready.plan, output, options.steps)
        # Nobody leaves while another still reads what the first one wrote.
        team.decided(lambda: None)
    team.voice(print)(json.dumps(result))


def _seconds(task, plan, output: Path, steps: int) -> dict:
    """images_a_second, of the whole batch; augmentation: its share of a step, targets included; and
    what the steps work on."""
    device = plan.device.type
    nothing = nothing_yet(plan, 0)
    clock = Clock(nothing.planned, plan.config)
    run = Run(task, plan, clock, output, lambda line: None, nothing)
    original, drawing = task.batch, []

    def timed(*arguments):
        # A GPU goes on by itself: what it does now must not count for what comes next.
        wait_for(device)
        start = time.perf_counter()
        batch = original(*arguments)
        wait_for(device)
        drawing.append(time.perf_counter() - start)
        return batch

    task.batch = timed
    run._step(0.1)  # memory is found, kernels are chosen
    whole = []
    for _ in range(steps):
        start = time.perf_counter()
        run._step(0.1)
        whole.append(time.perf_counter() - start)
    share = median(part / step for part, step in zip(drawing[1:], whole))
    return {
        "images_a_second": plan.config.batch_size / median(whole),
        "augmentation": share,
        "size": " x ".join(map(str, task.stage.crop_size or task.feed.size[::-1])),
        "batch": plan.config.batch_size,
        "gpu_bytes": gpu_bytes(device),
    }


if __name__ == "__main__":
    sys.exit(main())
