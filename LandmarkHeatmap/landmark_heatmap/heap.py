"""Memory that is freed stays with the process that works with it, until it says that it is done.

The C library of Linux (glibc) gives every block of more than 32 MB back to the system when it is freed,
and the system clears each page anew for the next one. A network frees and takes such blocks without end:
two fifths of the time of a step went into that on a virtual machine (Testing/benchmarks/README.md).
"""

from __future__ import annotations

import ctypes
import sys

# From malloc.h. Blocks are never mapped by themselves; what is free at the end of the heap is kept; and
# all threads share one heap, as there are no others without mapping.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """For this process, from now on; a program of its own calls it, never Slicer. Whether the C library
    can do so: those of Windows, macOS and musl have no need or no way."""
    library = _glibc()
    if library is None:
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _LARGEST), (_ARENA_MAX, 1))
    taken = [library.mallopt(*setting) for setting in settings]
    return all(taken)


def give_back() -> None:
    """What is free goes back to the system: nothing large is wanted soon."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def _glibc():
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    found = all(hasattr(library, name) for name in ("mallopt", "malloc_trim"))
    return library if found else None
