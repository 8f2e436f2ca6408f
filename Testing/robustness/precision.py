"""A few steps of a training with default settings on every 3D set, in each precision: is all finite?

    python Testing/robustness/precision.py [--steps N] [--cases N] [--sets NAME ...]

For each set and precision: how many steps were taken in each stage, how many of them were not finite or
had to be repeated in float32, the largest gradient, and what `auto` chooses there, and why. The sets lie
in the folder that LANDMARK_HEATMAP_DATA names; one that is not there is left out, with a word. `thin` is
made: hips of 20 slices. The exit code is 1 if anything was not finite.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("LandmarkHeatmap", "training", "Testing/support")]

from landmark_heatmap.annotation.annotation_files import read_annotation, write_annotation
from landmark_heatmap.errors import TrainingError
from landmark_heatmap.images.imageio import write_image
from landmark_heatmap.synthetic.hip import make_synthetic_hip
from landmark_training.fit import Job, fine_task, get_ready
from landmark_training.learning.coarse import CoarseTask
from landmark_training.learning.learner import Learner
from landmark_training.learning.outcome import nothing_yet
from landmark_training.planning.config import TrainConfig
from places import DATA

BRAINS = {
    "brain_afids": {
        "tpl-MNI152NLin2009cAsym_res-01_T1w.nii.gz": (
            "tpl-MNI152NLin2009cAsym_res-01_desc-groundtruth_afids.fcsv"
        ),
        "tpl-MNI152NLin2009cAsym_res-02_T1w.nii.gz": (
            "tpl-MNI152NLin2009cAsym_res-01_desc-groundtruth_afids.fcsv"
        ),
    },
    "brain_afids/templates": {
        "avg152T1.nii": "tpl-MNI152Lin_afids.fcsv",
        "avg305T1.nii": "tpl-MNI305_afids.fcsv",
    },
}
SETS = ("hip_ct", "mouse_skull", *BRAINS, "thin")


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=4, metavar="N", help="of each stage")
    parser.add_argument("--cases", type=int, default=6, metavar="N", help="of each set")
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS, metavar="NAME")
    options = parser.parse_args(arguments)
    print(
        "set                    precision  stage   steps  wrong  repeated  largest gradient  s/step"
    )
    wrong = 0
    for name in options.sets:
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data"
            data.mkdir()
            if not _gather(name, data, options.cases):
                print(f"{name:22s} is not there")
                continue
            for precision in ("bfloat16", "float32"):
                wrong += _try(name, data, precision, options.steps, Path(folder))
            _tell_choice(name, data, Path(folder))
    return 1 if wrong else 0


def _gather(name: str, folder: Path, count: int) -> bool:
    """Pairs of the set in the folder; False if it is not there."""
    if name == "thin":
        for seed in range(count):
            hip = make_synthetic_hip(seed, (72, 72, 20), 5.0)
            write_image(folder / f"hip-{seed}.nrrd", hip.image)
            write_annotation(folder / f"hip-{seed}.mrk.json", hip.annotation)
        return True
    if not (DATA / name).is_dir():
        return False
    for image, table in BRAINS.get(name, {}).items():
        shutil.copy(DATA / name / image, folder)
        stem = image.partition(".")[0]
        write_annotation(folder / f"{stem}.mrk.json", read_annotation(DATA / name / table))
    if name not in BRAINS:
        for marks in sorted((DATA / name / "landmarks").glob("*.mrk.json"))[:count]:
            stem = marks.name[: -len(".mrk.json")]
            shutil.copy(marks, folder)
            for image in (DATA / name / "images").glob(f"{stem}.nii*"):
                shutil.copy(image, folder)
    return True


def _try(name: str, data: Path, precision: str, steps: int, folder: Path) -> int:
    """How many steps were not finite; prints a line for each stage."""
    # Nothing is held out: what a few steps have learned is not worth judging.
    config = TrainConfig(precision=precision, validation_share=0.0)
    ready = get_ready(Job([data], config, None), folder, lambda line: None)
    task = CoarseTask(ready.plan, ready.networks[0], ready.training, ready.held_out, ready.writer)
    wrong = _steps(name, task, ready.plan, precision, steps)
    if ready.plan.fine is not None:
        # Whatever it has learned, the fine stage begins where a coarse one is.
        task.save(task.network, task.stage, {}, nothing_yet(ready.plan, 0))
        fine = fine_task(ready, task)
        wrong += _steps(name, fine, ready.plan, precision, steps)
    return wrong


def _steps(name: str, task, plan, precision: str, steps: int) -> int:
    said, norms, wrong = [], [], 0
    learner = Learner(task, plan, said.append)
    original = learner._gradients

    def noted(done, dtype):
        loss, norm = original(done, dtype)
        norms.append(norm)
        return loss, norm

    learner._gradients = noted
    start = time.monotonic()
    for _ in range(steps):
        try:
            learner.step(0.5, "a step")
        except TrainingError as error:
            print(error)
            wrong += 1
    seconds = (time.monotonic() - start) / steps
    role = task.stage.role
    print(
        f"{name:22s} {precision:10s} {role:6s} {steps:6d} {wrong:6d} {len(norms) - steps:9d}"
        f" {max(norms):17.3g} {seconds:7.2f}",
        flush=True,
    )
    return wrong + len(norms) - steps


def _tell_choice(name: str, data: Path, folder: Path) -> None:
    ready = get_ready(Job([data], TrainConfig(), None), folder, lambda line: None)
    print(
        f"{name:22s} auto: {next(r for r in ready.plan.reasons if 'convolutions' in r)}", flush=True
    )


if __name__ == "__main__":
    sys.exit(main())
