"""What every user of Slicer pays for the module at its start: as little as there is."""

import json
import subprocess
import sys

import pytest

from places import MODULE_FOLDER, ROOT

# What importing the module file brings in of ours; the panel comes when it is opened.
OURS = {
    "LandmarkHeatmap",
    *(
        f"LandmarkHeatmapPanel{each}"
        for each in ("", ".logic", ".library", ".models", ".sample_data")
    ),
    *(f"LandmarkHeatmapPanel{each}" for each in (".state", ".widgets", ".detecting")),
    "LandmarkHeatmapPanel.detecting.packages",
}
_FLOORS = ("LandmarkHeatmap", "landmark_heatmap")
COSTLY = {"SimpleITK", "torch", "matplotlib", "scipy", "safetensors", "PIL", "pandas"}


@pytest.fixture(scope="module")
def brought_in():
    """The names of all modules that importing the module file brings in, in a fresh interpreter."""
    code = (
        "import json, sys\n"
        "from qt_host.application import the_host\n"
        "host, before = the_host(), set(sys.modules)\n"
        "host.load()\n"
        "print('\\n' + json.dumps(sorted(set(sys.modules) - before)))"
    )
    path = [str(ROOT / "Testing" / "support"), str(MODULE_FOLDER)]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.strip().splitlines()[-1]))


def test_nothing_costly_is_imported_with_the_module_file(brought_in):
    assert {name.partition(".")[0] for name in brought_in} & COSTLY == set()


def test_no_package_but_ours_and_pythons_own_comes_with_the_module_file(brought_in):
    others = {name.partition(".")[0] for name in brought_in} - set(sys.stdlib_module_names)
    assert {name for name in others if not name.startswith(_FLOORS)} == set()


def test_the_panel_itself_comes_when_it_is_opened(brought_in):
    panel = {name for name in brought_in if name.startswith("LandmarkHeatmapPanel")}
    assert panel <= OURS
    assert {name for name in brought_in if name.startswith("LandmarkHeatmapLib.review")} == set()
    assert "landmark_heatmap.images.imageio" not in brought_in or "SimpleITK" not in brought_in
