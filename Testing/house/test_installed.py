"""What the build copies is enough: the panel finds and starts what trains in an installed tree."""

import os
import shutil
import subprocess
import sys

import pytest
from test_walls import listed_files, training_files_listed

from places import MODULE_FOLDER, ROOT


@pytest.fixture
def installed(tmp_path):
    """Slicer's folder of scripted modules, with what the CMake files list and nothing else."""
    for folder, listed in (
        (MODULE_FOLDER, listed_files),
        (ROOT / "training", training_files_listed),
    ):
        for name in listed((folder / "CMakeLists.txt").read_text(encoding="utf-8")):
            target = tmp_path / "qt-scripted-modules" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / name, target)
    return tmp_path / "qt-scripted-modules"


def run(code, installed):
    """In a Python that knows nothing of this checkout but its packages from elsewhere."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        cwd=installed.parent,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout.strip()


def test_what_trains_is_found_beside_the_module_and_starts(installed):
    code = "from landmark_heatmap.runs.process import training_folder; print(training_folder())"
    assert run(code, installed) == str(installed)
    code = (
        "import sys, tempfile\n"
        "from landmark_heatmap.runs.process import start\n"
        "said = tempfile.TemporaryFile()\n"
        "code = start(['plan', '--help'], said, python=sys.executable).wait()\n"
        "said.seek(0)\n"
        "print(code, said.read().decode())"
    )
    told = run(code, installed)
    assert told.startswith("0 ") and "--minutes" in told


def test_no_folder_of_it_is_taken_for_a_module_of_slicers(installed):
    """Slicer takes every .py in the folder itself for one."""
    assert [path.name for path in installed.glob("*.py")] == ["LandmarkHeatmap.py"]
