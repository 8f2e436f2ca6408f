"""Detection makes no copy of the image, and its results hold no more than they show.

The system counts the peak of all memory, whoever asks for it: numpy, torch and ITK alike.
"""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.model.description import (
    IntensityNormalisation,
    ModelDescription,
    ModelIdentity,
    NetworkConfig,
    Stage,
)
from landmark_heatmap.model.model_file import Model
from landmark_heatmap.model.network import network_for

SMALL = (4, 8)
_OWN = Path("/proc/self")


def two_stage_predictor(landmarks=4, spacing_mm=8.0, device="cpu"):
    """Random weights; every landmark is seen by both stages."""
    torch.manual_seed(0)
    coarse = Stage("coarse", (spacing_mm,) * 3, 12.0, NetworkConfig(3, landmarks, SMALL, 4, 1))
    fine = Stage("fine", (2.0,) * 3, 3.0, NetworkConfig(3, landmarks, SMALL, 0, 1), (16, 16, 16))
    networks = [network_for(stage).eval() for stage in (coarse, fine)]
    for network in networks:
        torch.nn.init.constant_(network.nowhere.bias, -30.0)
        torch.nn.init.normal_(network.local.weight)
    names = tuple(Landmark(f"L{i}", "") for i in range(landmarks))
    window = IntensityNormalisation("window", 0, 1000)
    description = ModelDescription("Random", LandmarkSet(names), window, (coarse, fine))
    model = Model(description, tuple(networks), ModelIdentity("Random", "1", "0" * 64))
    return Predictor(model, device)


def image_of_noise(side, spacing_mm=1.0):
    array = np.random.default_rng(1).integers(0, 1000, (side,) * 3, dtype=np.int16)
    return Image(array, np.diag([spacing_mm] * 3 + [1]))


def status_bytes(name):
    lines = (_OWN / "status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def bytes_taken_by(work):
    """How far above where it began the process's memory rose."""
    try:
        (_OWN / "clear_refs").write_text("5")  # the peak counts from now on
    except OSError:
        pytest.skip("The peak of this process's memory is only counted by Linux.")
    before = status_bytes("VmRSS")
    result = work()
    return status_bytes("VmHWM") - before, result


def test_a_detection_takes_less_than_a_third_of_a_large_image_on_top_of_it():
    predictor, image = two_stage_predictor(), image_of_noise(320)
    predictor.predict(image_of_noise(64))  # what torch and ITK need once
    taken, _ = bytes_taken_by(lambda: predictor.predict(image))
    assert taken < image.array.nbytes / 3


def test_memory_that_is_taken_is_seen():
    image = image_of_noise(320)
    taken, copy = bytes_taken_by(image.array.copy)
    # Some of it may have been free in this process already.
    assert taken > 0.7 * copy.nbytes


def test_a_prediction_keeps_nothing_of_the_heatmaps_that_it_does_not_show():
    predictor = two_stage_predictor()
    for point in predictor.predict(image_of_noise(96, spacing_mm=2.0)).points:
        array = point.heatmap.array
        assert array.base is None or array.base.nbytes == array.nbytes


@pytest.mark.skipif(
    not torch.cuda.is_available(), reason="No CUDA device: nothing to compare with."
)
def test_a_gpu_finds_the_same_positions_within_a_twentieth_of_a_voxel():
    image = image_of_noise(96, spacing_mm=2.0)
    here, there = (two_stage_predictor(device=d).predict(image) for d in ("cpu", "cuda"))
    for a, b in zip(here.points, there.points):
        np.testing.assert_allclose(a.position_lps, b.position_lps, atol=0.05 * 2.0)
        assert a.presence == pytest.approx(b.presence, abs=1e-3)
