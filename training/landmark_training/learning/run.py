"""The loop of a training run: steps, validation after each epoch, the best model kept on disk."""

from __future__ import annotations

import copy
import math
import sys
import time
from dataclasses import replace

import numpy as np
import torch
from tqdm import tqdm

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.files import replacing
from landmark_heatmap.model.network import belief_of

from .. import parallel
from ..data.targets import TargetShape
from ..planning.plan import Plan
from .losses import judged_weight, total_loss
from .record import Record

_EMA_DECAY = 0.995
_WARM_UP = 0.05
_BAR = "{percentage:3.0f}% |{bar:30}| {elapsed} gone, {remaining} left  {postfix}"


class Run:
    """Trains the network of one stage.

    task: knows the stage (`stage`, `network`), gives batches (`batch(shape, done)`: what the network
    takes, and Wanted), judges (`validate(network, stage)`: figures, among them `score`, lower is
    better) and saves (`save(network, stage, metrics, progress)`): CoarseTask or FineTask.
    minutes: how long at most, or None.
    """

    def __init__(self, task, plan: Plan, minutes, output, say):
        self.task, self.plan, self.minutes, self.output, self.say = task, plan, minutes, output, say
        self.network = task.network.to(plan.device).train()
        # The running mean of the weights predicts better than any one step's.
        self.averaged = copy.deepcopy(self.network).eval()
        stage = task.stage
        self.shape = TargetShape(
            plan.config.covariance,
            stage.network.landmarks if stage.crop_size is None else 1,
            stage.sigma_mm,
            stage.spacing_mm[::-1],
        ).to(plan.device)
        self.optimiser = torch.optim.AdamW(
            [
                {"params": self.network.parameters(), "weight_decay": plan.config.weight_decay},
                {"params": self.shape.parameters(), "weight_decay": 0.0},
            ],
            lr=plan.config.learning_rate,
        )
        # What half precision cannot hold, gradients multiplied by much can.
        self.scaler = _scaler(plan)
        self.team = parallel.team()
        self.steps, self.epoch, self.best, self.best_epoch = 0, 0, task.score_to_beat, 0
        self.seconds_before = 0.0

    @property
    def checkpoint(self):
        """The path of what is needed to go on as if nothing had happened."""
        return self.output / f"{self.task.stage.role}-checkpoint.pt"

    def train(self) -> bool:
        """Until the epochs, the minutes or the patience are over; False if Ctrl-C was pressed."""
        config = self.plan.config
        record = self._record()
        self.started = time.monotonic() - self.seconds_before
        # A log file does not want a line for every step.
        interval = 0.2 if sys.stderr.isatty() else 30
        hidden = not self.team.is_first
        with tqdm(
            total=100, bar_format=_BAR, leave=False, mininterval=interval, disable=hidden
        ) as bar:
            try:
                while self.epoch < config.epochs and self._done() < 1 and not self._stuck():
                    losses = self._steps(bar)
                    if self.team.is_first:
                        self._judge(float(np.mean(losses)), record, bar)
                        self._write_checkpoint()
                    self.best, self.best_epoch = self.team.decided(
                        lambda: (self.best, self.best_epoch)
                    )
            except KeyboardInterrupt:
                self.say("Stopped by the user; the best model so far is kept.")
                if self.team.is_first:
                    self.task.save_if_none(self.averaged, self.stage, self._progress())
                return False
        return True

    def _record(self) -> Record:
        """None in processes that write nothing."""
        if not self.team.is_first:
            return None
        record = Record(self.output, self.say)
        record.forget_after(self.task.stage.role, self.epoch)
        return record

    def _done(self) -> float:
        """How much of the run is done: of its steps or of its time, whichever is further.

        All processes ask at once: the time is that of the first one.
        """
        config = self.plan.config
        by_time = 0.0
        if self.minutes:
            by_time = self.team.decided(self._seconds) / (60 * self.minutes)
        return min(1.0, max(self.steps / (config.epochs * config.steps_per_epoch), by_time))

    def _seconds(self) -> float:
        return time.monotonic() - self.started

    def _stuck(self) -> bool:
        """Whether the validation has not become better for as long as the patience lasts."""
        patience = self.plan.config.patience
        stuck = patience is not None and self.epoch - self.best_epoch >= patience
        if stuck:
            self.say(f"Stopped: no better validation since epoch {self.best_epoch}.")
        return stuck

    def _steps(self, bar) -> list:
        """One epoch; the losses of its steps."""
        losses, done = [], self._done()
        for _ in range(self.plan.config.steps_per_epoch):
            losses.append(self._step(done))
            done = self._done()
            bar.update(100 * done - bar.n)
            if done >= 1:
                break
        self.epoch += 1
        return losses

    def _step(self, done: float) -> float:
        """One step of the optimiser on one augmented batch."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.config.learning_rate * _schedule(done)
        inputs, wanted = self.task.batch(self.shape, done)
        loss = self.loss(inputs, wanted)
        self.optimiser.zero_grad(set_to_none=True)
        scale = self.scaler.scale(loss.new_ones(()))
        parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        mean = self.team.backward(loss, judged_weight(wanted), parameters, scale)
        self.scaler.unscale_(self.optimiser)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.steps += 1
        self._average()
        return mean

    def loss(self, inputs, wanted) -> torch.Tensor:
        """inputs: what the network takes."""
        config = self.plan.config
        mixed = self.plan.precision != torch.float32
        with torch.autocast(self.plan.device.type, self.plan.precision, enabled=mixed):
            logits = self.network(*inputs)
        belief = belief_of(logits, config.head, self.shape.mass)
        loss = total_loss(belief, wanted, config.losses)
        if self.shape.learned:
            loss = loss + config.inflation_weight * self.shape.inflation()
        return loss

    @torch.no_grad()
    def _average(self) -> None:
        # The first steps are forgotten quickly.
        decay = min(_EMA_DECAY, (1 + self.steps) / (10 + self.steps))
        for mean, new in zip(self.averaged.parameters(), self.network.parameters()):
            mean.lerp_(new, 1 - decay)

    @property
    def stage(self):
        """The stage as it is now, with the sigma that was learned."""
        return replace(self.task.stage, sigma_mm=self.shape.sigma_mm)

    def _judge(self, loss: float, record: Record, bar) -> None:
        """Validate, tell, record, and keep the model if it is the best."""
        metrics = self.task.validate(self.averaged, self.stage)
        # Without cases to judge by, the latest is the best.
        score = metrics.get("score", -self.epoch)
        told = ""
        if metrics.get("mre_mm") is not None:
            told = f"  validation MRE {metrics['mre_mm']:.3g} mm"
        for wrong in ("missed", "false"):
            told += f", {metrics[wrong]} {wrong}" if metrics.get(wrong) else ""
        epochs = self.plan.config.epochs
        line = f"{self.task.stage.role} epoch {self.epoch:3d}/{epochs}  loss {loss:.3f}{told}"
        bar.set_postfix_str(line)
        bar.clear()
        self.say(line)
        figures = {"loss": loss, "sigma_mm": self.shape.sigma_mm, **metrics}
        record.add(self.task.stage.role, self.epoch, self._seconds(), figures)
        if score < self.best:
            self.best, self.best_epoch = score, self.epoch
            self.task.save(self.averaged, self.stage, metrics, self._progress())

    def _progress(self) -> dict:
        return {"epochs": self.epoch, "steps": self.steps}

    def _write_checkpoint(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "shape": self.shape.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "feed": self.task.feed.state_dict(),
            "progress": {
                "steps": self.steps,
                "epoch": self.epoch,
                "best": self.best,
                "best_epoch": self.best_epoch,
                "seconds_before": self._seconds(),
            },
        }
        with replacing(self.checkpoint) as temporary:
            torch.save(state, temporary)

    def restore(self) -> bool:
        """Go on from the checkpoint; False if there is none."""
        if not self.checkpoint.exists():
            return False
        # weights_only: nothing in the file is run.
        state = torch.load(self.checkpoint, self.plan.device, weights_only=True)
        if "feed" not in state:
            raise DatasetError(
                f"'{self.checkpoint}' was written by an earlier version; start a new run --from its"
                " model."
            )
        for part in ("network", "averaged", "shape", "optimiser", "scaler"):
            getattr(self, part).load_state_dict(state[part])
        self.task.feed.load_state_dict(state["feed"])
        for name, value in state["progress"].items():
            setattr(self, name, value)
        self.say(f"Going on after {self.task.stage.role} epoch {self.epoch}.")
        return True


def _scaler(plan: Plan):
    """Of gradients in float16; one that does nothing for other types."""
    enabled = plan.precision == torch.float16
    if hasattr(torch.amp, "GradScaler"):
        return torch.amp.GradScaler(plan.device.type, enabled=enabled)
    return torch.cuda.amp.GradScaler(enabled=enabled)  # torch before 2.3


def _schedule(done: float) -> float:
    """The learning rate's factor: a short warm-up, then half a cosine down to nothing."""
    if done < _WARM_UP:
        return 0.1 + 0.9 * done / _WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))
