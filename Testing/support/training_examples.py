"""What the tests of training share: pictures written as pairs, and a model judged on new ones."""

from __future__ import annotations

import numpy as np

from landmark_heatmap.annotation.annotation_files import write_annotation
from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import write_image
from landmark_heatmap.judging.evaluation import Outcome, evaluate
from landmark_training.learning.run import Run
from landmark_training.planning.config import TrainConfig

TINY = TrainConfig(
    spacing_mm=(2.0,), features=(4, 8), joint_features=4, fine=False, fine_features=(4, 8),
    crop_size=(16,), crops_per_image=2, epochs=3, steps_per_epoch=4, batch_size=2,
    precision="float32", learning_rate=5e-3,
)  # fmt: skip


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


SIZE, NAMES = 40, ("Eye_L", "Eye_R")


def make_eyes(seed):
    """Two bright eyes, told apart by their place alone: what a tiny network learns in seconds."""
    rng = np.random.default_rng(seed)
    positions = np.array([[26, 20], [14, 20]]) + rng.uniform(-3, 3, (2, 2))
    j, i = np.mgrid[:SIZE, :SIZE]
    array = rng.normal(100, 3, (SIZE, SIZE))
    for x, y in positions:
        array += 90 * np.exp(-0.5 * ((i - x) ** 2 + (j - y) ** 2) / 2**2)
    points = {n: Point(PointState.PLACED, (x, y, 0)) for n, (x, y) in zip(NAMES, positions)}
    return Image(array[None].astype(np.float32), np.eye(4)), Annotation(points)


def stops_after(monkeypatch, steps, error=KeyboardInterrupt):
    """Let the step after so many raise, as Ctrl-C would; returns what undoes it."""
    original, done = Run._step, []

    def step(self, share):
        done.append(share)
        if len(done) == steps + 1:
            raise error
        return original(self, share)

    monkeypatch.setattr(Run, "_step", step)
    return lambda: monkeypatch.setattr(Run, "_step", original)
