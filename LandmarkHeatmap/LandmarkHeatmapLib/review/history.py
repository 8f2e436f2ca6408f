"""What was done in the review of a result, to be undone and done again."""

from __future__ import annotations

from dataclasses import dataclass

import vtk

from landmark_heatmap.dataset.record import Review

from ..following import told_once
from .snapshot import Snapshot


@dataclass(frozen=True, eq=False)
class Step:
    """what: in words, as "move of Tip". before, after: the moments around it."""

    what: str
    before: Snapshot
    after: Snapshot


class History:
    """The steps up to now, and those that were undone.

    now: the last moment that is known. is_cut_off: something was done before the first step.
    on_moment: None, or called with what was done, in words, and the moment after it, for every step
    that is done, undone or done again.
    """

    def __init__(self):
        self.now = self.on_moment = None
        self.is_cut_off = False
        self._done, self._undone = [], []

    def begin(self, result) -> None:
        """Take up what is there, if nothing is known of it yet."""
        if self.now is None:
            self.now = Snapshot.take(result)
            # Judged before, in a scene that was saved, and of how nothing is known.
            self.is_cut_off = any(r is not Review.UNTOUCHED for r in result.reviews().values())

    def record(self, result, what=None) -> bool:
        """Make a step of what is not as it was at the last moment; returns whether there was anything.

        what: in words; by default as what it looks like.
        """
        before, now = self.now, Snapshot.take(result)
        touched = now.touched_since(before, result.landmarks.names)
        if not touched:
            return False
        if what is None:
            verb = "move" if now.moved_since(before) else "judgement"
            what = f"{verb} of {told_names(touched)}"
        self.add(Step(what, before, now))
        return True

    def bring(self, result, what: str, before: Snapshot, moment: Snapshot) -> None:
        """Make the result, which is as it was before, what it is at a moment: one step."""
        # Who watches finds a step that is here already.
        with told_once(result):
            moment.put_back(result)
            self.add(Step(what, before, Snapshot.take(result)))

    def add(self, step: Step) -> None:
        """A step was done; what had been undone before cannot be done again."""
        self._done.append(step)
        self._undone.clear()
        self.now = step.after
        self._tell(step.what, step.after)

    @property
    def undoable(self):
        """The step that would be undone next, or None."""
        return self._done[-1] if self._done else None

    @property
    def redoable(self):
        return self._undone[-1] if self._undone else None

    @property
    def undo_text(self) -> str:
        """As "Undo: move of Tip"; why there is nothing, if it was done before the scene was saved."""
        if self.undoable is not None:
            return f"Undo: {self.undoable.what}"
        if self.is_cut_off:
            return "What was done before the scene was saved and opened again cannot be undone."
        return ""

    def step_back(self) -> Step:
        step = self._done.pop()
        self._undone.append(step)
        self._tell(f"undo of {step.what}", step.before)
        return step

    def step_forward(self) -> Step:
        step = self._undone.pop()
        self._done.append(step)
        self._tell(f"redo of {step.what}", step.after)
        return step

    def _tell(self, what: str, moment: Snapshot) -> None:
        if self.on_moment is not None:
            self.on_moment(what, moment)


def told_names(names) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} landmarks"


# (weak reference to the node of a result, its history): a history outlives a visit to another
# module, but neither the result nor the application.
_histories = []


def history_of(node) -> History:
    """The one history of a result's node."""
    _histories[:] = [(each, history) for each, history in _histories if each.Get() is not None]
    for each, history in _histories:
        if each.Get() is node:
            return history
    reference = vtk.vtkWeakReference()
    reference.Set(node)
    _histories.append((reference, History()))
    return _histories[-1][1]
