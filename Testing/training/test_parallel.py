"""Two processes train as one does, and a run that goes on as if it had never stopped."""

import csv
import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import landmark_heatmap
import landmark_training
from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.launch import Place
from landmark_heatmap.model.model_file import read_model
from landmark_training import parallel
from landmark_training.fit import Stopped, fit, resume
from landmark_training.learning.fine import FineTask
from landmark_training.learning.run import Run
from landmark_training.parallel import Team
from landmark_training.planning.config import TrainConfig
from training_examples import write_pairs

# Three images a batch: the two processes do not get the same number. The time is counted, but so
# much of it that it changes nothing.
QUICK = TrainConfig(
    spacing_mm=(2.0,), features=(4, 8), joint_features=4, fine=True, fine_features=(4, 8),
    crop_size=(16,), crops_per_image=2, epochs=2, steps_per_epoch=4, batch_size=3, minutes=1e4,
    precision="float32", covariance="shared", device="cpu",  # a GPU does not add in one order
)  # fmt: skip
# Seconds after which a process is taken to hang; nothing is asked of how fast it is.
HANGS = 600
FOLDERS = [Path(p.__file__).parents[1] for p in (landmark_heatmap, landmark_training)]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, FOLDERS))}


def make_dots(seed):
    """Two dots, of which every third picture lacks one; no two pictures have the same size."""
    rng = np.random.default_rng(seed)
    positions = rng.uniform(10, 30, (2, 2))
    j, i = np.mgrid[: 40 + seed, :44]
    array = rng.normal(0, 0.1, j.shape)
    for (x, y), height in zip(positions, (1, -1)):
        array += height * np.exp(-0.5 * ((i - x) ** 2 + (j - y) ** 2) / 2**2)
    points = {n: Point(PointState.PLACED, (x, y, 0)) for n, (x, y) in zip("AB", positions)}
    if seed % 3 == 0:
        points["A"] = Point(PointState.ABSENT)
    return Image(array[None].astype(np.float32), np.eye(4)), Annotation(points)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("dots"), make_dots, 8)


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    return fit([data], tmp_path_factory.mktemp("alone") / "run", QUICK, say=lambda line: None)


def tensors_of(model):
    return {
        f"{stage.role}.{name}": tensor
        for stage, network in zip(read_model(model).description.stages, read_model(model).networks)
        for name, tensor in network.state_dict().items()
    }


def figures_of(run, *columns):
    with open(run / "progress.csv", newline="") as file:
        return [[row[c] for c in columns] for row in csv.DictReader(file)]


def test_two_processes_reach_what_one_reaches(data, alone, tmp_path):
    run, settings = tmp_path / "run", tmp_path / "settings.json"
    settings.write_text(json.dumps(QUICK.to_json()))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone",
               "-m", "landmark_training.cli", "fit", "--data", str(data), "--output", str(run),
               "--config", str(settings)]  # fmt: skip
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stderr
    # Only one of them speaks.
    assert done.stdout.count("cases to train on") == done.stdout.count("The model:") == 1

    stages = figures_of(run, "stage", "epoch")
    assert stages == figures_of(alone.parent, "stage", "epoch")
    assert stages == [["coarse", "1"], ["coarse", "2"], ["fine", "1"], ["fine", "2"]]
    for column in ("loss", "mre_mm", "sigma_mm"):
        together, by_one = (
            np.array(figures_of(r, column), dtype=float) for r in (run, alone.parent)
        )
        np.testing.assert_allclose(together, by_one, rtol=2e-3 if column == "mre_mm" else 1e-4)
    theirs = tensors_of(run / "model.safetensors")
    for name, tensor in tensors_of(alone).items():
        torch.testing.assert_close(theirs[name], tensor, rtol=1e-2, atol=1e-3)


