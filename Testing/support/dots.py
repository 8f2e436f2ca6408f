"""Images in which landmark k is the one voxel of the value k + 1, and a predictor that sees them.

The predictor stands in for a network: how wrong it is stands in the model file, so a test can say
what has to come out.
"""

from types import SimpleNamespace

import numpy as np

from landmark_heatmap.annotation.annotation_files import write_annotation
from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.detection.belief import content_of
from landmark_heatmap.detection.prediction import Doubt, LandmarkPrediction, Prediction
from landmark_heatmap.images.geometry import Image, apply_affine
from landmark_heatmap.images.imageio import write_image
from landmark_heatmap.model.description import (
    COARSE,
    IntensityNormalisation,
    ModelDescription,
    ModelIdentity,
    NetworkConfig,
    Stage,
)
from landmark_heatmap.model.model_file import read_description, write_model

NAMES = ("Eye_L", "Eye_R", "Nose")
PAIRS = (("Eye_L", "Eye_R"),)
SIZE, SPACING, SIGMA = 40, 2.0, 4.0
AFFINE = np.diag([SPACING, SPACING, SPACING, 1.0])


def write_case(folder, name, seed, dimension=2, names=NAMES):
    """An image and its annotation: NAME.nrrd and NAME.mrk.json."""
    rng = np.random.default_rng(seed)
    shape = (SIZE,) * 3 if dimension == 3 else (1, SIZE, SIZE)
    array, points = np.zeros(shape, np.float32), {}
    for value, landmark in enumerate(names, 1):
        # Left is left, and nothing is near the border.
        x = {"Eye_L": 26, "Eye_R": 14}.get(landmark, 20) + rng.integers(-3, 4)
        index = np.array([x, 16 + 4 * value % 12 + rng.integers(-3, 4), 18 * (dimension == 3)])
        array[tuple(index[::-1])] = value
        points[landmark] = Point(PointState.PLACED, tuple(apply_affine(AFFINE, index)))
    write_image(folder / f"{name}.nrrd", Image(array, AFFINE))
    write_annotation(folder / f"{name}.mrk.json", Annotation(points))


def write_cases(folder, count, dimension=2, first_seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first_seed, first_seed + count):
        write_case(folder, f"case-{seed}", seed, dimension)
    return folder


def write_untrained(path, dimension=2, names=NAMES, pairs=PAIRS, name="Dots", **training):
    """A model file whose network has learned nothing. training: what it says of its training."""
    import torch

    from landmark_heatmap.model.network import LandmarkUNet

    torch.manual_seed(0)
    network = NetworkConfig(dimension, len(names), (4, 8), 0, 1)
    description = ModelDescription(
        name=name,
        landmarks=LandmarkSet(tuple(map(Landmark, names)), pairs),
        intensity=IntensityNormalisation(),
        stages=(Stage(COARSE, (SPACING,) * dimension, SIGMA, network),),
        training=training,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_model(path, description, [LandmarkUNet(network)])
    return path


class SeesDots:
    """In place of Predictor. The model file's `training` may give `error_mm` (how far off all points
    are, along P), `heights` (of each heatmap) and `absent` (names)."""

    def __init__(self, path, device="auto"):
        self.description = read_description(path)
        identity = ModelIdentity(self.description.name, "1", "0" * 64)
        self.model = SimpleNamespace(identity=identity, prior=None, joint=None, belief=None)

    def predict(self, image):
        landmarks, training = self.description.landmarks, self.description.training
        heights = training.get("heights", [1.0] * len(landmarks))
        points = []
        for channel, name in enumerate(landmarks.names):
            found = np.argwhere(image.array == channel + 1)
            index = found[0][::-1].astype(float)
            index[1] += training.get("error_mm", 0.0) / SPACING
            points.append(
                LandmarkPrediction(
                    name,
                    image.grid.to_lps(index),
                    0.1 if name in training.get("absent", ()) else 0.9,
                    0.8,
                    self._heatmap(image, index, heights[channel]),
                    self._belief(image, index),
                    Doubt(SIGMA),
                    SIGMA,
                )
            )
        return Prediction(landmarks, tuple(points), image.grid, self.model.identity)

    def _belief(self, image, centre):
        density = self._heatmap(image, centre, 1.0).array
        return Image(1 - content_of(density / density.sum()), image.ijk_to_lps)

    def _heatmap(self, image, centre, height):
        grids = np.indices(image.array.shape)[::-1]
        square = sum(((g - c) * SPACING) ** 2 for g, c in zip(grids, centre))
        return Image(
            (height * np.exp(-0.5 * square / SIGMA**2)).astype(np.float32), image.ijk_to_lps
        )
