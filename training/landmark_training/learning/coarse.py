"""The coarse stage's part in a run: whole images, all landmarks jointly."""

from __future__ import annotations

import math

import numpy as np
import torch

from landmark_heatmap.detection.locate import Found, choose, located
from landmark_heatmap.detection.predict import run_network
from landmark_heatmap.detection.prediction import Prediction
from landmark_heatmap.judging.consistency import FIGURES, measure_case
from landmark_heatmap.judging.evaluation import Outcome, evaluate

from ..data.feed import Feed, TrainingCase
from ..data.targets import TargetShape
from ..planning.plan import Plan
from ..progress import each
from .model import ModelWriter
from .outcome import RunOutcome

# What a wrong presence costs, as a share of the largest image's length.
_WRONG_SHARE = 0.1
# How much longer a network takes to learn from an image than to see it.
LEARNING_TIMES = 3


class CoarseTask:
    """See Run. cases, held_out: TrainingCases."""

    score_to_beat = math.inf

    def __init__(self, plan: Plan, network, cases, held_out, writer: ModelWriter):
        self.plan, self.stage, self.network = plan, plan.stage, network
        self.held_out, self.writer = held_out, writer
        # What was found in them at the last validation: of each a Seen for each landmark.
        self.seen = []
        generator = torch.Generator().manual_seed(plan.config.seed)
        self.feed = Feed(cases, plan, writer.landmarks.mirror_permutation(), generator)

    @property
    def validation_steps(self) -> float:
        """About how many steps take as long as a validation: counted, not measured."""
        return len(self.held_out) / (LEARNING_TIMES * self.plan.config.batch_size)

    def batch(self, shape: TargetShape, done: float) -> tuple:
        images, wanted = self.feed.augmented(self.feed.next_share(), shape, done)
        return (images,), wanted

    def validate(self, network, stage) -> dict:
        """MRE and what goes with it on whole images, as in detection."""
        device = self.plan.device
        found = (found_in(c, network, stage, device) for c in each(self.held_out, "validating"))
        return self.judged(found, stage)

    def judged(self, found, stage) -> dict:
        """The same, of what was found in each held-out case."""
        names, prior = self.writer.landmarks.names, self.writer.prior
        self.seen = [located(names, each, choose(each, prior)) for each in found]
        return metrics_of(self.held_out, self.seen, self.writer.landmarks)

    def save(self, network, stage, metrics: dict, outcome: RunOutcome) -> None:
        self.writer.write([stage], [network], metrics, outcome)


def found_in(case: TrainingCase, network, stage, device) -> Found:
    """What the network says of a case's whole image."""
    return Found(*run_network(network, case.prepared, stage, device), case.prepared.grid, stage)


def metrics_of(cases, found_of_each, landmarks) -> dict:
    """MRE, median, missed and false points, how consistent the channels are (the mean over cases of
    each of consistency.FIGURES), and a score, lower is better: the mean error, where a missed
    point, or one found where it is absent, counts as a tenth of the largest image's length. (More
    would let a few doubtful ones at the edges of the images choose the epoch.) score_of_cases: the
    same of each case. Empty without cases. found_of_each: for each case a Seen for each landmark.
    """
    if not cases:
        return {}
    compared, consistency = [], []
    for number, (case, found) in enumerate(zip(cases, found_of_each)):
        # Two datasets may each have a case of the same name.
        name = f"{number} {case.name}"
        points = tuple(seen.as_it_is() for seen in found)
        prediction = Prediction(landmarks, points, case.prepared.grid, None)
        compared.append((name, prediction.annotation(), case.label))
        consistency.append(measure_case(name, prediction).figures())
    evaluation = evaluate(compared, resamples=0, names=landmarks.names)
    overall = evaluation.overall
    grids = [case.prepared.grid for case in cases]
    extent_mm = max(float(np.max(g.size_ijk * g.spacing_mm)) for g in grids)
    totals = [_total(case, _WRONG_SHARE * extent_mm) for case in evaluation.cases]
    return {
        "mre_mm": overall.mean_mm.value,
        "median_mm": overall.median_mm.value,
        "missed": overall.counts[Outcome.MISSED],
        "false": overall.counts[Outcome.FALSE],
        "score": sum(cost for cost, _ in totals) / max(1, sum(count for _, count in totals)),
        "score_of_cases": [cost / max(1, count) for cost, count in totals],
        **{name: _mean(each[name] for each in consistency) for name in FIGURES},
    }


def _total(case, wrong_mm: float) -> tuple:
    """(what the points of a CaseResult cost together, in mm, and how many they are)."""
    outcomes = list(case.outcomes.values())
    wrong = outcomes.count(Outcome.MISSED) + outcomes.count(Outcome.FALSE)
    return sum(case.errors_mm.values()) + wrong * wrong_mm, len(case.errors_mm) + wrong


def _mean(values):
    """None if none is known."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
