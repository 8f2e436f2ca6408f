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
from landmark_heatmap.synthetic.hip import make_synthetic_hip
from LandmarkHeatmapLib.volumes import add_volume

from .application import ROOT, the_host
from .pythonqt import QtCore

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
        self.host.window.resize(1600, 1000)
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
        self.shoot("before", self.ui.inputsCollapsibleButton)

        self.shoot_while_detecting()
        self.host.click(self.ui.detectButton)
        self.host.wait_until(lambda: self.panel.logic.results(volume), seconds=120)
        self.host.wait_until(lambda: not self.ui.progressBar.isVisible())

        result = self.panel.logic.results(volume)[0]
        self.review(result, hip.annotation)
        self.shoot("review", self.ui.reviewCollapsibleButton)

        with tempfile.TemporaryDirectory(prefix="landmarks-") as folder:
            self.ui.datasetPathLineEdit.currentPath = str(Path(folder) / "hips")
            self.ui.annotatorLineEdit.text = "AB"
            self.host.scroll_to(self.ui.exportCollapsibleButton)
            self.host.click(self.ui.exportButton)
            self.shoot("export", self.ui.exportCollapsibleButton)
        self.host.close_modules()  # which ends the worker

    def review(self, result, truth) -> None:
        """Confirm the first five with the key for it; drag the next to where it belongs."""
        for _ in range(5):
            self.host.press(QtCore.Qt.Key_C)
        name = self.panel.review.session.current
        view = slicer.app.layoutManager().sliceWidget("Red")
        self.host.process(200)
        place = result.annotation().position_lps(name) * RAS
        true = truth.position_lps(name) * RAS
        self.host.drag(view, view.position_of(place), view.position_of(true))

    def look_from_front(self) -> None:
        self.host.process(100)
        slicer.app.layoutManager().threeDWidget(0).resetFocalPoint()

    def shoot_while_detecting(self) -> None:
        """One picture when the bar passes a third, whoever runs the event loop then."""
        taken = []

        def look(value):
            if value >= 33 and not taken:
                taken.append(True)
                self.shoot("detecting", settle_ms=0)

        self.ui.progressBar.connect("valueChanged(int)", look)

    def shoot(self, name: str, section=None, settle_ms: int = 400) -> None:
        if section is not None:
            self.host.scroll_to(section)
        if settle_ms:
            self.host.process(settle_ms)
        path = self.output / f"panel-{name}.png"
        if not self.host.window.grab().save(str(path)):
            raise OSError(f"cannot write {path}")
        print(path)


if __name__ == "__main__":
    sys.exit(main())
