"""The review of one result: looking at one landmark after another, judging, correcting, undoing."""

from __future__ import annotations

from landmark_heatmap.dataset.record import Review
from landmark_heatmap.errors import AnnotationError

from ..result import markups
from ..result.detection_result import DetectionResult
from .history import history_of, told_names
from .looking import Looking
from .placing import Placing, peak_near
from .proposals import Proposals
from .rows import ListedNames, names_in_order, rows_of
from .snapshot import Snapshot
from .watching import ResultWatch


class ReviewSession:
    """Steps through a result's landmarks, one of them unlocked at a time, and can undo every step.

    What a mouse, another module or a script does to the landmarks meanwhile is noticed, told, and
    can be undone, too. A point that is pressed in a view becomes the current one; being locked
    until then, it is not moved by that. Two sessions of different results know nothing of each
    other; the steps of a result are remembered as long as it is in the scene.

    What waits to be placed is placed one after another by `annotate` (is_annotating), until all are or
    `give_up`.

    on_change(): something in the rows has changed. on_select(name): another landmark is current.
    on_placed(): a click has placed the current one; `go_on` when the click is over. looking: how the
    current one is shown in the views. proposals: what else would move, a Proposals. close_up: as for
    Looking. Call `release` when done.
    """

    def __init__(self, result: DetectionResult, on_change=None, on_select=None, close_up=None):
        self.result = result
        self.on_change, self.on_select, self.on_placed = on_change, on_select, None
        self.current = None
        self._placing, self.is_annotating, self._listed = None, False, ListedNames()
        self.looking = Looking(result, close_up)
        self._watch = ResultWatch(result, self._look, self._picked)
        self._history = history_of(result.node)
        self._history.begin(result)
        self.proposals = Proposals(result)
        self.proposals.on_change = self._tell
        self._look()
        self._show_current()
        self.order = "anatomy"

    def release(self) -> None:
        """End it; all points can be moved again, and the rest stays as it is."""
        self.stop_placing()
        self._watch.release()
        self.proposals.release()
        self.looking.release()
        if self._watch.is_alive:
            markups.unlock_all(self.result.markups_node)

    # --- the list

    @property
    def order(self) -> str:
        """One of `rows.ORDERS`, after a "-" the other way round."""
        return self._listed.order

    @order.setter
    def order(self, order: str) -> None:
        self._listed.set_order(order, self.result if self._watch.is_alive else None)

    @property
    def filter(self) -> str:
        """A part of the names that are listed and stepped through; all of them if empty."""
        return self._listed.text

    @filter.setter
    def filter(self, text: str) -> None:
        self._listed.text = text

    def rows(self) -> list:
        """A Row for each landmark that is listed, in `order`; none once the result is gone."""
        return self.listed(self.every_row())

    def listed(self, rows) -> list:
        """The same of what `every_row` has said."""
        return self._listed.of(rows)

    def every_row(self) -> list:
        """A Row for each landmark, listed or not, as in the model; none once the result is gone."""
        return rows_of(self.result, self.proposals.distances) if self._watch.is_alive else []

    # --- which one is looked at

    def select(self, name: str, jump: bool = True) -> None:
        """Make a landmark the current one: the only one that can be moved, marked as such.

        jump: let all slice views show it, if it has a place; one that shows it well stays as it is.
        Raises AnnotationError for an unknown name.
        """
        self._select(name)
        if jump:
            self.looking.go()

    def select_first_in_need(self) -> None:
        """The one that most needs a look, as the order "need" has it."""
        if self._watch.is_alive:
            self.select(names_in_order(self.result, "need")[0])

    def next(self) -> None:
        self._select_if_any(self._listed.step(self.current, 1))

    def previous(self) -> None:
        self._select_if_any(self._listed.step(self.current, -1))

    def next_unreviewed(self) -> None:
        """On to the next landmark that nobody has looked at, from the top again after the last."""
        reviews = self.result.reviews() if self._watch.is_alive else {}
        is_open = [name for name, review in reviews.items() if review is Review.UNTOUCHED]
        self._select_if_any(self._listed.next_of(self.current, is_open))

    def go_on(self) -> None:
        """After a judgement: to the next that waits to be placed, while those are placed one after
        another; else as `next_unreviewed`."""
        if not self.is_annotating:
            self.next_unreviewed()
            return
        following = self._listed.next_of(self.current, self._waiting())
        if following is None:
            self.give_up()
        self._select_if_any(following)

    def _waiting(self) -> list:
        return self.result.waiting() if self._watch.is_alive else []

    def _select_if_any(self, name) -> None:
        if name is not None and self._watch.is_alive:
            self.select(name)

    def _select(self, name: str) -> None:
        if not self._watch.is_alive:
            return
        self.result.landmarks.index(name)  # refuses an unknown name
        self.stop_placing()
        is_new = name != self.current
        self.current = name
        self._show_current()
        if is_new and self.on_select is not None:
            self.on_select(name)
        if self.is_annotating and name in self._waiting():
            self.place()

    def _show_current(self) -> None:
        names = self.result.landmarks.names
        index = names.index(self.current) if self.current in names else None
        with self._watch.quiet():
            markups.unlock_only(self.result.markups_node, index)
        self.looking.show(self.current)

    def _picked(self, index: int) -> None:
        """A point was pressed in a view: the other views come to it, that one stays as it is."""
        name = self.result.landmarks.names[index]
        if name != self.current:
            self._select(name)
            self.looking.go(inside=1.0)

    # --- judging and correcting the current one

    # Each of them means the current landmark, or those of the names, and is one step to undo.

    def confirm(self, names=()) -> None:
        """It has been looked at and is right, where it is or absent. What has no place yet is left as
        it is. Raises AnnotationError if none has one."""
        names, waiting = list(names) or [self.current], self._waiting()
        there = [name for name in names if name not in waiting]
        if not there:
            raise AnnotationError(
                f"'{names[0]}' has no place yet: place it with a click (D), or mark it as absent (A)."
            )
        self._do("confirmation", self.result.confirm, there)

    def mark_absent(self, names=()) -> None:
        """It is not in this image."""
        self._do("marking as absent", self.result.mark_absent, names)

    def restore(self, names=()) -> None:
        """Back to what the model had said, if it was asked; as if nobody had touched it."""
        self._do("return to the prediction", self.result.restore_prediction, names)

    def follow(self, names=()) -> None:
        """Take the proposals, or those for these names: they move, and nobody has judged them yet."""
        if self.is_placing or not self._watch.is_alive:
            return
        self._look()
        with self._watch.quiet():
            taken = self.proposals.take(names)
        if taken:
            self._record(f"following of {told_names(taken)}")
        if not names:
            self.proposals.leave()

    def snap(self) -> bool:
        """Move it to the peak of its heatmap that is nearest; False if none is near."""
        if self.current is None or self.is_placing or not self._watch.is_alive:
            return False
        position = peak_near(self.result, self.current)
        if position is None:
            return False
        self._do("snap to the peak", lambda name: self.result.move(name, position))
        return True

    def place(self) -> None:
        """Let the next click in a slice view put it there; it is back if none comes. Until then nothing
        else can be judged; `undo` and `stop_placing` end it, and do no more. One that waits to be placed
        begins, or goes on with, what `annotate` does."""
        if self.current is None or self.is_placing or not self._watch.is_alive:
            return
        self._look()
        self.is_annotating |= self.current in self.result.waiting()
        with self._watch.quiet():
            self._placing = Placing(self.result, self.current, self._placing_ended)
        self._tell()

    def annotate(self) -> None:
        """Place what waits to be placed, one after another, from the first in the list.

        Whichever is chosen is placed by the next click, or marked as absent; then `go_on` has the
        next. `undo` takes back the click before, to be made again.
        """
        first = self._listed.next_of(None, self._waiting())
        if first is not None:
            self.is_annotating = True
            self.select(first)

    def give_up(self) -> None:
        """Wait for no click any more: neither for this one nor, after it, for another."""
        self.is_annotating = False
        self.stop_placing()
        self._tell()

    def _do(self, what: str, action, names=()) -> None:
        """One step: `action` with the name of the current landmark, or with each of the names."""
        if self.is_annotating:
            self.stop_placing()
        if self.current is None or self.is_placing or not self._watch.is_alive:
            return
        names = list(names) or [self.current]
        self._look()
        with self._watch.quiet():
            for name in names:
                action(name)
        self._record(f"{what} of {told_names(names)}")

    # --- what is noticed, undone and done again

    @property
    def is_placing(self) -> bool:
        """Whether the next click in a view puts the current landmark there."""
        return self._placing is not None

    @property
    def can_undo(self) -> bool:
        return self.is_placing or self._history.undoable is not None

    @property
    def can_redo(self) -> bool:
        return self._history.redoable is not None and not self.is_placing

    @property
    def undo_text(self) -> str:
        """As History.undo_text, or what it does while a click is waited for."""
        if self.is_placing and not (self.is_annotating and self._history.undoable):
            return f"End the placing of {self.current}"
        return self._history.undo_text

    @property
    def redo_text(self) -> str:
        return f"Redo: {self._history.redoable.what}" if self.can_redo else ""

    def undo(self) -> None:
        """Take the last step back: everything is exactly what it was before it. While a click is waited
        for, end the waiting instead; unless they are placed one after another, and there is a step."""
        if self.is_placing and not (self.is_annotating and self._history.undoable):
            self.give_up()
            return
        self.stop_placing()
        self._travel(lambda: self.can_undo, self._history.step_back, lambda step: step.before)

    def redo(self) -> None:
        self._travel(lambda: self.can_redo, self._history.step_forward, lambda step: step.after)

    def _travel(self, is_possible, take_step, moment_of) -> None:
        if self.is_placing or not self._watch.is_alive:
            return
        self._look()
        if not is_possible():
            return
        step = take_step()
        with self._watch.quiet():
            moment_of(step).put_back(self.result)
        self._history.now = Snapshot.take(self.result)
        self.proposals.travelled()
        touched = step.after.touched_since(step.before, self.result.landmarks.names)
        if len(touched) == 1:
            self.select(touched[0])
        self._tell()

    def _look(self) -> None:
        """Make a step of what was changed since the last one, if anything."""
        if not self._watch.is_alive or self._is_waiting_for_a_click():
            return
        self._record(None)

    def _record(self, what) -> None:
        if self._history.record(self.result, what):
            self.proposals.stepped()
            self._tell()

    def _is_waiting_for_a_click(self) -> bool:
        return self._placing is not None and self._placing.is_waiting

    def stop_placing(self) -> None:
        """Wait for this click no more; the landmark is back where it was."""
        if self._placing is not None:
            was_annotating = self.is_annotating
            self._placing.stop()
            self.is_annotating = was_annotating

    def _placing_ended(self) -> None:
        if not self._watch.is_alive:
            self._placing = None
            return
        was_cancelled = self._is_waiting_for_a_click()
        self._placing = None
        if was_cancelled:
            self.is_annotating = False  # the user left the placing, if it was not us
            with self._watch.quiet():
                self._history.now.put_back(self.result)
        self._look()
        self._tell()
        if not was_cancelled and self.on_placed is not None:
            self.on_placed()

    def _tell(self) -> None:
        if self.on_change is not None:
            self.on_change()
