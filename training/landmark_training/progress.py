"""The one line that says how far a command is, what it does, and that it is alive.

A terminal gets a bar; a log gets a line whenever it has heard nothing for some seconds, later half a
minute. Whoever works tells what it does with `doing` and `each`; where no line is shown, nothing comes
of it.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager

_BAR = "{percentage:3.0f}% |{bar:24}| {desc}"
# How often a terminal is drawn anew, and how long a log is left silent: at first, and once it is long.
_TERMINAL_SECONDS, _LOG_SECONDS, _LONG_LOG_SECONDS = 0.5, 4.0, 30.0
_LONG_AFTER_SECONDS = 600.0

_shown = None


class _Line:
    """What is known now, drawn by a thread of its own: a step or a file may take its time."""

    def __init__(self, live=None):
        from tqdm import tqdm

        self.live = live
        self.what, self.share, self.ends = "", 0.0, None
        self.started = self.heard = time.monotonic()
        self.bar = tqdm(total=100, bar_format=_BAR, leave=False, disable=not sys.stderr.isatty())
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._keep_drawing, daemon=True)
        self.thread.start()

    def _keep_drawing(self) -> None:
        while not self.over.wait(_TERMINAL_SECONDS):
            self.draw()
            if self.live is not None:
                left = None if self.ends is None else max(0.0, self.ends - time.monotonic())
                self.live.tell(self.what, self.share, left)

    def draw(self) -> None:
        now = time.monotonic()
        text = f"{duration(now - self.started)} gone"
        if self.ends is not None:
            text += f", about {duration(self.ends - now)} left"
        text += f"  {self.what}" if self.what else ""
        if not self.bar.disable:
            self.bar.n = 100 * self.share
            self.bar.set_description_str(text)
            return
        silence = _LOG_SECONDS if now - self.started < _LONG_AFTER_SECONDS else _LONG_LOG_SECONDS
        if self.what and now - self.heard >= silence - _TERMINAL_SECONDS / 2:
            self.heard = now
            print(f"{100 * self.share:3.0f} %, {text}", file=sys.stderr, flush=True)

    def end(self) -> None:
        self.over.set()
        self.thread.join()
        self.bar.close()


@contextmanager
def shown(hidden: bool = False, live=None):
    """While it lasts, the line is shown; one within another shows nothing of its own.

    live: a Live, which tells the same to others.
    """
    global _shown
    if hidden or _shown is not None:
        yield
        return
    _shown = _Line(live)
    try:
        yield
    finally:
        _shown.end()
        _shown = None


def doing(what: str) -> None:
    """Tell what is being done from now on."""
    if _shown is not None:
        _shown.what = what


def each(items, what: str):
    """The items one by one, telling which of how many it is."""
    items = list(items)
    for number, item in enumerate(items, 1):
        doing(f"{what}, {number} of {len(items)}")
        yield item


def reached(share: float, left_seconds: float) -> None:
    """share: of all that is to be done, 0 to 1. left_seconds: how long the rest takes, or None."""
    if _shown is not None:
        _shown.share = min(1.0, max(_shown.share, share))
        _shown.ends = None if left_seconds is None else time.monotonic() + left_seconds


def anew() -> None:
    """Something else begins, of which nothing is done yet."""
    if _shown is not None:
        _shown.share, _shown.ends, _shown.what = 0.0, None, ""


def settled() -> None:
    """The run's folder is its own from now on: others may be told there."""
    if _shown is not None and _shown.live is not None:
        _shown.live.settle()


def note(**facts) -> None:
    """What those who look from elsewhere see beside the line: fields of a LiveState."""
    if _shown is not None and _shown.live is not None:
        _shown.live.note(**facts)


def folder_of_pictures():
    """Where pictures of how it goes are looked for; None if nobody is told."""
    return None if _shown is None or _shown.live is None else _shown.live.folder


def voice(say):
    """`say`, which does not run into the line."""

    def told(line):
        if _shown is not None:
            _shown.bar.clear()
            _shown.heard = time.monotonic()
        say(line)
        # A log shows it now, not when there is a block of lines.
        if say is print:
            sys.stdout.flush()

    return told


def duration(seconds: float) -> str:
    """'40 s', '12 min', '3 h 20 min'."""
    seconds = max(0, round(seconds))
    if seconds < 100:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
