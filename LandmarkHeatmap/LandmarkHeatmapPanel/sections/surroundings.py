"""What is shown around the landmarks: lines between them, and the anatomy in 3D."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from LandmarkHeatmapLib.display.anatomy import AnatomySteps, set_anatomy_shown
from LandmarkHeatmapLib.display.camera import look_at_landmarks
from LandmarkHeatmapLib.display.skeleton import Skeleton
from LandmarkHeatmapLib.following import is_there

from ..in_steps import InSteps
from ..section import Section
from ..state import ANATOMIES, RENDERED
from ..widgets import fill, select


class SurroundingsSection(Section):
    """Follows the result that is chosen, after the overlay, which hides the landmarks of the others.

    The anatomy is made after a detection, in steps between which the window lives; of a result that
    is chosen again, what was made is shown.
    """

    def __init__(self, ui, state, logic):
        super().__init__(ui, state, logic)
        self._result = self._skeleton = None
        self._anatomy = InSteps()
        box = self.ui.anatomyComboBox
        fill(box, [(_(text), key) for key, text in ANATOMIES.items()])
        select(box, self.state.anatomy)
        box.connect("currentIndexChanged(int)", self._on_anatomy_chosen)

    @property
    def is_busy(self) -> bool:
        """Whether the anatomy is being made."""
        return self._anatomy.is_busy

    def attach(self) -> None:
        """What the views show already counts as what was wanted."""
        self._follow(self.state.result())

    def update(self) -> None:
        result, before = self.state.result(), self._result
        if _is_same(result, before):
            return
        self._anatomy.stop()
        if before is not None and is_there(before):
            set_anatomy_shown(before, False, self._rendering())
        self._follow(result)
        if result is not None:
            set_anatomy_shown(result, bool(self.state.anatomy), self._rendering())

    def begin(self) -> None:
        """A new result: look at it, and make what is around it. In 2D there is nothing to do."""
        if self._result is not None:
            look_at_landmarks(self._result)
            self._make()

    def detach(self) -> None:
        self._follow(None)

    def forget(self) -> None:
        self._anatomy.stop()

    def close(self) -> None:
        self._anatomy.stop()

    def _follow(self, result) -> None:
        if self._skeleton is not None:
            self._skeleton.release()
        self._result = result
        self._skeleton = Skeleton(result) if result is not None else None

    def _rendering(self):
        """What can render volumes, if that is wanted; else None, and nobody's rendering changes."""
        return slicer.app.applicationLogic() if self.state.anatomy == RENDERED else None

    def _make(self) -> None:
        self._anatomy.stop()
        if self.state.anatomy:
            steps = AnatomySteps(self._result, self._rendering())
            self._anatomy.begin(self._result, steps)

    def _on_anatomy_chosen(self, index):
        self._anatomy.stop()
        if self._result is not None:
            set_anatomy_shown(self._result, False, self._rendering())
        self.state.anatomy = self.ui.anatomyComboBox.itemData(index)
        if self._result is not None:
            self._make()


def _is_same(result, other) -> bool:
    return (result and result.node) is (other and other.node)
