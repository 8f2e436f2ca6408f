"""What every section of the panel is: what it is given, when it is called, how it tells."""

from __future__ import annotations


class Signal:
    """Calls whoever is connected, in that order.

    Plain Python: signals of Qt that are defined in Python can crash under PythonQt.
    """

    def __init__(self):
        self._listeners = []

    def connect(self, listener) -> None:
        self._listeners.append(listener)

    def emit(self, *values) -> None:
        for listener in list(self._listeners):
            listener(*values)


class Section:
    """One part of the panel.

    ui: the widgets of the .ui file by their names. state: a State. logic: a LandmarkHeatmapLogic.
    changed: tells that all sections have to follow something that is not in the parameter node,
    whose own changes they follow anyway. told(text): a sentence for the line at the panel's foot.
    """

    def __init__(self, ui, state, logic):
        self.ui, self.state, self.logic = ui, state, logic
        self.changed, self.told = Signal(), Signal()

    def attach(self) -> None:
        """A parameter node has come: the module was opened, or the scene is another."""

    def update(self) -> None:
        """Make the widgets agree with the state, which has a node then. Called on every change."""

    def detach(self) -> None:
        """The parameter node is about to go; it is still there."""

    def forget(self) -> None:
        """The scene is being closed: what was said of it holds no more."""

    def close(self) -> None:
        """The application or the module ends; nothing is called after this."""
