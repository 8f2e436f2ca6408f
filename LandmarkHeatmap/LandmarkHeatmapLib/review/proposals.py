"""What else would move because of what a person placed: asked, answered, shown, taken or left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk

from landmark_heatmap.dataset.record import Review
from landmark_heatmap.images.geometry import PX, apply_affine

from ..display.ghosts import Ghosts
from ..following import Follower, told_once
from ..volumes import ijk_to_ras

# A person's point that moved by no more than this, in voxels of the smallest side, is as it was.
_LEAST_VOXELS = 1.0


@dataclass(frozen=True, eq=False)
class Question:
    """given: name to voxel indices (3,) of what a person placed or confirmed. new: the names of those of
    them whose consequences are asked for. absent: names of what a person said not to be there."""

    result: object
    given: dict
    new: tuple
    absent: tuple


@dataclass(frozen=True, eq=False)
class Found:
    """A landmark as it is answered to be: ijk: (3,) voxel indices. expected_mm: how far off that may be,
    in the unit of the image; 0 where it is not known."""

    name: str
    ijk: np.ndarray
    expected_mm: float = 0.0


@dataclass(frozen=True, eq=False)
class Proposal:
    """distance_mm: from where the landmark is now, in the unit of the image. because_of: names."""

    name: str
    ijk: np.ndarray
    distance_mm: float
    because_of: tuple


class Proposals(Follower):
    """Those of one review, the farthest first in `items`, until they are taken or left.

    The review tells of its steps by `stepped` and `travelled`. on_question: None, or called with a
    Question for what a person has moved; its answer, if one comes, is given to `answer`. on_change(): the
    items are others, by an answer or because they were left. Call `release` when done.
    """

    def __init__(self, result):
        super().__init__(result)
        self.on_question = self.on_change = None
        self.items, self._ghosts = (), Ghosts(result.volume_node)
        self._because_of, self._asked = (), None
        self._places = result.positions_ijk()
        for event in (
            slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
            vtk.vtkCommand.ModifiedEvent,
        ):
            self._observe(result.volume_node, event, self._volume_changed)

    def release(self) -> None:
        super().release()
        self._asked, self.items = None, ()
        self._ghosts.release()

    @property
    def distances(self) -> dict:
        """Name to by how much it would move."""
        return {item.name: item.distance_mm for item in self.items}

    # --- what the review tells

    def stepped(self) -> None:
        """Somebody has done something; what was asked before holds only for points that are as then."""
        names, now = self.result.landmarks.names, self.result.positions_ijk()
        given, absent = self._given(now)
        moved = {name for name in given if self._is_elsewhere(names.index(name), now)}
        for index, name in enumerate(names):
            if name not in given or name in moved:
                self._places[index] = now[index]
        if not moved and set(self._because_of) <= set(given):
            self._keep(self._still_open(now))
            return
        self._because_of = tuple(
            name for name in names if name in moved or (name in self._because_of and name in given)
        )
        self._asked = None
        self._keep(())
        if moved and self.on_question is not None:
            self._asked = Question(self.result, given, self._because_of, absent)
            self.on_question(self._asked)

    def travelled(self) -> None:
        """Something was undone, or done again: nothing follows from that."""
        self._places = self.result.positions_ijk()
        self._forget()

    def answer(self, question: Question, found) -> bool:
        """found: a Found for each landmark that would move. Returns whether there is anything to take;
        the answer to an older question is dropped. Reviewed landmarks stay where they are."""
        if question is not self._asked or not self.is_alive:
            return False
        self._asked = None
        names, now = self.result.landmarks.names, self.result.positions_ijk()
        reviews = self.result.reviews()
        items = []
        for each in found:
            if reviews.get(each.name) is not Review.UNTOUCHED:
                continue
            distance = self._length(each.ijk - now[names.index(each.name)])
            # NaN for what is nowhere yet: there is no place from which it would follow.
            if distance > max(each.expected_mm, self._length_of_a_voxel()):
                items.append(Proposal(each.name, each.ijk, distance, question.new))
        self._tell(self._keep(tuple(sorted(items, key=lambda item: -item.distance_mm))))
        return bool(self.items)

    # --- what the user does

    def take(self, names=()) -> list:
        """Move these, or all of them, to where they are proposed; returns their names. No step of the
        history: that is the review's."""
        taken = [item for item in self.items if not names or item.name in names]
        with told_once(self.result):
            for item in taken:
                self.result.follow(item.name, item.ijk, item.because_of)
        return [item.name for item in taken]

    def leave(self) -> None:
        """They stay; what comes next is asked without the points that led to these."""
        self._tell(self._forget())

    # --- inside

    def _forget(self) -> bool:
        self._because_of, self._asked = (), None
        return self._keep(())

    def _given(self, now) -> tuple:
        """(name to its place, names said to be absent) of what a person has judged."""
        given, absent = {}, []
        for (name, review), ijk in zip(self.result.reviews().items(), now):
            if review is Review.UNTOUCHED:
                continue
            if np.isfinite(ijk).all():
                given[name] = ijk
            else:
                absent.append(name)
        return given, tuple(absent)

    def _is_elsewhere(self, index: int, now) -> bool:
        """Also what was nowhere before."""
        least = _LEAST_VOXELS * self._length_of_a_voxel()
        return not self._length(now[index] - self._places[index]) <= least

    def _still_open(self, now) -> tuple:
        """Without those that somebody has judged or moved meanwhile."""
        names, reviews = self.result.landmarks.names, self.result.reviews()
        return tuple(
            item
            for item in self.items
            if reviews[item.name] is Review.UNTOUCHED
            and abs(self._length(item.ijk - now[names.index(item.name)]) - item.distance_mm) < 1e-3
        )

    def _keep(self, items) -> bool:
        """Returns whether they are others than before."""
        if not items and not self.items:
            return False
        is_other = [item.name for item in items] != [item.name for item in self.items]
        self.items = items
        self._show()
        return is_other

    def _tell(self, is_other: bool) -> None:
        if is_other and self.on_change is not None:
            self.on_change()

    def _volume_changed(self, caller, event, calldata=None):
        """Where the volume goes, the landmarks go along, and what is proposed of them."""
        if self.items and self.is_alive:
            self._show()

    def _show(self) -> None:
        if not self.is_alive:
            self._ghosts.release()
            return
        names, now = self.result.landmarks.names, self.result.positions_ijk()
        affine = ijk_to_ras(self.result.volume_node)
        self._ghosts.show(
            [
                (apply_affine(affine, now[names.index(item.name)]), apply_affine(affine, item.ijk))
                for item in self.items
            ]
        )

    def _length(self, ijk) -> float:
        """Of a way in voxels, in the unit of the image."""
        if self.result.unit == PX:
            return float(np.linalg.norm(ijk))
        return float(np.linalg.norm(ijk_to_ras(self.result.volume_node)[:3, :3] @ ijk))

    def _length_of_a_voxel(self) -> float:
        return min(map(self._length, np.eye(3)))
