"""What the command lines have in common: every failure that is not a bug ends in one clear line."""

from __future__ import annotations

import os
import sys

from .errors import LandmarkHeatmapError

BAD_INPUT, INTERRUPTED = 2, 130


def run_command(program: str, command, options) -> int:
    """command(options), and its exit code.

    2 for input that cannot be used, for files that cannot be read or written and for too little
    memory; 130, as shells count it, for Ctrl-C. Each comes with a line on stderr that says why.
    """
    for stream in (sys.stdout, sys.stderr):
        # A file's name may have letters that the terminal has not: no reason to fail.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = command(options)
        sys.stdout.flush()
        return code
    except LandmarkHeatmapError as error:
        print(f"{program}: {error}", file=sys.stderr)
    except BrokenPipeError:
        # Whoever read the output ('| head') has seen enough; what is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"{program}: {_told(error)}", file=sys.stderr)
    except MemoryError:
        print(f"{program}: There is not enough memory.", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{program}: Stopped. What was finished before is kept.", file=sys.stderr)
        return INTERRUPTED
    return BAD_INPUT


def _told(error: OSError) -> str:
    """Which file, and why, in words."""
    why = error.strerror or str(error) or type(error).__name__
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    return f"{' and '.join(repr(name) for name in names)}: {why}." if names else f"{why}."
