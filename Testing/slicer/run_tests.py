"""Run the module's own tests inside Slicer and end it with their outcome.

    Slicer --no-splash --testing --python-script Testing/slicer/run_tests.py

ends with 0 if every test passed, with 1 otherwise; no test at all counts as a failure. A script that
raises would leave Slicer running, so everything is caught.
"""

import sys
import traceback
import unittest
from pathlib import Path

import qt
import slicer

MODULE_FILE = Path(__file__).resolve().parents[2] / "LandmarkHeatmap" / "LandmarkHeatmap.py"


def load_module():
    """The module's Python module; Slicer is told of it unless it knows it by its module paths."""
    # First on the path: below the repository's root, the same name is a folder.
    sys.path.insert(0, str(MODULE_FILE.parent))
    if not hasattr(slicer.modules, "landmarkheatmap"):
        factory = slicer.app.moduleManager().factoryManager()
        factory.registerModule(qt.QFileInfo(str(MODULE_FILE)))
        factory.loadModules(["LandmarkHeatmap"])
    if not hasattr(slicer.modules, "landmarkheatmap"):
        raise RuntimeError(f"Slicer could not load '{MODULE_FILE}'; see the errors above.")
    import LandmarkHeatmap

    return LandmarkHeatmap


def run_tests() -> bool:
    """Whether there were tests and all of them passed."""
    test_case = load_module().LandmarkHeatmapTest
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(test_case)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    ran = result.testsRun - len(result.skipped)
    bad = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    print(f"{ran} tests ran, {len(result.skipped)} were skipped, {bad} failed.", flush=True)
    for test, reason in result.skipped:
        print(f"  skipped: {test.id()}: {reason}", flush=True)
    return ran > 0 and bad == 0


try:
    passed = run_tests()
except BaseException:
    traceback.print_exc()
    passed = False
slicer.util.exit(slicer.util.EXIT_SUCCESS if passed else slicer.util.EXIT_FAILURE)
