"""One case beside the shape of others: is it mirrored, what is exchanged, what is off."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from landmark_heatmap.model.joint_shape import FREEDOM, GATE


@dataclass(frozen=True)
class Limits:
    """When something counts as a fault. They were chosen on other cases than those that the table in
    BENCHMARKS.md is of.

    off: a point is off if its squared Mahalanobis distance is so many times what 98 of 100 points of
    all cases stay below. exchanged: so much has the misfit to fall. mirrored: so much of the misfit may
    be left, and by so much a landmark has it to fall. unlike: the share of its points above which a
    case is unlike the others as a whole.
    """

    off: float = 3.0
    exchanged: float = 6.0
    mirrored: float = 0.6
    mirrored_each: float = 0.5
    unlike: float = 0.4


@dataclass(eq=False)
class Judged:
    """What is wrong with a case.

    mirrored: what explains that, the likeliest first. swapped: two landmarks of which an exchange would
    explain it as well, or None. misfits: before and after. cycles: (landmarks,
    misfit before, after), of which each one's point lies where the one before belongs. off: (landmark,
    distance, squared distance over what 98 of 100 stay below). unlike: whether most points are off.
    typical: how far they then are from where the others have them.
    """

    mirrored: tuple = ()
    swapped: tuple = None
    misfits: tuple = ()
    cycles: list = field(default_factory=list)
    off: list = field(default_factory=list)
    unlike: bool = False
    typical: float = None

    @property
    def any(self) -> bool:
        return bool(self.mirrored or self.cycles or self.off)

    @property
    def touched(self) -> list:
        """The landmarks of which something is told."""
        cycles = [index for cycle, _, _ in self.cycles for index in cycle]
        return [*cycles, *(index for index, _, _ in self.off)]


# So many pairs exchanged are one mistake; fewer are each their own.
SEVERAL_PAIRS = 3
# Of so few landmarks, two that are exchanged can pass for a mirror image or another pose: the others are
# too few to hold against that. Then every exchange is tried, which of many would take too long.
FEW_LANDMARKS = 8
# Two explanations whose misfits differ by less cannot be told apart.
_AS_GOOD = 2.0
MIRROR_IMAGE, SIDES_EXCHANGED = "mirror image", "sides exchanged"


@dataclass(frozen=True, eq=False)
class Others:
    """What is known of a case from the others. shape: a JointShape that was not made of it. usual: (L,),
    by how much the squared distances of each landmark are usually larger than the shape says. far: what
    98 of 100 of them stay below then, over the shape's gate."""

    shape: object
    usual: np.ndarray
    far: float = 1.0

    def see(self, positions):
        """None where too little is there to tell."""
        nothing = np.zeros((*positions.shape, positions.shape[1]))
        expected = self.shape.expected(positions, nothing)
        return None if expected is None else _Seen(expected, expected.square / self.usual)


@dataclass(frozen=True, eq=False)
class _Seen:
    expected: object
    square: np.ndarray

    @property
    def misfit(self) -> float:
        return float(_misfits(self.square).sum())


def judge_case(others: Others, positions, twins=(), limits: Limits = None) -> Judged:
    """positions: (L, D). twins: pairs of indices, left and right. None where too little is there to
    tell."""
    limits, judged = limits or Limits(), Judged()
    seen = others.see(positions)
    if seen is None:
        return None
    positions, seen = _unmirrored(others, positions, seen, twins, limits, judged)
    positions, seen = _sorted_out(others, positions, seen, limits, judged)
    _find_off(others, positions, seen, limits, judged)
    return judged


def _misfits(square) -> np.ndarray:
    """Of a t-distribution: what is far off counts, but not without end."""
    return np.log1p(np.nan_to_num(square) / FREEDOM)


def _unmirrored(others, positions, seen, twins, limits, judged) -> tuple:
    """The case turned back, if it is mirrored as a whole."""
    turned = positions.copy()
    turned[:, 0] *= -1
    tried = {MIRROR_IMAGE: turned}
    if sum(np.isfinite(positions[list(pair)]).all() for pair in twins) >= SEVERAL_PAIRS:
        renamed, (left, right) = positions.copy(), np.array(twins).T
        renamed[left], renamed[right] = positions[right], positions[left]
        tried[SIDES_EXCHANGED] = renamed
    found = []
    for how, other in tried.items():
        after = others.see(other)
        if after is None:
            continue
        fell = seen.misfit - after.misfit
        each = fell / max(1, np.isfinite(seen.square).sum())
        if after.misfit < limits.mirrored * seen.misfit and each > limits.mirrored_each:
            found.append((after.misfit, how, other, after))
    if not found:
        return positions, seen
    found.sort(key=lambda each: each[0])
    misfit, _, other, after = found[0]
    swap = _best_swap(others, positions, seen, limits)
    if swap is not None and swap[0].misfit < misfit - _AS_GOOD:
        return positions, seen
    if swap is not None and swap[0].misfit < misfit + _AS_GOOD:
        judged.swapped = swap[1]
    judged.mirrored, judged.misfits = tuple(how for _, how, _, _ in found), (seen.misfit, misfit)
    judged.typical = float(np.nanmedian(_distances(positions, seen)))
    return other, after


