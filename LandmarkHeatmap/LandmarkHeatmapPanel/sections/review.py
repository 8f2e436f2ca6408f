"""The review: a table with one row a landmark, its buttons, and their keys.

What a step does, and how it is undone, is the ReviewSession's; here it is shown and clicked.
"""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from LandmarkHeatmapLib.display.close_up import CloseUp
from LandmarkHeatmapLib.display.views import fit_flat, show_flat
from LandmarkHeatmapLib.review.rows import ORDERS, progress
from LandmarkHeatmapLib.review.session import ReviewSession

from ..reviewing import doubts, proposing
from ..reviewing.keys import SHORTCUTS
from ..reviewing.table import ReviewTable
from ..section import Section, Signal
from ..texts import FixedText
from ..widgets import fill, select, showing_errors

# With more landmarks than this, a field to find them by name is of use.
MANY = 30
# Above the table, where a landmark breaks the shape.
_SHAPE_LINES = 2
# What can be done only to a landmark that is chosen.
_TO_ONE = (
    *("confirmButton", "absentButton", "restoreButton"),
    *("snapButton", "placeButton", "closeUpButton"),
)


# What can be done while the next click places one landmark after another.
_WHILE_ANNOTATING = (
    *("previousButton", "nextButton", "nextUnreviewedButton", "absentButton"),
    *("closeUpButton", "allNamesButton"),
)


