"""Which epoch of a stage is kept: the latest, unless an earlier one was clearly better.

The learning rate falls to nothing and the weights are averaged, so that the last epochs are nearly
always the best. Which of them has the lowest score on a few cases is drawn by noise; what tells is how
much worse the same cases became, against the standard error of that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

# One case that went astray makes the standard error as large as the difference: this bounds it.
_MOST_WORSE = 1.1


@dataclass(frozen=True)
class Choice:
    """What was validated so far, and what is kept of it. Of scores, lower is better.

    to_beat: nothing that is not below it is kept. best: the lowest score, of best_epoch, and
    best_of_cases, what each held-out case had in it. judged_epoch: the last that was validated. An
    epoch of 0: none yet.
    """

    to_beat: float
    best: float
    best_of_cases: tuple
    best_epoch: int = 0
    judged_epoch: int = 0
    kept_epoch: int = 0
    kept_steps: int = 0

    @classmethod
    def of_nothing_yet(cls, to_beat: float, cases: int) -> Choice:
        return cls(to_beat, to_beat, (0.0,) * cases)

    def after(self, epoch: int, steps: int, score: float, of_cases=()) -> Choice:
        """With one more epoch validated; whether it is to be kept says its kept_epoch.

        of_cases: the score of each held-out case, always in the same order. Without them the lowest
        score decides.
        """
        judged = replace(self, judged_epoch=epoch)
        kept = replace(judged, kept_epoch=epoch, kept_steps=steps)
        if score < self.best:
            of_cases = tuple(map(float, of_cases)) or self.best_of_cases
            return replace(kept, best=score, best_of_cases=of_cases, best_epoch=epoch)
        return kept if self._is_as_good(score, of_cases) else judged

    def _is_as_good(self, score: float, of_cases) -> bool:
        """Whether it is no worse than the best beyond one standard error, paired by case."""
        if not self.best_epoch or not score < min(self.to_beat, _MOST_WORSE * self.best):
            return False
        if len(of_cases) != len(self.best_of_cases) or len(of_cases) < 2:
            return False
        worse = np.subtract(of_cases, self.best_of_cases)
        return bool(worse.mean() <= worse.std(ddof=1) / np.sqrt(len(worse)))
