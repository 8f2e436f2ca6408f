"""A picture of the window as a file that a repository can hold."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from .pythonqt import QtGui

_COLOURS = 64


def save(host, path: Path) -> None:
    """As it looks now, in few colours. Raises OSError if it cannot be written."""
    shown = host.window.grab().toImage().convertToFormat(QtGui.QImage.Format_RGB888)
    size = (shown.width(), shown.height())
    # Each line of Qt's is filled up to whole words.
    picture = Image.frombytes(
        "RGB", size, bytes(shown.constBits()), "raw", "RGB", shown.bytesPerLine()
    )
    picture.quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path)