class ReviewSection(Section):
    """Follows the result that is chosen; `session` is None where there is none.

    corrected(): something in the landmarks of that result has changed. placing(is_placing): whether
    the next click in a view places a landmark. asking(question): what else would move because of what
    was done; `answer` is called when that is known. can_ask(result): whether anybody can say it.
    """

    def __init__(self, ui, state, logic):
        super().__init__(ui, state, logic)
        self.corrected, self.placing, self.asking = Signal(), Signal(), Signal()
        self.can_ask = lambda result: False
        self.session = None
        self._close_up = CloseUp(slicer.mrmlScene)
        self._definition = FixedText(self.ui.definitionLabel, lines=2)
        self._shape = FixedText(self.ui.shapeLabel, _SHAPE_LINES)
        self.ui.shapeLabel.setStyleSheet(f"color: {doubts.ALARM}")
        self._proposals = proposing.ProposalLine(ui)
        self.ui.followCheckBox.checked = state.follows_by_itself
        self.ui.followCheckBox.connect("toggled(bool)", self._on_follow_toggled)
        self._table = ReviewTable(ui)
        self._table.chosen.connect(self._on_row_chosen)
        self._table.sorted.connect(self._on_sorted)
        self._connect_buttons()
        self.ui.resultComboBox.connect("currentIndexChanged(int)", self._on_result_chosen)
        self.ui.filterLineEdit.connect("textChanged(QString)", self._on_filter)

    def _connect_buttons(self) -> None:
        steps = {
            "previousButton": lambda session: session.previous(),
            "nextButton": lambda session: session.next(),
            "nextUnreviewedButton": lambda session: session.next_unreviewed(),
            "confirmButton": lambda session: self._judge(session, session.confirm),
            "absentButton": lambda session: self._judge(session, session.mark_absent),
            "restoreButton": lambda session: session.restore(self._table.selected()),
            "snapButton": self._snap,
            "placeButton": lambda session: session.place(),
            "undoButton": lambda session: session.undo(),
            "redoButton": lambda session: session.redo(),
            "followButton": lambda session: session.follow(),
            "followOneButton": lambda session: session.follow([session.current]),
            "stayButton": lambda session: session.proposals.leave(),
            "closeUpButton": self._go_near_or_back,
            "allNamesButton": self._name_all_or_few,
        }
        self._tips = {}
        for name, step in steps.items():
            button = getattr(self.ui, name)
            self._tips[name] = _("{what} Key: {key}").format(
                what=button.toolTip, key=SHORTCUTS[name]
            )
            button.toolTip = self._tips[name]
            button.connect("clicked(bool)", self._doing(step))

    # --- the scene to the panel

    def update(self) -> None:
        node = self.state.node
        volume = node.inputVolume
        results = self.logic.results(volume) if volume else []
        fill(self.ui.resultComboBox, [(each.node.GetName(), each.node.GetID()) for each in results])
        result = self.state.result()
        select(self.ui.resultComboBox, result.node.GetID() if result else "")
        self._follow(result)
        if self.session:
            self.session.looking.names_all = node.allNames
        self._show()

    def begin(self) -> None:
        """Show a new result: a flat image in one view, and the landmark that most needs a look."""
        if not self.session:
            return
        result = self.session.result
        is_flat = show_flat(result)
        self.session.select_first_in_need()
        if is_flat:
            # Once more when the new layout has given the views their sizes.
            qt.QTimer.singleShot(0, lambda: self._fit_again(result))

    def annotate(self) -> None:
        """Place what waits to be placed, one click after another."""
        if self.session:
            self.session.annotate()

    def answer(self, question, found) -> None:
        """What would move is shown, or moves by itself; nothing if it is too late for that."""
        session = self.session
        if session is None or not session.proposals.answer(question, found):
            return
        items = session.proposals.items
        if self.state.follows_by_itself and not session.is_placing:
            session.follow()
            self.told.emit(proposing.told(items, session.result.unit, _("followed")))

    def give_up(self) -> None:
        """Wait for no click any more."""
        if self.session:
            self.session.give_up()

    def _fit_again(self, result, is_last: bool = False) -> None:
        if self.session is None or self.session.result is not result or not result.is_whole:
            return
        fit_flat(result)
        if self.session.looking.beside() and not is_last:
            qt.QTimer.singleShot(0, lambda: self._fit_again(result, is_last=True))

    def detach(self) -> None:
        self._follow(None)

    def forget(self) -> None:
        self._close_up.forget()

    def _follow(self, result) -> None:
        """Review this result and no other."""
        watched = self.session.result.node if self.session else None
        if watched is (result.node if result else None):
            return
        if self.session:
            self.session.release()
        self.session = None
        self.ui.filterLineEdit.clear()
        if result is not None:
            self.session = ReviewSession(result, self._on_change, self._on_select, self._close_up)
            self.session.on_placed = self._on_placed
            self.session.proposals.on_question = self.asking.emit
            order = self.state.node.order
            self.session.order = order if order.lstrip("-") in ORDERS else ORDERS[0]
            # Where the review was left; what the views show is the scene's affair.
            landmark = self.state.node.landmark
            if landmark not in result.landmarks.names:
                landmark = self.session.rows()[0].name
            self.session.select(landmark, jump=False)

    def _show(self) -> None:
        session = self.session
        rows = session.every_row() if session else []
        listed = session.listed(rows) if session else []
        order = session.order if session else ORDERS[0]
        self._table.show(listed, session.current if session else None, order)
        self._show_progress(rows)
        self._show_definition()
        self._show_buttons()
        self._show_above(rows)
        self.placing.emit(bool(session and session.is_placing))

    def _show_progress(self, rows) -> None:
        if self.session is None:
            self.ui.reviewProgressLabel.text = _("Nothing to review yet.")
            self.ui.filterLineEdit.setVisible(False)
            return
        reviewed, total = progress(rows)
        self.ui.reviewProgressLabel.text = _("{reviewed} of {total} reviewed").format(
            reviewed=reviewed, total=total
        )
        self.ui.filterLineEdit.setVisible(total > MANY)

    def _show_above(self, rows) -> None:
        """What breaks the shape, and what would follow. Their places stay while a result is reviewed, so
        that the rows do not jump under the hand."""
        self._shape.show(doubts.standing_out(rows))
        is_shown = any(row.doubt and row.doubt.is_odd for row in rows)
        self.ui.shapeLabel.setVisible(is_shown)
        can_ask = self.session is not None and self.can_ask(self.session.result)
        has_line = self._proposals.show(self.session, can_ask)
        self._table.leave_room(_SHAPE_LINES * is_shown + proposing.LINES * has_line)

    def _show_definition(self) -> None:
        session = self.session
        if session is None or session.current is None:
            self._definition.show("")
            return
        landmarks = session.result.landmarks
        mark = landmarks.landmarks[landmarks.index(session.current)]
        if session.is_placing and session.is_annotating:
            where = f"{mark.name} is: {mark.definition}" if mark.definition else f"{mark.name} is"
            text = _("Click where {where}. A: not in the image; Z: one back; Escape: end.")
            self._definition.show(text.format(where=where))
        elif session.is_placing:
            text = _("Click in a view where {name} is. Escape or Z ends this.")
            self._definition.show(text.format(name=mark.name))
        else:
            self._definition.show(f"{mark.name}: {mark.definition}" if mark.definition else "")

    def _show_buttons(self) -> None:
        session = self.session
        # While a click is waited for, it can only be given up; of one after another, be left out.
        is_open = session is not None and not session.is_placing
        is_passing = session is not None and session.is_placing and session.is_annotating
        for name in SHORTCUTS:
            is_one = is_open and (name not in _TO_ONE or session.current is not None)
            getattr(self.ui, name).enabled = is_one or (is_passing and name in _WHILE_ANNOTATING)
        self.ui.closeUpButton.checked = bool(session and session.looking.is_close)
        self.ui.allNamesButton.checked = bool(session and session.looking.names_all)
        self.ui.undoButton.enabled = bool(session and session.can_undo)
        self.ui.redoButton.enabled = bool(session and session.can_redo)
        for button, name, what in (
            (self.ui.undoButton, "undoButton", session.undo_text if session else ""),
            (self.ui.redoButton, "redoButton", session.redo_text if session else ""),
        ):
            button.toolTip = self._tips[name] + (f"\n{what}" if what else "")

    # --- the panel to the scene

    def _doing(self, step):
        def clicked(checked=False):
            if self.session is not None:
                with showing_errors(_("This cannot be done."), self.told.emit):
                    step(self.session)

        return clicked

    def _judge(self, session, judge) -> None:
        """All that are chosen at once; then on to the next that nobody has looked at."""
        judge(self._table.selected())
        session.go_on()

    def _snap(self, session):
        if not session.snap():
            self.told.emit(_("The heatmap has no peak near here."))

    def _go_near_or_back(self, session):
        session.looking.is_close = not session.looking.is_close
        self._show()

    def _name_all_or_few(self, session):
        self.state.node.allNames = not session.looking.names_all

    def _on_change(self, *_args):
        self._show()
        self.corrected.emit()

    def _on_placed(self):
        # The click is still being worked on.
        qt.QTimer.singleShot(0, self._go_on_placing)

    def _go_on_placing(self):
        if self.session is not None and self.session.is_annotating:
            self.session.go_on()

    def _on_select(self, *_args):
        node, current = self.state.node, self.session.current if self.session else None
        if node is not None and current and node.landmark != current:
            node.landmark = current  # which makes everything follow
        else:
            self._show()

    def _on_row_chosen(self, name):
        if self.session is not None:
            self.session.select(name)

    def _on_sorted(self, order):
        if self.state.node and self.session:
            self.session.order = order
            self.state.node.order = order

    def _on_follow_toggled(self, checked):
        self.state.follows_by_itself = checked
        if checked and self.session:
            self.session.follow()

    def _on_filter(self, text):
        if self.session:
            self.session.filter = text
            self._show()

    def _on_result_chosen(self, index):
        if self.state.node:
            node_id = self.ui.resultComboBox.itemData(index)
            node = slicer.mrmlScene.GetNodeByID(node_id) if node_id else None
            self.state.node.result = node
