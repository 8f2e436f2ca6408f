"""What the tests of training share: pictures written as pairs, and a model judged on new ones."""

from __future__ import annotations

from landmark_heatmap.annotation.annotation_files import write_annotation
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.images.imageio import write_image
from landmark_heatmap.judging.evaluation import Outcome, evaluate


def write_pairs(folder, make, count=12):
    """make: seed -> (Image, Annotation)."""
    for seed in range(count):
        image, annotation = make(seed)
        write_image(folder / f"face{seed:02d}.nrrd", image)
        write_annotation(folder / f"face{seed:02d}.mrk.json", annotation)
    return folder


def error_on_new(make, model_path) -> float:
    """The mean error on eight pictures that were not trained on."""
    predictor = Predictor(model_path, "cpu")
    compared = []
    for seed in range(100, 108):
        image, annotation = make(seed)
        compared.append((str(seed), predictor.predict(image).annotation(), annotation))
    overall = evaluate(compared).overall
    assert overall.counts[Outcome.MISSED] == 0
    return overall.mean_mm.value
