"""A reviewer who knows the truth: detects, corrects by reference annotations, exports.

    python -m headless.correct MODEL FOLDER DATASET [--tolerance MM]

FOLDER holds images with .mrk.json files of the same name. Each image is detected, published into a
MRML scene and reviewed there as a person would: points further off than the tolerance are moved to
the reference, the others confirmed, those that the reference does not place in the image marked as
absent; then it is exported into DATASET. Landmarks that the reference does not name stay untouched.
This is how a turn of the loop is measured without a person.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.images.imageio import read_image
from landmark_training.data.cases import find_cases, label_of
from LandmarkHeatmapLib.export import export_case
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.volumes import add_volume

from .scene import Application

RAS = np.array([-1, -1, 1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--tolerance", type=float, default=2.0, metavar="MM")
    options = parser.parse_args()
    try:
        predictor = Predictor(options.model)
        application = Application()
        for case in find_cases([options.folder]):
            image = read_image(case.image_path)
            volume = add_volume(application.scene, image, case.name)
            result = DetectionResult.publish(volume, predictor.predict(image))
            moved = review(result, label_of(case.annotation, image.grid), options.tolerance)
            export_case(result, options.dataset, case.name, annotator="reference")
            print(f"{case.name}: {moved} of {len(result.landmarks)} landmarks moved or removed")
            application.scene.Clear(False)
    except LandmarkHeatmapError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def review(result: DetectionResult, truth, tolerance_mm: float) -> int:
    """Make a result agree with an annotation; returns how many landmarks were wrong."""
    found = result.predicted_annotation()
    wrong = 0
    for name in result.landmarks.names:
        position, true = found.position_lps(name), truth.position_lps(name)
        if truth.state(name) is PointState.ABSENT:
            wrong += position is not None
            result.mark_absent(name)
            result.confirm(name)
        elif true is None:
            continue
        elif position is None or np.linalg.norm(position - true) > tolerance_mm:
            wrong += 1
            result.move(name, true * RAS)
        else:
            result.confirm(name)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
