"""Which of a landmark's candidates it is, decided for all landmarks together. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..images.geometry import Grid, Image
from ..model.belief_form import BeliefForm
from ..model.heatmap import decode_peak
from ..model.joint_shape import FREEDOM, GATE, Expected, JointShape
from .belief import Core, core_of
from .joint import moments, sure, turn_between
from .locate import Choice, Found, logs_of
from .seen import Seen, seen_at, square_mm

# By so much, in natural logarithms, another candidate has to be likelier.
_CLEARLY = 3.0
# The shape's word on a candidate counts so much, round by round: before the landmarks have agreed on
# anything, it is worth little.
_COOLING = (0.25, 0.5, 1.0, 1.0)
# No candidate tells less of the pose than this.
_LEAST_TRUST = 0.05
# What is so many sigmas from a peak is none of it.
_PEAK_SIGMAS = 4.0


@dataclass(frozen=True, eq=False)
class Candidate:
    """A place where a landmark may be. log: of how much the networks favour it, 0 at most. trust: 0 to 1,
    how much it tells of the pose. is_new: whether the shape had to say where to look."""

    seen: Seen
    log: float = 0.0
    trust: float = 1.0
    is_new: bool = False


def coarse_candidates(names, found: Found, choice: Choice) -> tuple:
    """The Candidates of each landmark by its coarse heatmap alone, the chosen one first."""
    told = []
    for index, (chosen, logs) in enumerate(zip(choice.chosen, logs_of(found, choice))):
        heatmap = Image(found.heatmaps[index], found.grid.ijk_to_lps, found.grid.unit)
        order = (chosen, *(i for i in range(len(logs)) if i != chosen))
        peaks = [decode_peak(heatmap.array, choice.peaks[index][i]) for i in order]
        presence = float(found.presences[index])
        seens = [seen_at(names[index], heatmap, peak, presence, found.stage) for peak in peaks]
        told.append(
            tuple(Candidate(seen, float(logs[i]), seen.confidence) for seen, i in zip(seens, order))
        )
    return tuple(told)


@dataclass(frozen=True, eq=False)
class Frame:
    """In which all landmarks are put together: mm along the axes of the coarse grid."""

    shape: JointShape
    form: BeliefForm
    grid: Grid

    @property
    def dimension(self) -> int:
        return self.shape.mean.shape[1]

    @property
    def gate(self) -> float:
        return GATE[self.dimension]

    def of_lps(self, position_lps) -> np.ndarray:
        """(D,), mm."""
        return (self.grid.to_ijk(position_lps) * self.grid.spacing_mm)[: self.dimension]

    def to_lps(self, position_mm) -> np.ndarray:
        """(3,). In 2D it lies in the grid's slice."""
        index = np.zeros(3)
        index[: self.dimension] = position_mm / self.grid.spacing_mm[: self.dimension]
        return self.grid.to_lps(index)


class Places:
    """Mean (D,) and covariance (D, D) of candidates in a frame, each worked out once."""

    def __init__(self, frame: Frame):
        self.frame, self._known = frame, {}

    def of(self, seen: Seen) -> tuple:
        # Seens are kept here, so that no other takes the identity of one that is gone.
        if id(seen) not in self._known:
            self._known[id(seen)] = seen, self._worked_out(seen)
        return self._known[id(seen)][1]

    def _worked_out(self, seen: Seen) -> tuple:
        d, turn = self.frame.dimension, turn_between(seen.heatmap.grid, self.frame.grid)
        core = core_of(seen, self.frame.form)
        mean, own = moments(_of_its_peak(core), seen)
        peak = self.frame.of_lps(seen.position_lps)
        return peak + (turn @ mean)[:d], (turn @ own @ turn.T)[:d, :d]


def _of_its_peak(core: Core) -> Core:
    """Without what is far from the peak: another one would make a candidate look unsure that is wrong."""
    square = square_mm(core.values.shape, core.peak, core.grid)
    values = np.where(square <= (_PEAK_SIGMAS * core.sigma_mm) ** 2, core.values, 0)
    return replace(core, values=values / values.sum())


@dataclass(frozen=True, eq=False)
class Agreement:
    """chosen: index of a candidate for each landmark. expected: what the others then say of each; None
    if they cannot."""

    chosen: tuple
    expected: Expected


def agree(candidates, chosen, places: Places, given) -> Agreement:
    """candidates: for each landmark at least one. chosen: with which of them to begin. given: index to
    (D,) mm, of landmarks that a person has placed."""
    chosen = list(chosen)
    said = expected(candidates, chosen, places, given)
    for weight in _COOLING:
        if said is None:
            break
        before = list(chosen)
        for index, options in enumerate(candidates):
            if len(options) > 1 and index not in given and np.isfinite(said.mean[index]).all():
                mine = said.mean[index], said.covariance[index]
                scores = [
                    each.log + weight * likelihood(places.of(each.seen), mine) for each in options
                ]
                best = int(np.argmax(scores))
                if scores[best] - scores[chosen[index]] > _CLEARLY:
                    chosen[index] = best
        if chosen != before:
            said = expected(candidates, chosen, places, given)
    return Agreement(tuple(chosen), said)


def expected(candidates, chosen, places: Places, given) -> Expected:
    """What the others say of each landmark, if these are where they are."""
    count, d = len(candidates), places.frame.dimension
    positions, covariances = np.full((count, d), np.nan), np.tile(np.eye(d), (count, 1, 1))
    weights, is_given = np.ones(count), np.zeros(count, bool)
    for index, (options, which) in enumerate(zip(candidates, chosen)):
        if index in given:
            positions[index], is_given[index] = given[index], True
            covariances[index] = sure(places.frame.grid, d)
        elif options[which].seen.is_there:
            positions[index], covariances[index] = places.of(options[which].seen)
            weights[index] = max(options[which].trust, _LEAST_TRUST)
    return places.frame.shape.expected(positions, covariances, weights, is_given)


def likelihood(place, said) -> float:
    """Log of the t-distribution of a place (mean, covariance) by what the others say, likewise."""
    (position, own), (mean, covariance) = place, said
    spread = covariance + own
    apart = position - mean
    square = apart @ np.linalg.solve(spread, apart)
    heavy = (FREEDOM + len(mean)) * np.log1p(square / FREEDOM)
    return float(-0.5 * (heavy + np.linalg.slogdet(spread)[1]))


def square_of(place, said) -> float:
    """The Mahalanobis distance squared of a place from what the others say."""
    apart = place[0] - said[0]
    return float(apart @ np.linalg.solve(place[1] + said[1], apart))


def marked(candidate: Candidate, look: str) -> Seen:
    """What was seen, with what the landmarks together have made of it."""
    return replace(candidate.seen, look=look)
