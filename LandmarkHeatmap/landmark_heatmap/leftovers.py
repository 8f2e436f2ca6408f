"""What killed processes leave behind while they write: told by its name, and removed when surely dead.

A file is written under a hidden name and renamed when it is whole (see `files`). The hidden name
says which process of which machine writes it. It is removed if that process is of this machine and
gone. Of another machine, which may be writing to the same network drive just now, nothing can be
known but the age: a week without a change is a week longer than any file takes.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import time
from functools import lru_cache
from pathlib import Path

# What a crash leaves behind begins so: hidden, and safe to delete.
TEMPORARY = ".new-"
DEAD_AFTER_S = 7 * 24 * 3600
_BY_PROCESS = re.compile(r"\.new-([0-9a-f]{8})-([0-9]{1,10})-.*", re.DOTALL)


def temporary_prefix() -> str:
    """How the names of this process's temporary files and folders begin."""
    return f"{TEMPORARY}{_machine()}-{os.getpid()}-"


def is_leftover(path) -> bool:
    """Whether the name is that of something being written, or that was when its process died."""
    return Path(path).name.startswith(TEMPORARY)


def is_dead(path: Path) -> bool:
    """Whether nobody writes this temporary file or folder any more, for sure."""
    named = _BY_PROCESS.fullmatch(path.name)
    if named and named[1] == _machine() and os.name != "nt":
        # Where the number was given to another process since, the age decides.
        return not _is_running(int(named[2])) or _is_old(path)
    return _is_old(path)


def tidy(folder, ending: str = "", alone: bool = False) -> None:
    """Remove what dead processes left in `folder`, of files whose temporary names end in `ending`.

    alone: nobody else writes there now, by a lock, so that all of it is dead. What cannot be removed
    stays: it is in nobody's way.
    """
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        path = Path(folder) / name
        if is_leftover(path) and name.endswith(ending) and (alone or is_dead(path)):
            remove(path)


def remove(path: Path) -> None:
    """Remove a temporary file or folder; of a link the link only."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    except OSError:
        # Somebody else's, or gone already.
        return


def _is_old(path: Path) -> bool:
    """Whether neither it nor anything in it was changed for a week."""
    try:
        inside = list(path.rglob("*")) if path.is_dir() and not path.is_symlink() else []
        newest = max(os.lstat(each).st_mtime for each in [path, *inside])
    except OSError:
        return False
    return time.time() - newest > DEAD_AFTER_S


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        # It is there, and another user's; or no process could have this number.
        return True
    return True


@lru_cache(maxsize=1)
def _machine() -> str:
    """Eight digits for this start of this machine, and this container on it; they name nobody."""
    parts = [platform.node()]
    for read in (
        lambda: Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"),
        lambda: os.readlink("/proc/self/ns/pid"),
    ):
        try:
            parts.append(read())
        except OSError:
            parts.append("")
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:8]
