"""The loop of a training run: steps, validations between epochs, the model that is kept on disk."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import torch

from landmark_heatmap.errors import LandmarkHeatmapError, ModelFileError, TrainingError

from .. import parallel
from ..planning.plan import Plan
from ..progress import doing, duration, note, reached
from .checkpoint import read_checkpoint, refused, write_checkpoint
from .choice import Choice
from .clock import Clock
from .learner import Learner, name_of
from .outcome import (
    ALL_EPOCHS,
    BY_USER,
    FAILED,
    GOING_ON,
    NO_BETTER,
    TIME,
    Part,
    RunOutcome,
    figures,
)
from .record import Record
from .showing import show

# Steps after which it is said how long all will take.
_MEASURED = 3
# What a checkpoint says of the Choice among the epochs; what is to be beaten, the task knows.
_CHOSEN = ("best", "best_epoch", "judged_epoch", "kept_epoch", "kept_steps")


class Run:
    """Trains the network of one stage.

    task: knows the stage (`stage`, `network`), gives batches (`batch(shape, done)`: what the network
    takes, and Wanted) from its `feed`, judges its `held_out` cases (`validate(network, stage)`:
    figures, among them `score`, lower is better, and `score_of_cases`; about as long as
    `validation_steps` steps) and saves (`save(network, stage, metrics, outcome)`): CoarseTask or
    FineTask. outcome: of the stages before this one. Raises TrainingError where it cannot go on.
    """

    def __init__(self, task, plan: Plan, clock: Clock, output, say, outcome: RunOutcome):
        self.task, self.plan, self.clock, self.output, self.say = task, plan, clock, output, say
        self.role, self.before = task.stage.role, outcome
        self.learner = Learner(task, plan, say)
        self.team = parallel.team()
        self.epoch = 0
        self.choice = Choice.of_nothing_yet(float(task.score_to_beat), len(task.held_out))
        self.ended, self.is_restored, self.is_told = GOING_ON, False, False

    @property
    def checkpoint(self):
        """The path of what is needed to go on as if nothing had happened."""
        return self.output / f"{self.role}-checkpoint.pt"

    @property
    def outcome(self) -> RunOutcome:
        learner = self.learner
        part = Part(
            self.role,
            self.epoch,
            self.plan.config.epochs,
            learner.steps,
            self.choice.kept_epoch,
            self.choice.kept_steps,
            learner.skipped,
            name_of(learner.precision),
            self.ended,
        )
        return replace(self.before, minutes=self.clock.elapsed() / 60).having(part)

    def train(self) -> None:
        """Until the epochs, the minutes or the patience are over; `ended` says which.

        Raises KeyboardInterrupt for Ctrl-C, TrainingError if it cannot go on; what was reached is
        kept.
        """
        self.ended = FAILED
        try:
            record = self._record()
            if not self.is_restored:
                self.clock.enter(self.role)
            while (ended := self._ending()) is None:
                losses = self._steps()
                self._finish_epoch(float(np.mean(losses)), record)
            self.ended = ended
        except KeyboardInterrupt:
            self.ended = BY_USER
            raise
        if self.ended == NO_BETTER:
            self.say(f"Stopped: no better validation since epoch {self.choice.best_epoch}.")

    def _record(self) -> Record:
        """None in processes that write nothing."""
        if not self.team.is_first:
            return None
        record = Record(self.output, self.say)
        record.forget_after(self.role, self.epoch)
        return record

    def _ending(self):
        """Why there is no further epoch; None if there is one. All processes ask at once."""
        patience = self.plan.config.patience
        if self.epoch >= self.clock.epochs:
            return ALL_EPOCHS
        # What was not validated could as well have been better.
        since = self.choice.judged_epoch - self.choice.best_epoch
        if patience is not None and since >= patience:
            return NO_BETTER
        return TIME if self._done() >= 1 else None

    def _done(self) -> float:
        """How much of the stage is done. Where the time counts, it is that of the first process."""
        if self.clock.ends is None:
            return self.clock.share(self.learner.steps)
        return self.team.decided(lambda: self.clock.share(self.learner.steps))

    def _steps(self) -> list:
        """One epoch; the losses of its steps."""
        losses, done = [], self._done()
        for _ in range(self.plan.config.steps_per_epoch):
            start = time.monotonic()
            losses.append(self._step(done))
            self.clock.step_took(time.monotonic() - start)
            self._tell_time()
            done = self._done()
            if done >= 1:
                break
        self.epoch += 1
        return losses

    def _step(self, done: float) -> float:
        return self.learner.step(
            done, f"step {self.learner.steps + 1} ({self.role} epoch {self.epoch + 1})"
        )

    def _tell_time(self) -> None:
        """In the line, and once in words."""
        steps = self.learner.steps
        left = self.clock.left(steps)
        reached(self.clock.elapsed() / max(1e-9, self.clock.elapsed() + left), left)
        doing(f"{self.role} epoch {self.epoch + 1}{self._of_epochs()}")
        if not self.is_told and steps % self.plan.config.steps_per_epoch >= _MEASURED:
            self.is_told = True
            self.say(f"The {self.role} stage's {self._whole()} here{self._allowed()}.")

    def _whole(self) -> str:
        epochs = self.plan.config.epochs
        if epochs is None:
            return f"epochs take about {duration(self.clock.epoch_seconds())} each"
        return f"{epochs} epochs take about {duration(epochs * self.clock.epoch_seconds())}"

    def _allowed(self) -> str:
        expected = self.clock.expected_epochs(self.learner.steps)
        if expected >= self.clock.epochs:
            return ""
        return f"; the time that is left allows about {expected}"

    def _of_epochs(self) -> str:
        """' of 60', or what the time allows of them."""
        expected = self.clock.expected_epochs(self.learner.steps)
        if expected >= self.clock.epochs:
            return f" of {self.clock.epochs}"
        return f" of about {max(expected, self.epoch)} that the time allows"

    def _finish_epoch(self, loss: float, record: Record) -> None:
        """Validate if it is time to, keep the model if it is good, and note how to go on from here."""
        self.learner.check_finite(f"{self.role} epoch {self.epoch}")
        if self.team.is_first:
            metrics = self._validation() if self._is_to_validate() else None
            self._tell(loss, metrics)
            if metrics is not None:
                self._keep_if_good(metrics, metrics.pop("score_of_cases", ()))
            figures_now = {"loss": loss, "sigma_mm": self.learner.shape.sigma_mm, **(metrics or {})}
            self._record_or_tell(record, figures_now)
            self._show_others(metrics)
            self._checkpoint_or_tell()
        self.choice = self.team.decided(lambda: self.choice)

    def _is_to_validate(self) -> bool:
        return self.epoch >= self.clock.epochs or self.clock.is_to_validate(
            self.learner.steps, self.task.validation_steps
        )

    def _validation(self) -> dict:
        """The figures of the mean weights. Without cases to judge by there are none."""
        start = time.monotonic()
        try:
            metrics = self.task.validate(self.learner.averaged, self.learner.stage)
        except LandmarkHeatmapError as error:
            raise TrainingError(f"{self.role} epoch {self.epoch}: {error}") from error
        self.clock.validation_took(time.monotonic() - start)
        return metrics

    def _tell(self, loss: float, metrics) -> None:
        told = ""
        if metrics:
            told = f"  {figures(metrics, self.before.unit)}"
        elif metrics is None:
            told = "  not validated, to save time"
        self.say(f"{self.role} epoch {self.epoch:3d}{self._of_epochs()}  loss {loss:.3f}{told}")

    def _keep_if_good(self, metrics: dict, of_cases) -> None:
        # Without cases to judge by, the latest is the best.
        score = float(metrics.get("score", -self.epoch))
        before = self.choice
        self.choice = before.after(self.epoch, self.learner.steps, score, of_cases)
        if self.choice.kept_epoch != self.epoch:
            return
        try:
            self.task.save(
                self.learner.averaged, self.learner.stage, metrics, self._as_it_goes_on()
            )
        except BaseException as error:
            self.choice = before
            if isinstance(error, (OSError, ModelFileError)):
                raise TrainingError(_not_written(error)) from error
            raise

    def _as_it_goes_on(self) -> RunOutcome:
        ended, self.ended = self.ended, GOING_ON
        outcome, self.ended = self.outcome, ended
        return outcome

    def _record_or_tell(self, record: Record, figures_now: dict) -> None:
        row = {"skipped_steps": self.learner.skipped, **figures_now}
        try:
            record.add(self.role, self.epoch, self.clock.elapsed(), row)
        except OSError as error:
            self.say(f"'{record.path}' cannot be written: {error.strerror}. Training goes on.")

    def _show_others(self, metrics) -> None:
        """What those who look from elsewhere are told of an epoch, and see of a validation."""
        note(stage=self.role, epoch=self.epoch, unit=self.before.unit)
        if metrics:
            mre = metrics.get("mre_mm")
            note(mre=mre, kept_epoch=self.choice.kept_epoch)
            if self.choice.kept_epoch == self.epoch:
                note(kept_mre=mre)
            show(self.output, self.task, self.before.unit)

    def _checkpoint_or_tell(self) -> None:
        try:
            write_checkpoint(self.checkpoint, {**self.learner.state(), **self._numbers()})
        except OSError as error:
            self.say(
                f"'{self.checkpoint}' cannot be written: {error.strerror}. Training goes on;"
                " --resume would go back to the epoch of the last one that was written."
            )

    def _numbers(self, precision: str = None) -> dict:
        progress = {
            "steps": self.learner.steps,
            "skipped": self.learner.skipped,
            "epoch": self.epoch,
            **{name: getattr(self.choice, name) for name in _CHOSEN},
            "precision": precision or name_of(self.learner.precision),
        }
        of_cases = torch.tensor(self.choice.best_of_cases, dtype=torch.float64)
        return {"progress": progress, "clock": self.clock.state(), "best_of_cases": of_cases}

    def restore(self) -> bool:
        """Go on from the checkpoint; False if there is none. Raises DatasetError for a damaged one."""
        if not self.checkpoint.exists():
            return False
        state = read_checkpoint(
            self.checkpoint, lambda p: {**self.learner.state_to_be(p), **self._numbers(p)}
        )
        progress = state["progress"]
        try:
            self.learner.load_state(state, progress["precision"])
        except (RuntimeError, ValueError, TypeError, KeyError) as error:
            raise refused(self.checkpoint, str(error).partition("\n")[0]) from error
        self.learner.steps, self.learner.skipped = progress["steps"], progress["skipped"]
        self.epoch = progress["epoch"]
        chosen = {name: progress[name] for name in _CHOSEN}
        of_cases = tuple(state["best_of_cases"].tolist())
        self.choice = replace(self.choice, best_of_cases=of_cases, **chosen)
        self.clock.restore(self.role, state["clock"])
        self.is_restored = True
        self.say(f"Going on after {self.role} epoch {self.epoch}.")
        return True


def _not_written(error) -> str:
    """That a model file is not written, and why."""
    if isinstance(error, OSError):
        return f"'{error.filename}' cannot be written: {error.strerror}. Make room, then go on."
    return str(error)
