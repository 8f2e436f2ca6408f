"""Settings that cannot be used are refused before an image is read or anything is measured."""

import pytest

pytest.importorskip("torch")

from dots import write_cases, write_untrained
from landmark_training.cli import main


@pytest.fixture
def data(tmp_path):
    """Cases whose images cannot be read, so that whoever tries says so."""
    folder = write_cases(tmp_path / "data", 6)
    for path in folder.glob("*.nrrd"):
        path.write_bytes(b"no image")
    return folder


@pytest.fixture
def refused(data, tmp_path, capsys):
    """What a command says that cannot do what is asked; it leaves nothing behind."""

    def words_of(*words):
        before = sorted(tmp_path.rglob("*"))
        assert main([str(word) for word in words]) == 2
        assert sorted(tmp_path.rglob("*")) == before
        return capsys.readouterr().err

    return words_of


def groups_of(tmp_path):
    rows = [f"case-{number},{number}" for number in range(6)]
    (tmp_path / "groups.csv").write_text("\n".join(["case,group", *rows]))
    return tmp_path / "groups.csv"


@pytest.mark.parametrize("command", ["fit", "plan", "cross-validate"])
@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("held_out=typo-*", "held_out is 'typo-*'; none of the"),
        ("held_out=case-*", "held_out is 'case-*'; all of the"),
        ("device=cuda:99", "The device 'cuda:99' cannot be used"),
        ('midline=["Nose tip"]', "'Nose tip', which is none of the landmarks"),
        ('losses={"mean_square": 1}', "it has to give weights to any of"),
    ],
)
def test_of_a_training(refused, data, tmp_path, command, setting, told):
    words = [] if command == "plan" else ["--output", tmp_path / "out"]
    words += ["--groups", groups_of(tmp_path)] if command == "cross-validate" else []
    assert told in refused(command, "--data", data, *words, "--set", setting)


def test_a_fold_that_would_have_nothing_to_judge_by(refused, data, tmp_path):
    words = ["--data", data, "--output", tmp_path / "out", "--folds", 6]
    words += ["--groups", groups_of(tmp_path), "--set", "held_out=case-3"]
    said = refused("cross-validate", *words)
    assert "case-3 are left out" in said and "none of the 5 cases" in said


def test_more_folds_than_cases_and_a_folder_that_is_in_the_way(refused, data, tmp_path):
    words = ["cross-validate", "--data", data, "--output"]
    assert "7 folds of 6" in refused(*words, tmp_path / "out", "--folds", 7)
    assert "nothing in it is overwritten" in refused(*words, data)


def test_of_a_calibration(refused, data, tmp_path):
    model = write_untrained(tmp_path / "m.safetensors")
    words = [
        "calibrate",
        "--model",
        model,
        "--data",
        data,
        "--output",
        tmp_path / "new.safetensors",
    ]
    assert "'cuda:99' cannot be used" in refused(*words, "--device", "cuda:99")
    assert "There is no folder" in refused(*words, "--shape", tmp_path / "typo")


def test_of_a_search_for_mistakes_and_of_the_better_start(refused, data, tmp_path):
    assert "typo.safetensors" in refused("check", data, "--model", tmp_path / "typo.safetensors")
    for command in ("check", "starts"):
        assert "no folder" in refused(command, data, "--json", tmp_path / "typo" / "found.json")


def test_the_second_model_of_a_comparison(refused, data, tmp_path):
    first = write_untrained(tmp_path / "m.safetensors")
    words = ["--data", data, "--output", tmp_path / "out", "--model", first]
    assert "typo" in refused("evaluate", *words, "--against", tmp_path / "typo.safetensors")
