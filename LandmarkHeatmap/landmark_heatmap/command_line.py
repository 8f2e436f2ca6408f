"""What the command lines have in common: every failure that is not a bug ends in one clear line."""

from __future__ import annotations

import argparse
import errno
import os
import platform
import signal
import sys
import threading
from contextlib import contextmanager
from importlib import metadata

from . import __version__
from .errors import LandmarkHeatmapError, explain_missing_package, printable
from .heap import keep_freed_memory
from .launch import let_threads_sleep

# A command that ran through and has nothing to show for it was no success, either.
NOTHING_DONE, BAD_INPUT, INTERRUPTED, TERMINATED = 1, 2, 130, 143
# What can make the same command give something else.
_BESIDE = ("torch", "safetensors", "numpy", "SimpleITK")
# What the words of the system mean.
_MEANS = {
    errno.ENOSPC: "the disk is full. Free some space, and start again; what was finished is kept",
    getattr(errno, "EDQUOT", -1): "what you may use of this disk is used up",
    errno.EROFS: "this disk can only be read",
}


class Parser(argparse.ArgumentParser):
    """Says what was wrong with the arguments without sending them raw to the terminal."""

    def error(self, message):
        super().error(printable(message))


def add_thresholds(parser: argparse.ArgumentParser) -> None:
    """The option of every command that evaluates."""
    parser.add_argument(
        "--thresholds",
        action="extend",
        nargs="+",
        type=float,
        metavar="MM",
        help="success detection rates at these distances (default: 2 2.5 3 4, or what fits the size of"
        " the images)",
    )


def add_version(parser: argparse.ArgumentParser) -> None:
    """--version: the program, Python, and the packages that matter beside it."""
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="show which versions these are, and exit",
    )


class _Version(argparse.Action):
    def __call__(self, parser, *_):
        print(version_text(parser.prog))
        parser.exit()


def version_text(program: str) -> str:
    """A line each. The packages are looked up, not imported: torch alone would take seconds."""
    lines = [f"{program} {__version__}", f"Python {platform.python_version()}"]
    for name in _BESIDE:
        try:
            lines.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            lines.append(f"{name}: not installed")
    return "\n".join(lines)


def run_command(program: str, command, options) -> int:
    """command(options), and its exit code.

    2 for input that cannot be used, for files that cannot be read or written, for too little memory
    and for a package that is not installed; as shells count them, 130 for Ctrl-C and 143 for SIGTERM,
    which ends a command as Ctrl-C does. Each comes with a line on stderr that says why.
    """
    let_threads_sleep()
    keep_freed_memory()
    for stream in (sys.stdout, sys.stderr):
        # A file's name may have letters that the terminal has not: no reason to fail.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    asked = []
    try:
        with _ended_as_by_ctrl_c(asked), explain_missing_package():
            code = command(options)
        sys.stdout.flush()
        return TERMINATED if asked else code
    except LandmarkHeatmapError as error:
        print(f"{program}: {error}", file=sys.stderr)
    except BrokenPipeError:
        # Whoever read the output ('| head') has seen enough; what is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"{program}: {told(error)}", file=sys.stderr)
    except MemoryError:
        print(f"{program}: There is not enough memory.", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{program}: Stopped. What was finished before is kept.", file=sys.stderr)
        return TERMINATED if asked else INTERRUPTED
    return BAD_INPUT


@contextmanager
def _ended_as_by_ctrl_c(asked: list):
    """Within it, SIGTERM (of a cluster whose time is over, of a system that shuts down) is Ctrl-C: what
    was reached is kept, and no temporary file stays. asked: gets the signal when it comes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    own = os.getpid()

    def end(number, frame):
        if os.getpid() != own:
            # Of a process that was forked from this one, nothing is to be kept.
            os._exit(TERMINATED)
        asked.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        # None is what is not Python's own; it cannot be put back from here.
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def told(error: OSError) -> str:
    """Which file, and why, in words."""
    why = error.strerror or str(error) or type(error).__name__
    why = f"{why}: {_MEANS[error.errno]}" if error.errno in _MEANS else why
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    told = f"{' and '.join(repr(name) for name in names)}: {why}." if names else f"{why}."
    return printable(told)
