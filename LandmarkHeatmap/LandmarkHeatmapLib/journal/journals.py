"""All journals of a user: kept while reviews go on, offered after a crash, removed when not needed."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from landmark_heatmap.errors import PredictionError

from ..result.detection_result import DetectionResult
from ..review.history import history_of
from ..review.snapshot import Snapshot
from .document import Beginning, apply_step, marks_of, step_json
from .image_key import digest_of, is_same_shape
from .journal_file import JournalFile, journals_in
from .restoring import bring, result_to_restore_to

MAX_AGE_DAYS, MAX_COUNT = 30, 50


@dataclass(frozen=True)
class Unfinished:
    """A review that was neither exported nor saved.

    created: when it was begun, ISO 8601 in UTC. steps: how many were kept. damaged: lines that
    could not be read. marks: each landmark as it was last.
    """

    path: Path
    beginning: Beginning
    marks: tuple
    steps: int
    damaged: int

    @property
    def created(self) -> str:
        return self.beginning.created

    @property
    def judged(self) -> int:
        """How many landmarks somebody had judged or moved."""
        return sum(a != b for a, b in zip(self.marks, self.beginning.predicted))


class ReviewJournals:
    """Keeps a journal of each review that it follows.

    folder: the user's own; made when there is something to keep. In it there is no image and no
    name but those of the model and its landmarks. problem: why the last step could not be kept,
    for the user to read, or empty; the review goes on all the same. Journals that nobody has are
    deleted after `max_age_days`, and the oldest where there are more than `max_count`.
    """

    def __init__(self, folder, max_age_days: float = MAX_AGE_DAYS, max_count: int = MAX_COUNT):
        self.folder, self.problem = Path(folder), ""
        self._kept = []
        self._expire(max_age_days, max_count)

    # --- while a review goes on

    def follow(self, result: DetectionResult) -> None:
        """Keep every step of this result's review from now on. The first step begins the journal."""
        self._let_go_of_removed()
        if not any(each.result.node is result.node for each in self._kept):
            self._kept.append(_Kept(result, self))

    def settle(self, result: DetectionResult) -> None:
        """The result was exported: what was done up to now needs no journal any more."""
        for each in self._kept:
            if each.result.node is result.node:
                each.settle()

    def settle_saved(self) -> None:
        """The same for every result that was saved with the scene since its last change."""
        for each in self._kept:
            if each.is_there and each.is_saved:
                each.settle()

    def release(self) -> None:
        """The scene is closed, or the application ends: follow nothing any more.

        What was neither exported nor saved stays, and is offered when its image is there again.
        """
        self.settle_saved()
        for each in self._kept:
            each.let_go()
        self._kept = []

    # --- after a crash

    def find_for(self, volume_node) -> list:
        """The Unfinished reviews of this image, the newest first; none that somebody is at just now.

        Where there are no journals of images of that size this costs next to nothing.
        """
        self._let_go_of_removed()
        found, digest = [], None
        for path, _written in journals_in(self.folder):
            unfinished = _read(path)
            if unfinished is None or not is_same_shape(unfinished.beginning.shape, volume_node):
                continue
            digest = digest or digest_of(volume_node)
            if unfinished.beginning.digest == digest:
                found.append(unfinished)
        return found

    def restore(self, unfinished: Unfinished, volume_node) -> DetectionResult:
        """Bring an unfinished review back into the volume's scene, and follow it.

        A result of the same model with the same points takes it up; if there is none, there will
        be one without heatmaps. Either way it is one step, which can be undone.
        Raises PredictionError if the journal is gone or another Slicer has it by now.
        """
        file = JournalFile.claim(unfinished.path)
        if file is None:
            raise PredictionError(
                "This review cannot be restored: its journal was removed, or another Slicer has it."
            )
        try:
            result = result_to_restore_to(volume_node, unfinished.beginning)
            self.follow(result)
            bring(result, unfinished.marks, unfinished.beginning)
            # The old journal goes when a new one holds all that it held.
            if not self.problem:
                file.remove()
        finally:
            file.release()
        return result

    def discard(self, unfinished: Unfinished) -> None:
        """The user does not want it; one that another Slicer took up meanwhile stays there."""
        file = JournalFile.claim(unfinished.path)
        if file is not None:
            file.remove()

    def _let_go_of_removed(self) -> None:
        """Those whose result is no longer in the scene: what was done in it can be brought back."""
        for each in [each for each in self._kept if not each.is_there]:
            each.let_go()
            self._kept.remove(each)

    def _expire(self, max_age_days: float, max_count: int) -> None:
        oldest = time.time() - max_age_days * 24 * 3600
        for number, (path, written) in enumerate(journals_in(self.folder)):
            if number >= max_count or written < oldest:
                file = JournalFile.claim(path)
                if file is not None:
                    # It is tried again at the next start.
                    with suppress(OSError):
                        file.remove()


def _read(path: Path):
    """An Unfinished, or None for a journal that somebody has, that cannot be read, or is empty."""
    file = JournalFile.claim(path)
    if file is None:
        return None
    try:
        documents, damaged = file.read()
    except OSError:
        return None
    finally:
        file.release()
    beginning = Beginning.from_json(documents[0]) if documents else None
    if beginning is None:
        return None
    marks, steps = beginning.predicted, 0
    for document in documents[1:]:
        after = apply_step(document, marks, beginning.landmarks)
        if after is None:
            damaged += 1
        else:
            marks, steps = after, steps + 1
    return Unfinished(path, beginning, marks, steps, damaged) if steps else None


class _Kept:
    """The journal of one result, which begins with the first step."""

    def __init__(self, result: DetectionResult, journals: ReviewJournals):
        self.result, self._journals = result, journals
        self._landmarks = result.landmarks
        self._file, self._written = None, ()
        self._history = history_of(result.node)
        self._history.on_moment = self._record

    @property
    def is_there(self) -> bool:
        return self.result.node.GetScene() is not None and self.result.is_whole

    @property
    def is_saved(self) -> bool:
        scene, node = self.result.scene, self.result.node
        is_stored = scene.GetStoredTime() > node.GetMTime()
        return is_stored and not self.result.markups_node.GetModifiedSinceRead()

    def settle(self) -> None:
        if self._file is not None:
            self._file.remove()
            self._file = None

    def let_go(self) -> None:
        """Hear of no more steps; the journal stays on the disk for whoever comes next."""
        if self._history.on_moment == self._record:
            self._history.on_moment = None
        if self._file is not None:
            self._file.release()
            self._file = None

    def _record(self, what: str, moment: Snapshot) -> None:
        marks = marks_of(moment, self._landmarks)
        try:
            if self._file is None:
                self._begin()
            self._file.append(step_json(what, marks, self._written, self._landmarks))
        except OSError as error:
            reason = error.strerror or str(error)
            self._journals.problem = (
                f"The review's journal cannot be written to '{self._journals.folder}': {reason}."
                " Should Slicer end unexpectedly now, what was judged since your last export or"
                " save is lost."
            )
            return
        self._written, self._journals.problem = marks, ""

    def _begin(self) -> None:
        beginning = Beginning.of(self.result)
        file = JournalFile.create(self._journals.folder)
        try:
            file.append(beginning.to_json())
        except OSError:
            file.remove()
            raise
        self._file, self._written = file, beginning.predicted
