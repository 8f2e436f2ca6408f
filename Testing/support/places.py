"""Where things lie, said once for all tests."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULE_FOLDER = ROOT / "LandmarkHeatmap"
MODULE_FILE = MODULE_FOLDER / "LandmarkHeatmap.py"
MODELS = MODULE_FOLDER / "Resources" / "Models"
SUPPORT = ROOT / "Testing" / "support"
# Where a process of ours finds the packages.
PACKAGES = [MODULE_FOLDER, ROOT / "training"]
# Real data, which is not in the repository: tests that need it skip without it.
DATA = Path(os.environ.get("LANDMARK_HEATMAP_DATA", ROOT.parent / "shared" / "data"))
