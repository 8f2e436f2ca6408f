"""What else would move: asked of the worker that has the last image, without waiting for the answer."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass

import qt
import vtk

from landmark_heatmap.errors import PredictionError
from landmark_heatmap.images.geometry import Grid
from landmark_heatmap.worker.client import Failed, Proposed
from LandmarkHeatmapLib.review.proposals import Found

_INTERVAL_MS = 20


@dataclass(frozen=True, eq=False)
class LastImage:
    """What the worker was given last. volume: a weak reference. grid: of its image then. model: a
    ModelIdentity. names: of the landmarks that it knows."""

    volume: vtk.vtkWeakReference
    grid: Grid
    model: object
    names: frozenset

    @classmethod
    def of(cls, volume, grid, prediction) -> LastImage:
        reference = vtk.vtkWeakReference()
        reference.Set(volume)
        names = frozenset(prediction.landmarks.names)
        return cls(reference, grid, prediction.model, names)


class Questions:
    """Asks the worker of a DetectionQueue while that is idle; only the last question counts.

    on_answer(question, found): as for Proposals.answer. Where there is nobody to ask, nothing is asked,
    and nothing told: a proposal is no more than an offer.
    """

    def __init__(self, queue, on_answer):
        self._queue, self._on_answer, self._question = queue, on_answer, None
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.connect("timeout()", self._look_in)

    def can_ask(self, result) -> bool:
        """Whether the worker still has the image of a result, and its model."""
        last = self._queue.last_image
        if last is None or not self._queue.client.can_propose:
            return False
        return last.volume.Get() is result.volume_node and last.model == result.model

    def ask(self, question) -> None:
        """Raises nothing: what cannot be asked is not."""
        if self._queue.is_busy or not self.can_ask(question.result):
            return
        last = self._queue.last_image
        given = {
            name: last.grid.to_lps(ijk)
            for name, ijk in question.given.items()
            if name in last.names
        }
        new = [name for name in question.new if name in given]
        if not new:
            return
        absent = [name for name in question.absent if name in last.names]
        # The worker may be gone since a moment.
        with suppress(PredictionError, OSError):
            self._queue.client.propose(given, new, absent)
            self._question = question
            self._timer.start()

    def stop(self) -> None:
        """Before the worker is given something else to do."""
        if self._question is not None:
            self._end()
            self._queue.client.cancel()
            self._queue.client.poll()  # the next job must not hear of it

    def close(self) -> None:
        self._end()

    def _end(self) -> None:
        self._timer.stop()
        self._question = None

    def _look_in(self) -> None:
        question, last = self._question, self._queue.last_image
        for event in self._queue.client.poll():
            if isinstance(event, Proposed):
                self._end()
                self._on_answer(question, _found(event.proposals, last))
                return
            if isinstance(event, Failed):
                logging.warning("Nothing is proposed: %s\n%s", event.message, event.details)
        if not self._queue.client.is_busy:
            self._end()


def _found(proposals, last: LastImage) -> list:
    return [
        Found(
            each.point.name,
            last.grid.to_ijk(each.point.position_lps),
            0.0 if each.point.doubt is None else each.point.doubt.expected_mm,
        )
        for each in proposals
    ]
