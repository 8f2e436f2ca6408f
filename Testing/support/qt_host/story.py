"""From an empty scene to a model that is used, step by step, with mouse and keys.

The test of the whole and the tutorial's pictures go the same way. Who does it knows where the landmarks
are, and corrects what is farther off than `tolerance_mm`.
"""

from __future__ import annotations

import numpy as np
import slicer

from landmark_heatmap.dataset.record import Review
from LandmarkHeatmapLib.display.views import look_at
from mrml_examples import loaded

from .pythonqt import QtCore

KEYS = QtCore.Qt
PATIENCE_S = 1800.0  # whatever else the machine has to do
# To unfold a list and to take one of it.
_OF_A_LIST = 2


def press(host, button):
    """Click a button, wherever in the panel it is."""
    host.open_tab_of(button)
    host.scroll_to(button)
    host.click(button)
    host.process(20)


def type_names(host, panel, *lines):
    """Landmarks of one's own, a line each."""
    box = panel.ui.newLandmarkLineEdit
    for line in lines:
        host.scroll_to(box)
        host.type(line, box)
        host.press(KEYS.Key_Return, box)


def place_at(host, place_ras, view="Red"):
    """Click where a position, which the view shows, is."""
    widget = slicer.app.layoutManager().sliceWidget(view)
    host.click_at(widget, widget.position_of(np.asarray(place_ras)))
    host.process(20)


