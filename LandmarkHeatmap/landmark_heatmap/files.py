"""Files of the user: opened so that nothing hangs, written so that a crash leaves no mixture."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path

from .errors import LandmarkHeatmapError, printable
from .leftovers import TEMPORARY, temporary_prefix, tidy

# Of what is not meant to be larger: annotations, records, settings take kilobytes.
LARGEST_TEXT_BYTES = 16 * 2**20
# No number of ours needs more digits; Python would take minutes for a million.
_MOST_DIGITS = 1000
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LITTLE_SPACE = 2**20


def open_file(path, error=LandmarkHeatmapError):
    """Open a user's file to read its bytes, if it is one: the only way to open what a user names.

    A pipe, a device, a socket, or a link to one would be waited for without an end, or fill all
    memory. error: the class of what is raised for them; OSError where a file cannot be opened.
    """
    try:
        _check_is_file(path, os.stat(path).st_mode, error)
        # Should it have become a pipe in between, opening it does not wait.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        handle = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    except ValueError as reason:
        # A zero byte in the name, or a letter that the system cannot write.
        raise error(f"'{path}' cannot be the name of a file.") from reason
    try:
        _check_is_file(path, os.fstat(handle).st_mode, error)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def real_path(path) -> Path:
    """The absolute path without links; of links in a circle, for which Path.resolve raises
    RuntimeError in Python before 3.13, as far as it can be told."""
    return Path(os.path.realpath(path))


def read_bytes(path, error=LandmarkHeatmapError, largest: int = LARGEST_TEXT_BYTES) -> bytes:
    """The content of a file.

    Raises `error`, with the file and what is wrong, for whatever cannot be read or has more than
    `largest` bytes.
    """
    try:
        with open_file(path, error) as file:
            size = os.fstat(file.fileno()).st_size
            # Not more than is there: to be able to read much, Python takes that much memory.
            content = file.read(min(size, largest) + 1)
    except OSError as reason:
        raise error(f"'{path}' cannot be read: {reason.strerror or reason}.") from reason
    if len(content) > largest:
        raise error(f"'{path}' is too large for what it should be: it has {size} bytes.")
    return content


def read_text(path, error=LandmarkHeatmapError, largest: int = LARGEST_TEXT_BYTES) -> str:
    """The text of a file in UTF-8, with or without a byte order mark. Raises `error` as `read_bytes`
    does, and for what is no text."""
    content = read_bytes(path, error, largest)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        raise error(
            f"'{path}' is not a text file in UTF-8: {reason.reason} at byte {reason.start}."
        ) from reason


def read_json(path, error=LandmarkHeatmapError, largest: int = LARGEST_TEXT_BYTES):
    """The JSON document in a file. Raises `error` as `read_text` does, and for what is no JSON.

    A text in it that cannot be written again (half a character) and numbers of thousands of
    digits are refused: nothing that gets them could do anything but fail.
    """
    text = read_text(path, error, largest)
    try:
        document = json.loads(text, parse_int=_whole_number)
        if _SURROGATE.search(text):
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as reason:
        raise error(f"'{path}' holds a text that is no Unicode: half a character.") from reason
    except (ValueError, RecursionError) as reason:
        raise error(f"'{path}' is not valid JSON: {printable(reason)}.") from reason
    return document


def _check_is_file(path, mode: int, error) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "no file")
        raise error(f"'{path}' cannot be read: it is {kind}, not a file.")


def _whole_number(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def disk_is_full(path) -> bool:
    """Whether next to nothing can be written to the disk of `path` any more.

    Some libraries do not say why they could not write, or not even that.
    """
    try:
        return shutil.disk_usage(Path(path).parent).free < _LITTLE_SPACE
    except OSError:
        return False


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
        handle, name = tempfile.mkstemp("-" + _ending(path), temporary_prefix(), path.parent)
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

    What a killed process left of the same folder is removed first.
    Raises FileExistsError if `path` exists by then: a folder is never overwritten or merged into.
    """
    path = Path(path)
    temporary = None
    try:
        tidy(path.parent, _ending(path))
        name = tempfile.mkdtemp("-" + _ending(path), temporary_prefix(), path.parent)
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
    """The SHA-256 of a file's bytes, as 64 hexadecimal digits.

    Raises LandmarkHeatmapError for what is no file, OSError for one that cannot be read.
    """
    digest = hashlib.sha256()
    with open_file(path) as file:
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
    return path.name[-40:]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
