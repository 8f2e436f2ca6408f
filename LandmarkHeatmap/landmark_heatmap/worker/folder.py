"""The folder that client and worker share. It holds an image, and may not outlive the two.

The client holds a lock on its folder. The system takes a lock from a process that ends, however it
ended: a folder whose lock is free is a dead client's, and one that is locked is never touched. That
holds on Linux, macOS and Windows, needs no process numbers, which are given again, and no clock.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from ..locks import lock

PREFIX = "landmark-heatmap-worker-"
# Where folders cannot be locked, a file in them is.
_LOCK_NAME = "in-use"
_NEW_FOLDERS_TRIED = 100


class OwnedFolder:
    """A new private folder, this process's until it is removed or the process ends.

    Raises OSError where none can be made.
    """

    def __init__(self):
        for _ in range(_NEW_FOLDERS_TRIED):
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
            self._lock = None
            try:
                self._lock = _locked(self.path)
                if _is_still(self._lock, self.path):
                    return
            except (BlockingIOError, FileNotFoundError):
                pass  # before it was locked, somebody who tidies up took it for a dead one's
            except OSError:
                return  # no locks on this disk: nobody else can have one, and nobody tidies up
            self.remove()
        raise OSError(f"no folder of its own could be made in '{tempfile.gettempdir()}'")

    def remove(self) -> None:
        """The folder, with what is in it."""
        # A locked file cannot go on Windows; a folder whose lock is free may be taken for a dead
        # one's, which comes to the same.
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        shutil.rmtree(self.path, ignore_errors=True)


def clear_dead() -> None:
    """Remove the folders of this user's clients that ended without doing so."""
    with suppress(OSError):
        for path in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
            with suppress(OSError):
                _clear_if_dead(path)


def _clear_if_dead(path: Path) -> None:
    """OSError if it is somebody's, or if that cannot be told."""
    stat = path.lstat()
    if (
        path.is_symlink()
        or not path.is_dir()
        or hasattr(os, "getuid")
        and stat.st_uid != os.getuid()
    ):
        return
    held = _locked(path)
    try:
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(held)
    if os.name == "nt":
        shutil.rmtree(path, ignore_errors=True)


def _locked(path: Path) -> int:
    """The handle of a lock on the folder. BlockingIOError if somebody has it."""
    if os.name == "nt":
        handle = os.open(path / _LOCK_NAME, os.O_RDWR | os.O_CREAT)
    else:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        lock(handle)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _is_still(held: int, path: Path) -> bool:
    """Whether what was locked is there, and still of this name."""
    return os.path.samestat(os.fstat(held), os.stat(path / _LOCK_NAME if os.name == "nt" else path))
