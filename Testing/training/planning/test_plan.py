"""What a run asks of a machine: more where there is a GPU, and the reason is told."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.images.geometry import Grid
from landmark_training.planning import plan as planning
from landmark_training.planning.config import TrainConfig
from landmark_training.planning.plan import plan_run
from landmark_training.planning.precision import Choice


def planned(monkeypatch, device, size=(300, 280, 260), config=None):
    monkeypatch.setattr(planning, "device_for", lambda config: torch.device(device))
    monkeypatch.setattr(planning, "free_memory", lambda device: 64 * 2**30)
    choice = Choice(torch.float32, "no half precision is tried here", {})
    monkeypatch.setattr(planning, "choose_precision", lambda *arguments: choice)
    grids = [Grid(size, np.eye(4))] * 6
    points = {n: Point(PointState.PLACED, (20.0 * i, 30.0, 0.0)) for i, n in enumerate("ABCD")}
    landmarks = LandmarkSet(tuple(map(Landmark, "ABCD")))
    return plan_run(config or TrainConfig(), grids, [Annotation(points)] * 6, landmarks)


@pytest.mark.parametrize("size", [(300, 280, 260), (2000, 1800, 1)])
def test_a_gpu_trains_a_larger_network_at_finer_spacing_and_the_plan_says_so(monkeypatch, size):
    there, here = (planned(monkeypatch, device, size) for device in ("cuda", "cpu"))
    assert there.stage.spacing_mm[0] < 0.8 * here.stage.spacing_mm[0]
    assert min(there.stage.network.features) > min(here.stage.network.features)
    assert any("there is a GPU" in reason for reason in there.reasons)
    assert not any("GPU" in reason for reason in here.reasons)


def test_what_is_stated_stays_on_a_gpu(monkeypatch):
    stated = replace(TrainConfig(), spacing_mm=(5.0,), features=(8, 16))
    plan = planned(monkeypatch, "cuda", config=stated)
    assert plan.stage.spacing_mm == (5.0,) * 3 and plan.stage.network.features == (8, 16)
