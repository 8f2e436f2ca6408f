"""The form of a belief, found on cases whose truth is known to differ from the heatmaps as it does."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from landmark_heatmap.detection.seen import Seen
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.geometry import PX, Grid, Image
from landmark_heatmap.model.description import FINE, NetworkConfig, Stage
from landmark_heatmap.model.joint_shape import fit_joint_shape
from landmark_heatmap.model.model_file import read_model, write_model
from landmark_training.cli import main
from landmark_training.fit import fit
from landmark_training.learning.calibrating import Applied, form_of
from training_examples import TINY, make_eyes, write_pairs

SIGMA = 2.0
STAGE = Stage(FINE, (1.0, 1.0), SIGMA, NetworkConfig(2, 6, (4, 8), 0, 1), (40, 40))
SHAPE = np.random.default_rng(1).normal(size=(6, 2)) * 25
COARSE_GRID = Grid((200, 200, 1), np.eye(4))


def applied(error_mm, map_mm, seed=0, cases=30, scatter=0.0):
    """Cases whose references lie as far from the centres of heatmaps of `map_mm` as `error_mm` says."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(cases):
        truth = 100 + SHAPE + scatter * rng.normal(size=SHAPE.shape)
        centres = truth + error_mm * rng.normal(size=SHAPE.shape)
        seen = tuple(seen_at(centre, map_mm) for centre in centres)
        references = np.column_stack([truth, np.zeros(6)])
        made.append(Applied(seen, references, COARSE_GRID))
    return made


def seen_at(centre, map_mm):
    corner = np.rint(centre) - 20
    affine = np.eye(4)
    affine[:2, 3] = corner
    j, i = np.mgrid[:41, :41]
    square = (i + corner[0] - centre[0]) ** 2 + (j + corner[1] - centre[1]) ** 2
    array = np.exp(-0.5 * square / map_mm**2).astype(np.float32)[None]
    peak = np.array([0, *(centre - corner)[::-1]])
    return Seen("A", Image(array, affine), peak, 1.0, 1.0, STAGE)


@pytest.mark.parametrize(("error_mm", "map_mm"), [(1.0, 3.0), (3.0, 1.0), (2.0, 2.0)])
def test_regions_hold_what_they_say_whether_heatmaps_are_too_wide_or_too_narrow(error_mm, map_mm):
    from landmark_heatmap.detection.joint import believed, score

    form = form_of(applied(error_mm, map_mm, seed=20, cases=60), None)
    inside, expected, errors = [], [], []
    for case in applied(error_mm, map_mm, seed=25, cases=60):
        for landmark in case.placed():
            found = believed(case.seen[landmark], landmark, form)
            content, _, error = score(found, case.references[landmark])
            inside.append(np.interp(content, *form.held_out.level_of_content(landmark)))
            expected.append(form.error_scale * found.expected_mm)
            errors.append(error)
    assert [np.mean(np.array(inside) < q) for q in (0.5, 0.9)] == pytest.approx(
        [0.5, 0.9], abs=0.08
    )
    assert np.mean(expected) == pytest.approx(np.mean(errors), rel=0.15)
    wide, narrow = map_mm > error_mm, map_mm < error_mm
    assert not wide or form.power > 1
    assert not narrow or form.spreads_mm.mean() > SIGMA / 2 or form.power < 1


def test_a_landmark_whose_labels_scatter_more_has_a_wider_belief():
    cases, rng = applied(0.5, 1.0, cases=60), np.random.default_rng(3)
    for case in cases:
        case.references[2, :2] += 4 * rng.normal(size=2)
    spreads = form_of(cases, None).spreads_mm
    assert spreads[2] > 2 * np.delete(spreads, 2).max()


def test_the_others_are_asked_where_that_brings_points_nearer_and_not_where_it_does_not():
    rng = np.random.default_rng(5)
    rigid = SHAPE + 0.2 * rng.normal(size=(40, *SHAPE.shape))
    loose = SHAPE + 15 * rng.normal(size=(40, *SHAPE.shape))
    assert form_of(applied(2.5, 2.5, scatter=0.2), fit_joint_shape(rigid)).joint > 0
    assert form_of(applied(1.0, 1.0, scatter=15.0), fit_joint_shape(loose)).joint == 0


def test_with_two_cases_nothing_is_taken_over_that_chance_may_have_made():
    rigid = SHAPE + 0.2 * np.random.default_rng(6).normal(size=(40, *SHAPE.shape))
    form = form_of(applied(2.5, 2.5, cases=2), fit_joint_shape(rigid))
    assert form.joint == 0 and form.claimed(0.9) == pytest.approx(2 / 3)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    data, others = folder / "data", folder / "others"
    data.mkdir()
    others.mkdir()
    write_pairs(data, make_eyes, 8)
    write_pairs(others, lambda seed: make_eyes(seed + 20), 3)
    said = []
    config = replace(TINY, validation_share=0.4)
    model = fit([data], folder / "run", config, say=said.append)
    return data, others, model, said


