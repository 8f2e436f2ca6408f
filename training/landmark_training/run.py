"""The loop of a training run: steps, validation after each epoch, the best model kept on disk."""

from __future__ import annotations

import copy
import csv
import math
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from tqdm import tqdm

from landmark_heatmap.evaluation import Outcome, evaluate
from landmark_heatmap.geometry import Image
from landmark_heatmap.heatmap import encode, gaussian_mass
from landmark_heatmap.landmarks import Annotation
from landmark_heatmap.model_file import write_model
from landmark_heatmap.network import log_probabilities
from landmark_heatmap.predict import locate, run_network
from landmark_heatmap.prediction import Prediction

from .augment import draw_maps, jitter_intensities, occlude, warp
from .losses import total_loss
from .plan import Plan

MODEL_NAME = "model.safetensors"
_EMA_DECAY = 0.995
_WARM_UP = 0.05
_RECORDED = ("mre_mm", "median_mm", "missed", "false")


@dataclass(frozen=True, eq=False)
class TrainingCase:
    """A case as the run uses it: the image as the network sees it, and what it teaches.

    centred_mm: (L, D), along the array axes from the grid's centre, NaN where nothing is placed.
    absent: (L,) bool.
    """

    name: str
    prepared: Image
    label: Annotation
    centred_mm: torch.Tensor
    absent: torch.Tensor

    @property
    def pixels(self) -> torch.Tensor:
        """The image without its slice axis, if it is 2D."""
        tensor = torch.from_numpy(self.prepared.array)
        return tensor[0] if self.centred_mm.shape[1] == 2 else tensor


