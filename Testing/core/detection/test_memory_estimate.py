"""What a detection would take is told, in full, before any stage takes it."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.detection.memory import MOST_BYTES, check_coarse, check_fine, network_bytes
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.errors import PredictionError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.model.description import (
    IntensityNormalisation,
    ModelDescription,
    ModelIdentity,
    NetworkConfig,
    Stage,
)
from landmark_heatmap.model.model_file import Model

NETWORK = NetworkConfig(3, 2, (4, 8), 0, 1)
COARSE = Stage("coarse", (4.0, 4.0, 4.0), 6.0, NETWORK)
FINE = Stage("fine", (1.0, 1.0, 1.0), 1.5, NETWORK, (256, 256, 256))
IMAGE = Image(np.zeros((30, 30, 30), np.int16), np.diag([2.0, 2.0, 2.0, 1.0]))


def description(*stages, members=1):
    names = [Landmark(f"P{n}") for n in range(stages[0].network.landmarks)]
    return ModelDescription(
        "m", LandmarkSet(tuple(names)), IntensityNormalisation(), stages, members=members
    )


class Untouched(torch.nn.Module):
    def forward(self, *inputs):
        raise AssertionError("a network was tried")


def predictor(*stages, members=1):
    networks = tuple(Untouched() for _ in stages)
    model = Model(description(*stages, members=members), networks, ModelIdentity("m", "1", ""))
    return Predictor(model, "cpu")


def test_wide_lower_levels_count():
    narrow = NetworkConfig(3, 2, (4, 8), 0, 1)
    wide = replace(narrow, features=(4, 2048))
    assert network_bytes((256,) * 3, wide, 1, 2) > 20 * network_bytes((256,) * 3, narrow, 1, 2)


def test_a_wide_joint_part_counts():
    joint = replace(NETWORK, joint_features=1024, joint_level=0)
    with pytest.raises(PredictionError, match=r"GB of memory"):
        check_coarse((200, 200, 200), replace(COARSE, network=joint))


def test_an_ensemble_takes_more_than_one():
    many = replace(NETWORK, landmarks=100)
    assert network_bytes((100,) * 3, many, 2, 100) > 1.5 * network_bytes((100,) * 3, many, 1, 100)


def test_crops_that_would_not_fit_are_refused_before_the_coarse_stage_is_tried():
    huge = replace(FINE, network=replace(NETWORK, features=(64, 64)))
    with pytest.raises(PredictionError, match=r"256 x 256 x 256 voxels.*some [2-4][0-9] GB"):
        predictor(COARSE, huge).predict(IMAGE)


def test_crops_of_many_landmarks_are_counted():
    many = replace(NETWORK, landmarks=1000)
    stages = replace(COARSE, network=many), replace(FINE, network=many)
    with pytest.raises(PredictionError, match=r"1000 crops .* some 6[0-9] GB"):
        predictor(*stages).predict(IMAGE)


def test_several_crops_at_a_time_take_as_much_more():
    model = description(COARSE, replace(FINE, crop_size=(160, 160, 160)))
    check_fine((20, 20, 20), model, 8, batch=1)
    big = description(COARSE, replace(FINE, network=replace(NETWORK, features=(16, 32))))
    check_fine((20, 20, 20), big, 1, batch=8)
    with pytest.raises(PredictionError, match="8 at a time"):
        check_fine((20, 20, 20), big, 8, batch=8)


def test_the_models_that_are_usual_fit():
    stage = Stage("coarse", (2.0,) * 3, 3.0, NetworkConfig(3, 60, (12, 24, 48, 96), 48, 3))
    check_coarse((200, 200, 200), stage, members=5)
    assert network_bytes((72, 72, 72), stage.network, 1, 60) < MOST_BYTES / 20