class TestInARun:
    def test_fit_calibrates_on_what_it_held_out_and_says_so(self, run):
        _, _, path, said = run
        model = read_model(path)
        assert len(model.belief.held_out.contents) == 3
        assert any("Calibrated on 3 held-out cases: up to 75 %" in line for line in said)
        assert model.description.training["calibration"]["cases"] == 3

    def test_without_held_out_cases_it_says_that_it_is_not_calibrated(self, run, tmp_path):
        said = []
        config = replace(TINY, validation_share=0)
        model = read_model(fit([run[0]], tmp_path / "run", config, say=said.append))
        assert model.belief is None
        assert any("Not calibrated" in line for line in said)

    def test_a_model_is_calibrated_on_further_cases_as_a_new_file(self, run, tmp_path, capsys):
        _, others, model, _ = run
        new = tmp_path / "new.safetensors"
        assert (
            main(["calibrate", "--model", str(model), "--data", str(others), "--output", str(new)])
            == 0
        )
        assert "Calibrated on 3 held-out cases" in capsys.readouterr().out
        assert len(read_model(new).belief.held_out.contents) == 3
        before, after = (read_model(path).description.training for path in (model, new))
        assert set(before["validation_images"]) < set(after["validation_images"])

    def test_cases_that_it_was_trained_on_are_refused(self, run, tmp_path, capsys):
        data, _, model, _ = run
        new = tmp_path / "new.safetensors"
        arguments = ["--model", str(model), "--data", str(data), "--output", str(new)]
        assert main(["calibrate", *arguments]) == 2
        assert "was trained on 5 of these 8 cases" in capsys.readouterr().err
        assert not new.exists()

    def test_where_a_model_does_not_say_what_it_was_trained_on_that_is_told(
        self, run, tmp_path, capsys
    ):
        data, others, model, _ = run
        known = read_model(model)
        training = {k: v for k, v in known.description.training.items() if k != "training_images"}
        old = tmp_path / "old.safetensors"
        description = replace(known.description, training=training)
        write_model(old, description, known.networks, known.prior, known.joint, known.belief)
        arguments = ["--data", str(others), "--output", str(tmp_path / "new.safetensors")]
        assert main(["calibrate", "--model", str(old), *arguments]) == 0
        assert "does not say which images it was trained on" in capsys.readouterr().out
        # In the folder of a run, its record knows the names of the cases.
        (tmp_path / "run.json").write_bytes((model.parent / "run.json").read_bytes())
        arguments = ["--data", str(data), "--output", str(tmp_path / "newer.safetensors")]
        beside = old.rename(tmp_path / model.name)
        assert main(["calibrate", "--model", str(beside), *arguments]) == 2
        assert "was trained on 5 of these 8 cases" in capsys.readouterr().err

    def test_a_model_of_before_learns_how_its_landmarks_lie_from_its_training_cases(
        self, run, tmp_path, capsys
    ):
        data, others, model, _ = run
        new = tmp_path / "new.safetensors"
        arguments = ["--model", str(model), "--data", str(others), "--output", str(new)]
        # Two eyes are too few landmarks for a shape.
        assert main(["calibrate", *arguments, "--shape", str(data)]) == 2
        assert "too few of the model's landmarks" in capsys.readouterr().err

    def test_nothing_is_overwritten(self, run, capsys):
        _, others, model, _ = run
        arguments = ["--model", str(model), "--data", str(others), "--output", str(model)]
        assert main(["calibrate", *arguments]) == 2
        assert "there already" in capsys.readouterr().err


def test_errors_of_the_command_are_told_in_words(tmp_path):
    from landmark_training.recalibrate import write_calibrated

    with pytest.raises(DatasetError, match="no folder"):
        write_calibrated(tmp_path / "m.safetensors", [tmp_path], tmp_path / "no" / "m.safetensors")


def test_images_of_another_unit_than_the_models_are_refused(run, tmp_path, capsys):
    _, _, model, _ = run
    pixels = tmp_path / "pixels"
    pixels.mkdir()
    write_pairs(pixels, in_px, 2)
    new = tmp_path / "new.safetensors"
    arguments = ["--model", str(model), "--data", str(pixels), "--output", str(new)]
    assert main(["calibrate", *arguments]) == 2
    assert "px" in capsys.readouterr().err and not new.exists()


def in_px(seed):
    image, annotation = make_eyes(seed + 30)
    return replace(image, unit=PX), replace(annotation, unit=PX)
