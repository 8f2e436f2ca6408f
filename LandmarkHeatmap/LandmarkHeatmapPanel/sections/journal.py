"""The journal of each review, and the offer to bring back what was left unfinished."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from LandmarkHeatmapLib.journal.journals import ReviewJournals

from ..section import Section, Signal
from ..texts import FixedText
from ..widgets import showing_errors


class JournalSection(Section):
    """Keeps what is done in a review on the disk, and offers it where it was neither exported nor
    saved. To be updated before the review, for its first step counts.

    restored(result): a review was brought back.
    """

    def __init__(self, ui, state, logic):
        super().__init__(ui, state, logic)
        self.restored = Signal()
        self.journals = ReviewJournals(journals_folder())
        self._volume, self._found = None, []
        self._text = FixedText(self.ui.unfinishedLabel)
        self.ui.unfinishedWidget.setVisible(False)
        self.ui.restoreReviewButton.connect("clicked(bool)", self._on_restore_button)
        self.ui.discardReviewButton.connect("clicked(bool)", self._on_discard_button)

    def attach(self) -> None:
        """While the module was not open a scene may have been saved, and another Slicer ended."""
        self.settle_saved()
        self._volume = None

    def update(self) -> None:
        result, volume = self.state.result(), self.state.node.inputVolume
        if result is not None:
            self.journals.follow(result)
        if volume is not self._volume:
            self._volume = volume
            self._found = self.journals.find_for(volume) if volume is not None else []
            if self._found:
                self.told.emit(offer(self._found))
        self.show()

    def show(self) -> None:
        """Why nothing can be kept, if so; else what there is to restore; else nothing at all."""
        problem = self.journals.problem
        if problem and problem != self._text.text:
            self.told.emit(problem)
        text = problem or (offer(self._found) if self._found else "")
        self._text.show(text)
        for button in (self.ui.restoreReviewButton, self.ui.discardReviewButton):
            button.setVisible(bool(text) and not problem)
        self.ui.unfinishedWidget.setVisible(bool(text))

    def detach(self) -> None:
        """The end of the review changes the points' locks: what was saved is no longer seen then."""
        self.settle_saved()

    def settle(self, result) -> None:
        """The result was exported; that its journal cannot be removed does not make it fail."""
        try:
            self.journals.settle(result)
        except OSError as error:
            logging.warning("The journal of '%s' stays: %s", result.node.GetName(), error)

    def settle_exported(self, export, revision) -> None:
        """A CaseExport is on the disk; what was done since needs its journal still."""
        if export.is_all:
            self.settle(export.result)

    def keep_instead(self, result, source, take_over) -> None:
        """Keep the review of a result from here on, and no more that of the source which it takes over
        by calling `take_over`; unless nothing can be kept."""
        self.journals.follow(result)
        take_over()
        if not self.journals.problem:
            self.settle(source)

    def settle_saved(self) -> None:
        self.journals.settle_saved()

    def forget(self) -> None:
        self.journals.release()
        self._volume, self._found = None, []
        self.show()

    def close(self) -> None:
        self.journals.release()

    def _on_restore_button(self, checked=False):
        unfinished, self._volume = self._found[0], None  # to look again
        with showing_errors(_("The review was not restored."), self.told.emit):
            result = self.journals.restore(unfinished, self.state.node.inputVolume)
            self.restored.emit(result)
            self.told.emit(_("The review was restored. Undo takes that back."))
        self.changed.emit()

    def _on_discard_button(self, checked=False):
        question = _("Delete this review? It cannot be brought back then.")
        if slicer.util.confirmYesNoDisplay(f"{offer(self._found[:1])}\n\n{question}"):
            unfinished, self._volume = self._found[0], None
            with showing_errors(_("The review was not deleted."), self.told.emit):
                self.journals.discard(unfinished)
            self.changed.emit()


def journals_folder() -> Path:
    """Beside the user's settings, where nobody else reads and no clean-up deletes."""
    return Path(slicer.app.slicerUserSettingsFilePath).parent / "LandmarkHeatmap" / "Reviews"


def offer(found) -> str:
    """What is told of unfinished reviews, the newest of which is offered."""
    newest = found[0]
    text = _(
        "Unfinished: {judged} of {total} judged, {when}. Neither exported nor saved with the scene."
    ).format(when=_local_time(newest.created), judged=newest.judged, total=len(newest.marks))
    if newest.damaged:
        text += " " + _("{count} damaged steps are left out.").format(count=newest.damaged)
    if len(found) > 1:
        text += " " + _("{count} older ones.").format(count=len(found) - 1)
    return text


def _local_time(created: str) -> str:
    """From ISO 8601 in UTC to the user's clock; a damaged journal may say any year."""
    try:
        return datetime.fromisoformat(created).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return created
