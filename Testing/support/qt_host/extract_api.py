"""Makes widget_api.json: of the names read from a running Slicer, those of the classes we use.

    python -m qt_host.extract_api FULL.json

FULL.json was written inside Slicer 5.12 by walking over the meta objects (properties, signals) and
`dir()` of its Qt, ctk and qMRML classes. Run it again when the panel uses another class.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from places import MODULE_FOLDER
from widget_use import API_FILE, classes_used

# What the tests of the check itself use.
ALWAYS = {"QPushButton", "QTimer", "ctkSliderWidget"}
ABOUT = (
    "Read from a running Slicer 5.12 (Qt 5.15, PythonQt): for each class that our .ui file and code"
    " use, its ancestors, properties (type), signals and the names that Python reaches beyond those"
    " of QWidget. Made by extract_api.py."
)


def main(full: Path) -> None:
    everything = json.loads(full.read_text(encoding="utf-8"))
    known = everything["classes"]
    # QObject is not in the list by itself: it is what a widget and the layout manager share.
    shared = set(known["QWidget"]["names"]) & set(everything["layoutManager"]["names"])
    known["QObject"] = {
        "inherits": [],
        "properties": {"objectName": "QString"},
        "signals": ["destroyed()", "destroyed(QObject*)", "objectNameChanged(QString)"],
        "names": sorted(shared),
    }
    code = [
        MODULE_FOLDER / "LandmarkHeatmap.py",
        *MODULE_FOLDER.glob("LandmarkHeatmapPanel/**/*.py"),
    ]
    ui = (MODULE_FOLDER / "Resources/UI/LandmarkHeatmap.ui").read_text(encoding="utf-8")
    used = classes_used([path.read_text(encoding="utf-8") for path in code], ui) | ALWAYS
    classes = {name: known[name] for name in sorted(used) if known.get(name)}
    text = json.dumps({"_about": ABOUT, "classes": classes}, indent=None, sort_keys=True)
    # A line for each class, so that a change can be read.
    API_FILE.write_text(text.replace('}, "', '},\n"') + "\n", encoding="utf-8")
    print("not in the list of Slicer's classes:", *sorted(used - set(classes)) or ["none"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
