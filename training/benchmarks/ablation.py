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

import numpy as np
import torch

from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.files import replacing, write_json
from landmark_heatmap.judging.evaluation import Outcome
from landmark_heatmap.model.model_file import read_model, write_model
from landmark_training.commands.settings import settings_of
from landmark_training.fit import fit
from landmark_training.judging.judge import How, choose_cases, judge
from landmark_training.judging.runs import read_run
from landmark_training.planning.config import TrainConfig

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
    "full + learned shared covariance": {"covariance": "shared"},
    "full + local consistency": {
        "losses": {"cross_entropy": 1.0, "energy_normalised_mse": 0.5, "local_consistency": 0.5}
    },
}
FULL = "... + prior: the full recipe"
# This arm's network is that of the next one; the prior only chooses among the peaks.
_WITHOUT_PRIOR = "... + joint part"
COLUMNS = {
    "mre_mm": "MRE mm",
    "median_mm": "median mm",
    "within": "within {0:g} mm %",
    "missed": "missed",
    "false": "false",
    "peak_cv": "peak CV",
    "spread_cv": "spread CV",
    "second_mode": "second mode %",
    "implausible": "implausible %",
    "epochs": "epochs to twice the full recipe's final error",
}
_PERCENT = ("within", "second_mode", "implausible")


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--threads", type=int, help="for torch; by default all")
    parser.add_argument("--within", type=float, default=4.0, metavar="MM", help="success rate")
    parser.add_argument("--arms", nargs="+", metavar="TEXT", help="only those that contain this")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        arms = [arm for arm in chosen_arms(options) if arm != _WITHOUT_PRIOR]
        train_all(options, arms, epochs=options.epochs)
        table = judge_all(options)
    except LandmarkHeatmapError as error:
        print(f"ablation: {error}", file=sys.stderr)
        return 2
    print(table)
    return 0


def parser_of(text: str) -> argparse.ArgumentParser:
    """With what every comparison of arms takes. text: of the file that makes it."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="extend", nargs="+", default=[], metavar="SETTING=VALUE")
    return parser


def train_all(options, arms, **limits) -> None:
    """Every arm with every seed; a seed of all arms comes before the next. limits: of each run."""
    base = TrainConfig().with_settings(settings_of(options.set), "--set").replaced(**limits)
    for seed in range(options.seeds):
        for arm in arms:
            folder = run_folder(options.output, arm, seed)
            if (folder / "done").exists():
                continue
            print(f"{arm}, seed {seed}", flush=True)
            config = base.replaced(seed=seed).with_settings(ARMS[arm], arm)
            fit([options.train], folder, config)
            (folder / "done").touch()


def chosen_arms(options) -> list:
    return [a for a in ARMS if not options.arms or any(text in a for text in options.arms)]


def run_folder(output: Path, arm: str, seed: int) -> Path:
    number = list(ARMS).index(FULL if arm == _WITHOUT_PRIOR else arm)
    return output / f"arm-{number}-seed-{seed}"


def judge_all(options) -> str:
    """The table, also written to ablation.md; the figures of every run to ablation.json."""
    cases = choose_cases([options.test])
    figures = {
        arm: [figures_of(options, arm, seed, cases) for seed in range(options.seeds)]
        for arm in chosen_arms(options)
    }
    write_json(options.output / "ablation.json", figures)
    table = table_of(figures, options.within)
    with replacing(options.output / "ablation.md") as temporary:
        temporary.write_text(table, encoding="utf-8")
    return table


def figures_of(options, arm: str, seed: int, cases) -> dict:
    """One run, judged on the cases. All arms are held to the shapes that the full recipe knows."""
    folder = run_folder(options.output, arm, seed)
    full = run_folder(options.output, FULL, seed)
    shapes = read_model(full / "model.safetensors").prior
    goal = 2 * scores_of(full)[-1]
    model = after_last_epoch(folder, arm != _WITHOUT_PRIOR)
    how = How((options.within,), resamples=0)
    found = judge(model, cases, how, shapes=shapes)
    overall, consistency = found.evaluation.overall, found.consistency
    return {
        "mre_mm": overall.mean_mm.value,
        "median_mm": overall.median_mm.value,
        "within": overall.success_rates[options.within].value,
        "missed": overall.counts[Outcome.MISSED],
        "false": overall.counts[Outcome.FALSE],
        "peak_cv": consistency.figures["peak_cv"].value,
        "spread_cv": consistency.figures["spread_cv"].value,
        "second_mode": consistency.figures["second_mode_share"].value,
        "implausible": consistency.implausible.value,
        "epochs": next((n for n, s in enumerate(scores_of(folder), 1) if s and s <= goal), None),
    }


def after_last_epoch(folder: Path, with_prior: bool) -> Path:
    """The network as it stood at the end, so that no arm gains by the choice of an epoch."""
    model = read_model(folder / "model.safetensors")
    state = torch.load(folder / "coarse-checkpoint.pt", "cpu", weights_only=True)
    model.networks[0].load_state_dict(state["averaged"])
    target = folder / f"last{'' if with_prior else '-without-prior'}.safetensors"
    write_model(target, model.description, model.networks, model.prior if with_prior else None)
    return target


def scores_of(folder: Path) -> list:
    """The validation's score after each epoch of the coarse stage; None where it was left out."""
    rows = read_run(folder).progress
    return [row["score"] for row in rows if row.get("stage", "coarse") == "coarse"]


def table_of(figures: dict, within: float) -> str:
    """Means over the seeds, and from the lowest to the highest of them."""
    head = ["", *(name.format(within) for name in COLUMNS.values())]
    rows = [head, ["---"] * len(head)]
    for arm, runs in figures.items():
        rows.append([arm, *(cell([run[key] for run in runs], key) for key in COLUMNS)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def cell(values, key: str) -> str:
    known = np.array([v for v in values if v is not None], dtype=float)
    if known.size < len(values):
        return (
            "never" if not known.size else f"never in {len(values) - known.size} of {len(values)}"
        )
    known = known * (100 if key in _PERCENT else 1)
    return f"{known.mean():.3g} ({known.min():.3g} to {known.max():.3g})"


if __name__ == "__main__":
    sys.exit(main())
