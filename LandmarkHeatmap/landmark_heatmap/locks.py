"""Locks that the system takes from a process when it ends, however it ends.

So no number of a process has to be believed, which are given again, and no clock.
"""

from __future__ import annotations

import os

if os.name == "nt":
    import msvcrt
else:
    import fcntl


def lock(handle: int, wait: bool = False, at: int = 0) -> None:
    """Lock an open file, or a folder where the system can, until its handle is closed.

    wait: until whoever has it lets go. at: the byte that is locked on Windows, where other processes
    cannot read it then. Raises BlockingIOError if somebody has it, OSError where there are no locks.
    """
    if os.name != "nt":
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return
    os.lseek(handle, at, os.SEEK_SET)
    try:
        msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    except PermissionError as error:  # so Windows says it
        raise BlockingIOError(*error.args) from error
