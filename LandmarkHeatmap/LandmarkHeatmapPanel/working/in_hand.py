"""The cases that are open here: each has a lock, which is kept alive, and nodes in the scene."""

from __future__ import annotations

import logging
from contextlib import contextmanager

from landmark_heatmap.errors import DatasetError
from LandmarkHeatmapLib.case_at_work import CaseAtWork


class InHand:
    """All CaseAtWork of this panel."""

    def __init__(self):
        self._works = {}

    @property
    def cases(self) -> set:
        return set(self._works)

    def get(self, case: str):
        """The CaseAtWork of a case, or None."""
        return self._works.get(case)

    def of_volume(self, volume_node):
        """The CaseAtWork of a volume, or None."""
        found = (work for work in self._works.values() if work.volume_node is volume_node)
        return next(found, None)

    def add(self, work: CaseAtWork) -> None:
        self._works[work.case] = work

    def let_go(self, work: CaseAtWork) -> None:
        """Let others have it. That nobody can be told of it, on a drive that is gone, ends nothing: its
        lock becomes stale."""
        self._works.pop(work.case, None)
        release(work.lock)

    def let_go_of_all(self) -> None:
        for work in list(self._works.values()):
            self.let_go(work)

    def let_go_of_removed(self) -> None:
        """Those whose volume somebody has taken out of the scene."""
        for work in list(self._works.values()):
            if not work.is_there:
                self.let_go(work)

    def refresh(self) -> list:
        """Say that the work goes on; returns those that somebody has taken over."""
        lost = []
        for work in self._works.values():
            try:
                if not work.lock.refresh():
                    lost.append(work)
            except OSError as error:
                logging.warning("The lock of '%s' was not refreshed: %s", work.case, error)
        return lost


def release(lock) -> None:
    """Release a CaseLock where that is possible."""
    try:
        lock.release()
    except OSError as error:
        logging.warning("The lock of '%s' was not released: %s", lock.case, error)


@contextmanager
def telling_of_the_drive():
    """Within it, what the system says of a drive is an error that the user can mend."""
    try:
        yield
    except OSError as error:
        where = f"'{error.filename}': " if error.filename else ""
        raise DatasetError(f"{where}{error.strerror or error}. Is the drive there?") from error
