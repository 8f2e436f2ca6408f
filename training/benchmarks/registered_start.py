"""How good the registered start is with few cases, on cases left out.

    python training/benchmarks/registered_start.py NAME=TRAIN=TEST ... --output DIR [--cases 1 3 5]
        [--tests 10]

TRAIN and TEST: dataset folders, or folders of images with .mrk.json files. Of TRAIN the first cases by
name are registered to each of the first cases of TEST, on one thread. Writes DIR/table.md and
DIR/figures.json.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from landmark_heatmap.detection.joint import value_at
from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.files import replacing, write_json
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.registering.atlas import AtlasCase, atlas_of
from landmark_heatmap.registering.registrar import RegisteredStart
from landmark_training.data.cases import find_cases, landmark_set_of, without_never_placed

_HELD = (0.5, 0.9, 0.95)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", metavar="NAME=TRAIN=TEST")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--cases", type=int, nargs="+", default=[1, 3, 5])
    parser.add_argument("--tests", type=int, default=10)
    options = parser.parse_args()
    figures = []
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        for name, train, test in (text.split("=") for text in options.sets):
            known, asked = find_cases([train]), find_cases([test])[: options.tests]
            landmarks = landmark_set_of([train], known)
            landmarks, _ = without_never_placed(landmarks, [each.annotation for each in known])
            for count in options.cases:
                figures.append({"set": name, **_measured(known[:count], asked, landmarks, name)})
                print(row(figures[-1]), flush=True)
    except LandmarkHeatmapError as error:
        print(f"registered_start: {error}", file=sys.stderr)
        return 2
    write_json(options.output / "figures.json", figures)
    with replacing(options.output / "table.md") as temporary:
        temporary.write_text(table(figures) + "\n", encoding="utf-8")
    return 0


def _measured(known, asked, landmarks, name: str) -> dict:
    cases = [AtlasCase(each.name, each.image_path, each.annotation) for each in known]
    start = RegisteredStart(atlas_of(name, landmarks, cases))
    errors, contents, expected, seconds = [], [], [], 0.0
    for case in tqdm(asked, desc=f"{name}, {len(cases)}", leave=False):
        image, truth = read_image(case.image_path), case.annotation.positions_lps(landmarks.names)
        began = time.process_time()
        points = start.predict(image).points
        seconds += time.process_time() - began
        found = np.array([point.position_lps for point in points])
        errors.append(np.linalg.norm(found - truth, axis=1))
        expected.append([point.doubt.expected_mm for point in points])
        contents.append(
            [
                1 - value_at(point.belief, at, outside=0.0) if np.isfinite(at).all() else np.nan
                for point, at in zip(points, truth)
            ]
        )
    errors, contents = np.array(errors), np.array(contents)
    known_ones = contents[np.isfinite(contents)]
    return {
        "cases": len(cases),
        "tests": len(asked),
        "mre": float(np.nanmean(errors)),
        "median": float(np.nanmedian(errors)),
        "worst": float(np.nanmax(errors)),
        "expected": float(np.mean(expected)),
        "held": {str(level): float((known_ones <= level).mean()) for level in _HELD},
        "seconds_a_pair": seconds / len(asked) / len(cases),
        "per_case": np.nanmean(errors, axis=1).tolist(),
    }


def table(figures) -> str:
    head = (
        "| set | cases | tests | MRE | median | worst | expected | 50, 90, 95 % hold | s a pair |"
    )
    return "\n".join([head, "|---" * 9 + "|", *map(row, figures)])


def row(figure: dict) -> str:
    held = ", ".join(f"{100 * share:.0f}" for share in figure["held"].values())
    numbers = [f"{figure[key]:.3g}" for key in ("mre", "median", "worst", "expected")]
    cells = [figure["set"], figure["cases"], figure["tests"], *numbers, f"{held} %"]
    return "| " + " | ".join(map(str, [*cells, f"{figure['seconds_a_pair']:.1f}"])) + " |"


if __name__ == "__main__":
    sys.exit(main())
