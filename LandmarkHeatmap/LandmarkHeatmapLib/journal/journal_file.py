"""An append-only file of JSON lines that belongs to one process at a time."""

from __future__ import annotations

import json
import os
import stat
import uuid
from pathlib import Path

from landmark_heatmap.files import sync
from landmark_heatmap.locks import lock

_PREFIX, _SUFFIX = "review-", ".jsonl"
# A review of hundreds of landmarks takes less than one of these.
_LARGEST_BYTES = 64 * 2**20
# A byte far beyond the end: where Windows locks a region, other processes cannot read it.
_LOCKED_BYTE = 2**30


class JournalFile:
    """A journal that this process has, until `release` or `remove`.

    The system holds the lock and ends it with the process, however that ends: no number of a
    process has to be believed. Only its owner can read the file, whose name says nothing.
    """

    def __init__(self, path: Path, handle: int):
        self.path, self._handle = path, handle
        self._is_torn = False

    @classmethod
    def create(cls, folder) -> JournalFile:
        """A new one. Raises OSError where it cannot be written or locked."""
        folder = Path(folder)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{_PREFIX}{uuid.uuid4().hex}{_SUFFIX}"
        handle = os.open(path, _flags() | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            # Somebody who looks through the folder may hold it for a moment.
            lock(handle, wait=True, at=_LOCKED_BYTE)
        except BaseException:
            os.close(handle)
            path.unlink()
            raise
        sync(folder)
        return cls(path, handle)

    @classmethod
    def claim(cls, path):
        """One that is there, or None if another has it, in this process or in one that lives."""
        try:
            handle = os.open(path, _flags())
        except OSError:
            return None
        try:
            lock(handle, at=_LOCKED_BYTE)
        except OSError:
            os.close(handle)
            return None
        # It may have been removed in between, by who had it.
        if not os.path.exists(path):
            os.close(handle)
            return None
        return cls(Path(path), handle)

    def append(self, document: dict) -> None:
        """Add a line; it is on the disk when this returns. Raises OSError if it cannot be."""
        text = json.dumps(document, separators=(",", ":"), allow_nan=False)
        # What an earlier attempt has left of a line must not spoil this one.
        line = (("\n" if self._is_torn else "") + text + "\n").encode("ascii")
        self._is_torn = True
        while line:
            line = line[os.write(self._handle, line) :]
        os.fsync(self._handle)
        self._is_torn = False

    def read(self) -> tuple:
        """(the documents of all lines that can be read, how many others there are)."""
        os.lseek(self._handle, 0, os.SEEK_SET)
        parts, size = [], 0
        while size < _LARGEST_BYTES:
            parts.append(os.read(self._handle, 2**20))
            size += len(parts[-1])
            if not parts[-1]:
                break
        documents, damaged = [], 0
        for line in b"".join(parts).split(b"\n"):
            if not line.strip():
                continue
            try:
                document = json.loads(line.decode("ascii"), parse_constant=_refuse)
            except (ValueError, RecursionError):
                document = None
            if isinstance(document, dict):
                documents.append(document)
            else:
                damaged += 1
        return documents, damaged

    def release(self) -> None:
        """Leave it to whoever comes next."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def remove(self) -> None:
        """Delete it. What cannot be deleted is emptied, and offered to nobody."""
        if self._handle is not None:
            os.ftruncate(self._handle, 0)
        self.release()
        self.path.unlink(missing_ok=True)


def journals_in(folder) -> list:
    """(path, when it was written to, s since 1970) of all journals of a folder, the newest first."""
    found = []
    for path in Path(folder).glob(f"{_PREFIX}*{_SUFFIX}"):
        try:
            status = os.lstat(path)
        except OSError:
            continue
        # A pipe would be waited for, and a link be somebody else's file.
        if stat.S_ISREG(status.st_mode):
            found.append((path, status.st_mtime_ns / 1e9))
    return sorted(found, key=lambda each: (each[1], each[0].name), reverse=True)


def _flags() -> int:
    binary, no_follow = getattr(os, "O_BINARY", 0), getattr(os, "O_NOFOLLOW", 0)
    return os.O_RDWR | os.O_APPEND | binary | no_follow


def _refuse(name: str):
    raise ValueError(f"{name} is no number")
