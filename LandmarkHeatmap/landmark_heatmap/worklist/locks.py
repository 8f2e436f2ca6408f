"""The lock of a case in work: a file with name, computer and time, which works on network drives.

Locks of the system are not known on all network drives, and a killed process cannot delete a file. So
a lock is a file that is made under a name which nobody has made before, and counts as stale when it
was not refreshed for some minutes. Whoever takes a case makes the file with the next number: of two
who try at once one succeeds, also of two who take over a stale one. No file of somebody else's is ever
changed, and none is deleted before there is one with a higher number.
"""

from __future__ import annotations

import os
import platform
import re
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..dataset.folder import check_case_name, newest_revision
from ..dataset.record import told_time
from ..errors import CaseInWorkError
from ..leftovers import is_dead, temporary_prefix
from . import beside

# A holder refreshes it every minute; after this long without that it may be taken over.
REFRESH_S, STALE_AFTER_S = 60, 10 * 60
_KIND = "lock"
_NAMED = re.compile(r"(?P<case>.+)\.lock-(?P<number>[0-9]{6,9})\.json")


@dataclass(frozen=True)
class Holder:
    """Who is at a case. taken: when, ISO 8601 in UTC. revision: the newest of the case then. silent_s:
    for how long it was not refreshed. is_gone: its process has ended, on this computer, for sure."""

    case: str
    number: int
    annotator: str
    host: str
    taken: str
    token: str
    revision: int
    silent_s: float
    is_gone: bool = False

    @property
    def is_stale(self) -> bool:
        return self.is_gone or self.silent_s > STALE_AFTER_S

    def told(self) -> str:
        """As 'Anna on ward-3, since 2026-05-04 13:05 UTC'."""
        told = f"{self.annotator or 'Somebody'} on {self.host or 'an unknown computer'}"
        when = told_time(self.taken)
        return f"{told}, since {when}" if when else told

    def told_silence(self) -> str:
        """Why it is stale, as a sentence."""
        if self.is_gone:
            return "The program that had it has ended."
        return f"Nothing was heard of that for {round(self.silent_s / 60)} min."


class CaseLock:
    """A lock that this process holds. taken_over_from: the Holder whose stale one it took over, or None.

    Call `refresh` every REFRESH_S, and `release` when done.
    """

    def __init__(self, path: Path, case: str, document: dict, taken_over_from: Holder = None):
        self.path, self.case, self._document = path, case, document
        self.taken_over_from = taken_over_from

    @classmethod
    def take(cls, dataset, case: str, annotator: str = "", take_over: bool = False) -> CaseLock:
        """take_over: also from somebody whose lock is stale.

        Raises CaseInWorkError, saying who has it and since when, if it cannot be had; DatasetError for
        a name that no case can have.
        """
        check_case_name(case)
        while True:
            number, holder = holder_of(dataset, case)
            if holder is not None and not (take_over and holder.is_stale):
                raise CaseInWorkError(_refusal(holder))
            document = {
                "annotator": annotator,
                "host": platform.node(),
                "token": uuid.uuid4().hex,
                "process": temporary_prefix(),
                "taken": beside.now(),
                "revision": newest_revision(Path(dataset) / "cases" / case),
                "released": None,
            }
            path = _path(dataset, case, number + 1)
            with suppress(FileExistsError):
                beside.write(path, _KIND, case, document, new=True)
                _remove_before(dataset, case, number + 1)
                return cls(path, case, document, holder)

    @property
    def revision(self) -> int:
        """The number of the case's newest revision when it was taken, 0 for none."""
        return self._document["revision"]

    @property
    def is_held(self) -> bool:
        """Whether nobody has taken it over."""
        newest = max(_numbers(self.path.parent, self.case), default=0)
        return self.path.name == _path("", self.case, newest).name

    def refresh(self) -> bool:
        """Say that the work goes on; returns whether it is still held. Raises OSError where nothing can
        be written."""
        if not self.is_held:
            return False
        os.utime(self.path)
        return True

    def release(self) -> None:
        """Let others have the case. Raises OSError where nothing can be written."""
        if self.is_held:
            document = {**self._document, "released": beside.now()}
            beside.write(self.path, _KIND, self.case, document)


def holder_of(dataset, case: str, numbers=None, clock: float = None) -> tuple:
    """(the highest number of a lock of a case, 0 for none; its Holder, None if it was released).

    numbers: of all its locks, if they are known. clock: the `clock_of` the dataset, likewise.
    """
    numbers = _numbers(beside.folder_of(dataset), case) if numbers is None else numbers
    number = max(numbers, default=0)
    path = _path(dataset, case, number)
    try:
        written = os.stat(path).st_mtime
    except OSError:
        return number, None
    document = beside.read(path, _KIND)
    if document.get("released"):
        return number, None
    # One that cannot be read is just being written, or somebody's all the same.
    silent = (beside.clock_of(dataset) if clock is None else clock) - written
    said = [beside.text(document, key) for key in ("annotator", "host", "taken", "token")]
    process = beside.text(document, "process")
    is_gone = bool(process) and is_dead(Path(f"{process}lock"))
    return number, Holder(case, number, *said, beside.whole(document, "revision"), silent, is_gone)


def numbers_by_case(names) -> dict:
    """Of the names of a worklist's files: case to the numbers of its locks."""
    found = {}
    for name in names:
        named = _NAMED.fullmatch(name)
        if named:
            found.setdefault(named["case"], []).append(int(named["number"]))
    return found


def _refusal(holder: Holder) -> str:
    told = f"'{holder.case}' is in work: {holder.told()}."
    if holder.is_stale:
        return f"{told} {holder.told_silence()} It can be taken over."
    return f"{told} Take another case, or ask to have it released."


def _numbers(folder: Path, case: str) -> list:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return numbers_by_case(name for name in names if name.startswith(case)).get(case, [])


def _path(dataset, case: str, number: int) -> Path:
    return beside.folder_of(dataset) / f"{case}.lock-{number:06d}.json"


def _remove_before(dataset, case: str, number: int) -> None:
    for earlier in _numbers(beside.folder_of(dataset), case):
        if earlier < number:
            # Somebody may be reading it; it counts for nothing.
            with suppress(OSError):
                _path(dataset, case, earlier).unlink()
