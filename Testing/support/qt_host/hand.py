"""A hand on mouse and keyboard, and a watch on how long the window stood still."""

from __future__ import annotations

import time

from PySide6 import QtTest

from .pythonqt import QtCore, QtGui, QtWidgets


class Hand:
    """What a person does to widgets. To be mixed with what has `app`, `window` and `process`.

    Positions are in the widget, from its upper left corner. clicks, keys: how much it was until now, in
    buttons and views; names that are typed do not count.
    """

    clicks = keys = 0

    @staticmethod
    def point(x, y):
        return QtCore.QPoint(x, y)

    def drag(self, widget, start, end, button=QtCore.Qt.LeftButton, steps=6):
        """Hover, press, move, release, as a hand does."""
        self.clicks += 1
        for kind, place, held in [
            (QtCore.QEvent.MouseMove, start, False),
            (QtCore.QEvent.MouseMove, start, False),
            (QtCore.QEvent.MouseButtonPress, start, True),
            *(
                (QtCore.QEvent.MouseMove, start + (end - start) * (n / steps), True)
                for n in range(1, steps + 1)
            ),
            (QtCore.QEvent.MouseButtonRelease, end, False),
        ]:
            self._mouse(widget, kind, place, button, held)
        self.process()

    def click(self, button):
        """Click a button with the left mouse key; it must be there to be clicked.

        The tab it is on is opened first, as a person would.
        """
        self.open_tab_of(button)
        assert button.isVisible(), f"{button.name} cannot be seen"
        assert button.enabled, f"{button.name} is disabled"
        self.clicks += 1
        QtTest.QTest.mouseClick(button, QtCore.Qt.LeftButton)
        self.process()

    def open_tab_of(self, widget):
        """Bring the tab to the front that a widget lies on, if it lies on one."""
        page = widget
        while page is not None:
            stack = page.parent()
            if isinstance(stack, QtWidgets.QStackedWidget) and stack.currentWidget() is not page:
                tabs = stack.parent()
                tabs.setCurrentWidget(page)
                self.clicks += 1
                self.process()
            page = stack

    def type(self, text, widget):
        QtTest.QTest.keyClicks(widget, text.rstrip("\n"))
        if text.endswith("\n"):
            QtTest.QTest.keyClick(widget, QtCore.Qt.Key_Return)
        self.process()

    def click_at(self, widget, place, button=QtCore.Qt.LeftButton):
        self.drag(widget, place, place, button, steps=0)

    def _mouse(self, widget, kind, place, button, held):
        is_move = kind == QtCore.QEvent.MouseMove
        nothing = QtCore.Qt.NoButton
        event = QtGui.QMouseEvent(
            kind,
            QtCore.QPointF(place),
            QtCore.QPointF(widget.mapToGlobal(place)),
            nothing if is_move else button,
            button if held else nothing,
            QtCore.Qt.NoModifier,
        )
        self.app.sendEvent(widget, event)

    def wheel(self, widget, notches):
        """Turn the mouse wheel over the middle of a widget."""
        middle = QtCore.QPointF(widget.rect.center())
        event = QtGui.QWheelEvent(
            middle,
            QtCore.QPointF(widget.mapToGlobal(middle.toPoint())),
            QtCore.QPoint(),
            QtCore.QPoint(0, 120 * notches),
            QtCore.Qt.NoButton,
            QtCore.Qt.NoModifier,
            QtCore.Qt.NoScrollPhase,
            False,
        )
        self.app.sendEvent(widget, event)
        self.process()

    def press(self, key, widget=None, modifiers=QtCore.Qt.NoModifier):
        """Press and release a key where the focus is, shortcuts included."""
        self.keys += 1
        QtTest.QTest.keyClick(widget or self.app.focusWidget() or self.window, key, modifiers)
        self.process()

    def drop(self, widget, paths):
        """Drag files from the desktop over a widget and let them go; returns if it took them."""
        data = QtCore.QMimeData()
        data.setUrls([QtCore.QUrl.fromLocalFile(str(path)) for path in paths])
        place, copy = widget.rect.center(), QtCore.Qt.CopyAction
        held = (data, QtCore.Qt.LeftButton, QtCore.Qt.NoModifier)
        enter = QtGui.QDragEnterEvent(place, copy, *held)
        enter.ignore()
        self.app.sendEvent(widget, enter)
        if not enter.isAccepted():
            return False
        drop = QtGui.QDropEvent(QtCore.QPointF(place), copy, *held)
        self.app.sendEvent(widget, drop)
        self.process()
        return drop.isAccepted()


class LoopWatch:
    """The longest times between two turns of the event loop.

    cpu_ms: what the application's own thread worked; other work on the machine does not count.
    wall_ms: by the clock, waiting included.
    """

    def __init__(self):
        self.cpu_ms = self.wall_ms = 0.0
        self._last = None
        self._timer = QtCore.QTimer()
        self._timer.timeout.connect(self._turn)
        self._timer.start(0)

    def _turn(self):
        now = (time.thread_time(), time.perf_counter())
        if self._last is not None:
            self.cpu_ms = max(self.cpu_ms, 1000 * (now[0] - self._last[0]))
            self.wall_ms = max(self.wall_ms, 1000 * (now[1] - self._last[1]))
        self._last = now

    def stop(self):
        self._turn()
        self._timer.stop()
