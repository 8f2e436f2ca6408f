"""The keys of the review: there only while the module is open."""

from __future__ import annotations

import qt
import slicer

# Button, key. None of these is one of Slicer's or of Markups' (b f g r t v p l, digits, brackets,
# arrows, Delete; Ctrl+Z and Ctrl+Y are in its Edit menu). Plain letters are typed in text fields as
# ever: those take a letter before any shortcut does.
SHORTCUTS = {
    "previousButton": "Shift+N",
    "nextButton": "N",
    "nextUnreviewedButton": "U",
    "confirmButton": "C",
    "absentButton": "A",
    "restoreButton": "X",
    "snapButton": "K",
    "placeButton": "D",
    "undoButton": "Z",
    "redoButton": "Shift+Z",
}


class Keys:
    """Presses the buttons of the panel. Call `enter` and `exit` with the module."""

    def __init__(self, ui, parent):
        """parent: a widget to hang the keys on where there is no main window."""
        self._ui, self._parent, self._shortcuts = ui, parent, []

    def enter(self) -> None:
        self.exit()
        for name, key in SHORTCUTS.items():
            # The main window's, for the keys have to work while the mouse is in a view.
            shortcut = qt.QShortcut(slicer.util.mainWindow() or self._parent)
            shortcut.setKey(qt.QKeySequence(key))
            shortcut.setContext(qt.Qt.WindowShortcut)
            shortcut.connect("activated()", _pressing(getattr(self._ui, name)))
            self._shortcuts.append(shortcut)

    def exit(self) -> None:
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts = []


def _pressing(button):
    return lambda: button.click()
