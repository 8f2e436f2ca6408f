"""Hips as another scanner shows them: where a model that knows CT alone is lost, and correction helps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from landmark_heatmap.images.geometry import Image
from landmark_heatmap.synthetic.hip import make_synthetic_hip
from landmark_training.data.cases import label_of
from LandmarkHeatmapLib.export import export_case
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.volumes import add_volume

from .correct import review

# Hounsfield units: below the first there is air, above the second bone.
_AIR, _BONE = -500, 150
TOLERANCE_MM = 2.0


def as_seen_there(image: Image) -> Image:
    """A CT as an MR scanner might show it: bone dark, soft tissue bright. int16."""
    values = image.array.astype(np.float32)
    soft = values * 3 + 200
    shown = np.where(values < _AIR, -1000, np.where(values > _BONE, -150, soft))
    return Image(shown.astype(np.int16), image.ijk_to_lps)


def hip_from_there(seed: int) -> tuple:
    """(image, the truth)."""
    hip = make_synthetic_hip(seed)
    return as_seen_there(hip.image), hip.annotation


def export_corrected(application, predictor, seeds, dataset: Path) -> None:
    """Detect in each, correct what is more than the tolerance off as a person would, and export it."""
    for seed in seeds:
        image, truth = hip_from_there(seed)
        volume = add_volume(application.scene, image, f"Hip {seed}")
        result = DetectionResult.publish(volume, predictor.predict(image))
        moved = review(result, label_of(truth, image.grid), TOLERANCE_MM)
        export_case(result, dataset, f"other-scanner-{seed}", annotator="demo")
        print(
            f"   hip {seed}: {moved} of {len(result.landmarks)} landmarks had to be corrected",
            flush=True,
        )
        application.scene.Clear(False)


def errors_of(found, truth) -> dict:
    """Landmark to distance in mm; infinite for one that was missed."""
    errors = {}
    for name in truth.names:
        position, true = found.position_lps(name), truth.position_lps(name)
        if true is not None:
            errors[name] = np.inf if position is None else float(np.linalg.norm(position - true))
    return errors


def told(errors) -> str:
    """The mean error of what was found, and how many were missed."""
    found = [each for each in errors if np.isfinite(each)]
    missed = len(errors) - len(found)
    return f"{np.mean(found):.2f} mm" + (f" ({missed} of {len(errors)} missed)" if missed else "")
