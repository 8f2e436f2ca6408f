"""Texts whose place in the panel never changes its height, whatever they say.

A label that wraps and grows moves what is below it under the hand; and after the module was left and
entered again, Qt 5 lays it out with the height it had before, over its neighbours.
"""

from __future__ import annotations

import qt
from slicer.i18n import tr as _


class OnResize(qt.QObject):
    """Calls a function whenever a widget gets another size, until `release_all` is called."""

    alive = []  # (filter, widget): Qt itself keeps no filter

    def __init__(self, widget, function):
        qt.QObject.__init__(self)
        self._function = function
        widget.installEventFilter(self)
        self.alive.append((self, widget))

    @classmethod
    def release_all(cls) -> None:
        """The panel is about to go; its widgets may outlive Python."""
        for each, widget in cls.alive:
            widget.removeEventFilter(each)
        cls.alive.clear()

    def eventFilter(self, watched, event):
        if event.type() == qt.QEvent.Resize:
            self._function()
        return False


class FixedText:
    """A label of so many lines, always. What does not fit ends in dots, and is in the tool tip.

    text: the whole of it. on_change(): called when it, or how much of it is seen, has changed.
    """

    def __init__(self, label: qt.QLabel, lines: int = 1, on_change=None):
        self._label, self._lines, self._tip = label, lines, label.toolTip
        self._on_change = on_change
        self.text, self.is_whole = "", True
        label.setFixedHeight(lines * label.fontMetrics().lineSpacing() + 2)
        OnResize(label, self._lay_out)

    def show(self, text: str) -> None:
        if text != self.text:
            self.text = text
            self._label.toolTip = text or self._tip
            self._lay_out()

    def _lay_out(self) -> None:
        metrics = self._label.fontMetrics()
        lines = wrapped(self.text, self._lines, self._label.width, lambda t: width_of(t, metrics))
        self.is_whole = "".join("".join(lines).split()) == "".join(self.text.split())
        if self._label.text != "\n".join(lines):
            self._label.text = "\n".join(lines)
        if self._on_change:
            self._on_change()


def duration(seconds: float) -> str:
    """'12 s', '3 min 20 s', '2 h 10 min'."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, rest_of_minutes = divmod(minutes, 60)
    if hours:
        return _("{hours} h {minutes} min").format(hours=hours, minutes=rest_of_minutes)
    if minutes:
        return _("{minutes} min {seconds} s").format(minutes=minutes, seconds=rest)
    return _("{seconds} s").format(seconds=rest)


def width_of(text: str, metrics) -> int:
    """In pixels; QFontMetrics calls it by another name before Qt 5.11."""
    measure = getattr(metrics, "horizontalAdvance", None) or metrics.width
    return measure(text)


def wrapped(text: str, lines: int, width: int, width_of) -> list:
    """A text in at most so many lines, none wider than `width` by `width_of`; the last one ends in
    dots if that is too few. A word that is wider than a line, such as a path, is broken."""
    found, rest = [], " ".join(text.split())
    while rest and len(found) < lines:
        fits = _fitting(rest, width, width_of)
        if fits == len(rest) or len(found) == lines - 1:
            break
        space = rest.rfind(" ", 0, fits + 1)
        found.append(rest[: space if space > 0 else fits])
        rest = rest[len(found[-1]) :].lstrip()
    if rest and _fitting(rest, width, width_of) < len(rest):
        rest = rest[: _fitting(rest, width - width_of("…"), width_of)].rstrip() + "…"
    return [*found, rest] if rest else found


def _fitting(text: str, width: int, width_of) -> int:
    """How many of a text's characters fit; one at least, so that there is an end to it."""
    if width_of(text) <= width:
        return len(text)
    low, high = 1, len(text)  # that fit, and that do not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if width_of(text[:middle]) <= width else (low, middle)
    return low
