"""Folds by patient, models that never saw what judges them, and many models as one."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from dots import NAMES, write_cases, write_untrained
from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.judging.evaluation import evaluate
from landmark_heatmap.model.model_file import read_model
from landmark_training import crossval
from landmark_training.cli import main
from landmark_training.crossval import cross_validate, resume_cross_validation
from landmark_training.data.cases import image_id
from landmark_training.ensemble import write_ensemble
from landmark_training.fit import fit
from landmark_training.folds import divide, read_groups
from landmark_training.planning.config import TrainConfig

QUICK = TrainConfig(
    spacing_mm=(4.0,), features=(4, 8), joint_features=4, fine=False, epochs=2, steps_per_epoch=2,
    batch_size=2, precision="float32", validation_share=0.25,
    device="cpu",  # a GPU does not add in one order
)  # fmt: skip
GROUPS = "case,group\n" + "".join(f"case-{i},patient-{i // 2}\n" for i in range(10))


def quiet(line):
    pass


@pytest.fixture
def cases(tmp_path):
    return write_cases(tmp_path / "cases", 10)


@pytest.fixture
def groups(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text(GROUPS)
    return path


def test_folds_hold_every_case_once_keep_patients_together_and_are_even():
    groups = {f"case-{i}": f"patient-{i // 3}" for i in range(20)}
    folds = divide(groups, 3, seed=1)
    assert sorted(name for fold in folds for name in fold) == sorted(groups)
    patients = [{groups[name] for name in fold} for fold in folds]
    assert not patients[0] & patients[1] and not patients[0] & patients[2]
    assert max(map(len, folds)) - min(map(len, folds)) <= 3
    assert folds == divide(dict(reversed(groups.items())), 3, seed=1)
    assert folds != divide(groups, 3, seed=2)


@pytest.mark.parametrize("folds", [-1, 0, 1, 4])
def test_folds_that_are_not_possible_are_refused(folds):
    with pytest.raises(DatasetError, match="from 2 to 3"):
        divide({"a": "p", "b": "q", "c": "r", "d": "r"}, folds, 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,p\nb,q\n", "case,group"),
        ("", "is empty"),
        ("case,group\na,p\n", "no group for b"),
        ("case,group\na,p\nb,q\nc,q\n", "not there: c"),
        ("case,group\na,p\nb,q\na,q\n", "twice"),
        ("case,group\na,p\nb,\n", "line 3"),
        ("case,group\na,p\nB,q\n", "no group for b; it names cases that are not there: B"),
    ],
)
def test_groups_that_do_not_fit_the_cases_are_refused(tmp_path, text, words):
    path = tmp_path / "groups.csv"
    path.write_text(text)
    with pytest.raises(DatasetError, match=words):
        read_groups(path, ["a", "b"])


def test_groups_are_read_as_a_spreadsheet_of_any_country_writes_them(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_bytes(b"\xef\xbb\xbfCase;Group\r\na;p\r\nb;q\r\n")
    assert read_groups(path, ["a", "b"]) == {"a": "p", "b": "q"}


def test_no_model_has_any_part_in_what_judges_it(cases, groups, tmp_path):
    out = tmp_path / "out"
    evaluation = cross_validate([cases], out, 2, QUICK, groups, ensemble=True, say=quiet)
    assert len(evaluation.cases) == 10
    assert "bootstrap over 5 groups of cases" in str(evaluation)
    every = {path.stem: image_id(path) for path in cases.glob("*.nrrd")}
    folds = json.loads((out / "cross-validation.json").read_text(encoding="utf-8"))["folds"]
    for number, names in enumerate(folds, 1):
        training = read_model(out / f"fold-{number}" / "model.safetensors").description.training
        known = {*training["training_images"], *training["validation_images"]}
        assert known == {every[name] for name in every if name not in names}
        assert len({name.split("-")[1] for name in names}) == len(names)
        assert {int(n.split("-")[1]) // 2 for n in names}.isdisjoint(
            int(n.split("-")[1]) // 2 for n in every if n not in names
        )
    assert sorted(p.name for p in (out / "held-out").iterdir()) == [
        f"case-{i}.mrk.json" for i in range(10)
    ]
    ensemble = read_model(out / "ensemble.safetensors").description
    assert ensemble.members == 2
    assert {*ensemble.training["training_images"], *ensemble.training["validation_images"]} == {
        *every.values()
    }
    assert "cross_validated_mre_mm_of_single_members" in ensemble.metrics


def test_a_folder_that_is_not_empty_is_refused_before_anything_is_read(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(DatasetError, match="not an empty folder"):
        cross_validate([tmp_path / "not-there"], tmp_path / "out", 2, QUICK, say=quiet)


def test_an_interrupted_cross_validation_comes_to_the_same(cases, tmp_path, monkeypatch):
    whole = cross_validate([cases], tmp_path / "whole", 2, QUICK, say=quiet)
    genuine, done = crossval.fit, []

    def interrupted(*arguments, **options):
        if done:
            raise KeyboardInterrupt
        done.append(genuine(*arguments, **options))
        return done[0]

    monkeypatch.setattr(crossval, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cross_validate([cases], tmp_path / "part", 2, QUICK, say=quiet)
    monkeypatch.setattr(crossval, "fit", genuine)
    resumed = resume_cross_validation(tmp_path / "part", say=quiet)
    assert [c.errors_mm for c in resumed.cases] == [c.errors_mm for c in whole.cases]


def test_the_intervals_are_those_of_patients():
    """Ten equal images of each of two patients say no more than one of each."""
    placed = Annotation({"A": Point(PointState.PLACED, (0.0, 0, 0))})
    off = [Annotation({"A": Point(PointState.PREDICTED, (x, 0, 0))}) for x in (1.0, 3.0)]
    cases = [(f"{p}-{i}", off[p], placed) for p in (0, 1) for i in range(10)]
    patients = {name: name[0] for name, _, _ in cases}
    by_case = evaluate(cases).overall.mean_mm
    by_patient = evaluate(cases, groups=patients).overall.mean_mm
    assert by_case.value == by_patient.value == 2.0
    assert by_patient.interval == (1.0, 3.0)
    assert by_case.interval[0] > 1.3


def perturbed(path, source, seed):
    """A model as that of `source`, with other weights."""
    from landmark_heatmap.model.model_file import write_model

    model = read_model(source)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.networks[0].parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    write_model(path, model.description, model.networks, model.prior)
    return path


def test_an_ensemble_of_one_model_twice_predicts_as_that_model(cases, tmp_path):
    model = write_untrained(tmp_path / "a.safetensors", training_images=["1"])
    image = read_image(cases / "case-0.nrrd")
    ensemble = write_ensemble([model, model], tmp_path / "e.safetensors", "Two")
    alone, together = (Predictor(path, "cpu").predict(image) for path in (model, ensemble))
    for a, b in zip(alone.points, together.points):
        np.testing.assert_allclose(a.position_lps, b.position_lps, atol=1e-3)
        assert a.presence == pytest.approx(b.presence, abs=1e-5)
    assert together.model.name == "Two"


def test_an_ensemble_is_the_mean_of_the_distributions_and_of_the_presences(cases, tmp_path):
    first = write_untrained(tmp_path / "a.safetensors")
    second = perturbed(tmp_path / "b.safetensors", first, 1)
    ensemble = write_ensemble([first, second], tmp_path / "e.safetensors")
    image = read_image(cases / "case-0.nrrd")
    a, b, both = (Predictor(p, "cpu").seen(image)[0] for p in (first, second, ensemble))
    for one, two, mean in zip(a, b, both):
        assert mean.presence == pytest.approx((one.presence + two.presence) / 2, abs=1e-5)
        assert mean.heatmap.array.max() <= max(one.heatmap.array.max(), two.heatmap.array.max())


def test_models_of_different_kinds_are_no_ensemble(tmp_path):
    model = write_untrained(tmp_path / "a.safetensors")
    other = write_untrained(tmp_path / "b.safetensors", names=("Eye_L", "Nose"), pairs=())
    deep = write_untrained(tmp_path / "c.safetensors", dimension=3)
    ensemble = write_ensemble([model, model], tmp_path / "e.safetensors")
    for paths, words in (
        ([model], "two models"),
        ([model, other], "other landmarks"),
        ([model, deep], "other stages"),
        ([model, ensemble], "ensemble already"),
    ):
        with pytest.raises(DatasetError, match=words):
            write_ensemble(paths, tmp_path / "new.safetensors")
    with pytest.raises(DatasetError, match="there already"):
        write_ensemble([model, model], model)
    assert not (tmp_path / "new.safetensors").exists()


def test_an_ensemble_cannot_be_trained_on(cases, tmp_path):
    model = write_untrained(tmp_path / "a.safetensors")
    ensemble = write_ensemble([model, model], tmp_path / "e.safetensors")
    with pytest.raises(DatasetError, match="ensemble of 2"):
        fit([cases], tmp_path / "run", QUICK, ensemble, say=quiet)
    assert not (tmp_path / "run").exists()


def test_going_on_from_a_model_ends_with_whether_it_was_worth_it(cases, tmp_path):
    model = fit([cases], tmp_path / "first", QUICK, say=quiet)
    said = []
    fit([cases], tmp_path / "second", QUICK, model, say=said.append)
    assert any("the new model" in line.lower() and "the one before" in line for line in said)
    comparison = json.loads((tmp_path / "second" / "comparison.json").read_text(encoding="utf-8"))
    assert len(comparison["cases"]) <= 3
    none = replace(QUICK, validation_share=0.0)
    fit([cases], tmp_path / "third", none, model, say=said.append)
    assert "cannot be told" in said[-1]


def test_the_commands_do_it(cases, groups, tmp_path, capsys):
    out = str(tmp_path / "out")
    settings = ["spacing_mm=[4]", "features=[4,8]", "fine=false", "steps_per_epoch=1"]
    command = ["cross-validate", "--data", str(cases), "--output", out, "--folds", "2"]
    assert main([*command, "--groups", str(groups), "--epochs", "1", "--set", *settings]) == 0
    assert "Cases: 10" in capsys.readouterr().out
    models = [f"{out}/fold-{i}/model.safetensors" for i in (1, 2)]
    assert main(["ensemble", *models, "--output", f"{out}/both.safetensors"]) == 0
    assert read_model(f"{out}/both.safetensors").description.members == 2
    assert main([*command, "--epochs", "1"]) == 2
    assert "not an empty folder" in capsys.readouterr().err
    assert main(["cross-validate", "--resume", out]) == 0
    assert main(["cross-validate", "--resume", str(cases)]) == 2
    assert NAMES[0] in capsys.readouterr().out
