"""Whether one model is better than another, told from the same cases: paired by case, and tested.

Two things can differ: how far off the points are that both models locate, and how many points are
wrong altogether (missed, or found where they are absent). Each is one number a case. The test flips
the signs of the differences: if neither model were better, each case could as well have come out
the other way round. It assumes no distribution, and tests the mean itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from landmark_heatmap.images.geometry import MM
from landmark_heatmap.judging.bootstrap import INTERVAL_PERCENT, Figure, mean
from landmark_heatmap.judging.evaluation import CaseResult, Evaluation, Outcome

# A difference that chance alone would make less often than this is told as one.
SIGNIFICANCE = 0.05
# All patterns of signs up to so many cases, random ones beyond.
_EXACT_CASES = 15
_FLIPS = 50_000


class Verdict(str, Enum):
    BETTER = "better"
    WORSE = "worse"
    MIXED = "mixed"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class PairedDifference:
    """New minus old, one number a case. mean: over cases. p: two-sided, of the sign-flip test."""

    mean: Figure
    p: float
    cases: int

    @property
    def direction(self) -> int:
        """-1 where the new one is lower, 1 where it is higher, 0 where that cannot be told."""
        if self.p is None or self.p >= SIGNIFICANCE:
            return 0
        return -1 if self.mean.value < 0 else 1

    def to_json(self) -> dict:
        return {**self.mean.to_json(), "p": self.p, "cases": self.cases}


@dataclass(frozen=True)
class Comparison:
    """error_mm: difference of the cases' mean errors, over the points that both models locate.
    wrong: difference in points that are missed or false. wrong_points: (new, old), in all.
    case_errors_mm: case to (new, old) mean error. points: how many both locate.
    unit: of the errors. note: what else has to be known, a sentence.
    """

    names: tuple
    error_mm: PairedDifference
    wrong: PairedDifference
    wrong_points: tuple
    case_errors_mm: dict
    points: int
    unit: str = MM
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        directions = {self.error_mm.direction, self.wrong.direction} - {0}
        if not directions:
            return Verdict.UNDECIDED
        if len(directions) == 2:
            return Verdict.MIXED
        return Verdict.BETTER if directions == {-1} else Verdict.WORSE

    @property
    def sentence(self) -> str:
        """What came out, for a person who has to decide."""
        new, old = self.names
        cases = self.wrong.cases
        told = {
            Verdict.BETTER: f"{new} is better than {old}",
            Verdict.WORSE: f"{new} is worse than {old}",
            Verdict.MIXED: f"{new} is better than {old} in one respect and worse in another",
            Verdict.UNDECIDED: f"No difference between {new} and {old} can be told"
            f" from {cases} case{'s' if cases != 1 else ''}",
        }
        said = f"{told[self.verdict]}: {self._error_clause()}; {self._wrong_clause()}."
        return f"{said} {self.note}" if self.note else said

    def _error_clause(self) -> str:
        difference = self.error_mm
        if difference.mean.value is None:
            return "there is no point that both locate"
        clause = f"the mean error changes by {_signed(difference.mean.value)} {self.unit}"
        if difference.mean.interval is not None:
            low, high = map(_signed, difference.mean.interval)
            clause += f" ({INTERVAL_PERCENT} % interval {low} to {high})"
        clause += (
            f" over {difference.cases} case{'s' * (difference.cases != 1)}, p = {difference.p:.2g}"
        )
        if 2 * 0.5**difference.cases >= SIGNIFICANCE:
            clause += ", and so few cases can never tell"
        return clause

    def _wrong_clause(self) -> str:
        new, old = self.wrong_points
        if not new and not old:
            return "neither misses a point nor finds an absent one"
        told = {-1: ", which is fewer", 0: ", which could be chance", 1: ", which is more"}
        same = ", as many" if new == old else told[self.wrong.direction]
        return f"{new} points are missed or false against {old}{same}"

    def to_json(self) -> dict:
        return {
            "new": self.names[0],
            "old": self.names[1],
            "verdict": self.verdict.value,
            "sentence": self.sentence,
            "difference_of_mean_errors_mm": self.error_mm.to_json(),
            "difference_of_wrong_points": self.wrong.to_json(),
            "wrong_points": list(self.wrong_points),
            "points": self.points,
            "test": "two-sided sign-flip permutation test over cases",
            "cases": {
                case: {"new_mm": new, "old_mm": old}
                for case, (new, old) in self.case_errors_mm.items()
            },
        }


def _signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", "−")


def compare(new: Evaluation, old: Evaluation, names, resamples: int = 2000, seed: int = 0):
    """A Comparison of two evaluations of the same cases. names: of the models, (new, old).

    Landmarks that one model does not know are left out. ValueError if the cases are not the same.
    """
    if [case.name for case in new.cases] != [case.name for case in old.cases]:
        raise ValueError("The evaluations are of different cases.")
    known = {summary.name for summary in old.landmarks}
    landmarks = [summary.name for summary in new.landmarks if summary.name in known]
    pairs = list(zip(new.cases, old.cases))
    errors, points = {}, 0
    for first, second in pairs:
        both = [n for n in landmarks if n in first.errors_mm and n in second.errors_mm]
        points += len(both)
        if both:
            errors[first.name] = tuple(
                float(np.mean([case.errors_mm[n] for n in both])) for case in (first, second)
            )
    wrong = np.array([[_wrong(case, landmarks) for case in pair] for pair in pairs])
    return Comparison(
        tuple(names),
        _paired([a - b for a, b in errors.values()], resamples, seed),
        _paired((wrong[:, 0] - wrong[:, 1]).tolist(), resamples, seed),
        tuple(int(n) for n in wrong.sum(0)),
        errors,
        points,
        new.unit,
    )


def _wrong(case: CaseResult, landmarks) -> int:
    return sum(case.outcomes[name] in (Outcome.MISSED, Outcome.FALSE) for name in landmarks)


def _paired(differences, resamples: int, seed: int) -> PairedDifference:
    p = sign_flip_p(differences, seed) if differences else None
    return PairedDifference(mean(differences, resamples, seed), p, len(differences))


def sign_flip_p(differences, seed: int = 0) -> float:
    """Two-sided p of 'the differences are as likely to be positive as negative', for their mean.

    The share of all patterns of signs that make the sum at least as far from zero as it is; beyond
    15 cases, of 50,000 random patterns and the one observed.
    """
    differences = np.asarray(differences, dtype=float)
    count = len(differences)
    observed = abs(differences.sum())
    # Equal sums may differ by rounding.
    least = observed - 1e-9 * abs(differences).sum()
    if count <= _EXACT_CASES:
        patterns = np.arange(2**count)[:, None] >> np.arange(count) & 1
        return float((abs((1 - 2 * patterns) @ differences) >= least).mean())
    rng = np.random.default_rng(seed)
    as_far = 1
    for _ in range(10):
        signs = rng.choice([-1.0, 1.0], (_FLIPS // 10, count))
        as_far += int((abs(signs @ differences) >= least).sum())
    return as_far / (_FLIPS + 1)
