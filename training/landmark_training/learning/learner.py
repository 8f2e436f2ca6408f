"""What learns in a stage: the network, the running mean of its weights, the targets' shape.

No step is taken that is not finite. In half precision it is first tried again in full.
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import torch

from landmark_heatmap.errors import TrainingError
from landmark_heatmap.model.logits import belief_of

from .. import parallel
from ..data.targets import TargetShape
from ..planning.plan import Plan
from .losses import judged_weight, total_loss

_EMA_DECAY = 0.995
_WARM_UP = 0.05
_LARGEST_NORM = 5.0
# A gradient this large is more likely to be an error of half precision than one of the network.
_DOUBTFUL_NORM = 1e6
# So many steps in a row may be left out to find the scale at which float16 holds the gradients.
_MOST_LEFT_OUT = 25


class Learner:
    """The network of one stage and all that its steps need.

    task: see Run. Steps that were left out are counted in `skipped`; they count as steps, too.
    """

    def __init__(self, task, plan: Plan, say):
        self.task, self.plan, self.say = task, plan, say
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
        self.parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        self.team = parallel.team()
        self.steps, self.skipped, self._in_a_row = 0, 0, 0
        self._set_precision(plan.precision)

    def _set_precision(self, precision: torch.dtype) -> None:
        self.precision = precision
        # What half precision cannot hold, gradients multiplied by much can.
        self.scaler = _scaler(self.plan.device.type, precision)

    @property
    def stage(self):
        """The stage as it is now, with the sigma that was learned."""
        return replace(self.task.stage, sigma_mm=self.shape.sigma_mm)

    def step(self, done: float, where: str) -> float:
        """One step of the optimiser on one augmented batch; the loss.

        done: the share of the stage that is over. where: names the step in a message. Raises
        TrainingError, with nothing learned, if loss or gradients are not finite.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.config.learning_rate * _schedule(done)
        before = self.task.feed.state_dict()
        loss, norm = self._gradients(done, self.precision)
        self.steps += 1
        if self._is_left_out(loss, norm):
            self.scaler.step(self.optimiser)  # does nothing but note why
            self.scaler.update()
            return loss
        if self.precision != torch.float32 and not _is_sound(loss, norm):
            self.task.feed.load_state_dict(before)
            loss, norm = self._in_full(done, norm, where)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            self.steps -= 1
            raise TrainingError(
                f"In {where} the {'gradient' if math.isfinite(loss) else 'loss'} is not finite"
                f" (loss {loss:g}, gradient {norm:g}), with the cases"
                f" {', '.join(self.task.feed.names)}. Nothing was learned from it. Look at these"
                f" cases, or train with a lower learning rate, for instance"
                f" --set learning_rate={self.plan.config.learning_rate / 4:g}."
            )
        self._in_a_row = 0
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self._average()
        return loss

    def _gradients(self, done: float, precision: torch.dtype) -> tuple:
        """Those of the next batch are left in the parameters; returns (loss, norm of them all)."""
        inputs, wanted = self.task.batch(self.shape, done)
        loss = self._loss(inputs, wanted, precision)
        self.optimiser.zero_grad(set_to_none=True)
        scaled = precision == self.precision
        scale = self.scaler.scale(loss.new_ones(())) if scaled else loss.new_ones(())
        mean = self.team.backward(loss, judged_weight(wanted), self.parameters, scale)
        if scaled:
            self.scaler.unscale_(self.optimiser)
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_NORM)
        others = [p.grad for p in self.shape.parameters() if p.grad is not None]
        return mean, math.hypot(float(norm), *(float(each.norm()) for each in others))

    def _loss(self, inputs, wanted, precision: torch.dtype) -> torch.Tensor:
        """inputs: what the network takes."""
        config = self.plan.config
        mixed = precision != torch.float32
        with torch.autocast(self.plan.device.type, precision, enabled=mixed):
            logits = self.network(*inputs)
        belief = belief_of(logits, config.head, self.shape.mass)
        loss = total_loss(belief, wanted, config.losses)
        if self.shape.learned:
            loss = loss + config.inflation_weight * self.shape.inflation()
        return loss

    def _is_left_out(self, loss: float, norm: float) -> bool:
        """Whether the scale of float16 was too large for this step: so it finds the right one."""
        if not self.scaler.is_enabled() or not math.isfinite(loss) or math.isfinite(norm):
            return False
        self._in_a_row += 1
        if self._in_a_row > _MOST_LEFT_OUT:
            return False
        self.skipped += 1
        return True

    def _in_full(self, done: float, norm: float, where: str) -> tuple:
        """The same step in float32. If that is what it takes, all that follow are in float32."""
        loss, full = self._gradients(done, torch.float32)
        agrees = math.isfinite(norm) and full > norm / 100
        if math.isfinite(loss) and math.isfinite(full) and not agrees:
            self.say(
                f"In {where} the gradient in {name_of(self.precision)} is {norm:.3g} where float32"
                f" has {full:.3g}; it goes on in float32."
            )
            self._set_precision(torch.float32)
        return loss, full

    @torch.no_grad()
    def _average(self) -> None:
        # The first steps are forgotten quickly.
        decay = min(_EMA_DECAY, (1 + self.steps) / (10 + self.steps))
        for mean, new in zip(self.averaged.parameters(), self.network.parameters()):
            mean.lerp_(new, 1 - decay)

    def check_finite(self, where: str) -> None:
        """Raises TrainingError if a weight is not finite."""
        for network in (self.network, self.averaged):
            if not all(bool(torch.isfinite(p).all()) for p in network.parameters()):
                raise TrainingError(
                    f"After {where} the weights of the network are not finite; train with a lower"
                    f" learning rate than {self.plan.config.learning_rate:g}."
                )

    def state(self) -> dict:
        """What it takes to go on, less the numbers."""
        return {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "shape": self.shape.state_dict(),
            "optimiser": self.optimiser.state_dict()["state"],
            "scaler": self.scaler.state_dict(),
            "feed": self.task.feed.state_dict(),
        }

    def state_to_be(self, precision: str) -> dict:
        """A state of the kind that a checkpoint holds of a run in this precision."""
        empty = [torch.zeros_like(p, device="cpu") for p in self.parameters]
        moments = {
            number: {"step": torch.zeros(()), "exp_avg": each, "exp_avg_sq": each}
            for number, each in enumerate(empty)
        }
        scaler = _scaler(self.plan.device.type, getattr(torch, precision)).state_dict()
        return {**self.state(), "optimiser": moments, "scaler": scaler}

    def load_state(self, state: dict, precision: str) -> None:
        """state: as it was checked against `state_to_be`."""
        self._set_precision(getattr(torch, precision))
        for part in ("network", "averaged", "shape", "scaler"):
            getattr(self, part).load_state_dict(state[part])
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state["optimiser"], "param_groups": groups})
        self.task.feed.load_state_dict(state["feed"])


def name_of(precision: torch.dtype) -> str:
    return str(precision).split(".")[-1]


def _is_sound(loss: float, norm: float) -> bool:
    return math.isfinite(loss) and norm < _DOUBTFUL_NORM


def _scaler(device: str, precision: torch.dtype):
    """Of gradients in float16; one that does nothing for other types."""
    enabled = precision == torch.float16
    if hasattr(torch.amp, "GradScaler"):
        return torch.amp.GradScaler(device, enabled=enabled)
    return torch.cuda.amp.GradScaler(enabled=enabled)  # torch before 2.3


def _schedule(done: float) -> float:
    """The learning rate's factor: a short warm-up, then half a cosine down to nothing."""
    if done < _WARM_UP:
        return 0.1 + 0.9 * done / _WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))
