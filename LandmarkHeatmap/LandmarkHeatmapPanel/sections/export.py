"""The export: from a reviewed result to a case of a dataset, and the command that trains from it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from landmark_heatmap.dataset.record import Review
from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.registering.models import is_registered
from landmark_heatmap.runs.command import Fit
from LandmarkHeatmapLib.export import export_case, suggest_case

from ..section import Section, Signal
from ..texts import FixedText
from ..widgets import keep_setting, setting, showing_errors


class ExportSection(Section):
    """Dataset folder and annotator belong to the user; the case name to the scene.

    exported(result): it is on the disk.
    """

    def __init__(self, ui, state, logic):
        super().__init__(ui, state, logic)
        self.exported = Signal()
        self._volume = self._revision = self._suggested_for = None
        self._completeness = FixedText(self.ui.partialLabel, lines=2)
        self._exported = FixedText(self.ui.exportedLabel, lines=3)
        self.ui.annotatorLineEdit.text = setting("Annotator")
        self.ui.annotatorLineEdit.connect("editingFinished()", self._on_annotator_edited)
        if not self.ui.datasetPathLineEdit.currentPath:
            self.ui.datasetPathLineEdit.currentPath = setting("DatasetFolder")
        self.ui.datasetPathLineEdit.connect("currentPathChanged(QString)", self._on_folder_chosen)
        self.ui.exportButton.connect("clicked(bool)", self._on_export_button)
        self.ui.openFolderButton.connect("clicked(bool)", self._on_open_folder_button)
        self.ui.copyCommandButton.connect("clicked(bool)", self._on_copy_button)

    def attach(self) -> None:
        """The case name that the scene brings is that of its volume."""
        self._begin_case()

    def _begin_case(self) -> None:
        self._volume, self._revision = self.state.node.inputVolume, None
        self._exported.show("")

    def update(self) -> None:
        node, result = self.state.node, self.state.result()
        if node.inputVolume is not self._volume:
            # A name that was typed for one patient's image must not stay for the next.
            self._begin_case()
            node.caseName = ""
        self.ui.exportButton.enabled = result is not None
        self.ui.openFolderButton.enabled = self._revision is not None
        self._suggest_case()
        self._completeness.show("" if result is None else completeness(result))
        self._show_command()

    def _suggest_case(self) -> None:
        """Show which name an export without one would take; the disk is asked once a place."""
        place = (self._volume, self.ui.datasetPathLineEdit.currentPath, self._revision)
        if place == self._suggested_for:
            return
        self._suggested_for = place
        volume, folder, _revision = place
        name = _("chosen for you")
        if volume is not None and folder:
            # The export itself will say what is wrong.
            with suppress(LandmarkHeatmapError, OSError):
                name = suggest_case(volume, folder)
        self.ui.caseNameLineEdit.placeholderText = name

    def _show_command(self) -> None:
        folder = self.ui.datasetPathLineEdit.currentPath
        command = retraining_command(folder, self._model_path()) if folder else ""
        if self.ui.retrainTextEdit.toPlainText() != command:
            self.ui.retrainTextEdit.setPlainText(command)
        self.ui.copyCommandButton.enabled = bool(command)

    def _model_path(self):
        """Of the chosen model; None if it is of other landmarks than the result, whose training begins
        without it."""
        node, result = self.state.node, self.state.result()
        if not node or not node.model:
            return None
        known = {key: d.landmarks.names for key, _path, d in self.logic.models()}
        is_of_others = result is not None and known.get(node.model) != result.landmarks.names
        is_by_hand = is_of_others and not all(result.asked())
        path = self.logic.modelPath(node.model)
        # Nor does one from cases that were registered: they are no network.
        return None if is_by_hand or is_registered(path) else path

    def _on_annotator_edited(self):
        keep_setting("Annotator", self.ui.annotatorLineEdit.text)

    def _on_folder_chosen(self, path):
        keep_setting("DatasetFolder", path)
        if self.state.node:
            self._suggest_case()
            self._show_command()

    def _on_export_button(self, checked=False):
        with showing_errors(_("The export failed."), self._exported.show):
            folder = self.ui.datasetPathLineEdit.currentPath
            if not folder:
                raise LandmarkHeatmapError(_("Choose a dataset folder to export to."))
            node, result = self.state.node, self.state.result()
            with slicer.util.WaitCursor():
                self._revision = export_case(
                    result, folder, node.caseName, self.ui.annotatorLineEdit.text, node.withImage
                )
            self.exported.emit(result)
            self._on_annotator_edited()
            self.ui.datasetPathLineEdit.addCurrentPathToHistory()
            wrote = _("Wrote {case}, {revision}, with the image, to {folder}.")
            if not node.withImage:
                wrote = _("Wrote {case}, {revision}, without the image, to {folder}.")
            self._exported.show(
                wrote.format(
                    case=self._revision.parent.name,
                    revision=self._revision.name,
                    folder=self._revision,
                )
            )
            self.ui.openFolderButton.enabled = True
            self._suggest_case()

    def _on_open_folder_button(self, checked=False):
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._revision)))

    def _on_copy_button(self, checked=False):
        slicer.app.clipboard().setText(self.ui.retrainTextEdit.toPlainText())


def completeness(result) -> str:
    """How much of a result was looked at, and what that means for an export."""
    reviews = list(result.reviews().values())
    left, unplaced = reviews.count(Review.UNTOUCHED), len(result.waiting())
    if not left:
        return _("Complete: every landmark was looked at.")
    text = _(
        "Partial: {left} of {total} landmarks were not looked at; they are exported as"
        " predictions, which are no labels."
    )
    if unplaced:
        text = _(
            "Partial: {left} of {total} landmarks were not looked at; they are no labels."
            " {unplaced} have no place yet."
        )
    return text.format(left=left, total=len(reviews), unplaced=unplaced)


def retraining_command(folder, model_path=None, windows: bool = os.name == "nt") -> str:
    """The command that trains from a dataset, as this system's shell reads it."""
    folder = Path(folder)
    output = folder.with_name(folder.name + "-run")
    return Fit(str(folder), str(output), str(model_path or "")).told(windows)
