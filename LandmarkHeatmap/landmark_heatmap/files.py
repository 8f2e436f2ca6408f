"""Writing files so that a crash at any moment leaves the old or the new state, never a mixture."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from .errors import LandmarkHeatmapError

# What a crash leaves behind begins so: hidden, and safe to delete.
TEMPORARY = ".new-"


@contextmanager
def replacing(path, new: bool = False):
    """Yield a temporary path beside `path`; on success it is synced and renamed over `path`.

    The temporary name ends as the name of `path` does, so that writers which choose a format by
    the extension choose the same one. On an exception `path` is left as it was.
    new: nothing is replaced; FileExistsError if `path` exists by then, also if it came just now.
    """
    path = Path(path)
    temporary = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY, suffix=_ending(path))
        os.close(handle)
        temporary = Path(name)
        yield temporary
        # mkstemp makes files private; this is the mode that a plain open() would have given.
        os.chmod(temporary, 0o666 & ~_umask())
        sync(temporary)
        if new:
            rename_new(temporary, path)
        else:
            os.replace(temporary, path)
            sync(path.parent)
    except OSError as error:
        if _is_named(error):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def offering_overwrite(path):
    """Within it, FileExistsError becomes a LandmarkHeatmapError that says how to overwrite `path`."""
    try:
        yield
    except FileExistsError as error:
        raise LandmarkHeatmapError(
            f"'{path}' is there already. Choose another name, or add overwrite=True."
        ) from error


@contextmanager
def new_folder(path):
    """Yield a temporary folder beside `path`; on success it is synced and renamed to `path`.

    Raises FileExistsError if `path` exists by then: a folder is never overwritten or merged into.
    """
    path = Path(path)
    temporary = None
    try:
        name = tempfile.mkdtemp(dir=path.parent, prefix=TEMPORARY, suffix=_ending(path))
        temporary = Path(name)
        yield temporary
        os.chmod(temporary, 0o777 & ~_umask())
        for each in temporary.rglob("*"):
            sync(each)
        sync(temporary)
        if path.exists():
            raise FileExistsError(f"'{path}' exists already; nothing was written.")
        os.rename(temporary, path)
        sync(path.parent)
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            raise FileExistsError(f"'{path}' exists already; nothing was written.") from error
        if _is_named(error):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def rename_new(source, path) -> None:
    """Rename a file to `path`. Raises FileExistsError if `path` exists, also if it came just now."""
    if os.name == "nt":
        # Windows never renames over a file; elsewhere a second name for the file has to help.
        os.rename(source, path)
        return
    try:
        os.link(source, path)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here (FAT, some shares): take the name first, then replace what took it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            os.replace(source, path)
        except BaseException:
            os.unlink(path)
            raise
    else:
        os.unlink(source)
    sync(Path(path).parent)


def write_json(path, document, new: bool = False) -> None:
    """Write `document` as indented JSON, atomically. NaN and infinity are refused (ValueError).

    new: nothing is replaced; FileExistsError if `path` exists.
    """
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(path, new) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def sha256_of(path) -> str:
    """The SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def sync(path) -> None:
    """Force a file or a folder to the disk; a folder only where the system can (Windows cannot)."""
    is_folder = Path(path).is_dir()
    if os.name == "nt" and is_folder:
        return
    # Windows can only flush a file that is open for writing.
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        # Some network shares flush files but no folders; what was written is there all the same.
        if not is_folder:
            raise
    finally:
        os.close(handle)


def _is_named(error: OSError) -> bool:
    """Whether it names a file that the user knows: neither none nor a temporary one."""
    named = error.filename is not None and TEMPORARY not in str(error.filename)
    return named or error.errno is None


def _ending(path: Path) -> str:
    """The end of the name, short enough that a long name does not grow over what systems allow."""
    return "-" + path.name[-40:]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
