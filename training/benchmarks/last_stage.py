"""The ablation at what a user sees: the last stage's own heatmaps, the markers, and what regions hold.

    python training/benchmarks/last_stage.py TRAIN TEST --output DIR [--seeds 3] [--minutes 6]

Trains each arm with each seed, unless it lies in DIR already, judges all on TEST, and writes
DIR/table.md, figures.json, and a picture of all channels of a case of TEST, naive beside full. The
network's own heatmaps and the markers are measured alike (judging/consistency.py). Markers are alike
whatever made them, so that they alone prove nothing; what the regions hold cannot be had that way.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ablation import FULL, cell, parser_of, run_folder, train_all

from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.detection.prediction import Prediction
from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.files import replacing, write_json
from landmark_heatmap.images.geometry import in_pixels
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.judging.consistency import measure_case, summarise
from landmark_heatmap.model.model_file import read_model, write_model
from landmark_training.cli import main as command
from landmark_training.judging.judge import How, choose_cases, judge

NAIVE, ONE = "naive: MSE over the map", "one distribution: cross-entropy"
UNCALIBRATED = "the full recipe, not calibrated"
# What each row is made of: an arm of the ablation, and whether it is calibrated.
ROWS = {
    NAIVE: (NAIVE, True),
    ONE: (ONE, True),
    UNCALIBRATED: (FULL, False),
    "the full recipe, calibrated": (FULL, True),
}
COLUMNS = {
    "mre": "MRE",
    "own_peak_cv": "own heatmaps: peak CV",
    "own_spread_cv": "spread CV",
    "own_modes": "second modes %",
    "peak_cv": "markers: peak CV",
    "spread_cv": "spread CV",
    "modes": "second modes %",
    "holds_50": "regions of 50 % hold",
    "holds_90": "of 90 %",
    "holds_95": "of 95 %",
    "scatter": "scatter over landmarks at 90 %",
    "size": "size over a constant ball's",
}
_PERCENT = ("own_modes", "modes", "holds_50", "holds_90", "holds_95", "scatter")


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--minutes", type=float, default=6.0, help="of each run")
    options = parser.parse_args()
    try:
        arms = dict.fromkeys(arm for arm, _ in ROWS.values())
        train_all(options, arms, minutes=options.minutes)
        print(judge_all(options))
    except LandmarkHeatmapError as error:
        print(f"last_stage: {error}", file=sys.stderr)
        return 2
    return 0


def judge_all(options) -> str:
    cases = choose_cases([options.test])
    figures = {
        row: [figures_of(model_of(options, arm, seed, is_calibrated), cases) for seed in seeds]
        for seeds in [range(options.seeds)]
        for row, (arm, is_calibrated) in ROWS.items()
    }
    write_json(options.output / "figures.json", figures)
    head = ["", *COLUMNS.values()]
    rows = [head, ["---"] * len(head)]
    for row, runs in figures.items():
        rows.append([row, *(told([run[key] for run in runs], key) for key in COLUMNS)])
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    with replacing(options.output / "table.md") as temporary:
        temporary.write_text(table, encoding="utf-8")
    picture(options, cases[len(cases) // 2])
    return table


def told(values, key: str) -> str:
    values = [v if v is None or key not in _PERCENT else 100 * v for v in values]
    return cell(values, key="")


def model_of(options, arm: str, seed: int, is_calibrated: bool) -> Path:
    folder = run_folder(options.output, arm, seed)
    path = folder / "model.safetensors"
    if is_calibrated:
        return path
    model, other = read_model(path), folder / "not-calibrated.safetensors"
    write_model(other, model.description, model.networks, model.prior, model.joint)
    return other


def figures_of(path: Path, cases) -> dict:
    found = judge(path, cases, How(resamples=0))
    own, shown, regions = own_heatmaps(path, cases), found.consistency.figures, found.calibration
    coverage = {level: figure.value for level, figure in regions.coverage.items()}
    return {
        "mre": found.evaluation.overall.mean_mm.value,
        "own_peak_cv": own["peak_cv"].value,
        "own_spread_cv": own["spread_cv"].value,
        "own_modes": own["second_mode_share"].value,
        "peak_cv": shown["peak_cv"].value,
        "spread_cv": shown["spread_cv"].value,
        "modes": shown["second_mode_share"].value,
        **{f"holds_{100 * level:.0f}": share for level, share in coverage.items()},
        "scatter": regions.scatter,
        "size": regions.size_ratio,
    }


def own_heatmaps(path: Path, cases) -> dict:
    """The figures of consistency of what the network itself says, with nothing made of it."""
    predictor, measured = Predictor(path), []
    landmarks = predictor.description.landmarks
    for case in cases:
        seen, grid = predictor.seen(in_pixels(read_image(case.image_path)))
        points = tuple(each.as_it_is() for each in seen)
        measured.append(measure_case(case.name, Prediction(landmarks, points, grid, None)))
    return summarise(measured, (), resamples=0).figures


def picture(options, case) -> None:
    full, naive = (run_folder(options.output, arm, 0) for arm in (FULL, NAIVE))
    output = options.output / "channels.png"
    output.unlink(missing_ok=True)
    models = ["--model", full / "model.safetensors", "--against", naive / "model.safetensors"]
    where = ["--image", case.image_path, "--output", output, "--labels", "full", "naive"]
    command(["channels", *map(str, (*models, *where))])


if __name__ == "__main__":
    sys.exit(main())