class Run:
    """The loop: steps of training, validation after each epoch, the best model kept on disk."""

    def __init__(self, plan: Plan, network, description, prior, output, say):
        self.plan, self.description, self.landmarks = plan, description, description.landmarks
        self.prior = prior
        self.output, self.say = output, say
        self.network = network.train()
        # The running mean of the weights predicts better than any one step's.
        self.averaged = copy.deepcopy(network).eval()
        self.generator = torch.Generator().manual_seed(plan.config.seed)
        self.optimiser = torch.optim.AdamW(
            network.parameters(),
            lr=plan.config.learning_rate,
            weight_decay=plan.config.weight_decay,
        )
        self.mass = gaussian_mass(plan.stage.sigma_mm, plan.stage.spacing_mm)
        self.permutation = torch.from_numpy(self.landmarks.mirror_permutation())
        self.steps = 0
        self.best = math.inf

    def train(self, training, held_out) -> None:
        config = self.plan.config
        self.size = tuple(np.max([case.pixels.shape for case in training], axis=0).tolist())
        start, total = time.monotonic(), config.epochs * config.steps_per_epoch
        stream = self._batches(training)
        saved = False
        # A log file does not want a line for every step.
        interval = 0.2 if sys.stderr.isatty() else 30
        with tqdm(total=100, bar_format=_BAR, leave=False, mininterval=interval) as bar:
            try:
                for epoch in range(1, config.epochs + 1):
                    losses = []
                    for _ in range(config.steps_per_epoch):
                        done = self._fraction(total, start)
                        losses.append(self._step(next(stream), done))
                        bar.update(100 * self._fraction(total, start) - bar.n)
                        if self._fraction(total, start) >= 1:
                            break
                    saved |= self._judge(epoch, float(np.mean(losses)), held_out, start, bar)
                    if self._fraction(total, start) >= 1:
                        break
            except KeyboardInterrupt:
                self.say("Stopped by the user; the best model so far is kept.")
        if not saved:
            self._save(epochs=0, metrics={})

    def _fraction(self, total: int, start: float) -> float:
        """How much of the run is done: of its steps or of its time, whichever is further."""
        minutes = self.plan.config.minutes
        by_time = (time.monotonic() - start) / (60 * minutes) if minutes else 0.0
        return min(1.0, max(self.steps / total, by_time))

    def _batches(self, cases):
        """Endless batches: each case comes once before any comes again."""
        queue = []
        while True:
            while len(queue) < self.plan.config.batch_size:
                order = torch.randperm(len(cases), generator=self.generator).tolist()
                queue += [cases[i] for i in order]
            yield queue[: self.plan.config.batch_size]
            queue = queue[self.plan.config.batch_size :]

    def _step(self, batch, done: float) -> float:
        """One step of the optimiser on one augmented batch."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.config.learning_rate * _schedule(done)
        images, target, present, absent = self.augmented(batch)
        mixed = self.plan.precision != torch.float32
        with torch.autocast("cpu", self.plan.precision, enabled=mixed):
            logits = self.network(images)
        loss = total_loss(
            log_probabilities(logits),
            target,
            self.mass,
            present,
            absent,
            self.plan.config.shape_weight,
        )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.steps += 1
        self._average()
        return loss.item()

    def augmented(self, batch) -> tuple:
        """(images (B, 1, *size), targets (B, L, *size), present (B, L), absent (B, L)).

        A point that the map carries out of the picture is absent from it; that teaches absence.
        """
        spacing = self.plan.stage.spacing_mm[::-1]
        extent = [n * s for n, s in zip(self.size, spacing)]
        maps = draw_maps(len(batch), extent, self.plan.config, self.plan.flip, self.generator)
        images = warp([case.pixels for case in batch], spacing, maps, self.size)
        images = jitter_intensities(images, self.plan.config, self.generator)
        images = occlude(images, self.plan.config, self.generator)
        points = maps.push(torch.stack([case.centred_mm for case in batch]))
        absent = torch.stack([case.absent for case in batch])
        flipped = maps.flipped[:, None]
        points = torch.where(flipped[..., None], points[:, self.permutation], points)
        absent = torch.where(flipped, absent[:, self.permutation], absent)
        voxels = points / torch.tensor(spacing) + (torch.tensor(self.size) - 1) / 2
        inside = ((voxels > -0.5) & (voxels < torch.tensor(self.size) - 0.5)).all(-1)
        known = ~torch.isnan(points).any(-1)
        target = encode(voxels, self.size, spacing, self.plan.stage.sigma_mm)
        return images, target, known & inside, absent | (known & ~inside)

    @torch.no_grad()
    def _average(self) -> None:
        # The first steps are forgotten quickly.
        decay = min(_EMA_DECAY, (1 + self.steps) / (10 + self.steps))
        for mean, new in zip(self.averaged.parameters(), self.network.parameters()):
            mean.lerp_(new, 1 - decay)

    def _judge(self, epoch, loss, held_out, start, bar) -> bool:
        """Validate, tell, record, and keep the model if it is the best; whether it was kept."""
        metrics = self.validate(held_out) if held_out else {}
        # A missed landmark counts like one that is as far off as the image is large.
        score = metrics.get("score", -epoch)
        told = ""
        if metrics.get("mre_mm") is not None:
            told = f"  validation MRE {metrics['mre_mm']:.3g} mm"
        for wrong in ("missed", "false"):
            told += f", {metrics[wrong]} {wrong}" if metrics.get(wrong) else ""
        line = f"epoch {epoch:3d}/{self.plan.config.epochs}  loss {loss:.3f}{told}"
        bar.set_postfix_str(line)
        bar.clear()
        self.say(line)
        self._record(epoch, loss, metrics, time.monotonic() - start)
        if score < self.best:
            self.best = score
            self._save(epoch, metrics)
            return True
        return False

    def validate(self, cases) -> dict:
        """MRE and what goes with it of the averaged network, on whole images, as in detection."""
        stage, names = self.plan.stage, self.landmarks.names
        compared = []
        for number, case in enumerate(cases):
            heatmaps, presences = run_network(self.averaged, case.prepared, stage, "cpu")
            points = locate(names, heatmaps, presences, case.prepared.grid, stage, self.prior)
            predicted = Prediction(self.landmarks, points, case.prepared.grid, None).annotation()
            # Two datasets may each have a case of the same name.
            compared.append((f"{number} {case.name}", predicted, case.label))
        return _metrics(evaluate(compared, resamples=0, names=names), cases)

    def _record(self, epoch, loss, metrics, seconds) -> None:
        path = self.output / "progress.csv"
        row = {"epoch": epoch, "seconds": round(seconds, 1), "loss": round(loss, 5)}
        row.update({key: metrics.get(key, "") for key in _RECORDED})
        is_new = not path.exists()
        with open(path, "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row)
            if is_new:
                writer.writeheader()
            writer.writerow(row)

    def _save(self, epochs: int, metrics: dict) -> None:
        training = {**self.description.training, "epochs": epochs, "steps": self.steps}
        judged = {f"validation_{k}": v for k, v in metrics.items() if k != "score"}
        description = replace(self.description, training=training, metrics=judged)
        write_model(self.output / MODEL_NAME, description, [self.averaged], self.prior)


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


_BAR = "{percentage:3.0f}% |{bar:30}| {elapsed} gone, {remaining} left  {postfix}"


def _schedule(done: float) -> float:
    """The learning rate's factor: a short warm-up, then half a cosine down to nothing."""
    if done < _WARM_UP:
        return 0.1 + 0.9 * done / _WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))
