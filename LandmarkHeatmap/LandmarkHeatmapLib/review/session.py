"""The review of one result: looking at one landmark after another, judging, correcting, undoing."""

from __future__ import annotations

from landmark_heatmap.dataset.record import Review
from landmark_heatmap.detection.locate import nearest_peak

from ..result import markups
from ..result.detection_result import DetectionResult
from ..volumes import image_of
from .history import Step, history_of
from .looking import Looking
from .placing import Placing
from .rows import check_order, names_in_order, rows_of
from .snapshot import Snapshot
from .watching import ResultWatch


class ReviewSession:
    """Steps through a result's landmarks, one of them unlocked at a time, and can undo every step.

    What a mouse, another module or a script does to the landmarks meanwhile is noticed, told, and
    can be undone, too. A point that is pressed in a view becomes the current one; being locked
    until then, it is not moved by that. Two sessions of different results know nothing of each
    other; the steps of a result are remembered as long as it is in the scene.

    on_change(): something in the rows has changed. on_select(name): another landmark is current.
    looking: how the current one is shown in the views. close_up: as for Looking. Call `release` when
    done.
    """

    def __init__(self, result: DetectionResult, on_change=None, on_select=None, close_up=None):
        self.result = result
        self.on_change, self.on_select = on_change, on_select
        self.current = None
        self._placing, self._filter = None, ""
        self.looking = Looking(result, close_up)
        self._watch = ResultWatch(result, self._look, self._picked)
        self._history = history_of(result.node)
        if self._history.now is None:
            self._history.now = Snapshot.take(result)
            # Judged before, in a scene that was saved, and of how nothing is known.
            reviews = result.reviews().values()
            self._history.is_cut_off = any(each is not Review.UNTOUCHED for each in reviews)
        self._look()
        self._show_current()
        self.order = "anatomy"

    def release(self) -> None:
        """End the session; all points can be moved again, and the rest stays as it is."""
        self.stop_placing()
        self._watch.release()
        self.looking.release()
        if self._watch.is_alive:
            markups.unlock_all(self.result.markups_node)

    # --- the list

    @property
    def order(self) -> str:
        """One of `rows.ORDERS`, after a "-" the other way round.

        It is decided when it is set, and kept: rows do not jump under the user's hand.
        """
        return self._order

    @order.setter
    def order(self, order: str) -> None:
        self._order = check_order(order)
        self._every = names_in_order(self.result, order) if self._watch.is_alive else []
        self.filter = self._filter

    @property
    def filter(self) -> str:
        """A part of the names that are listed and stepped through; all of them if empty."""
        return self._filter

    @filter.setter
    def filter(self, text: str) -> None:
        self._filter = text
        wanted = text.strip().casefold()
        self._names = [name for name in self._every if wanted in name.casefold()]

    def rows(self) -> list:
        """A Row for each landmark that is listed, in `order`; none once the result is gone."""
        rows = {row.name: row for row in self.every_row()}
        return [rows[name] for name in self._names] if rows else []

    def every_row(self) -> list:
        """A Row for each landmark, listed or not, as in the model; none once the result is gone."""
        return rows_of(self.result) if self._watch.is_alive else []

    def progress(self) -> tuple:
        """(how many landmarks have been reviewed, how many there are), listed or not."""
        reviews = list(self.result.reviews().values()) if self._watch.is_alive else []
        return sum(review is not Review.UNTOUCHED for review in reviews), len(reviews)

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
        self._step(1)

    def previous(self) -> None:
        self._step(-1)

    def next_unreviewed(self) -> None:
        """On to the next landmark that nobody has looked at, from the top again after the last."""
        rows = {row.name: row for row in self.rows()}
        start = self._names.index(self.current) + 1 if self.current in self._names else 0
        for name in self._names[start:] + self._names[:start]:
            if name in rows and rows[name].review is Review.UNTOUCHED:
                self.select(name)
                return

    def _step(self, by: int) -> None:
        if not self._watch.is_alive:
            return
        if not self._names:
            return
        if self.current not in self._names:
            self.select(self._names[0 if by > 0 else -1])
        else:
            self.select(self._names[(self._names.index(self.current) + by) % len(self._names)])

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
        """It has been looked at and is right, where it is or absent."""
        self._do("confirmation", self.result.confirm, names)

    def mark_absent(self, names=()) -> None:
        """It is not in this image."""
        self._do("marking as absent", self.result.mark_absent, names)

    def restore(self, names=()) -> None:
        """Back to what the model had said; as if nobody had touched it."""
        self._do("return to the prediction", self.result.restore_prediction, names)

    def snap(self) -> bool:
        """Move it to the peak of its heatmap that is nearest; False if none is near."""
        position = self._peak_near_current()
        if position is None:
            return False
        self._do("snap to the peak", lambda name: self.result.move(name, position))
        return True

    def place(self) -> None:
        """Let the next click in a slice view put it there; it is back if none comes.

        Until then nothing else can be judged; `undo` and `stop_placing` end it, and do no more.
        """
        if self.current is None or self.is_placing or not self._watch.is_alive:
            return
        self._look()
        with self._watch.quiet():
            self._placing = Placing(self.result, self.current, self._placing_ended)
        self._tell()

    def _peak_near_current(self):
        """The world position (3,), RAS, of the peak, or None."""
        if self.current is None or self.is_placing or not self._watch.is_alive:
            return None
        heatmap = self.result.heatmap_node(self.current)
        if heatmap is None:
            return None
        position = markups.positions_in(self.result.markups_node, heatmap)[
            self.result.landmarks.index(self.current)
        ]
        peak = nearest_peak(image_of(heatmap), position)
        return None if peak is None else markups.world_of(heatmap, peak)

    def _do(self, what: str, action, names=()) -> None:
        """One step: `action` with the name of the current landmark, or with each of the names."""
        if self.current is None or self.is_placing or not self._watch.is_alive:
            return
        names = list(names) or [self.current]
        self._look()
        with self._watch.quiet():
            for name in names:
                action(name)
        self._record(f"{what} of {names[0] if len(names) == 1 else f'{len(names)} landmarks'}")

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
        """As "Undo: move of Tip"; why there is nothing, if it was done before the scene was saved."""
        if self.is_placing:
            return f"End the placing of {self.current}"
        if self._history.undoable is not None:
            return f"Undo: {self._history.undoable.what}"
        if self._history.is_cut_off:
            return "What was done before the scene was saved and opened again cannot be undone."
        return ""

    @property
    def redo_text(self) -> str:
        return f"Redo: {self._history.redoable.what}" if self.can_redo else ""

    def undo(self) -> None:
        """Take the last step back: everything is exactly what it was before it.

        While a click is waited for, it ends the waiting, and takes no step back.
        """
        if self.is_placing:
            self.stop_placing()
            return
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
        touched = self._touched(step.after, step.before)
        if len(touched) == 1:
            self.select(touched[0])
        self._tell()

    def _look(self) -> None:
        """Make a step of what was changed since the last one, if anything."""
        if not self._watch.is_alive or self._is_waiting_for_a_click():
            return
        self._record(None)

    def _record(self, what) -> None:
        before, now = self._history.now, Snapshot.take(self.result)
        touched = self._touched(now, before)
        if not touched:
            return
        if what is None:
            verb = "move" if now.moved_since(before) else "judgement"
            what = f"{verb} of {touched[0] if len(touched) == 1 else f'{len(touched)} landmarks'}"
        self._history.add(Step(what, before, now))
        self._tell()

    def _touched(self, now: Snapshot, before: Snapshot) -> list:
        """The names of the landmarks that differ between two moments."""
        names = self.result.landmarks.names
        moved = {names[index] for index in now.moved_since(before)}
        return [name for name in names if name in moved.union(now.judged_since(before))]

    def _is_waiting_for_a_click(self) -> bool:
        return self._placing is not None and self._placing.is_waiting

    def stop_placing(self) -> None:
        """Wait for no click any more; the landmark is back where it was."""
        if self._placing is not None:
            self._placing.stop()

    def _placing_ended(self) -> None:
        was_cancelled = self._is_waiting_for_a_click()
        self._placing = None
        if was_cancelled and self._watch.is_alive:
            with self._watch.quiet():
                self._history.now.put_back(self.result)
            self._tell()

    def _tell(self) -> None:
        if self.on_change is not None:
            self.on_change()