def test_the_shares_of_all_processes_are_the_batch():
    for size in (1, 2, 3):
        shares = [Team(Place(rank, size)).share(list("abcde")) for rank in range(size)]
        assert sum(shares, []) == list("abcde")
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_batch_too_small_to_share_is_refused(data, tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "team", lambda: Team(Place()))
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(DatasetError, match="batch_size is 3; each of the 4 processes"):
        fit([data], tmp_path / "run", QUICK, say=lambda line: None)


_FAILS = """
import sys, torch
from landmark_heatmap.command_line import run_command
from landmark_heatmap.errors import DatasetError
from landmark_training.parallel import team
def command(options):
    if team().rank == 1:
        raise DatasetError("no room in the second")
    team().backward(torch.ones((), requires_grad=True) * 1, torch.ones(()), [])
    return 0
sys.exit(run_command("program", command, None))
"""


def test_a_process_that_fails_ends_the_others_with_the_reason():
    with socket.socket() as found:
        found.bind(("localhost", 0))
        port = str(found.getsockname()[1])
    places = [
        {"RANK": r, "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": port}
        for r in ("0", "1")
    ]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _FAILS],
            env={**ENVIRONMENT, **each},
            stderr=subprocess.PIPE,
            text=True,
        )
        for each in places
    ]
    told = [each.communicate(timeout=HANGS)[1] for each in running]
    assert [each.returncode for each in running] == [2, 2]
    assert "Another process of this run has ended" in told[0]
    assert "no room in the second" in told[1]
    assert "Traceback" not in told[0] + told[1]


@pytest.mark.parametrize("stopped_at", [2 * 4 + 2, 4 * 4 + 2 * 4 + 3], ids=["coarse", "fine"])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(data, tmp_path, monkeypatch, stopped_at):
    """Its weights, its mean weights, the order of the cases, augmentation, and its judgement."""
    # So long that one of the fine stage's epochs is not validated.
    monkeypatch.setattr(FineTask, "validation_steps", 0.8)
    config = replace(QUICK, epochs=4, minutes=None, patience=4)
    whole = fit([data], tmp_path / "whole", config, say=lambda line: None)
    original, steps = Run._step, []

    def stops(self, done):
        steps.append(done)
        if len(steps) == stopped_at:
            raise KeyboardInterrupt
        return original(self, done)

    monkeypatch.setattr(Run, "_step", stops)
    with pytest.raises(Stopped):
        fit([data], tmp_path / "run", config, say=lambda line: None)
    monkeypatch.setattr(Run, "_step", original)
    # Whatever else has drawn at random since, it does not matter.
    torch.manual_seed(12345)
    resumed = resume(tmp_path / "run", lambda line: None)

    for stage in ("coarse", "fine"):
        first, second = (
            torch.load(m.parent / f"{stage}-checkpoint.pt", weights_only=True)
            for m in (whole, resumed)
        )
        del first["clock"], second["clock"]
        assert_same(first, second)
    assert_same(tensors_of(whole), tensors_of(resumed))
    columns = ("stage", "epoch", "loss", "mre_mm", "score")
    assert figures_of(whole.parent, *columns) == figures_of(resumed.parent, *columns)
    scores = [bool(score) for stage, score in figures_of(whole.parent, "stage", "score")]
    assert scores == [True] * 4 + [True, True, False, True]


def test_half_precision_trains_with_scaled_gradients(data, tmp_path):
    config = replace(QUICK, precision="float16", fine=False, epochs=1)
    said = []
    try:
        fit([data], tmp_path / "run", config, say=said.append)
    except RuntimeError as error:
        pytest.skip(f"this version of torch has no float16 here: {error}")
    state = torch.load(tmp_path / "run/coarse-checkpoint.pt", weights_only=True)
    assert state["scaler"]["scale"] > 1
    assert float(figures_of(tmp_path / "run", "loss")[0][0]) > 0


def assert_same(first, second):
    """Equal to the last bit, all the way down."""
    assert type(first) is type(second)
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_same(first[key], second[key])
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second)
        for one, other in zip(first, second):
            assert_same(one, other)
    elif isinstance(first, torch.Tensor):
        assert torch.equal(first, second)
    else:
        assert first == second
