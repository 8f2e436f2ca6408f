"""What turns a network's probabilities into a belief, and what cases it had not seen say of that.

The form is chosen, and the belief calibrated, on cases that were held out of training
(landmark_training.learning.calibrating). Needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

# Where few cases were held out, those of all landmarks together count as so many of each.
POOLED_CASES = 20
# Of a network that nobody has calibrated: networks are too sure, more often than not.
_UNCALIBRATED_POWER = 0.6
_TAIL = 0.05


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What was found in cases that were held out, (N, L) each, NaN where there is no reference.

    contents: the share of the belief that is denser than where the reference is. shares: that is
    nearer to the position than the reference. errors_mm: how far the position is from the reference.
    """

    contents: np.ndarray
    shares: np.ndarray
    errors_mm: np.ndarray

    @property
    def highest_level(self) -> float:
        """The highest probability that so many cases can speak for: n / (n + 1)."""
        return len(self.contents) / (len(self.contents) + 1)

    def level_of_content(self, landmark: int) -> tuple:
        """(contents, levels), both rising from 0 to 1: with which probability the region that holds so
        much of the belief holds the reference (split-conformal: Lei et al., J. Am. Stat. Assoc. 113,
        2018)."""
        return self._levels_of_contents[landmark]

    def level_of_share(self, landmark: int) -> tuple:
        """The same of the ball around the position that holds so much of the belief."""
        return self._levels_of_shares[landmark]

    # Of all landmarks at once, and once: they are asked for with every image.
    @cached_property
    def _levels_of_contents(self) -> list:
        return [_levels(self.contents, landmark) for landmark in range(self.contents.shape[1])]

    @cached_property
    def _levels_of_shares(self) -> list:
        return [_levels(self.shares, landmark) for landmark in range(self.shares.shape[1])]

    def constant_radius_mm(self, landmark: int, level: float) -> float:
        """Of the ball around any position that holds the reference with this probability: what can be
        said without looking at the heatmap."""
        values, weights = _weighted(self.errors_mm, landmark)
        if not len(values):
            return float("nan")
        levels = np.cumsum(weights) / (weights.sum() + 1)
        return float(values[min(np.searchsorted(levels, level), len(values) - 1)])

    def merged(self, others) -> HeldOut:
        """With the cases that others were calibrated on."""
        parts = (self, *others)
        return HeldOut(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("contents", "shares", "errors_mm")
            )
        )


@dataclass(frozen=True, eq=False)
class BeliefForm:
    """How belief, marker and position are made (formulas: detection/belief.py).

    power: of the network's probabilities. joint: of what the other landmarks say, 0 where they are
    not asked. spreads_mm: (L,), how far the labels of each landmark scatter. tail: the share of the
    belief that is spread wider. peak_power: of the network's probabilities, before a peak is the
    position.
    error_scale: of the expected error. held_out: None where it is not calibrated.
    """

    spreads_mm: np.ndarray
    tails: np.ndarray
    power: float = _UNCALIBRATED_POWER
    joint: float = 0.0
    peak_power: float = 2.0
    error_scale: float = 1.0
    held_out: HeldOut = field(default=None, repr=False)

    @property
    def is_calibrated(self) -> bool:
        return self.held_out is not None

    def without_held_out(self) -> BeliefForm:
        """The same, of which nothing is claimed."""
        return replace(self, held_out=None)

    def claimed(self, level: float) -> float:
        """The level, or the highest that may be claimed; None where it is not calibrated."""
        return min(level, self.held_out.highest_level) if self.is_calibrated else None


def uncalibrated(landmarks: int, sigma_mm: float) -> BeliefForm:
    """What is taken where no case was held out: nothing is claimed of it."""
    return BeliefForm(np.full(landmarks, 0.5 * sigma_mm), np.full(landmarks, _TAIL))


def merged(forms) -> BeliefForm:
    """Of an ensemble whose members each have a form; None unless all have one.

    Each member was calibrated on cases that it had not seen, and the ensemble is hardly less sure
    than one of them.
    """
    forms = list(forms)
    if not forms or any(form is None for form in forms):
        return None
    held_out = None
    if all(form.is_calibrated for form in forms):
        held_out = forms[0].held_out.merged(form.held_out for form in forms[1:])
    return BeliefForm(
        np.mean([form.spreads_mm for form in forms], axis=0),
        np.mean([form.tails for form in forms], axis=0),
        float(np.exp(np.mean([np.log(form.power) for form in forms]))),
        *(
            float(np.median([getattr(form, name) for form in forms]))
            for name in ("joint", "peak_power", "error_scale")
        ),
        held_out,
    )


def _levels(scores: np.ndarray, landmark: int) -> tuple:
    values, weights = _weighted(scores, landmark)
    # One more case, of which nothing is known, may be worse than all of them.
    levels = np.cumsum(weights) / (weights.sum() + 1)
    return np.concatenate([[0], values, [1]]), np.concatenate([[0], levels, [1]])


def _weighted(scores: np.ndarray, landmark: int) -> tuple:
    """(values, weights) of a landmark's own scores and of those of all others, rising."""
    own = scores[:, landmark]
    others = np.delete(scores, landmark, axis=1)
    own, others = own[np.isfinite(own)], others[np.isfinite(others)]
    weight = min(1.0, POOLED_CASES / max(1, len(others)))
    values = np.concatenate([own, others])
    weights = np.concatenate([np.ones(len(own)), np.full(len(others), weight)])
    order = np.argsort(values)
    return values[order], weights[order]