class Story:
    """Somebody with images, landmarks that no model knows, and no wish to program.

    truth, where a step asks for it: {name: RAS in mm, None where it is not in the image}. A step ends
    when what it began is there to be looked at.
    """

    def __init__(self, host, panel, tolerance_mm: float):
        self.host, self.panel, self.ui = host, panel, panel.ui
        self.tolerance_mm = tolerance_mm

    @property
    def result(self):
        return self.panel.desk.state.result()

    @property
    def title(self) -> str:
        """Of the case that is open."""
        return self.panel.desk.worklist.at_work.current.title

    # --- the first case

    def load(self, path):
        """Slicer's own *Add data*."""
        volume = loaded(slicer.mrmlScene, path)
        volume.SetName(path.stem)
        volume.CreateDefaultDisplayNodes()
        self.ui.inputVolumeSelector.setCurrentNode(volume)
        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        self.host.process(50)

    def say_landmarks(self, *lines):
        """Each a name, and after a semicolon where exactly it is."""
        self.ui.deskTabs.setCurrentWidget(self.ui.imageTab)
        self.ui.setCollapsibleButton.collapsed = False
        self.host.clicks += 1
        type_names(self.host, self.panel, *lines)

    def begin_by_hand(self):
        press(self.host, self.ui.annotateButton)

    def place_all(self, truth):
        """One after another, as they are asked for."""
        while self.result.waiting():
            self.place(truth)

    def place(self, truth):
        """The landmark that is asked for, wherever in the image it is."""
        name = self.panel.review.session.current
        if truth[name] is None:
            self._key(KEYS.Key_A)
            return
        self.turn_to(truth[name])
        # From the front what is lowest or foremost is seen best.
        place_at(self.host, truth[name], "Green")

    def turn_to(self, place_ras):
        """Turn the wheel until the views show it."""
        look_at(slicer.mrmlScene, np.asarray(place_ras))
        self.host.process(50)

    def export_to(self, dataset, who: str):
        self.host.open_tab_of(self.ui.exportButton)
        self.ui.datasetPathLineEdit.currentPath = str(dataset)
        self.ui.annotatorLineEdit.text = who
        press(self.host, self.ui.exportButton)
        self.host.process(100)

    # --- the next ones

    def list_cases(self, images, dataset):
        """The folder of images as a list of cases."""
        self.ui.deskTabs.setCurrentWidget(self.ui.casesTab)
        self.ui.casesFolderPathLineEdit.currentPath = str(images)
        self.ui.casesDatasetPathLineEdit.currentPath = str(dataset)
        press(self.host, self.ui.casesRefreshButton)

    def choose_model(self, text: str):
        """Of the list of models, that which begins so."""
        self.ui.deskTabs.setCurrentWidget(self.ui.imageTab)
        box = self.ui.modelComboBox
        (index,) = [i for i in range(box.count) if box.itemText(i).startswith(text)]
        box.setCurrentIndex(index)
        self.host.clicks += _OF_A_LIST
        self.host.process(50)

    def open(self, title: str):
        self.ui.deskTabs.setCurrentWidget(self.ui.casesTab)
        table = self.ui.casesTable
        titles = [table.item(row, 0).text() for row in range(table.rowCount)]
        table.setCurrentCell(titles.index(title), 0)
        self.host.clicks += 1
        press(self.host, self.ui.openCaseButton)
        self.wait()

    def next(self):
        """Export this case and open the next."""
        before = self.panel.desk.worklist.at_work.current
        self._key(KEYS.Key_Return, KEYS.ControlModifier)
        at_work = self.panel.desk.worklist.at_work
        self.host.wait_until(lambda: at_work.current is not before, PATIENCE_S)
        self.wait()

    def wait(self):
        """Until what a model makes of the case is there."""
        desk, at_work = self.panel.desk, self.panel.desk.worklist.at_work
        self.host.wait_until(lambda: desk.state.result() is not None, PATIENCE_S)
        self.host.wait_until(lambda: not desk.detection.queue.is_busy, PATIENCE_S)
        self.host.wait_until(lambda: not at_work.is_exporting, PATIENCE_S)
        self.host.process(100)

    def review(self, truth) -> int:
        """Correct what is off and confirm the rest; returns how many were off."""
        off = 0
        while True:
            name = self.panel.review.session.current
            if self.result.review(name) is not Review.UNTOUCHED:
                if all(each is not Review.UNTOUCHED for each in self.result.reviews().values()):
                    return off
                self._key(KEYS.Key_U)
            elif self._is_right(name, truth[name]):
                self._key(KEYS.Key_C)
            else:
                self.correct(truth)
                off += 1

    def choose(self, name: str):
        """Its row."""
        table = self.ui.reviewTable
        names = [table.item(row, 1).text() for row in range(table.rowCount)]
        table.setCurrentCell(names.index(name), 1)
        self.host.clicks += 1
        self.host.process(20)

    def correct(self, truth):
        """The chosen landmark: by a click where it belongs, for it may be in another slice."""
        if truth[self.panel.review.session.current] is not None:
            self._key(KEYS.Key_D)
        self.place(truth)

    def _is_right(self, name: str, true) -> bool:
        found = self.result.annotation().position_lps(name)
        if found is None or true is None:
            return found is None and true is None
        return np.linalg.norm(found * [-1, -1, 1] - true) <= self.tolerance_mm

    # --- mistakes

    def look_for_mistakes(self):
        self.ui.deskTabs.setCurrentWidget(self.ui.casesTab)
        self.ui.mistakesCollapsibleButton.collapsed = False
        self.host.clicks += 1
        press(self.host, self.ui.findMistakesButton)
        self.host.wait_until(lambda: not self.panel.desk.mistakes.is_busy, PATIENCE_S)
        self.host.process(50)

    def open_mistake(self, row: int):
        """Open its case, at the landmark."""
        self.ui.mistakesTable.setCurrentCell(row, 0)
        self.panel.desk.mistakes._on_opened(row, 0)  # the double click
        self.host.clicks += 2
        self.wait()

    # --- a model of one's own

    def train(self, minutes: int, from_scratch: bool = True):
        """Begin; it goes on by itself."""
        self.host.open_tab_of(self.ui.trainButton)
        self.ui.trainMinutesSpinBox.value = minutes
        self.ui.trainFromComboBox.setCurrentIndex(0 if from_scratch else 1)
        self.host.clicks += _OF_A_LIST
        press(self.host, self.ui.trainButton)

    def detect(self):
        """In the image that is there."""
        press(self.host, self.ui.detectButton)
        self.wait()

    def use_model(self):
        """Of the training, as soon as it has ended."""
        self.host.wait_until(lambda: self.ui.trainUseButton.enabled, PATIENCE_S)
        press(self.host, self.ui.trainUseButton)

    def ask_which_start(self):
        """The user's own cases, those that the network has not seen."""
        self.host.open_tab_of(self.ui.askStartsButton)
        self.ui.startsCollapsibleButton.collapsed = False
        self.host.clicks += 1
        press(self.host, self.ui.askStartsButton)
        self.host.wait_until(lambda: not self.panel.desk.starts.is_busy, PATIENCE_S)
        self.host.process(50)

    def _key(self, key, modifiers=KEYS.NoModifier):
        self.host.press(key, self.ui.reviewTable, modifiers)
        self.host.process(20)
