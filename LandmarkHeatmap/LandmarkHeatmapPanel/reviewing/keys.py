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
    "followButton": "Y",
    "followOneButton": "J",
    "stayButton": "O",
    "closeUpButton": "E",
    "allNamesButton": "S",
}

# The same of the list of cases, from whichever tab.
CASE_SHORTCUTS = {"nextCaseButton": "Ctrl+Return"}


class Keys:
    """Presses the buttons of the panel. Call `enter` and `exit` with the module."""

    def __init__(self, ui, parent, on_escape):
        """parent: a widget to hang the keys on where there is no main window. on_escape(): Escape was
        pressed while a click is waited for."""
        self._ui, self._parent, self._shortcuts = ui, parent, []
        self._escape, self._on_escape = None, on_escape

    def enter(self) -> None:
        self.exit()
        for name, key in {**SHORTCUTS, **CASE_SHORTCUTS}.items():
            self._add(key, _pressing(getattr(self._ui, name)))
        self._escape = self._add("Esc", self._on_escape)
        self.while_placing(False)

    def while_placing(self, is_placing: bool) -> None:
        """Escape ends the waiting for a click; it is Slicer's at all other times."""
        if self._escape is not None:
            self._escape.setEnabled(is_placing)

    def _add(self, key: str, on_key):
        # The main window's, for the keys have to work while the mouse is in a view.
        shortcut = qt.QShortcut(slicer.util.mainWindow() or self._parent)
        shortcut.setKey(qt.QKeySequence(key))
        shortcut.setContext(qt.Qt.WindowShortcut)
        shortcut.connect("activated()", on_key)
        self._shortcuts.append(shortcut)
        return shortcut

    def exit(self) -> None:
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts, self._escape = [], None


def _pressing(button):
    return lambda: button.click()
