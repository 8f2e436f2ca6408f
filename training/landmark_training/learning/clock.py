"""The time of a run: what its minutes allow, how long the rest takes, when to validate."""

from __future__ import annotations

import math
import time
from collections import deque

from ..planning.config import TrainConfig

# Steps over which the time of one is averaged.
_REMEMBERED = 20
# At most one of so many minutes goes into validations.
_VALIDATION_SHARE = 10


class Clock:
    """One clock over all stages. All times in seconds since the run began.

    roles: of the stages, in order. started: of time.monotonic, when the user began to wait: reading
    and preparing count. step_seconds: of a role, what a step was measured to take, as far as it is
    known. comparisons: how many judgements follow at the end, each as long as a validation.
    """

    def __init__(self, roles, config: TrainConfig, started=None, step_seconds=None, comparisons=0):
        self.roles = tuple(roles)
        # As many as the minutes allow, if nobody said how many.
        self.epochs = math.inf if config.epochs is None else config.epochs
        self.steps_per_epoch = config.steps_per_epoch
        self.budget = None if config.minutes is None else 60 * config.minutes
        self.started = time.monotonic() if started is None else started
        self.before = 0.0
        self.role, self.began, self.ends, self.judged = self.roles[0], 0.0, self.budget, 0.0
        self._measured = dict(step_seconds or {})
        self._validation = {}
        self._recent = deque(maxlen=_REMEMBERED)
        self._reserved = 1 + comparisons

    def elapsed(self) -> float:
        """Since the beginning, whatever was stopped in between left out."""
        return self.before + time.monotonic() - self.started

    def enter(self, role: str) -> None:
        """A stage begins. Those that follow get as much of what is left, each."""
        following = len(self.roles) - self.roles.index(role)
        self.role, self.began, self.ends = role, self.elapsed(), None
        self.judged = self.began
        self._recent.clear()
        if self.budget is not None:
            self.ends = self.began + max(0.0, self.budget - self.began) / following

    def state(self) -> dict:
        """What it takes to go on."""
        return {
            "seconds": self.elapsed(),
            "began": self.began,
            "ends": self.ends,
            "judged": self.judged,
        }

    def restore(self, role: str, state: dict) -> None:
        """Go on in a stage; the time since this process began counts, too."""
        self.role, self.before = role, state["seconds"]
        self.began, self.ends, self.judged = state["began"], state["ends"], state["judged"]
        self._recent.clear()

    def step_took(self, seconds: float) -> None:
        self._recent.append(seconds)
        self._measured[self.role] = sum(self._recent) / len(self._recent)

    def validation_took(self, seconds: float) -> None:
        self._validation[self.role] = seconds
        self.judged = self.elapsed()

    def share(self, steps: int) -> float:
        """How much of the stage is done: of its steps or of its time, whichever is further."""
        share = steps / (self.epochs * self.steps_per_epoch)
        if self.ends is not None:
            whole = self._end() - self.began
            share = max(share, (self.elapsed() - self.began) / whole if whole > 0 else 1.0)
        return min(1.0, share)

    def allows(self, validations: int) -> bool:
        """Whether there is time for so many before the minutes are over."""
        if self.budget is None:
            return True
        seconds = validations * self._validation.get(self.role, 0.0)
        return self.elapsed() + seconds < self.budget

    def is_to_validate(self, steps: int, validation_steps: float = 0.0) -> bool:
        """After the first epoch and at the end; in between not so often that it eats the time.

        validation_steps: about as many steps take as long as a validation. That counts where no
        minutes are stated: what is measured differs each time, and would choose other epochs in a run
        that goes on than in one that was not stopped.
        """
        if self.share(steps) >= 1:
            return True
        if self.ends is not None:
            wait = (_VALIDATION_SHARE - 1) * self._validation.get(self.role, 0.0)
            return self.elapsed() - self.judged >= wait
        wait, before = (_VALIDATION_SHARE - 1) * validation_steps, steps - self.steps_per_epoch
        return before <= 0 or wait < self.steps_per_epoch or steps // wait > before // wait

    def expected_epochs(self, steps: int) -> int:
        """As many as were planned, or as the time allows; infinite if neither is known yet."""
        step = self._measured.get(self.role)
        if self.ends is None or step is None:
            return self.epochs
        left = max(0.0, self._end() - self.elapsed())
        more = left / max(1e-9, self._per_epoch(self.role, step) / self.steps_per_epoch)
        return max(1, min(self.epochs, math.ceil((steps + more) / self.steps_per_epoch - 0.05)))

    def left(self, steps: int):
        """Seconds until all is done, as far as can be told; None before anything was measured."""
        step = self._measured.get(self.role)
        if step is None:
            return None
        share = steps / self.steps_per_epoch
        left = (self.epochs - share) * self._per_epoch(self.role, step)
        if self.ends is not None:
            left = min(left, max(0.0, self._end() - self.elapsed()))
        for role in self.roles[self.roles.index(self.role) + 1 :]:
            stage = self.epochs * self._per_epoch(role, self._measured.get(role, step))
            if self.budget is not None:
                stage = min(stage, max(0.0, self.budget - self.elapsed() - left))
            left += stage
        return left + self._reserved * self._validation.get(self.role, 0.0)

    def epoch_seconds(self) -> float:
        """What an epoch of this stage takes; None if unknown."""
        step = self._measured.get(self.role)
        return None if step is None else self._per_epoch(self.role, step)

    def _end(self) -> float:
        """When the last step is to be done: what follows takes time, too."""
        follows = self._reserved if self.role == self.roles[-1] else 1
        return self.ends - follows * self._validation.get(self.role, 0.0)

    def _per_epoch(self, role: str, step: float) -> float:
        steps = self.steps_per_epoch * step
        validation = self._validation.get(role, 0.0)
        return steps + min(validation, steps / (_VALIDATION_SHARE - 1))
