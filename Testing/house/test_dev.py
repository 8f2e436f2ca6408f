"""What python3 dev.py runs finds what it needs, from a clone in which nothing else is set up."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from places import ROOT
from workbench import installing, jobs

PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
TOO_OLD = [
    path for path in sorted(PYENV.glob("*/bin/python")) if re.search("/(2|3[.][5-9])[.]", str(path))
]
CONF = (ROOT / "docs" / "conf.py").read_text(encoding="utf-8")


@pytest.fixture
def dev():
    specification = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    loaded = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def new_venv(tmp_path, monkeypatch):
    """A set-up that installs nothing and notes what it would: a list of pip's arguments."""
    monkeypatch.setattr(installing, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(installing, "STAMP", tmp_path / ".venv" / "installed-for")
    monkeypatch.setattr(installing, "need_graphics_libraries", lambda: None)
    monkeypatch.setattr(installing, "torch_index", list)
    monkeypatch.setattr(installing, "WITHOUT_TORCH", False)
    monkeypatch.setattr(installing.venv, "create", lambda path, **_: path.mkdir(exist_ok=True))
    told = []
    monkeypatch.setattr(installing, "pip", lambda *arguments: told.append(arguments))
    return told


@pytest.mark.parametrize(
    "module",
    [
        *("landmark_heatmap", "landmark_training", "LandmarkHeatmapLib"),
        *("LandmarkHeatmapPanel", "LandmarkHeatmapTests", "headless", "qt_host"),
    ],
)
def test_a_job_finds_every_package_also_those_that_are_not_installed(module, tmp_path):
    """The panel is in no wheel, and pytest's own path is not there when a script is run."""
    code = f"import importlib.util; assert importlib.util.find_spec({module!r}), {module!r}"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=jobs.environment(), capture_output=True)
    assert done.returncode == 0, done.stderr


def test_jobs_and_pytest_look_into_the_same_folders():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^pythonpath = \[(.*)\]", project, re.MULTILINE)
    places = {str(ROOT / each) for each in re.findall(r'"([^"]+)"', listed)}
    assert set(jobs.environment()["PYTHONPATH"].split(os.pathsep)) == places


def test_every_job_is_told_of_in_its_help_and_only_those(dev):
    assert set(re.findall(r"^python3 dev.py (\w+)", dev.__doc__, re.MULTILINE)) == set(jobs.JOBS)


def test_a_job_that_there_is_none_of_is_named_and_nothing_is_set_up(new_venv, capsys):
    assert jobs.main(["tset"], "python3 dev.py test", jobs.JOBS) == 2
    assert "There is no job 'tset'" in capsys.readouterr().err
    assert jobs.main(["--help"], "python3 dev.py test", jobs.JOBS) == 0
    assert new_venv == []


@pytest.mark.parametrize("python", TOO_OLD, ids=[path.parts[-3] for path in TOO_OLD])
def test_a_python_that_is_too_old_is_told_so(python):
    done = subprocess.run([python, ROOT / "dev.py", "setup"], capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(r"This is Python \d\.\d+; dev.py needs 3.10 or newer.*\n", done.stderr)


def test_what_is_downloaded_is_told_before_anything_is(new_venv, capsys):
    installing.set_up()
    said = capsys.readouterr().out
    assert new_venv[0][1] == installing.TORCH
    assert re.search(r"in all, in that folder and nowhere else +3.0 GB +6.4 GB", said) or (
        not sys.platform.startswith("linux")
    )
    assert installing.STAMP.read_text() == installing.wanted_stamp()


def test_what_is_set_up_is_not_set_up_again(new_venv):
    installing.set_up()
    before = len(new_venv)
    installing.set_up()
    assert len(new_venv) == before > 0


def test_ctrl_c_ends_the_set_up_with_a_sentence_and_the_next_one_begins_anew(
    new_venv, monkeypatch, capsys
):
    def stopped(*_):
        raise KeyboardInterrupt

    installing.set_up()
    installing.STAMP.write_text("of an older version")
    monkeypatch.setattr(installing, "pip", stopped)
    assert jobs.main(["setup"], "", jobs.JOBS) == 130
    assert "begins it anew" in capsys.readouterr().out
    # What was there of a set-up before is no excuse to go on with half of it.
    assert not installing.STAMP.exists()


def test_ctrl_c_ends_a_job_with_a_sentence(new_venv, capsys):
    def stopped(_):
        raise KeyboardInterrupt

    assert jobs.main(["demo"], "", {"demo": stopped}) == 130
    assert "Stopped: demo." in capsys.readouterr().out


def test_a_pip_that_fails_ends_the_set_up_with_a_sentence(new_venv, monkeypatch, capsys):
    def failing(*_):
        raise subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(installing, "pip", failing)
    assert jobs.main(["setup"], "", jobs.JOBS) == 1
    assert "why stands above" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("gpu", "reached", "asks_there", "sentence"),
    [
        (True, True, False, "torch comes with CUDA"),
        (False, True, True, "for the processor alone"),
        (False, False, False, "cannot be reached"),
    ],
)
def test_without_a_gpu_torch_comes_for_the_processor(
    monkeypatch, capsys, gpu, reached, asks_there, sentence
):
    monkeypatch.setattr(installing.sys, "platform", "linux")
    monkeypatch.setattr(installing, "has_nvidia_gpu", lambda: gpu)
    monkeypatch.setattr(installing, "is_reached", lambda address: reached)
    assert (installing.PROCESSOR_BUILDS in installing.torch_index()) == asks_there
    assert sentence in capsys.readouterr().out


def test_an_address_that_nobody_has_is_not_reached():
    assert not installing.is_reached("http://127.0.0.1:9/", seconds=2)


def build_with(tmp_path, readme: str):
    """What the build of documents says of a front page and one other."""
    pytest.importorskip("sphinx")
    pytest.importorskip("myst_parser")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "conf.py").write_text(CONF, encoding="utf-8")
    (tmp_path / "docs" / "README.md").write_text("# All\n\n## One\n\n- [b](../b.md)\n")
    (tmp_path / "b.md").write_text("# B\n\n## Further\n")
    (tmp_path / "README.md").write_text(f"# A\n\n[b](b.md#further), {readme}\n")
    command = [sys.executable, "-m", *jobs.BUILD]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)


def test_documents_that_are_right_are_built(tmp_path):
    done = build_with(tmp_path, "and more")
    assert (done.returncode, done.stderr) == (0, "")
    html = (tmp_path / "build" / "docs" / "index.html").read_text(encoding="utf-8")
    assert 'href="b.html#further"' in html and ">One<" in html


@pytest.mark.parametrize("wrong", ["[x](gone.md)", "[x](b.md#gone)", "![x](gone.png)"])
def test_a_document_that_leads_nowhere_breaks_the_build(tmp_path, wrong):
    done = build_with(tmp_path, wrong)
    assert done.returncode != 0 and "gone" in done.stderr
