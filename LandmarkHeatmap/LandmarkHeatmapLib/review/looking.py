"""How the landmark under review is looked at: where the views are, how near, and which names show."""

from __future__ import annotations

import numpy as np

from ..display.captions import Captions
from ..display.close_up import CloseUp, region_mm, show_beside
from ..display.views import WELL_INSIDE, look_at
from ..result import markups


class Looking:
    """The views of one review. Call `release` when done.

    close_up: a CloseUp that outlives the review, or None for one of its own.
    """

    def __init__(self, result, close_up=None):
        self._result, self._name = result, None
        self._captions = Captions(result.markups_node)
        self._close_up = close_up or CloseUp(result.scene)
        self._names_all = False

    def release(self) -> None:
        self._captions.release()

    def show(self, name) -> None:
        """This landmark, or none (None), is current now: name it in the views, which stay."""
        self._name = name
        self._show_captions()

    def go(self, inside: float = WELL_INSIDE) -> None:
        """Let all slice views show the current landmark, if it has a place: from near, if they are
        near. inside: as in `look_at`."""
        position = self._position()
        if position is None:
            return
        if self._close_up.is_on:
            self._close_up.show(position, region_mm(self._result, self._name))
        else:
            look_at(self._result.scene, position, inside)
        self._show_captions()

    def beside(self) -> bool:
        """For a flat image: a second view from near, if it needs one; as in `show_beside`."""
        positions = markups.world_positions(self._result.markups_node)
        there = list(np.flatnonzero(np.isfinite(positions).all(axis=1)))
        if not there:
            return False
        # Of the current one; that has no place if it was not found.
        index = self._index() if self._index() in there else there[0]
        name = self._result.landmarks.names[index]
        return show_beside(self._result, name, positions[index])

    @property
    def is_close(self) -> bool:
        """Whether all slice views show the current landmark from near; set it to go there and back."""
        return self._close_up.is_on

    @is_close.setter
    def is_close(self, is_close: bool) -> None:
        if is_close == self.is_close or not self._result.is_whole:
            return
        position = self._position()
        if not is_close:
            self._close_up.end(position)
        elif position is not None:
            self._close_up.show(position, region_mm(self._result, self._name))
        self._show_captions()

    @property
    def names_all(self) -> bool:
        """Whether all landmarks are named in the views; otherwise the current one and neighbours."""
        return self._names_all

    @names_all.setter
    def names_all(self, names_all: bool) -> None:
        if names_all != self._names_all:
            self._names_all = names_all
            self._show_captions()

    def _index(self):
        names = self._result.landmarks.names
        return names.index(self._name) if self._name in names else None

    def _position(self):
        """The world position (3,), RAS, of the current landmark, or None without one."""
        if self._index() is None:
            return None
        position = markups.world_positions(self._result.markups_node)[self._index()]
        return position if np.isfinite(position).all() else None

    def _show_captions(self) -> None:
        if self._result.is_whole:
            positions = markups.world_positions(self._result.markups_node)
            self._captions.show(self._index(), positions, self._names_all)
