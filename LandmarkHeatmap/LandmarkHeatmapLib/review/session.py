"""The review of one result: looking at one landmark after another, judging, correcting, undoing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landmark_heatmap.dataset.record import Review
from landmark_heatmap.detection.locate import nearest_peak
from landmark_heatmap.errors import LandmarkHeatmapError

from ..display.views import is_flat, jump_to
from ..result import markups
from ..result.detection_result import DetectionResult
from ..volumes import image_of
from .history import Step, history_of
from .placing import Placing
from .snapshot import Snapshot
from .watching import ResultWatch

ORDERS = ("anatomy", "name", "need")


@dataclass(frozen=True)
class Row:
    """One landmark of the list. moved_mm: from where it was predicted; NaN without a place."""

    name: str
    definition: str
    confidence: float
    review: Review
    moved_mm: float


class ReviewSession:
    """Steps through a result's landmarks, one of them unlocked at a time, and can undo every step.

    What a mouse, another module or a script does to the landmarks meanwhile is noticed, told, and
    can be undone, too. A point that is pressed in a view becomes the current one; being locked
    until then, it is not moved by that. Two sessions of different results know nothing of each
    other; the steps of a result are remembered as long as it is in the scene.

    on_change(): something in the rows has changed. on_select(name): another landmark is current.
    Call `release` when done.
    """

    def __init__(self, result: DetectionResult, on_change=None, on_select=None):
        self.result = result
        self.on_change, self.on_select = on_change, on_select
        self.current = None
        self._placing = None
        self._watch = ResultWatch(result, self._look, self._picked)
        self._history = history_of(result.node)
        if self._history.now is None:
            self._history.now = Snapshot.take(result)
        self._look()
        self._show_current()
        self.order = "anatomy"

    def release(self) -> None:
        """End the session; all points can be moved again, and the rest stays as it is."""
        self._stop_placing()
        self._watch.release()
        if self._watch.is_alive:
            markups.unlock_all(self.result.markups_node)

    # --- the list

    @property
    def order(self) -> str:
        """ "anatomy", as in the model; "name"; or "need": unreviewed first, least confident first.

        The last is decided when it is set, and kept: rows do not jump under the user's hand.
        """
        return self._order

    @order.setter
    def order(self, order: str) -> None:
        if order not in ORDERS:
            raise LandmarkHeatmapError(f"'{order}' is none of the orders {', '.join(ORDERS)}.")
        self._order = order
        self._names = list(self.result.landmarks.names) if self._watch.is_alive else []
        if order == "name":
            self._names.sort(key=str.casefold)
        elif order == "need" and self._names:
            reviews, confidence = self.result.reviews(), self.result.confidence
            self._names.sort(
                key=lambda name: (reviews[name] is not Review.UNTOUCHED, confidence(name))
            )

    def rows(self) -> list:
        """A Row for each landmark, in `order`; none once the result is gone."""
        if not self._watch.is_alive:
            return []
        result = self.result
        reviews, landmarks = result.reviews(), result.landmarks
        moved = np.linalg.norm(result.positions_lps() - result.predicted_positions_lps(), axis=1)
        rows = {
            mark.name: Row(
                mark.name,
                mark.definition,
                result.confidence(mark.name),
                reviews[mark.name],
                float(moved[index]),
            )
            for index, mark in enumerate(landmarks.landmarks)
        }
        return [rows[name] for name in self._names]

    def progress(self) -> tuple:
        """(how many landmarks have been reviewed, how many there are)."""
        reviews = [row.review for row in self.rows()]
        return sum(review is not Review.UNTOUCHED for review in reviews), len(reviews)

    # --- which one is looked at

    def select(self, name: str, jump: bool = True) -> None:
        """Make a landmark the current one: the only one that can be moved, marked as such.

        jump: bring all slice views to it, if it has a place. Raises AnnotationError for an unknown
        name.
        """
        self._select(name)
        if jump:
            # The picture of a flat image need not wander from point to point.
            self._jump(is_centred=not is_flat(self.result.volume_node))

    def next(self) -> None:
        self._step(1)

    def previous(self) -> None:
        self._step(-1)

    def next_unreviewed(self) -> None:
        """On to the next landmark that nobody has looked at, from the top again after the last."""
        rows = {row.name: row for row in self.rows()}
        start = self._names.index(self.current) + 1 if self.current in rows else 0
        for name in self._names[start:] + self._names[:start]:
            if name in rows and rows[name].review is Review.UNTOUCHED:
                self.select(name)
                return

    def _step(self, by: int) -> None:
        if not self._watch.is_alive:
            return
        if self.current is None:
            self.select(self._names[0 if by > 0 else -1])
        else:
            self.select(self._names[(self._names.index(self.current) + by) % len(self._names)])

    def _select(self, name: str) -> None:
        if not self._watch.is_alive:
            return
        self.result.landmarks.index(name)  # refuses an unknown name
        self._stop_placing()
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

    def _jump(self, is_centred: bool) -> None:
        index = self.result.landmarks.index(self.current)
        position = markups.world_positions(self.result.markups_node)[index]
        if np.isfinite(position).all():
            jump_to(self.result.scene, position, is_centred)

    def _picked(self, index: int) -> None:
        """A point was pressed in a view: the other views come to it, that one stays as it is."""
        name = self.result.landmarks.names[index]
        if name != self.current:
            self._select(name)
            self._jump(is_centred=False)

    # --- judging and correcting the current one

    def confirm(self) -> None:
        """It has been looked at and is right, where it is or absent."""
        self._do("confirmation", self.result.confirm)

    def mark_absent(self) -> None:
        """It is not in this image."""
        self._do("marking as absent", self.result.mark_absent)

    def restore(self) -> None:
        """Back to what the model had said; as if nobody had touched it."""
        self._do("return to the prediction", self.result.restore_prediction)

    def snap(self) -> bool:
        """Move it to the peak of its heatmap that is nearest; False if none is near."""
        position = self._peak_near_current()
        if position is None:
            return False
        self._do("snap to the peak", lambda name: self.result.move(name, position))
        return True

    def place(self) -> None:
        """Let the next click in a slice view put it there; it is back if none comes."""
        if self.current is None or not self._watch.is_alive:
            return
        self._stop_placing()
        self._look()
        with self._watch.quiet():
            self._placing = Placing(self.result, self.current, self._placing_ended)
        self._tell()

    def _peak_near_current(self):
        """The world position (3,), RAS, of the peak, or None."""
        if self.current is None or not self._watch.is_alive:
            return None
        self._stop_placing()
        heatmap = self.result.heatmap_node(self.current)
        if heatmap is None:
            return None
        position = markups.positions_in(self.result.markups_node, heatmap)[
            self.result.landmarks.index(self.current)
        ]
        peak = nearest_peak(image_of(heatmap), position)
        return None if peak is None else markups.world_of(heatmap, peak)

    def _do(self, what: str, action) -> None:
        """One step: `action` with the name of the current landmark."""
        if self.current is None or not self._watch.is_alive:
            return
        self._stop_placing()
        self._look()
        with self._watch.quiet():
            action(self.current)
        self._record(f"{what} of {self.current}")

    # --- what is noticed, undone and done again

    @property
    def can_undo(self) -> bool:
        return self._history.undoable is not None

    @property
    def can_redo(self) -> bool:
        return self._history.redoable is not None

    @property
    def undo_text(self) -> str:
        """As "Undo: move of Tip"; empty if there is nothing."""
        return f"Undo: {self._history.undoable.what}" if self.can_undo else ""

    @property
    def redo_text(self) -> str:
        return f"Redo: {self._history.redoable.what}" if self.can_redo else ""

    def undo(self) -> None:
        """Take the last step back: everything is exactly what it was before it."""
        self._travel(lambda: self.can_undo, self._history.step_back, lambda step: step.before)

    def redo(self) -> None:
        self._travel(lambda: self.can_redo, self._history.step_forward, lambda step: step.after)

    def _travel(self, is_possible, take_step, moment_of) -> None:
        if not self._watch.is_alive:
            return
        self._stop_placing()
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

    def _stop_placing(self) -> None:
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
