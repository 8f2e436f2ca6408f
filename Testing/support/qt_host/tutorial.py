"""The pictures of training/TUTORIAL.md, made by going through it with mouse and keys.

    python3 dev.py tutorial [--output DIR] [--minutes M]

Nothing is drawn for the picture: the images are those that the tutorial makes, the cases are registered
and the network is trained, for so many minutes. What each part took in clicks and keys is printed; to
scroll, and to type names, is not counted.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import slicer

from landmark_heatmap.synthetic.anatomy import FORWARD, UP, draw_patient
from landmark_heatmap.synthetic.implicit_shapes import Ellipsoid, RoundedBox
from landmark_training.cli import main as train_main

from .application import ROOT, the_host
from .pictures import save
from .pythonqt import QtWidgets
from .story import Story, press

CASES = 12
HIPS = ("--cases", str(CASES), "--size", "72", "--spacing", "4", "--whole-pelvis")
LANDMARKS = (
    "Ischium_L; lowest point of the left ischium",
    "Ischium_R; lowest point of the right ischium",
    "AIIS_L; foremost point of the left lower iliac spine",
    "AIIS_R; foremost point of the right lower iliac spine",
    "Coccyx; tip of the sacrum",
)
SIZE = (1040, 680)
BACKGROUND = (0.55, 0.57, 0.78)
# A voxel and a half: who annotates cannot be more exact.
TOLERANCE_MM = 6.0
# Before the first training. In one of them the coccyx is clicked so much too high.
ANNOTATED, MISTAKEN, TOO_HIGH_MM = 6, 3, 30.0
# The training is shown when it has come so far.
SHOWN_PERCENT = 60
RAS = np.array([-1, -1, 1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "Resources" / "Screenshots")
    parser.add_argument("--minutes", type=int, default=3, help="of the training")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="tutorial-"))
    try:
        Tutorial(folder, options.output).run(options.minutes)
    finally:
        the_host().close_modules()  # which ends the worker
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def truth(seed: int) -> dict:
    """Landmark to RAS in mm, of the synthetic hip of a seed."""
    spine, left, _femur, right, _other = draw_patient(np.random.default_rng(seed), True).bones
    found = {"Coccyx": min((_outermost(spine, each, -UP) for each in _vertebrae(spine)), key=_z)}
    for side, bone in (("L", left), ("R", right)):
        round_ones = [shape for shape in bone.solid.shapes if isinstance(shape, Ellipsoid)]
        _asis, aiis, _socket, _to_sacrum, tuberosity = round_ones
        found[f"AIIS_{side}"] = _outermost(bone, aiis, FORWARD)
        found[f"Ischium_{side}"] = _outermost(bone, tuberosity, -UP)
    return {name: place * RAS for name, place in found.items()}


def _vertebrae(spine):
    return (shape for shape in spine.solid.shapes if isinstance(shape, RoundedBox))


def _outermost(bone, shape, way) -> np.ndarray:
    """In LPS."""
    return bone.solid.to_world(shape.farthest(way))


def _z(place) -> float:
    return place[2]


class Tutorial:
    """Its sections, each of which leaves a picture."""

    def __init__(self, folder: Path, output: Path):
        self.output, self.images, self.dataset = output, folder / "hips", folder / "ischia"
        if train_main(["synthetic-hips", "--output", str(self.images), *HIPS]):
            raise SystemExit("The images could not be made.")
        self.host = the_host()
        self.host.show_3d()
        self.host.start_afresh()
        self.host.window.resize(*SIZE)
        self.story = Story(self.host, self.host.open(), tolerance_mm=TOLERANCE_MM)
        self.ui = self.story.ui
        self.threed = slicer.app.layoutManager().threeDWidget(0)
        node = self.threed.mrmlViewNode()
        node.SetBoxVisible(False)
        node.SetAxisLabelsVisible(False)
        # A gradient takes most of the colours of a small file.
        node.SetBackgroundColor(BACKGROUND)
        node.SetBackgroundColor2(BACKGROUND)
        self.threed.setVisible(False)
        self._counted, self._began = (0, 0), time.monotonic()

    def run(self, minutes: int) -> None:
        self.say_landmarks()
        self.annotate_the_first()
        self.correct_the_next()
        self.find_the_mistake()
        self.train(minutes)
        self.use_it()
        self.ask_which_start()

    def say_landmarks(self) -> None:
        self.story.load(self.images / "hip-00000.nrrd")
        self.story.say_landmarks(*LANDMARKS)
        self.shoot("1-landmarks")

    def annotate_the_first(self) -> None:
        self.story.begin_by_hand()
        self.story.place(truth(0))
        self.story.turn_to(truth(0)["Ischium_R"])
        self.shoot("2-by-hand")
        self.story.place_all(truth(0))
        self.story.export_to(self.dataset, "AB")
        self.count("by hand: case 1")

    def correct_the_next(self) -> None:
        """In one of them a point is wrong: that is to be found."""
        self.story.list_cases(self.images, self.dataset)
        self.story.choose_model("Registered")
        self.story.open("hip-00001")
        self.shoot("3-registered")
        for number in range(1, ANNOTATED):
            places = truth(number)
            if number == MISTAKEN:
                places["Coccyx"] = places["Coccyx"] + [0, 0, TOO_HIGH_MM]
            off = self.story.review(places)
            self.story.next()
            self.count(f"registered: case {number + 1}, {off} landmarks off")
        self.ui.deskTabs.setCurrentWidget(self.ui.casesTab)
        self.shoot("4-cases")

    def find_the_mistake(self) -> None:
        self.story.look_for_mistakes()
        self.shoot("5-mistakes")
        self.story.open_mistake(0)
        self.story.correct(truth(MISTAKEN))
        self.story.next()
        self.count("mistakes")

    def train(self, minutes: int) -> None:
        self.story.train(minutes)
        shown, bar = self.ui.trainStateLabel, self.ui.trainProgressBar
        self.host.wait_until(
            lambda: "eld-out" in shown.toolTip and bar.value >= SHOWN_PERCENT, 240 * minutes
        )
        self.shoot("6-train")
        self.count("training")

    def use_it(self) -> None:
        self.story.use_model()
        self.story.detect()
        self.shoot("7-new-model")
        number = int(self.story.title.rpartition("-")[2])
        off = self.story.review(truth(number))
        self.story.next()
        self.count(f"the new model: hip {number}, {off} landmarks off")

    def ask_which_start(self) -> None:
        self.story.ask_which_start()
        scroll_to(self.ui.useStartButton)
        self.shoot("8-which-start")
        if not self.ui.useStartButton.enabled:
            raise AssertionError(f"nothing was answered: {self.ui.startsInfoLabel.toolTip}")
        press(self.host, self.ui.useStartButton)
        self.count("which start")

    def shoot(self, name: str) -> None:
        """The 3D view takes long to draw: it is there for the picture."""
        self.threed.setVisible(True)
        if self.story.result is None or self.story.result.model is None:
            self.threed.resetFocalPoint()  # after a detection the panel itself looks there
        self.host.process(600)
        save(self.host, self.output / f"tutorial-{name}.png")
        self.threed.setVisible(False)

    def count(self, what: str) -> None:
        now = (self.host.clicks, self.host.keys)
        clicks, keys = (after - before for after, before in zip(now, self._counted))
        minutes = (time.monotonic() - self._began) / 60
        print(f"{what}: {clicks} clicks, {keys} keys; {minutes:.1f} minutes since the begin")
        self._counted = now


def scroll_to(widget) -> None:
    """As a person turns the wheel, until it is seen."""
    page = widget
    while page is not None:
        if isinstance(page, QtWidgets.QScrollArea):
            page.ensureWidgetVisible(widget)
        page = page.parent()


if __name__ == "__main__":
    sys.exit(main())
