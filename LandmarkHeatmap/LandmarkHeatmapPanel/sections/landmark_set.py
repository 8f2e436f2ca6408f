"""Landmarks of the user's own: made in a table, taken from elsewhere, saved, and annotated by hand."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from landmark_heatmap.annotation.landmarks import LandmarkSet
from landmark_heatmap.annotation.sets.draft import LandmarkSetDraft
from landmark_heatmap.annotation.sets.set_file import SET_SUFFIXES, write_set
from landmark_heatmap.dataset.landmark_changes import change_landmarks
from landmark_heatmap.dataset.landmark_sources import landmark_set_from
from landmark_heatmap.errors import LandmarkHeatmapError
from LandmarkHeatmapLib.review.by_hand import begin_by_hand, set_of_list

from ..section import Section, Signal
from ..texts import FixedText
from ..widgets import (
    chosen_rows,
    fill,
    give_columns,
    keep_setting,
    select,
    setting,
    show_cell,
    showing_errors,
)

HEADERS = ("Landmark", "Twin", "Definition")
NAME = 0
# What can be taken from; further ones are a kind, a colon, and which one.
_FILE, _DATASET, _MODEL, _LIST, _NOWHERE = "file", "dataset", "model", "list", "nowhere"


class LandmarkSetSection(Section):
    """The set belongs to the user, whatever the scene: it is there for the next image, too.

    begun(result, source): a review by hand begins, or goes on. source: the result of which it has to
    take over what a person did, or None.
    """

    def __init__(self, ui, state, logic):
        super().__init__(ui, state, logic)
        self.begun = Signal()
        self._draft, self._is_filling, self._is_kept = LandmarkSetDraft(), False, True
        self._dataset = ""  # the folder whose landmarks these are
        self._info = FixedText(self.ui.setInfoLabel, lines=2)
        give_columns(self.ui.setTable, [_(header) for header in HEADERS])
        self._connect()
        self.recall()

    def recall(self) -> None:
        """Show the set that the user's settings keep: that of last time."""
        self._dataset = setting("LandmarkSetDataset")
        self._draft, self._is_kept = _remembered(bool(self._dataset)), True
        self._show_draft()

    def _connect(self) -> None:
        self.ui.setTable.connect("cellChanged(int,int)", self._on_cell_edited)
        self.ui.setTable.connect("itemSelectionChanged()", self._show_buttons)
        self.ui.newLandmarkLineEdit.connect("returnPressed()", self._on_new_landmark)
        self.ui.setNameLineEdit.connect("editingFinished()", self._on_named)
        self.ui.takeSetButton.connect("clicked(bool)", self._on_take_button)
        self.ui.saveSetButton.connect("clicked(bool)", self._on_save_button)
        self.ui.setUpButton.connect("clicked(bool)", lambda checked=False: self._move(-1))
        self.ui.setDownButton.connect("clicked(bool)", lambda checked=False: self._move(1))
        self.ui.setRemoveButton.connect("clicked(bool)", self._on_remove_button)
        self.ui.setPairsButton.connect("clicked(bool)", self._on_pairs_button)
        self.ui.changeDatasetButton.connect("clicked(bool)", self._on_change_dataset_button)
        self.ui.annotateButton.connect("clicked(bool)", self._on_annotate_button)

    # --- what is shown

    def update(self) -> None:
        box, chosen = self.ui.setSourceComboBox, self.ui.setSourceComboBox.currentData
        items = [(_("A file..."), _FILE), (_("A dataset..."), _DATASET)]
        for key, _path, description in self.logic.models():
            items.append((_("Model: {name}").format(name=description.name), f"{_MODEL}:{key}"))
        for node in self._lists():
            items.append((_("List: {name}").format(name=node.GetName()), f"{_LIST}:{node.GetID()}"))
        fill(box, [*items, (_("Nowhere: a new set"), _NOWHERE)])
        select(box, chosen if chosen in [_NOWHERE, *(data for _text, data in items)] else _FILE)
        self._show_buttons()

    def _lists(self) -> list:
        """The point lists of the scene that a person sees."""
        ours = {result.predicted_node for result in self.logic.everyResult(slicer.mrmlScene)}
        nodes = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode", slicer.mrmlScene)
        shown = [each for each in nodes if each not in ours and not each.GetHideFromEditors()]
        return [each for each in shown if each.GetNumberOfControlPoints()]

    def _show_draft(self, chosen=()) -> None:
        """chosen: the indices of the rows to choose."""
        table, rows = self.ui.setTable, self._draft.rows
        self._is_filling = True
        try:
            table.setRowCount(len(rows))
            for number, row in enumerate(rows):
                twin = row.twin.name if row.twin else ""
                for column, text in enumerate((row.name, twin, row.definition)):
                    show_cell(table, number, column, text, text)
            table.clearSelection()
            for number in chosen:
                for column in range(len(HEADERS)):
                    table.item(number, column).setSelected(True)
            if chosen:
                table.scrollToItem(table.item(max(chosen), NAME))
            self.ui.setNameLineEdit.text = self._draft.name
        finally:
            self._is_filling = False
        self._show_info()
        self._show_buttons()

    def _show_info(self) -> None:
        pairs = sum(row.twin is not None for row in self._draft.rows) // 2
        text = _("{count} landmarks, {pairs} left/right pairs.").format(
            count=len(self._draft), pairs=pairs
        )
        if not len(self._draft):
            text = _("Type names below, one after another; or take them from elsewhere above.")
        self._info.show(" ".join([text, *self._draft.advice()]))

    def _show_buttons(self) -> None:
        node, is_any, chosen = self.state.node, bool(len(self._draft)), bool(self._chosen())
        for name in ("setUpButton", "setDownButton", "setRemoveButton"):
            getattr(self.ui, name).enabled = chosen
        self.ui.setPairsButton.enabled = self.ui.saveSetButton.enabled = is_any
        self.ui.changeDatasetButton.enabled = is_any and bool(self._dataset)
        hint = _("Take landmarks from a dataset first, to change those of that dataset.")
        if self._dataset:
            hint = _(
                "Make these the landmarks of {folder}. Earlier cases stay as they are: what is new was"
                " not judged in them, what was renamed keeps its points, and what was removed is"
                " retired."
            ).format(folder=self._dataset)
        self.ui.changeDatasetButton.toolTip = hint
        volume = node.inputVolume if node else None
        self.ui.annotateButton.enabled = bool(volume and is_any)
        hint = _("Place these landmarks in the input volume, one click each. Needs no model.")
        if volume is None:
            hint = _("Choose an input volume first.")
        elif not is_any:
            hint = _("Add landmarks first.")
        self.ui.annotateButton.toolTip = hint
        self.ui.takeOverCheckBox.enabled = self._source() is not None

    def _chosen(self) -> list:
        return chosen_rows(self.ui.setTable)

    # --- making it

    def _changing(self, change) -> None:
        """Do this to the draft, tell what is wrong with it, and show and keep what came of it."""
        chosen = None
        with showing_errors(_("The landmarks stay as they were."), self.told.emit):
            chosen = change()
            self._is_kept = False
            self._keep()
        self._show_draft(self._chosen() if chosen is None else chosen)

    def _keep(self) -> None:
        """For the next image, and for the next time."""
        kept = json.dumps(self._draft.to_set().to_json()) if len(self._draft) else ""
        keep_setting("LandmarkSet", kept)
        keep_setting("LandmarkSetDataset", self._dataset)

    def add_lines(self, text: str) -> None:
        """Add a landmark a line, 'name' or 'name; definition'."""
        self._changing(lambda: self._draft.add_lines(text))

    def _on_new_landmark(self):
        count = len(self._draft)
        self.add_lines(self.ui.newLandmarkLineEdit.text)
        # What was refused stays, to be mended.
        if len(self._draft) > count:
            self.ui.newLandmarkLineEdit.clear()

    def _on_cell_edited(self, row: int, column: int):
        if self._is_filling:
            return
        edit = (self._draft.rename, self._draft.pair, self._draft.define)[column]
        self._changing(lambda: edit(row, self.ui.setTable.item(row, column).text()))

    def _on_named(self):
        if self.ui.setNameLineEdit.text != self._draft.name:
            self._draft.name = self.ui.setNameLineEdit.text
            self._changing(lambda: None)

    def _move(self, by: int) -> None:
        self._changing(lambda: self._draft.move(self._chosen(), by))

    def _on_remove_button(self, checked=False):
        self._changing(lambda: self._draft.remove(self._chosen()) or [])

    def _on_pairs_button(self, checked=False):
        self._changing(self._draft.propose_pairs)

    # --- taking and saving it

    def _on_take_button(self, checked=False):
        kind, _colon, which = str(self.ui.setSourceComboBox.currentData).partition(":")
        with showing_errors(_("No landmarks were taken."), self.told.emit):
            if kind == _NOWHERE:
                self.take(None)
            elif kind == _LIST:
                self.take(set_of_list(slicer.mrmlScene.GetNodeByID(which)))
            else:
                path = self.logic.modelPath(which) if kind == _MODEL else _asked_for(kind)
                if path:
                    self.take(landmark_set_from(path), path if kind == _DATASET else "")

    def take(self, landmarks, dataset: str = "") -> None:
        """Edit a LandmarkSet from now on, or a new one (None); asks first if that at hand is kept
        nowhere else. dataset: the folder whose landmarks these are, if they are."""
        question = _("Replace the {count} landmarks in the table? They were not saved as a file.")
        question = question.format(count=len(self._draft))
        is_lost = len(self._draft) and not self._is_kept
        if is_lost and not slicer.util.confirmYesNoDisplay(question):
            return
        self._begin(landmarks, str(dataset))
        self.told.emit(_("{count} landmarks were taken.").format(count=len(self._draft)))

    def _begin(self, landmarks, dataset: str) -> None:
        self._dataset = dataset
        self._draft, self._is_kept = LandmarkSetDraft(landmarks, bool(dataset)), True
        self._keep()
        self._show_draft()

    def _on_save_button(self, checked=False):
        path = qt.QFileDialog.getSaveFileName(
            slicer.util.mainWindow(),
            _("Save the landmark set"),
            f"{self._draft.name or 'landmark-set'}.json",
            _("Landmark sets") + " (*.json)",
        )
        if path:
            self.save(path)

    def save(self, path) -> None:
        """Write the landmark set; .json is added where there is no such end, and then nothing is
        replaced."""
        with showing_errors(_("The landmark set was not saved."), self.told.emit):
            path, is_asked = Path(path), str(path).lower().endswith(".json")
            path = path if is_asked else path.with_name(f"{path.name}.json")
            try:
                write_set(path, self._draft.to_set(), new=not is_asked)
            except OSError as error:
                reason = error.strerror or error
                raise LandmarkHeatmapError(f"'{path}': {reason}.") from error
            self._is_kept = True
            self.told.emit(_("The landmark set was saved to {path}.").format(path=path))

    def _on_change_dataset_button(self, checked=False):
        with showing_errors(_("The dataset's landmarks stay as they were."), self.told.emit):
            changes = change_landmarks(self._dataset, self._draft.to_set())
            # From now on names of today are former ones, if they change once more.
            self._begin(landmark_set_from(self._dataset), self._dataset)
            told = changes.sentences() or [_("No landmark came, went or has another name.")]
            self.told.emit(" ".join([_("The dataset has these landmarks now."), *told]))

    # --- annotating

    def _source(self):
        """The chosen result, if it has any of these landmarks; else None."""
        result = self.state.result()
        if result is None:
            return None
        return result if self._draft.shares_with(result.landmarks) else None

    def _on_annotate_button(self, checked=False):
        with showing_errors(_("Nothing was begun."), self.told.emit):
            landmarks = self._draft.to_set()
            source = self._source() if self.ui.takeOverCheckBox.checked else None
            if source is not None and _is_of(source, landmarks):
                self.begun.emit(source, None)
                return
            result = begin_by_hand(self.state.node.inputVolume, landmarks, source)
            self.begun.emit(result, source)


