"""A run from folders to a model file, on pictures small enough to learn in seconds."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.annotation.annotation_files import write_annotation
from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.dataset.cases import add_case
from landmark_heatmap.dataset.folder import create_dataset
from landmark_heatmap.dataset.record import CaseRecord, Review
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import write_image
from landmark_heatmap.model.model_file import read_description, read_model, write_model
from landmark_heatmap.model.network import network_for
from landmark_training.cli import main
from landmark_training.data import augment
from landmark_training.data.augment import generators
from landmark_training.data.feed import Share
from landmark_training.fit import Job, Stopped, fit, get_ready, prepared, resume
from landmark_training.learning.clock import Clock
from landmark_training.learning.coarse import CoarseTask
from landmark_training.learning.outcome import nothing_yet
from landmark_training.learning.run import Run
from landmark_training.planning.config import TrainConfig
from training_examples import error_on_new, write_pairs

SIZE = 48
NAMES = ("Eye_L", "Eye_R", "Nose")
QUICK = TrainConfig(
    features=(8, 16, 16), joint_features=8, epochs=3, steps_per_epoch=25, batch_size=4,
    learning_rate=5e-3, rotation_degrees=10, translation_share=0.05, precision="float32",
)  # fmt: skip


def make_face(seed):
    """Two bright eyes and a dark nose: the eyes look alike, only their place tells them apart."""
    rng = np.random.default_rng(seed)
    centre = np.array([24, 22]) + rng.uniform(-4, 4, 2)
    apart = rng.uniform(8, 11)
    positions = np.array([centre + [apart, 0], centre - [apart, 0], centre + [0, 11]])
    j, i = np.mgrid[:SIZE, :SIZE]
    array = rng.normal(100, 3, (SIZE, SIZE))
    for (x, y), height in zip(positions, (90, 90, -90)):
        array += height * np.exp(-0.5 * ((i - x) ** 2 + (j - y) ** 2) / 2.5**2)
    points = {n: Point(PointState.PLACED, (x, y, 0)) for n, (x, y) in zip(NAMES, positions)}
    return Image(array[None].astype(np.float32), np.eye(4)), Annotation(points)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("faces"), make_face)


@pytest.fixture(scope="module")
def trained(faces, tmp_path_factory):
    return fit([faces], tmp_path_factory.mktemp("out") / "run", QUICK, say=lambda line: None)


def run_for(data, config):
    """A Run that is ready to train, its Feed and its cases."""
    config = replace(config, validation_share=0.0)
    ready = get_ready(Job([data], config, None), Path(), lambda line: None)
    task = CoarseTask(ready.plan, ready.networks[0], ready.training, [], ready.writer)
    nothing = nothing_yet(ready.plan, 0)
    clock = Clock(nothing.planned, ready.plan.config)
    run = Run(task, ready.plan, clock, Path(), lambda line: None, nothing)
    return run, task.feed, ready.training


def augmented(feed, cases, run):
    share = Share(cases, generators(len(cases), feed.generator), cases[0])
    return feed.augmented(share, run.learner.shape)


def test_a_trained_model_finds_the_landmarks_of_new_images(trained):
    assert error_on_new(make_face, trained) < 1.5


def test_the_model_file_says_where_it_comes_from(trained, faces):
    description = read_description(trained)
    assert description.landmarks.names == NAMES
    assert description.landmarks.mirror_pairs == (("Eye_L", "Eye_R"),)
    assert description.training["data"] == [faces.name]
    assert description.training["cases"] == 10
    assert -1 < description.training["brightness"]["darkest"] < 1
    assert len(set(description.training["training_images"])) == 10
    assert description.training["config"]["learning_rate"] == QUICK.learning_rate
    assert description.metrics["validation_mre_mm"] < 3
    rows = (trained.parent / "progress.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + QUICK.epochs
    record = json.loads((trained.parent / "run.json").read_text(encoding="utf-8"))
    assert not set(record["training_cases"]) & set(record["validation_cases"])


def test_training_goes_on_from_a_model_and_names_it(trained, faces, tmp_path):
    config = replace(QUICK, epochs=1, steps_per_epoch=2, learning_rate=1e-4)
    model = fit([faces], tmp_path / "run", config, trained, say=lambda line: None)
    assert error_on_new(make_face, model) < 1.5
    started_from = read_description(model).training["started_from"]
    assert started_from["sha256"] == read_model(trained).identity.sha256


def test_new_networks_have_aligned_levels_and_those_of_before_stay_as_they_are(
    trained, faces, tmp_path
):
    model = read_model(trained)
    assert all(stage.network.aligned for stage in model.description.stages)
    stages = tuple(
        replace(stage, network=replace(stage.network, aligned=False))
        for stage in model.description.stages
    )
    before = replace(model.description, stages=stages)
    networks = [network_for(stage) for stage in stages]
    write_model(tmp_path / "before.safetensors", before, networks, model.prior)
    config = replace(QUICK, epochs=1, steps_per_epoch=1)
    after = fit([faces], tmp_path / "run", config, tmp_path / "before.safetensors", say=print)
    assert not any(stage.network.aligned for stage in read_description(after).stages)


def test_half_of_the_batch_is_mirrored_with_left_and_right_swapped(faces):
    config = replace(QUICK, rotation_degrees=0, scaling=0, translation_share=0, elastic_share=0)
    run, feed, cases = run_for(faces, config)

    mirrored = 0
    for _ in range(20):
        batch = cases[:4]
        _, wanted = augmented(feed, batch, run)
        assert wanted.present.all()
        for case, target in zip(batch, wanted.target):
            eye_l = target[0].flatten().argmax().item() % SIZE
            eye_r = target[1].flatten().argmax().item() % SIZE
            assert eye_l > eye_r  # in the picture as it is now, left stays left
            true_l = case.label.position_lps("Eye_L")[0]
            mirrored += (
                abs(eye_l - true_l) > 1
                and abs(eye_l - (SIZE - 1 - case.label.position_lps("Eye_R")[0])) < 1
            )
    assert 10 < mirrored < 70


def test_a_point_carried_out_of_the_picture_is_taught_as_absent(faces):
    run, feed, cases = run_for(faces, replace(QUICK, translation_share=0.6))
    seen = 0
    for _ in range(10):
        _, wanted = augmented(feed, cases[:4], run)
        assert (wanted.present ^ wanted.absent).all()
        seen += wanted.absent.sum().item()
        heights = wanted.target.flatten(2).amax(2)
        assert (heights[wanted.present] > 0.5).all()
        assert (heights[wanted.absent] == 0).all()
    assert seen > 0


def test_augmentation_and_targets_are_made_on_the_device_that_trains(faces, monkeypatch):
    run, feed, _ = run_for(faces, QUICK)
    # This device computes nothing, but refuses to mix with any other; it has no chance of its own.
    feed.plan = replace(feed.plan, device=torch.device("meta"))
    monkeypatch.setattr(augment, "_on", lambda device, generator: None)
    images, wanted = feed.augmented(feed.next_share(), run.learner.shape)
    made = images, wanted.target, wanted.energy, wanted.present, wanted.absent, wanted.weight
    assert {each.device.type for each in made} == {"meta"}


def test_predictions_that_nobody_judged_are_no_labels(tmp_path):
    landmarks = LandmarkSet(tuple(map(Landmark, NAMES)), (("Eye_L", "Eye_R"),))
    create_dataset(tmp_path / "data", landmarks)
    image, annotation = make_face(1)
    points = dict(annotation.points)
    points["Nose"] = replace(points["Nose"], state=PointState.PREDICTED)
    points["Eye_R"] = Point(PointState.ABSENT)
    reviews = dict.fromkeys(NAMES, Review.CONFIRMED) | {"Nose": Review.UNTOUCHED}
    reviews["Eye_R"] = Review.MARKED_ABSENT
    add_case(tmp_path / "data", "case-1", image, Annotation(points), CaseRecord(reviews))

    cases, kept, *_ = prepared(Job([tmp_path / "data"], QUICK, None), None, lambda line: None)

    assert kept.names == ("Eye_L",)
    label = cases[0].label
    assert label.state("Eye_L") is PointState.PLACED
    assert label.state("Eye_R") is PointState.ABSENT
    assert label.state("Nose") is PointState.UNJUDGED


def test_a_point_placed_outside_its_image_teaches_absence(tmp_path):
    image, annotation = make_face(1)
    points = {**annotation.points, "Nose": Point(PointState.PLACED, (20, 90, 0))}
    write_image(tmp_path / "a.nrrd", image)
    write_annotation(tmp_path / "a.mrk.json", Annotation(points))
    told = []
    cases, kept, *_ = prepared(Job([tmp_path], QUICK, None), None, told.append)
    assert "Nose" not in kept.names
    assert any("Nose" in line for line in told)
    assert cases[0].label.state("Nose") is PointState.ABSENT


def test_a_corrected_point_counts_more_than_a_confirmed_one(tmp_path):
    landmarks = LandmarkSet(tuple(map(Landmark, NAMES)), (("Eye_L", "Eye_R"),))
    create_dataset(tmp_path / "data", landmarks)
    reviews = dict.fromkeys(NAMES, Review.CONFIRMED) | {"Eye_L": Review.CORRECTED}
    add_case(tmp_path / "data", "case-1", *make_face(1), CaseRecord(reviews))

    config = replace(QUICK, correction_weight=3.0, rotation_degrees=0, scaling=0)
    run, feed, cases = run_for(tmp_path / "data", config)

    assert cases[0].weight.tolist() == [3.0, 1.0, 1.0]
    feed.generator.manual_seed(0)
    weights = [augmented(feed, cases, run)[1].weight[0].tolist() for _ in range(12)]
    # In a mirrored image it is the other eye's channel that the corrected point teaches.
    assert {tuple(w) for w in weights} == {(3.0, 1.0, 1.0), (1.0, 3.0, 1.0)}


def test_an_interrupted_run_goes_on_where_it_stood(faces, tmp_path, monkeypatch):
    config = replace(QUICK, steps_per_epoch=4)
    whole = fit([faces], tmp_path / "whole", config, say=lambda line: None)
    original = Run._step
    steps = []

    def interrupted(self, done):
        steps.append(1)
        if len(steps) == 6:
            raise KeyboardInterrupt
        return original(self, done)

    monkeypatch.setattr(Run, "_step", interrupted)
    with pytest.raises(Stopped):
        fit([faces], tmp_path / "run", config, say=lambda line: None)
    monkeypatch.setattr(Run, "_step", original)
    said = []
    model = resume(tmp_path / "run", said.append)

    assert "Going on after coarse epoch 1." in said
    assert read_description(model).training["outcome"]["kept"]["epoch"] <= 3
    progress = (tmp_path / "run" / "progress.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[1] for line in progress] == ["epoch", "1", "2", "3"]
    assert len((whole.parent / "progress.csv").read_text(encoding="utf-8").splitlines()) == len(
        progress
    )


def test_a_run_does_not_go_on_with_other_data(faces, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(faces, data)
    fit(
        [data], tmp_path / "run", replace(QUICK, steps_per_epoch=1, epochs=1), say=lambda line: None
    )
    (data / "face00.nrrd").unlink()
    (data / "face00.mrk.json").unlink()
    with pytest.raises(DatasetError, match="have changed"):
        resume(tmp_path / "run", lambda line: None)


def test_a_folder_without_a_run_cannot_be_gone_on_with(tmp_path, capsys):
    assert main(["fit", "--resume", str(tmp_path)]) == 2
    assert "holds no run to go on with" in capsys.readouterr().err


def test_a_run_stops_when_its_validation_gets_no_better(faces, tmp_path, monkeypatch):
    metrics = {"mre_mm": 1.0, "score": 1.0}
    monkeypatch.setattr(CoarseTask, "validate", lambda *arguments: metrics)
    said = []
    config = replace(QUICK, steps_per_epoch=1, epochs=9, patience=2)
    fit([faces], tmp_path / "run", config, say=said.append)
    assert "Stopped: no better validation since epoch 1." in said
    assert (
        len((tmp_path / "run" / "progress.csv").read_text(encoding="utf-8").splitlines()) == 1 + 3
    )


def test_patience_does_not_count_epochs_that_were_not_validated(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(CoarseTask, "validate", lambda *_: {"mre_mm": 1.0, "score": 1.0})
    monkeypatch.setattr(CoarseTask, "validation_steps", 4 / 9)
    said = []
    config = replace(QUICK, steps_per_epoch=1, epochs=19, patience=2)
    fit([faces], tmp_path / "run", config, say=said.append)
    assert "Stopped: no better validation since epoch 1." in said
    lines = [line for line in said if line.startswith("coarse epoch")]
    assert ["not validated" in line for line in lines] == [False, True, True, False]


def test_a_learned_covariance_ends_up_in_the_model(faces, tmp_path):
    config = replace(QUICK, covariance="shared", epochs=2, inflation_weight=1.0)
    model = fit([faces], tmp_path / "run", config, say=lambda line: None)
    sigma = read_description(model).stages[0].sigma_mm
    assert 0.5 < sigma < 2.0
    assert sigma != 2.0


def test_independent_channels_can_be_trained_to_compare_with(faces, tmp_path):
    losses = {"energy_normalised_mse": 1.0, "presence": 0.1}
    # After five epochs it has just begun; after ten every seed that was tried is below half a pixel.
    config = replace(QUICK, head="independent", losses=losses, prior=False, epochs=10)
    model = fit([faces], tmp_path / "run", config, say=lambda line: None)
    description = read_description(model)
    assert description.stages[0].network.head == "independent"
    assert description.stages[0].network.joint_features == 0
    assert read_model(model).prior is None
    assert error_on_new(make_face, model) < 3


def test_settings_are_given_on_the_command_line(faces, tmp_path):
    code = main(
        ["fit", "--data", str(faces), "--output", str(tmp_path / "run"), "--epochs", "1", "--set",
         "steps_per_epoch=1", "features=[4,8]", "precision=float32", 'losses={"cross_entropy":1}']
    )  # fmt: skip
    assert code == 0
    config = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["config"]
    assert config["features"] == [4, 8]
    assert config["losses"] == {"cross_entropy": 1}


@pytest.mark.parametrize(
    "text",
    [
        *("epochs", "speed=3", "losses={}", "features=3", "features=[]", "features=[8.5]"),
        *("crop_size=[0]", "batch_size=1000000", "rotation_degrees=1e9", "occlusion=-1"),
        *('intensity={"kind":"x"}', 'intensity={"lo":1}', 'intensity={"low":"a"}'),
    ],
)
def test_an_impossible_setting_on_the_command_line_is_refused(text, faces, tmp_path, capsys):
    arguments = ["fit", "--data", str(faces), "--output", str(tmp_path / "run"), "--set", text]
    assert main(arguments) == 2
    assert text.partition("=")[0] in capsys.readouterr().err


def test_ctrl_c_leaves_a_model_that_can_be_used(faces, tmp_path, monkeypatch):
    steps = []
    original = Run._step

    def interrupted(self, done):
        steps.append(1)
        if len(steps) == 30:
            raise KeyboardInterrupt
        return original(self, done)

    monkeypatch.setattr(Run, "_step", interrupted)
    said = []
    with pytest.raises(Stopped):
        fit([faces], tmp_path / "run", QUICK, say=said.append)
    outcome = read_description(tmp_path / "run" / "model.safetensors").training["outcome"]
    assert outcome["kept"] == {"stage": "coarse", "epoch": 1, "steps": 25}
    assert outcome["ended"] == "it was stopped by the user"
    assert any("Done: 1 of 3 coarse epochs" in line for line in said)
    assert said[-1].endswith(f"fit --resume {tmp_path / 'run'}")


def test_nothing_is_written_over_an_earlier_run(faces, trained):
    with pytest.raises(DatasetError, match="not an empty folder"):
        fit([faces], trained.parent, QUICK)


def test_all_bad_cases_are_named_at_once(tmp_path, capsys):
    for name in ("bad1", "bad2"):
        (tmp_path / f"{name}.nrrd").write_bytes(b"no image")
        write_annotation(tmp_path / f"{name}.mrk.json", make_face(1)[1])
    code = main(["fit", "--data", str(tmp_path), "--output", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists()
    told = capsys.readouterr().err
    assert code == 2
    assert "bad1" in told
    assert "bad2" in told


@pytest.mark.parametrize("images", [(), ("a.nrrd", "a.nii.gz")])
def test_an_annotation_without_its_one_image_is_refused(tmp_path, images):
    write_annotation(tmp_path / "a.mrk.json", make_face(1)[1])
    for name in images:
        write_image(tmp_path / name, make_face(1)[0])
    with pytest.raises(DatasetError, match="same name"):
        fit([tmp_path], tmp_path / "run", QUICK)


def test_2d_and_3d_images_do_not_mix(tmp_path):
    _, annotation = make_face(1)
    for name, depth in (("flat", 1), ("deep", 5)):
        image = Image(np.zeros((depth, SIZE, SIZE), np.float32), np.eye(4))
        write_image(tmp_path / f"{name}.nrrd", image)
        write_annotation(tmp_path / f"{name}.mrk.json", annotation)
    with pytest.raises(DatasetError, match="1 of 2 images are 2D"):
        fit([tmp_path], tmp_path / "run", QUICK)


def test_landmarks_outside_every_image_do_not_keep_a_model_from_going_on(trained, tmp_path):
    image, annotation = make_face(1)
    points = {**annotation.points, "Ear": Point(PointState.PLACED, (5, 500, 0))}
    write_image(tmp_path / "a.nrrd", image)
    write_annotation(tmp_path / "a.mrk.json", Annotation(points))
    job = Job([tmp_path], QUICK, str(trained))
    cases, landmarks, *_ = prepared(job, read_model(trained), lambda line: None)
    assert landmarks.names == NAMES
    assert cases[0].label.state("Nose") is PointState.PLACED


def test_a_configuration_file_with_an_unknown_setting_is_refused(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"epoch": 3}')
    with pytest.raises(DatasetError, match="epoch"):
        TrainConfig.read(path)


@pytest.mark.parametrize("change", [{"epochs": 0}, {"precision": "float8"}, {"minutes": -1.0}])
def test_an_impossible_setting_is_refused_with_its_value(change):
    with pytest.raises(DatasetError, match=str(*change.values())):
        replace(TrainConfig(), **change)
