"""A picture of the window as a file that a repository can hold."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from .pythonqt import QtGui

# As many colours as fit into so many bytes.
_MOST_BYTES, _COLOURS = 95_000, (256, 192, 128, 96, 64)


def save(host, path: Path) -> None:
    """As it looks now. Raises OSError if it cannot be written."""
    shown = host.window.grab().toImage().convertToFormat(QtGui.QImage.Format_RGB888)
    size = (shown.width(), shown.height())
    # Each line of Qt's is filled up to whole words.
    given = ("RGB", size, bytes(shown.constBits()), "raw", "RGB", shown.bytesPerLine())
    picture = Image.frombytes(*given)
    for colours in _COLOURS:
        file = io.BytesIO()
        few = picture.quantize(colours, dither=Image.Dither.NONE)
        few.save(file, "PNG", optimize=True)
        if file.tell() <= _MOST_BYTES:
            break
    path.write_bytes(file.getvalue())
    print(path)
