"""The review: a table with one row a landmark, its buttons, and their keys.

What a step does, and how it is undone, is the ReviewSession's; here it is shown and clicked.
"""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from LandmarkHeatmapLib.display.views import show_flat
from LandmarkHeatmapLib.review.session import ReviewSession

from ..reviewing.keys import SHORTCUTS
from ..reviewing.table import ReviewTable
from ..section import Section, Signal
from ..widgets import fill, select, showing_errors

ORDERS = {"anatomy": "As in the model", "name": "By name", "need": "What needs a look first"}


class ReviewSection(Section):
    """Follows the result that is chosen; `session` is None where there is none.

    corrected(): something in the landmarks of that result has changed.
    """

    def __init__(self, ui, state, logic):
        super().__init__(ui, state, logic)
        self.corrected = Signal()
        self.session = None
        self._table = ReviewTable(ui)
        self._table.chosen.connect(self._on_row_chosen)
        fill(self.ui.orderComboBox, [(_(text), key) for key, text in ORDERS.items()])
        steps = {
            "previousButton": lambda session: session.previous(),
            "nextButton": lambda session: session.next(),
            "nextUnreviewedButton": lambda session: session.next_unreviewed(),
            "confirmButton": lambda session: _and_go_on(session, session.confirm),
            "absentButton": lambda session: _and_go_on(session, session.mark_absent),
            "restoreButton": lambda session: session.restore(),
            "snapButton": self._snap,
            "placeButton": lambda session: session.place(),
            "undoButton": lambda session: session.undo(),
            "redoButton": lambda session: session.redo(),
        }
        self._tips = {}
        for name, step in steps.items():
            button = getattr(self.ui, name)
            self._tips[name] = _("{what} Key: {key}").format(
                what=button.toolTip, key=SHORTCUTS[name]
            )
            button.toolTip = self._tips[name]
            button.connect("clicked(bool)", self._doing(step))
        self.ui.orderComboBox.connect("currentIndexChanged(int)", self._on_order_chosen)
        self.ui.resultComboBox.connect("currentIndexChanged(int)", self._on_result_chosen)

    # --- the scene to the panel

    def update(self) -> None:
        node = self.state.node
        volume = node.inputVolume
        results = self.logic.results(volume) if volume else []
        fill(self.ui.resultComboBox, [(each.node.GetName(), each.node.GetID()) for each in results])
        result = self.state.result()
        select(self.ui.resultComboBox, result.node.GetID() if result else "")
        self._follow(result)
        select(self.ui.orderComboBox, node.order)
        self._show()

    def begin(self) -> None:
        """Show a new result: a flat image in one view, and the first landmark of the list."""
        if not self.session:
            return
        result = self.session.result
        if show_flat(result):
            # Once more when the new layout has given the view its size.
            qt.QTimer.singleShot(0, lambda: self._fit_again(result))
        self.session.select(self.session.rows()[0].name)

    def _fit_again(self, result) -> None:
        if self.session and self.session.result is result and result.is_whole:
            show_flat(result)

    def detach(self) -> None:
        self._follow(None)

    def _follow(self, result) -> None:
        """Review this result and no other."""
        watched = self.session.result.node if self.session else None
        if watched is (result.node if result else None):
            return
        if self.session:
            self.session.release()
        self.session = None
        if result is not None:
            self.session = ReviewSession(result, self._on_change, self._on_select)
            self.session.order = self.state.node.order
            # Where the review was left; what the views show is the scene's affair.
            landmark = self.state.node.landmark
            if landmark not in result.landmarks.names:
                landmark = self.session.rows()[0].name
            self.session.select(landmark, jump=False)

    def _show(self) -> None:
        rows = self.session.rows() if self.session else []
        self._table.show(rows, self.session.current if self.session else None)
        self._show_progress()
        self._show_buttons(rows)

    def _show_progress(self) -> None:
        if self.session is None:
            self.ui.reviewProgressLabel.text = _("Nothing detected in this volume yet.")
            return
        reviewed, total = self.session.progress()
        self.ui.reviewProgressLabel.text = _("{reviewed} of {total} reviewed").format(
            reviewed=reviewed, total=total
        )

    def _show_buttons(self, rows) -> None:
        current = self.session.current if self.session else None
        row = next((each for each in rows if each.name == current), None)
        definition = f"{row.name}: {row.definition}" if row and row.definition else ""
        self.ui.definitionLabel.text = definition
        for name in SHORTCUTS:
            getattr(self.ui, name).enabled = self.session is not None
        for name in ("confirmButton", "absentButton", "restoreButton", "snapButton", "placeButton"):
            getattr(self.ui, name).enabled = row is not None
        undo, redo = self.ui.undoButton, self.ui.redoButton
        undo.enabled = bool(self.session and self.session.can_undo)
        redo.enabled = bool(self.session and self.session.can_redo)
        for button, name, what in (
            (undo, "undoButton", self.session.undo_text if undo.enabled else ""),
            (redo, "redoButton", self.session.redo_text if redo.enabled else ""),
        ):
            button.toolTip = self._tips[name] + (f"\n{what}" if what else "")

    # --- the panel to the scene

    def _doing(self, step):
        def clicked(checked=False):
            if self.session is not None:
                with showing_errors(_("This cannot be done."), self.ui.reviewProgressLabel):
                    step(self.session)

        return clicked

    def _snap(self, session):
        if not session.snap():
            self.ui.reviewProgressLabel.text = _("The heatmap has no peak near here.")

    def _on_change(self, *_args):
        self._show()
        self.corrected.emit()

    def _on_select(self, *_args):
        node, current = self.state.node, self.session.current if self.session else None
        if node is not None and current and node.landmark != current:
            node.landmark = current  # which makes everything follow
        else:
            self._show()

    def _on_row_chosen(self, name):
        if self.session is not None:
            self.session.select(name)

    def _on_order_chosen(self, index):
        if self.state.node:
            self.state.node.order = self.ui.orderComboBox.currentData
            if self.session:
                self.session.order = self.ui.orderComboBox.currentData
            self._show()

    def _on_result_chosen(self, index):
        if self.state.node:
            node_id = self.ui.resultComboBox.itemData(index)
            node = slicer.mrmlScene.GetNodeByID(node_id) if node_id else None
            self.state.node.result = node


def _and_go_on(session, judge) -> None:
    """Judge the landmark, and offer the next that nobody has looked at: one key for each."""
    judge()
    session.next_unreviewed()
