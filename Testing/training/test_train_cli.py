"""landmark-train: what cannot be written or read is told in one line."""

import argparse
import copy
import errno

import pytest

pytest.importorskip("torch")

from landmark_heatmap import cli as detection_cli
from landmark_heatmap import files
from landmark_heatmap.annotation.annotation_files import read_annotation
from landmark_heatmap.annotation.landmarks import PointState
from landmark_training import cli

HIPS = ["synthetic-hips", "--cases", "1", "--size", "8", "--spacing", "30", "--output"]


def test_a_full_disk_is_told_in_one_line_with_the_file(tmp_path, capsys, monkeypatch):
    def fails(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "replace", fails)
    assert cli.main([*HIPS, str(tmp_path / "hips")]) == 2
    error = capsys.readouterr().err
    told = [line for line in error.splitlines() if "landmark-train:" in line]
    assert len(told) == 1 and "No space left" in told[0] and str(tmp_path / "hips") in told[0]
    assert "Traceback" not in error and ".new-" not in error


def test_stopping_before_there_is_anything_to_keep_has_the_code_of_ctrl_c(
    tmp_path, capsys, monkeypatch
):
    def stops(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "new_folder", stops)
    assert cli.main([*HIPS, str(tmp_path / "hips")]) == 130
    assert capsys.readouterr().err.startswith("landmark-train: Stopped.")


def parsers_of(parser):
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from parsers_of(each)


@pytest.mark.parametrize("program", [cli, detection_cli])
def test_what_takes_several_values_may_be_given_several_times(program):
    several = 0
    for parser in parsers_of(program._parser()):
        for action in parser._actions:
            if action.nargs != "+" or not action.option_strings:
                continue
            several += 1
            found = argparse.Namespace(**{action.dest: copy.copy(action.default)})
            action(parser, found, ["a", "b"])
            action(parser, found, ["c"])
            assert getattr(found, action.dest) == ["a", "b", "c"], action.option_strings
    assert several


def test_every_set_counts(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr("landmark_training.fit.fit", lambda *a, **k: seen.update(config=a[2]))
    twice = ["--set", "epochs=3", "--set", "batch_size=2", "noise=0"]
    cli.main(["fit", "--data", str(tmp_path), "--output", str(tmp_path / "run"), *twice])
    config = seen["config"]
    assert (config.epochs, config.batch_size, config.noise) == (3, 2, 0)


def test_a_list_of_names_that_is_no_text_is_named(tmp_path, capsys):
    (tmp_path / "names").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "table.csv").write_text("id,x1,y1\na,1,2\n")
    command = ["import", str(tmp_path / "table.csv"), "--images", str(tmp_path)]
    command += ["--output", str(tmp_path / "out"), "--unit", "px", "--origin", "top-left"]
    assert cli.main([*command, "--names", str(tmp_path / "names")]) == 2
    assert "names' is not a text file" in capsys.readouterr().err


@pytest.mark.parametrize("cases", ["0", "-3"])
def test_no_case_is_no_number_of_cases_to_make(tmp_path, capsys, cases):
    assert cli.main(["synthetic-hips", "--output", str(tmp_path / "hips"), "--cases", cases]) == 2
    assert f"--cases is {cases}" in capsys.readouterr().err
    assert not (tmp_path / "hips").exists()


def test_hips_are_whole_if_so_asked(tmp_path):
    folder = tmp_path / "hips"
    assert cli.main([*HIPS, str(folder), "--whole-pelvis", "--spacing", "40"]) == 0
    hip = read_annotation(folder / "hip-00000.mrk.json")
    assert {hip.state(name) for name in hip.names} == {PointState.PLACED}


def test_hips_that_cannot_be_whole_are_told_of(tmp_path, capsys):
    assert cli.main([*HIPS, str(tmp_path / "hips"), "--whole-pelvis"]) == 2
    assert "too small for a whole pelvis" in capsys.readouterr().err


@pytest.mark.parametrize("seed", ["-1", str(2**32), "9" * 25])
def test_a_seed_that_no_generator_takes_is_refused_before_anything_is_read(tmp_path, capsys, seed):
    command = ["fit", "--data", str(tmp_path), "--output", str(tmp_path / "run"), "--seed", seed]
    assert cli.main(command) == 2
    assert f"seed is {seed}; it has to be a whole number from 0" in capsys.readouterr().err
    assert cli.main([*HIPS, str(tmp_path / "hips"), "--first-seed", "-1"]) == 2
    assert "--first-seed is -1" in capsys.readouterr().err
