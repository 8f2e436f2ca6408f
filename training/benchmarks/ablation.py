"""The ablation: what each part of the recipe does, on the same cases, network and number of steps.

    python training/benchmarks/ablation.py TRAIN TEST --output DIR [--seeds 3] [--set spacing_mm=[4]]

TRAIN, TEST: folders as `landmark-train fit` takes them. Trains every arm with every seed, unless it
lies in DIR already, so that the command can be interrupted and run again. Then judges all of them
on TEST, and writes DIR/ablation.json and DIR/ablation.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_training.cli import settings_of
from landmark_training.config import TrainConfig
from landmark_training.fit import fit

_ALONE = {"head": "independent", "prior": False}
_UNJOINED = {"joint_features": 0, "prior": False}
# Absence has to be taught somehow; the weight is small enough not to compete with the heatmaps.
_PRESENCE = {"presence": 0.01}
ARMS = {
    "naive: MSE over the map": {**_ALONE, "losses": {"mse": 1.0, **_PRESENCE}},
    "adaptive wing": {**_ALONE, "losses": {"adaptive_wing": 1.0, **_PRESENCE}},
    "energy-normalised MSE": {**_ALONE, "losses": {"energy_normalised_mse": 1.0, **_PRESENCE}},
    "one distribution: cross-entropy": {**_UNJOINED, "losses": {"cross_entropy": 1.0}},
    "... + energy-normalised MSE": _UNJOINED,
    "... + joint part": {"prior": False},
    "... + prior: the full recipe": {},
}
# This arm's network is the one before it; the prior only chooses among the peaks.
_TWINS = {"... + joint part": "... + prior: the full recipe"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--threads", type=int, help="for torch; by default all")
    parser.add_argument("--arms", nargs="+", metavar="TEXT", help="only those that contain this")
    parser.add_argument("--set", nargs="+", default=[], metavar="SETTING=VALUE")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        train_all(options)
    except LandmarkHeatmapError as error:
        print(f"ablation: {error}", file=sys.stderr)
        return 2
    return 0


def train_all(options) -> None:
    """Every arm with every seed; a seed of all arms comes before the next."""
    base = TrainConfig().with_settings(settings_of(options.set), "--set")
    base = base.replaced(epochs=options.epochs)
    arms = [a for a in ARMS if not options.arms or any(text in a for text in options.arms)]
    for seed in range(options.seeds):
        for arm in arms:
            folder = run_folder(options.output, arm, seed)
            if arm in _TWINS or (folder / "done").exists():
                continue
            print(f"{arm}, seed {seed}", flush=True)
            config = base.replaced(seed=seed).with_settings(ARMS[arm], arm)
            fit([options.train], folder, config)
            (folder / "done").touch()


def run_folder(output: Path, arm: str, seed: int) -> Path:
    number = list(ARMS).index(_TWINS.get(arm, arm))
    return output / f"arm-{number}-seed-{seed}"


if __name__ == "__main__":
    sys.exit(main())
