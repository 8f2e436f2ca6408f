"""Where results are written: only where nothing is in the way."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.runs.live import FOLDER

_LOCK = ".lock"


def is_free(path) -> bool:
    """Whether there is nothing at `path` but an empty folder, or one in which a run was begun that is not
    there yet."""
    path = Path(path)
    return not path.exists() or path.is_dir() and {each.name for each in path.iterdir()} <= {FOLDER}


def check_free(path) -> None:
    """Raises DatasetError for what is not free."""
    if not is_free(path):
        raise DatasetError(f"'{path}' is not an empty folder; nothing in it is overwritten.")


def check_new_file(path) -> Path:
    """The path. Raises DatasetError if there is anything, or its folder is not there."""
    path = Path(path)
    if path.exists():
        raise DatasetError(f"'{path}' is there already; nothing is overwritten.")
    if not path.parent.is_dir():
        raise DatasetError(f"There is no folder '{path.parent}' to write '{path.name}' to.")
    return path


def new_folder(path) -> Path:
    """Make a folder for output. Raises DatasetError if there is anything in it already."""
    path = Path(path)
    check_free(path)
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def alone_in(folder, is_first: bool = True):
    """Within it, no other run trains in `folder`: two would write over each other's files.

    is_first: whether this is the process of a team that writes; the others need no lock. The lock goes
    with the process, however it ends. Raises DatasetError if another one has it.
    """
    if not is_first:
        yield
        return
    # Here, for only who trains has it; an import of tables needs none.
    from filelock import FileLock, Timeout

    lock = FileLock(Path(folder) / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as reason:
        raise DatasetError(
            f"Another process trains in '{folder}' now. Wait until it has ended, or stop it."
        ) from reason
    except (OSError, NotImplementedError):
        # Some shares have no locks; that is no reason not to train there.
        pass
    try:
        yield
    finally:
        lock.release()
