"""Pictures of the panel in its main states, beside the views, made by the host.

    python3 dev.py screenshots [--output DIR] [--all]

Nothing is drawn for the picture: the shipped model detects in a synthetic hip that it was not
trained on, and the reviewer's moves are made with the mouse and the keyboard. What README shows is
made at 1366 x 768; with --all, every state at 1366 x 768 and at 1920 x 1080, light and dark. The
windows are Qt's own plain style, not Slicer's; what Slicer puts around a module's panel, its Data
Probe included, is an empty frame of the same size.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from turned_hips import turned_hip

from headless.scene import slicer
from headless.views import add_surface
from landmark_heatmap.synthetic.hip import make_synthetic_hip
from landmark_training.cli import main as train_main
from LandmarkHeatmapLib.volumes import add_volume

from .application import ROOT, the_host
from .pythonqt import QtCore, QtGui

SEED = 90_000
SEED_ON_ITS_SIDE, DRAGGED = 5, "Greater_Trochanter_L"
BONE_HU = 250
RAS = np.array([-1, -1, 1])
SIZES = ((1366, 768), (1920, 1080))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "Resources" / "Screenshots")
    parser.add_argument("--all", action="store_true", help="every state, size and style")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    session = Session(options.output)
    if options.all:
        for size in SIZES:
            for is_dark in (False, True):
                session.run(size, is_dark, f"-{size[0]}-{'dark' if is_dark else 'light'}")
    else:
        session.run(SIZES[0], False)
    session.host.close_modules()  # which ends the worker
    return 0


class Session:
    """A clinician's visits, photographed."""

    def __init__(self, output: Path):
        self.output = output
        self.host = the_host()
        self.host.show_3d()

    def run(self, size, is_dark: bool, suffix: str = "") -> None:
        self.suffix = suffix
        self.host.app.setPalette(dark() if is_dark else QtGui.QPalette())
        self.open(size)
        self.shoot("first", self.ui.imageTab)
        hip = make_synthetic_hip(SEED, whole_pelvis=True)
        volume = self.load(hip.image, "CT of the hip")
        self.shoot("before", self.ui.imageTab)

        self.shoot_while_detecting()
        self.review(self.detect(volume), hip.annotation)
        self.shoot("review", self.ui.reviewTab)
        self.host.press(QtCore.Qt.Key_E)
        self.shoot("close-up", self.ui.reviewTab)
        self.host.press(QtCore.Qt.Key_E)
        self.shoot("display", self.ui.displayTab)
        with tempfile.TemporaryDirectory(prefix="landmarks-") as folder:
            self.ui.datasetPathLineEdit.currentPath = str(Path(folder) / "hips")
            self.ui.annotatorLineEdit.text = "AB"
            self.host.click(self.ui.exportButton)
            self.shoot("export", self.ui.exportTab)
        self.compare(hip.annotation)
        self.shoot("compare", self.ui.measureTab)
        self.measure(hip.annotation.names)
        self.shoot("measure", self.ui.measureTab)
        self.shoot_while_training()
        self.come_back_after_a_crash(hip.image)
        self.shoot("restore", self.ui.imageTab)
        self.shoot_what_follows(size)

    def open(self, size) -> None:
        """The panel in an empty scene."""
        self.host.start_afresh()
        self.host.window.resize_as_slicer(*size)
        self.panel = self.host.open()
        self.ui = self.panel.ui

    def load(self, image, name: str):
        """The chosen volume, with its bones in 3D."""
        volume = add_volume(slicer.mrmlScene, image, name)
        volume.GetDisplayNode().SetWindowLevelMinMax(-200, 1200)
        self.ui.inputVolumeSelector.setCurrentNode(volume)
        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        add_surface(slicer.mrmlScene, volume, BONE_HU, opacity=1.0)
        self.look_from_front()
        return volume

    def detect(self, volume):
        """Its result."""
        self.host.click(self.ui.detectButton)
        self.host.wait_until(lambda: self.panel.logic.results(volume), seconds=120)
        self.host.wait_until(lambda: not self.panel.detection.queue.is_busy)
        return self.panel.logic.results(volume)[0]

    def shoot_what_follows(self, size) -> None:
        """A pelvis that lies on its side: one landmark is put right, and five others would follow."""
        self.open(size)
        image, truth = turned_hip(SEED_ON_ITS_SIDE, 75)
        self.detect(self.load(image, "CT, lying on the side"))
        self.panel.review.session.select(DRAGGED)
        self.ui.deskTabs.setCurrentWidget(self.ui.reviewTab)
        self.host.process(200)
        place = truth[DRAGGED] * RAS
        for name in ("Red", "Green", "Yellow"):
            view = slicer.app.layoutManager().sliceWidget(name)
            view.mrmlSliceNode().JumpSlice(*place)
        self.host.process(200)
        view = slicer.app.layoutManager().sliceWidget("Red")
        self.host.press(QtCore.Qt.Key_D, view)
        self.host.click_at(view, view.position_of(place))
        self.host.wait_until(lambda: self.ui.proposalWidget.visible, seconds=60)
        self.shoot("follow", self.ui.reviewTab)

    def review(self, result, truth) -> None:
        """Confirm five with the key for it; drag the next to where it belongs."""
        for _ in range(5):
            self.host.press(QtCore.Qt.Key_C)
        name = self.panel.review.session.current
        view = slicer.app.layoutManager().sliceWidget("Red")
        self.host.process(200)
        place = result.annotation().position_lps(name) * RAS
        true = truth.position_lps(name) * RAS
        self.host.drag(view, view.position_of(place), view.position_of(true))

    def compare(self, truth) -> None:
        reference = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Truth")
        reference.CreateDefaultDisplayNodes()
        reference.GetDisplayNode().SetVisibility(False)
        for name in truth.names:
            reference.AddControlPointWorld(truth.position_lps(name) * RAS, name)
        self.ui.referenceSelector.setCurrentNode(reference)
        self.host.process()
        self.ui.compareCollapsibleButton.collapsed = False
        self.host.process()
        self.host.click(self.ui.compareButton)

    def measure(self, names) -> None:
        self.ui.compareCollapsibleButton.collapsed = True
        for box, name in zip((self.ui.measureFirstComboBox, self.ui.measureSecondComboBox), names):
            box.setCurrentText(name)
        self.ui.measureThirdComboBox.setCurrentText(names[2])
        self.host.click(self.ui.addDistanceButton)
        self.host.click(self.ui.addAngleButton)

    def shoot_while_training(self) -> None:
        """A true training of a minute on small hips, after its first validation; then it is ended."""
        with tempfile.TemporaryDirectory(prefix="landmarks-") as folder:
            hips = Path(folder) / "hips"
            size = ("--size", "32", "--spacing", "8")
            train_main(["synthetic-hips", "--output", str(hips), "--cases", "12", *size])
            self.ui.trainDatasetPathLineEdit.currentPath = str(hips)
            self.ui.trainFromComboBox.setCurrentIndex(0)
            self.ui.trainMinutesSpinBox.value = 3
            self.ui.trainDeviceComboBox.setCurrentIndex(1)
            self.host.click(self.ui.trainButton)
            shown = self.ui.trainStateLabel
            self.host.wait_until(lambda: "poch 3" in shown.toolTip, seconds=170)
            self.shoot("train", self.ui.trainTab)
            bar = self.ui.trainScrollArea.verticalScrollBar()
            bar.setValue(bar.maximum)
            self.shoot("train-pictures", self.ui.trainTab)
            self.host.click(self.ui.trainCancelButton)
            self.host.wait_until(lambda: self.ui.trainResumeButton.enabled, seconds=60)

    def come_back_after_a_crash(self, image) -> None:
        """What was done since the export is lost with the scene."""
        self.ui.deskTabs.setCurrentWidget(self.ui.reviewTab)
        self.host.press(QtCore.Qt.Key_C)
        slicer.mrmlScene.Clear(False)
        volume = add_volume(slicer.mrmlScene, image, "CT of the hip")
        volume.GetDisplayNode().SetWindowLevelMinMax(-200, 1200)
        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        self.host.process(50)

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

    def shoot(self, name: str, tab=None, settle_ms: int = 400) -> None:
        if tab is not None:
            self.ui.deskTabs.setCurrentWidget(tab)
        if settle_ms:
            self.host.process(settle_ms)
        path = self.output / f"panel-{name}{self.suffix}.png"
        picture = self.host.window.grab().toImage()
        # Fewer shades, so that a repository can hold the pictures.
        picture = picture.convertToFormat(QtGui.QImage.Format_RGB555)
        if not picture.convertToFormat(QtGui.QImage.Format_RGB888).save(str(path)):
            raise OSError(f"cannot write {path}")
        print(path)


def dark() -> QtGui.QPalette:
    """The colours of a dark desktop."""
    palette, roles = QtGui.QPalette(), QtGui.QPalette
    for role, colour in (
        (roles.Window, "#353535"),
        (roles.Base, "#2a2a2a"),
        (roles.AlternateBase, "#323232"),
        (roles.Button, "#424242"),
        (roles.ToolTipBase, "#353535"),
        (roles.Highlight, "#2a82da"),
    ):
        palette.setColor(role, QtGui.QColor(colour))
    for role in (roles.WindowText, roles.Text, roles.ButtonText, roles.ToolTipText):
        palette.setColor(role, QtGui.QColor("#e6e6e6"))
        palette.setColor(roles.Disabled, role, QtGui.QColor("#8a8a8a"))
    palette.setColor(roles.HighlightedText, QtGui.QColor("#ffffff"))
    palette.setColor(roles.PlaceholderText, QtGui.QColor("#9a9a9a"))
    return palette


if __name__ == "__main__":
    sys.exit(main())