def _best_swap(others, positions, seen, limits):
    """(what is seen then, the two landmarks) of the exchange that alone lowers the misfit most; None
    where none does so by far, or the landmarks are many."""
    if np.isfinite(seen.square).sum() > FEW_LANDMARKS:
        return None
    tried = [
        (others.see(exchanged(positions, *pair)), pair)
        for pair in _candidates(others, positions, seen)
    ]
    best = min(tried, key=lambda each: each[0].misfit)
    return best if best[0].misfit < seen.misfit - limits.exchanged else None


def exchanged(positions, i: int, j: int) -> np.ndarray:
    """A copy in which landmarks i and j have changed places."""
    other = positions.copy()
    other[[i, j]] = positions[[j, i]]
    return other


def _distances(positions, seen) -> np.ndarray:
    return np.linalg.norm(positions - seen.expected.mean, axis=-1)


def _sorted_out(others, positions, seen, limits, judged) -> tuple:
    """Exchanges undone, one after the other, as long as that lowers the misfit by far."""
    holds = np.arange(len(positions))
    steps = []
    # What fits cannot be made to fit better by far.
    while len(steps) < len(positions) and seen.misfit > limits.exchanged:
        best = None
        for i, j in _candidates(others, positions, seen):
            other = exchanged(positions, i, j)
            after = others.see(other)
            fell = seen.misfit - after.misfit
            if fell > limits.exchanged and (best is None or fell > best[0]):
                best = fell, i, j, other, after
        if best is None:
            break
        _, i, j, positions, after = best
        holds[[i, j]] = holds[[j, i]]
        steps.append((i, j, seen.misfit, after.misfit))
        seen = after
    judged.cycles = _cycles(holds, steps)
    return positions, seen


def _candidates(others, positions, seen, most: int = 4) -> list:
    """The exchanges that promise most, from what the others say of both places; all of few landmarks."""
    there = np.flatnonzero(np.isfinite(seen.square))
    if len(there) <= FEW_LANDMARKS:
        return list(combinations(there, 2))
    mean, covariance = seen.expected.mean[there], seen.expected.covariance[there]
    apart = positions[there][None] - mean[:, None]
    inverse = np.linalg.inv(covariance)
    squares = np.einsum("ija,iab,ijb->ij", apart, inverse, apart)
    cost = _misfits(squares / others.usual[there, None])
    own = np.diag(cost)
    gain = own[:, None] + own - cost - cost.T
    gain[np.tril_indices(len(there))] = -np.inf
    order = np.argsort(gain, axis=None)[::-1][:most]
    pairs = np.array(np.unravel_index(order, gain.shape)).T
    return [(there[i], there[j]) for i, j in pairs if gain[i, j] > 0]


def _cycles(holds, steps) -> list:
    """holds: of each landmark, whose point it has got in the end."""
    found, seen = [], set()
    for start in range(len(holds)):
        cycle = []
        while start not in seen:
            seen.add(start)
            cycle.append(start)
            start = int(holds[start])
        if len(cycle) > 1:
            # Where a longer cycle fell apart, the steps are those of all its parts.
            mine = [step for step in steps if {step[0], step[1]} & set(cycle)]
            fell = sum(before - after for _, _, before, after in mine)
            found.append((tuple(cycle), mine[0][2], mine[0][2] - fell))
    return found


def _find_off(others, positions, seen, limits, judged) -> None:
    """The worst is taken out, and the others are looked at again without it."""
    left = positions.copy()
    count = np.isfinite(seen.square).sum()
    rare = others.far * GATE[positions.shape[1]]
    over = seen.square / rare
    typical = float(np.nanmedian(_distances(positions, seen)))
    while seen is not None and np.nanmax(over, initial=0) > limits.off:
        worst = int(np.nanargmax(over))
        away = float(_distances(left, seen)[worst])
        judged.off.append((worst, away, float(over[worst])))
        left[worst] = np.nan
        if len(judged.off) > limits.unlike * count:
            judged.unlike, judged.typical = True, typical
            return
        seen = others.see(left)
        if seen is not None:
            over = np.where(np.isfinite(left).all(-1), seen.square, np.nan) / rare