def _remembered(is_in_use: bool) -> LandmarkSetDraft:
    """The user's set of last time. is_in_use: whether it is that of a dataset."""
    kept = setting("LandmarkSet")
    try:
        landmarks = LandmarkSet.from_json(json.loads(kept)) if kept else None
        return LandmarkSetDraft(landmarks, is_in_use)
    except (ValueError, KeyError, TypeError, AttributeError, LandmarkHeatmapError) as error:
        logging.warning("The landmark set of last time is left out: %s", error)
        return LandmarkSetDraft()


def _is_of(result, landmarks: LandmarkSet) -> bool:
    """Whether a result is of these landmarks already, so that there is nothing to begin."""
    there = result.landmarks
    return (there.landmarks, set(there.mirror_pairs)) == (
        landmarks.landmarks,
        set(landmarks.mirror_pairs),
    )


def _asked_for(kind: str) -> str:
    """The path that the user chooses; empty if none."""
    window, title = slicer.util.mainWindow(), _("Take landmarks from")
    if kind == _DATASET:
        return qt.QFileDialog.getExistingDirectory(window, title, "")
    ends = " ".join(f"*{suffix}" for suffix in SET_SUFFIXES)
    return qt.QFileDialog.getOpenFileName(window, title, "", _("Landmarks") + f" ({ends})")
