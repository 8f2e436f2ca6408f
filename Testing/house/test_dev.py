"""What python3 dev.py runs finds what it needs, from a clone in which nothing else is set up."""

import importlib.util
import re
import subprocess
import sys

import pytest

from places import ROOT


@pytest.fixture(scope="module")
def dev():
    specification = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    loaded = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(loaded)
    return loaded


@pytest.mark.parametrize(
    "module",
    [
        *("landmark_heatmap", "landmark_training", "LandmarkHeatmapLib"),
        *("LandmarkHeatmapPanel", "LandmarkHeatmapTests", "headless", "qt_host"),
    ],
)
def test_a_job_finds_every_package_also_those_that_are_not_installed(dev, module, tmp_path):
    """The panel is in no wheel, and pytest's own path is not there when a script is run."""
    code = f"import importlib.util; assert importlib.util.find_spec({module!r}), {module!r}"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=dev.environment(), capture_output=True)
    assert done.returncode == 0, done.stderr


def test_jobs_and_pytest_look_into_the_same_folders(dev):
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^pythonpath = \[(.*)\]", project, re.MULTILINE)
    places = {str(ROOT / each) for each in re.findall(r'"([^"]+)"', listed)}
    assert set(dev.environment()["PYTHONPATH"].split(dev.os.pathsep)) == places


def test_every_job_is_told_of_in_its_help_and_only_those(dev):
    assert set(re.findall(r"^python3 dev.py (\w+)", dev.__doc__, re.MULTILINE)) == set(dev.JOBS)
