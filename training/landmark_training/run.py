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

from landmark_heatmap.evaluation import Outcome, evaluate
from landmark_heatmap.files import replacing
from landmark_heatmap.model_file import write_model
from landmark_heatmap.network import belief_of
from landmark_heatmap.predict import locate, run_network
from landmark_heatmap.prediction import Prediction

from .feed import Feed
from .losses import total_loss
from .plan import Plan
from .record import Record
from .targets import TargetShape

MODEL_NAME = "model.safetensors"
CHECKPOINT_NAME = "checkpoint.pt"
_EMA_DECAY = 0.995
_WARM_UP = 0.05
_BAR = "{percentage:3.0f}% |{bar:30}| {elapsed} gone, {remaining} left  {postfix}"


class Run:
    """Trains a network on prepared cases; leaves the best model, a checkpoint and the curves."""

    def __init__(self, plan: Plan, network, description, prior, output, say):
        self.plan, self.description, self.landmarks = plan, description, description.landmarks
        self.prior, self.output, self.say = prior, output, say
        self.network = network.to(plan.device).train()
        # The running mean of the weights predicts better than any one step's.
        self.averaged = copy.deepcopy(self.network).eval()
        self.generator = torch.Generator().manual_seed(plan.config.seed)
        stage = plan.stage
        self.shape = TargetShape(
            plan.config.covariance, len(self.landmarks), stage.sigma_mm, stage.spacing_mm[::-1]
        ).to(plan.device)
        self.optimiser = torch.optim.AdamW(
            [
                {"params": self.network.parameters(), "weight_decay": plan.config.weight_decay},
                {"params": self.shape.parameters(), "weight_decay": 0.0},
            ],
            lr=plan.config.learning_rate,
        )
        self.steps, self.epoch, self.best, self.best_epoch = 0, 0, math.inf, 0
        self.seconds_before = 0.0

    def train(self, training, held_out) -> None:
        """Until the epochs, the minutes or the patience are over, or Ctrl-C is pressed."""
        config = self.plan.config
        feed = self.feed(training)
        record = Record(self.output, self.say)
        record.forget_after(self.epoch)
        self.started = time.monotonic() - self.seconds_before
        # A log file does not want a line for every step.
        interval = 0.2 if sys.stderr.isatty() else 30
        with tqdm(total=100, bar_format=_BAR, leave=False, mininterval=interval) as bar:
            try:
                while self.epoch < config.epochs and self._done() < 1 and not self._stuck():
                    losses = self._steps(feed, bar)
                    self._judge(float(np.mean(losses)), held_out, record, bar)
                    self._write_checkpoint()
            except KeyboardInterrupt:
                self.say("Stopped by the user; the best model so far is kept.")
        if not (self.output / MODEL_NAME).exists():
            self._save({})

    def feed(self, cases) -> Feed:
        return Feed(cases, self.plan, self.landmarks.mirror_permutation(), self.generator)

    def _done(self) -> float:
        """How much of the run is done: of its steps or of its time, whichever is further."""
        config = self.plan.config
        by_time = self._seconds() / (60 * config.minutes) if config.minutes else 0.0
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

    def _steps(self, feed: Feed, bar) -> list:
        """One epoch; the losses of its steps."""
        losses = []
        for _ in range(self.plan.config.steps_per_epoch):
            losses.append(self._step(feed, self._done()))
            bar.update(100 * self._done() - bar.n)
            if self._done() >= 1:
                break
        self.epoch += 1
        return losses

    def _step(self, feed: Feed, done: float) -> float:
        """One step of the optimiser on one augmented batch."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.config.learning_rate * _schedule(done)
        images, wanted = feed.augmented(feed.next_batch(), self.shape, done)
        loss = self.loss(images, wanted)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.steps += 1
        self._average()
        return loss.item()

    def loss(self, images, wanted) -> torch.Tensor:
        config = self.plan.config
        mixed = self.plan.precision != torch.float32
        with torch.autocast(self.plan.device.type, self.plan.precision, enabled=mixed):
            logits = self.network(images)
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

    def _judge(self, loss: float, held_out, record: Record, bar) -> None:
        """Validate, tell, record, and keep the model if it is the best."""
        metrics = self.validate(held_out) if held_out else {}
        # A missed landmark counts like one that is as far off as the image is large.
        score = metrics.get("score", -self.epoch)
        told = ""
        if metrics.get("mre_mm") is not None:
            told = f"  validation MRE {metrics['mre_mm']:.3g} mm"
        for wrong in ("missed", "false"):
            told += f", {metrics[wrong]} {wrong}" if metrics.get(wrong) else ""
        line = f"epoch {self.epoch:3d}/{self.plan.config.epochs}  loss {loss:.3f}{told}"
        bar.set_postfix_str(line)
        bar.clear()
        self.say(line)
        figures = {"loss": loss, "sigma_mm": self.shape.sigma_mm, **metrics}
        record.add(self.epoch, self._seconds(), figures)
        if score < self.best:
            self.best, self.best_epoch = score, self.epoch
            self._save(metrics)

    @property
    def stage(self):
        """The stage as it is now, with the sigma that was learned."""
        return replace(self.plan.stage, sigma_mm=self.shape.sigma_mm)

    def validate(self, cases) -> dict:
        """MRE and what goes with it of the averaged network, on whole images, as in detection."""
        stage, names = self.stage, self.landmarks.names
        compared = []
        for number, case in enumerate(cases):
            heatmaps, presences = run_network(self.averaged, case.prepared, stage, self.plan.device)
            points = locate(names, heatmaps, presences, case.prepared.grid, stage, self.prior)
            predicted = Prediction(self.landmarks, points, case.prepared.grid, None).annotation()
            # Two datasets may each have a case of the same name.
            compared.append((f"{number} {case.name}", predicted, case.label))
        return _metrics(evaluate(compared, resamples=0, names=names), cases)

    def _save(self, metrics: dict) -> None:
        training = {**self.description.training, "epochs": self.epoch, "steps": self.steps}
        judged = {f"validation_{k}": v for k, v in metrics.items() if k != "score"}
        description = replace(
            self.description, stages=(self.stage,), training=training, metrics=judged
        )
        write_model(self.output / MODEL_NAME, description, [self.averaged], self.prior)

    def _write_checkpoint(self) -> None:
        """All that is needed to go on as if nothing had happened."""
        state = {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "shape": self.shape.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "progress": {
                "steps": self.steps,
                "epoch": self.epoch,
                "best": self.best,
                "best_epoch": self.best_epoch,
                "seconds_before": self._seconds(),
            },
        }
        with replacing(self.output / CHECKPOINT_NAME) as temporary:
            torch.save(state, temporary)

    def restore(self) -> None:
        """Go on from the checkpoint in the output folder."""
        # weights_only: nothing in the file is run.
        state = torch.load(self.output / CHECKPOINT_NAME, self.plan.device, weights_only=True)
        for part in ("network", "averaged", "shape", "optimiser"):
            getattr(self, part).load_state_dict(state[part])
        self.generator.set_state(state["generator"].cpu())
        for name, value in state["progress"].items():
            setattr(self, name, value)


def _metrics(evaluation, cases) -> dict:
    """MRE, median, missed and false points, and a score, lower is better: the mean error, where a
    missed point, or one found where it is absent, counts as far off as the largest image is long.
    """
    overall = evaluation.overall
    compared, missed, false = (
        overall.counts[outcome] for outcome in (Outcome.COMPARED, Outcome.MISSED, Outcome.FALSE)
    )
    grids = [case.prepared.grid for case in cases]
    extent_mm = max(float(np.max(g.size_ijk * g.spacing_mm)) for g in grids)
    wrong = missed + false
    total = compared * (overall.mean_mm.value or 0.0) + wrong * extent_mm
    return {
        "mre_mm": overall.mean_mm.value,
        "median_mm": overall.median_mm.value,
        "missed": missed,
        "false": false,
        "score": total / max(1, compared + wrong),
    }


def _schedule(done: float) -> float:
    """The learning rate's factor: a short warm-up, then half a cosine down to nothing."""
    if done < _WARM_UP:
        return 0.1 + 0.9 * done / _WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))
