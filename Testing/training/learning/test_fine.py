"""The fine stage is trained on crops that show what the targets say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.model.model_file import read_description
from landmark_training.data.targets import TargetShape
from landmark_training.fit import Job, Stopped, fit, get_ready, resume
from landmark_training.learning.coarse import CoarseTask
from landmark_training.learning.fine import FineTask, fine_case
from landmark_training.learning.run import Run
from landmark_training.planning.config import TrainConfig
from training_examples import error_on_new, write_pairs

SIZE = 144
NAMES = ("Eye_L", "Eye_R", "Nose")
QUICK = TrainConfig(
    spacing_mm=(3.0,), features=(8, 16, 16), joint_features=8, fine_features=(8, 16), crop_size=(32,),
    epochs=3, steps_per_epoch=25, batch_size=4, learning_rate=5e-3, rotation_degrees=10,
    translation_share=0.05, precision="float32", crops_per_image=3,
)  # fmt: skip


def make_face(seed):
    """Two bright eyes and a dark nose, each with a pupil that is too small for the coarse stage."""
    rng = np.random.default_rng(seed)
    centre = np.array([72, 66]) + rng.uniform(-10, 10, 2)
    apart = rng.uniform(24, 32)
    positions = np.array([centre + [apart, 0], centre - [apart, 0], centre + [0, 33]])
    j, i = np.mgrid[:SIZE, :SIZE]
    array = rng.normal(100, 3, (SIZE, SIZE))
    for (x, y), height in zip(positions, (90, 90, -90)):
        square = (i - x) ** 2 + (j - y) ** 2
        off = (i - x - rng.uniform(-3, 3)) ** 2 + (j - y - rng.uniform(-3, 3)) ** 2
        array += height * np.exp(-0.5 * off / 7**2) - 130 * np.exp(-0.5 * square / 2**2)
    points = {n: Point(PointState.PLACED, (x, y, 0)) for n, (x, y) in zip(NAMES, positions)}
    return Image(array[None].astype(np.float32), np.eye(4)), Annotation(points)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("faces"), make_face)


@pytest.fixture(scope="module")
def trained(faces, tmp_path_factory):
    return fit([faces], tmp_path_factory.mktemp("out") / "run", QUICK, say=lambda line: None)


def fine_task(faces, config):
    ready = get_ready(
        Job([faces], replace(config, validation_share=0.0), None), Path(), lambda line: None
    )
    coarse = CoarseTask(ready.plan, ready.networks[0], ready.training, [], ready.writer)
    images = [make_face(seed)[0] for seed in range(12)]
    cases = [
        fine_case(case, image, ready.plan.fine, NAMES)
        for case, image in zip(ready.training, images)
    ]
    network = ready.networks[0].eval()
    return FineTask(coarse, network, ready.plan.stage, ready.networks[1], cases, [])


def test_one_command_trains_both_stages_and_the_fine_one_is_finer(trained, faces, tmp_path):
    description = read_description(trained)
    assert [stage.role for stage in description.stages] == ["coarse", "fine"]
    assert description.stages[1].spacing_mm == (1.0, 1.0)
    progress = (trained.parent / "progress.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in progress[1:]] == ["coarse"] * 3 + ["fine"] * 3
    config = replace(QUICK, fine=False)
    coarse = fit([faces], tmp_path / "coarse", config, say=lambda line: None)
    assert len(read_description(coarse).stages) == 1
    # In so few steps the coarse error is mostly chance: .4 to .85 of it over five seeds.
    assert error_on_new(make_face, trained) < 0.9 * error_on_new(make_face, coarse)


def test_images_no_finer_than_the_coarse_stage_get_one_stage(faces, tmp_path):
    said = []
    config = replace(QUICK, spacing_mm=(1.0,), epochs=1, steps_per_epoch=1)
    model = fit([faces], tmp_path / "run", config, say=said.append)
    assert len(read_description(model).stages) == 1
    assert any("one stage" in line for line in said)


@pytest.mark.parametrize("degrees", [30, 180])
def test_a_crop_shows_the_landmark_where_its_target_is(faces, degrees):
    """The pupil is the darkest spot of an eye; the nose is dark altogether."""
    still = replace(
        QUICK, intensity_jitter=0, noise=0, elastic_share=0.01, rotation_degrees=degrees
    )
    task = fine_task(faces, still)
    shape = TargetShape("fixed", 1, task.stage.sigma_mm, task.stage.spacing_mm)
    seen = 0
    for _ in range(10):
        (crops, which), wanted = task.batch(shape, 1.0)
        for crop, landmark, target, present in zip(crops, which, wanted.target, wanted.present):
            row, column = divmod(target[0].flatten().argmax().item(), 32)
            if not present or landmark == 2 or not (4 < row < 27 and 4 < column < 27):
                continue
            around = crop[0, row - 3 : row + 4, column - 3 : column + 4]
            assert divmod(around.argmin().item(), 7) in {
                (a, b) for a in (2, 3, 4) for b in (2, 3, 4)
            }
            seen += 1
    assert seen > 50


def test_faces_in_any_pose_are_seen_in_crops_that_are_turned_with_them(faces):
    task = fine_task(faces, replace(QUICK, rotation_degrees=180))
    assert task.stage.turned
    share = task.feed.next_share()
    angle = torch.tensor(2.0)
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).reshape(2, 2)
    for case, generator in zip(share.cases, share.generators):
        plain = task._turn(case.centred_mm, generator)
        turned = task._turn(case.centred_mm @ turn.T, generator)
        apart = plain.T @ turn.T @ turned
        degrees = torch.rad2deg(torch.atan2(apart[1, 0], apart[0, 0])).abs()
        assert degrees <= 20.1  # each is up to ten degrees off


def test_some_crops_are_elsewhere_and_teach_absence(faces):
    task = fine_task(faces, QUICK)
    shape = TargetShape("fixed", 1, task.stage.sigma_mm, task.stage.spacing_mm)
    batches = [task.batch(shape, 1.0)[1] for _ in range(20)]
    absent = torch.cat([wanted.absent for wanted in batches])
    assert 0.02 < absent.float().mean() < 0.3
    for wanted in batches:
        assert (wanted.target.flatten(1).amax(1)[wanted.absent[:, 0]] == 0).all()


def test_in_a_mirrored_image_the_crop_is_of_the_partner(faces):
    """The left eye is at the greater x, and stays there whatever is mirrored."""
    task = fine_task(faces, replace(QUICK, rotation_degrees=0))
    seen = []
    original = task._centres

    def remember(moved, landmark, generator):
        seen.append(moved[landmark][:, 1] - moved[:2, 1].mean())
        return original(moved, landmark, generator)

    task._centres = remember
    shape = TargetShape("fixed", 1, task.stage.sigma_mm, task.stage.spacing_mm)
    for _ in range(10):
        (_, which), _ = task.batch(shape, 1.0)
        side, which = torch.cat(seen), which.cpu()
        seen.clear()
        assert (side[which == 0] > 0).all()
        assert (side[which == 1] < 0).all()


def test_a_run_interrupted_in_its_fine_stage_goes_on_there(faces, tmp_path, monkeypatch):
    original = Run._step
    steps = []

    def interrupted(self, done):
        steps.append(1)
        if len(steps) == 11:
            raise KeyboardInterrupt
        return original(self, done)

    monkeypatch.setattr(Run, "_step", interrupted)
    with pytest.raises(Stopped):
        fit([faces], tmp_path / "run", replace(QUICK, steps_per_epoch=3), say=lambda line: None)
    monkeypatch.setattr(Run, "_step", original)
    said = []
    model = resume(tmp_path / "run", said.append)
    assert "Going on after coarse epoch 3." in said
    progress = (model.parent / "progress.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[:2] for line in progress[1:]] == [
        [stage, str(epoch)] for stage in ("coarse", "fine") for epoch in (1, 2, 3)
    ]


def test_both_stages_go_on_from_a_model(trained, faces, tmp_path):
    config = replace(QUICK, epochs=1, steps_per_epoch=1, learning_rate=1e-6)
    model = fit([faces], tmp_path / "run", config, trained, say=lambda line: None)
    assert len(read_description(model).stages) == 2
    assert error_on_new(make_face, model) < 1.3 * error_on_new(make_face, trained)
