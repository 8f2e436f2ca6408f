"""A worker client for the panel's tests: no process, no torch, and it does what the test says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from landmark_heatmap.detection.proposals import Proposal
from landmark_heatmap.worker.client import Cancelled, Failed, Finished, Progress, Proposed
from mrml_examples import make_prediction


class ScriptedClient:
    """Answers as WorkerClient does, one step for each `poll` after `go`.

    waits: hold at half of the work until `go` is called, and keep answers to questions back. failures:
    what makes an image fail when its first voxel has this value. can_propose: whether it has the last
    image. words: of each prediction. moves: name to by how much (3,), LPS, mm, what is not given would
    move.
    """

    def __init__(self, waits=False):
        self.waits = waits
        self.asked = []  # (image, model path, device) of each detection
        self.failures = {}  # value of the first voxel: message
        self.is_closed = False
        self.can_propose, self.moves, self.questions = False, {}, []
        self.words = ()
        self._events, self._image, self._points = [], None, ()

    @property
    def is_busy(self) -> bool:
        return bool(self._events)

    def detect(self, image, model_path, device="auto"):
        self.asked.append((image, model_path, device))
        self._image = image
        first = float(image.array.flat[0])
        end = Finished(
            prediction=replace(make_prediction(image), words=self.words),
            device="cpu",
            device_note="no GPU was found",
            seconds={"all": 0.5},
        )
        if first in self.failures:
            end = Failed(self.failures[first], "details")
        else:
            self._points = end.prediction.points
        self.can_propose = first not in self.failures
        self._events = [
            Progress("Loading the model", 0.1, None),
            Progress("Detecting", 0.5, 12.0),
            end,
        ]

    def propose(self, given, new=None, absent=()):
        self.questions.append((given, new, absent))
        moving = [each for each in self._points if each.name in {*self.moves} - {*given, *absent}]
        proposals = []
        for point in moving:
            there = np.add(point.position_lps, self.moves[point.name])
            distance = float(np.linalg.norm(self.moves[point.name]))
            proposals.append(Proposal(replace(point, position_lps=there), distance))
        self._events = [Proposed(tuple(proposals))]

    def go(self):
        self.waits = False

    def die(self, message):
        """As when the process is gone."""
        self._events = [Failed(message, "exit code -9")]
        self.waits = False

    def poll(self):
        if not self._events or (self.waits and len(self._events) == 1):
            return []
        return [self._events.pop(0)]

    def cancel(self):
        if self._events:
            self._events, self.waits = [Cancelled()], False

    def close(self):
        self.is_closed = True
        self._events = []
