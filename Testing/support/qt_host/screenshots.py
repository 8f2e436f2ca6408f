"""Pictures of the panel in its main states, beside the views, made by the host.

    python3 dev.py screenshots [--output DIR]

Nothing is drawn for the picture: the shipped model detects in a synthetic hip that it was not
trained on, and the reviewer's moves are made with the mouse and the keyboard. The windows are Qt's
own plain style, not Slicer's.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from headless.scene import slicer
from headless.views import add_surface
from landmark_heatmap.synthetic_hip import make_synthetic_hip
from LandmarkHeatmapLib.result import DetectionResult
from LandmarkHeatmapLib.volumes import add_volume

from .application import ROOT, the_host

SEED = 90_000
BONE_HU = 250
RAS = np.array([-1, -1, 1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "Resources" / "Screenshots")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    Session(options.output).run()
    return 0


class Session:
    """A clinician's visit, photographed."""

    def __init__(self, output: Path):
        self.output = output
        self.host = the_host()
        self.host.window.resize(1440, 900)
        self.host.show_3d()
        self.panel = self.host.open()
        self.ui = self.panel.ui

    def run(self) -> None:
        hip = make_synthetic_hip(SEED, whole_pelvis=True)
        volume = add_volume(slicer.mrmlScene, hip.image, "CT of the hip")
        volume.GetDisplayNode().SetWindowLevelMinMax(-200, 1200)
        self.ui.inputVolumeSelector.setCurrentNode(volume)
        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        add_surface(slicer.mrmlScene, volume, BONE_HU, opacity=1.0)
        self.look_from_front()
        self.shoot("before")

        self.shoot_while_detecting()
        self.ui.detectButton.click()
        self.host.wait_until(lambda: DetectionResult.all(slicer.mrmlScene), seconds=120)
        self.host.process(300)
        self.shoot("review")

        with tempfile.TemporaryDirectory() as folder:
            self.ui.datasetPathLineEdit.currentPath = str(Path(folder) / "dataset")
            self.ui.annotatorLineEdit.text = "AB"
            self.ui.exportButton.click()
            self.host.process(300)
            self.shoot("export")

    def look_from_front(self) -> None:
        self.host.process(100)
        slicer.app.layoutManager().threeDWidget(0).resetFocalPoint()

    def shoot_while_detecting(self) -> None:
        """One picture when the bar passes a third, whoever runs the event loop then."""
        taken = []

        def look(value):
            if value >= 33 and not taken:
                taken.append(self.shoot("detecting", settle_ms=0))

        self.ui.progressBar.valueChanged.connect(look)

    def shoot(self, name: str, settle_ms: int = 400) -> Path:
        if settle_ms:
            self.host.process(settle_ms)
        path = self.output / f"panel-{name}.png"
        if not self.host.window.grab().save(str(path)):
            raise OSError(f"cannot write {path}")
        print(path)
        return path


if __name__ == "__main__":
    sys.exit(main())
