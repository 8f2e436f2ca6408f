"""The second look: where a landmark breaks the shape, the networks are asked again where it should be.

What the networks saw of an image is kept, so that the question can be put again with landmarks that
a person has placed. Needs no torch by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..annotation.doubt import BY_SHAPE, DOUBTED, OTHER_PEAK, SEEN_AGAIN
from ..images.geometry import Image
from ..model.heatmap import decode_peak, gaussian_mass, uphill
from ..model.pose import fit_pose
from ..model.prior import ShapePrior
from .agreement import Agreement, Candidate, Places, agree, marked, square_of
from .belief import squares_of
from .joint import sure
from .locate import Found, height_of
from .seen import seen_at

# The network is asked again, as each answer may correct where the next should be.
_ROUNDS = 3
# Seen at the second look: with this presence in a crop; of a coarse heatmap, by this share of its peak.
_IS_SEEN, _IS_SHOWN = 0.5, 1e-3
# A stage that sees a landmark with less has nothing at that place.
_NOTHING, _NOTHING_COARSE = 0.2, 0.1
# How far what the shape places is drawn, in standard deviations.
_DRAWN = 3.5
# A crop that is turned by more than 12 degrees shows what the fine stage has hardly learned.
_LEAST_COSINE = 0.978
_ASKEW_LOG = 10.0
# A landmark that a model of one stage sees where it breaks the shape by so much more than the gate is not
# there, as long as at least half of the landmarks agree.
_BEYOND = 4.0
# Of landmarks that are wrong for one reason the right ones seem wrong; so many times as many may be.
_WRONG_TOGETHER = 4
# Few landmarks fit any shape, if it may have any size: this much larger or smaller than usual.
_MOST_SIZED = 1.5
# How implausible a configuration may be for a model of before there was a limit: about one is usual, and
# the limits of others are .6 to 3.4.
_UNUSUAL = 3.5


@dataclass(frozen=True, eq=False)
class Sight:
    """What was seen of one image.

    candidates: for each landmark at least one, first the one that the networks chose. places: None for a
    model without a joint shape, whose choice stands. look: a Look, None for a model of one stage. prior:
    what else is known of the shape, and, where cases lie alike, of how it lies.
    """

    names: tuple
    found: Found
    candidates: tuple
    places: Places
    look: object = None
    prior: ShapePrior = None

    def answered(self, given=None, absent=()) -> tuple:
        """A Seen for each landmark, by all of them together.

        given: index to position_lps (3,) of landmarks that a person has placed. With them, what breaks
        the shape and is not seen where it should be is placed there; without them only what is seen
        nowhere is. absent: indices of those that a person has said are not in the image.
        """
        if self.places is None:
            return tuple(each[0].seen for each in self.candidates)
        given, candidates = self._in_frame(given or {}), self._there(absent)
        agreed = agree(candidates, (0,) * len(candidates), self.places, given)
        looked = {}
        for _ in range(_ROUNDS):
            doubted = self._doubted(candidates, agreed, given)
            if not self._looked_again(candidates, agreed, doubted, looked):
                break
            agreed = agree(candidates, agreed.chosen, self.places, given)
        return tuple(
            self._told(index, options, agreed, given) for index, options in enumerate(candidates)
        )

    def heeded(self, given, absent=()) -> dict:
        """The landmarks that a person has placed, if they can be right about the others, too; else none.

        If few break the shape without them, and many with them, it is these that are odd: as odd anatomy
        is, or a slip of the hand. Not if there are enough of them to tell a pose, in which they lie to
        each other as in the shape: whoever has placed or confirmed these is right, and the others agree
        on something wrong.
        """
        if self.places is None or not given:
            return {}
        candidates, placed = self._there(absent), self._in_frame(given)
        if self._go_together(placed):
            return given
        start = (0,) * len(candidates)
        without, with_them = (
            self._broken(agree(candidates, start, self.places, each), given)
            for each in ({}, placed)
        )
        return given if with_them <= _WRONG_TOGETHER * without else {}

    def _go_together(self, placed) -> bool:
        shape, d = self.places.frame.shape, self.places.frame.dimension
        known = {index: at for index, at in placed.items() if shape.known[index]}
        if len(known) <= d:
            return False
        positions = np.full(shape.mean.shape, np.nan)
        positions[list(known)] = list(known.values())
        pose = fit_pose(shape.mean, positions)
        if pose is None:
            return False
        apart = np.linalg.norm(positions - pose.applied(shape.mean), axis=1)[list(known)]
        own = np.tile(sure(self.places.frame.grid, d), (len(positions), 1, 1))
        fits = apart / shape.deviations(own)[list(known)] < np.sqrt(self.places.frame.gate)
        return bool(fits.all()) and 1 / _MOST_SIZED < pose.scale < _MOST_SIZED

    def _broken(self, agreed: Agreement, given) -> int:
        """How many that nobody has placed break the shape."""
        if agreed.expected is None:
            return 0
        broken = np.nan_to_num(agreed.expected.square) > self.places.frame.gate
        return sum(bool(each) for index, each in enumerate(broken) if index not in given)

    def _in_frame(self, given) -> dict:
        return {index: self.places.frame.of_lps(position) for index, position in given.items()}

    def _there(self, absent) -> list:
        return [
            [_not_there(one) for one in each] if index in absent else list(each)
            for index, each in enumerate(self.candidates)
        ]

    def _doubted(self, candidates, agreed: Agreement, given) -> list:
        """Indices of the landmarks that break the shape, that the last stage does not see, or that it
        saw in a crop that was turned otherwise than it should be."""
        if agreed.expected is None:
            return []
        doubted, turn = [], self._turn(agreed)
        for index, (options, which) in enumerate(zip(candidates, agreed.chosen)):
            chosen = options[which]
            if index in given or not chosen.seen.is_there:
                continue
            breaks = agreed.expected.square[index] > self.places.frame.gate
            if breaks or self._sees_nothing(chosen) or _is_askew(chosen, turn):
                doubted.append(index)
        return doubted

    def _turn(self, agreed: Agreement):
        """(3, 3), how crops are turned that are taken now; None if it does not matter."""
        turn = None if self.look is None else self.look.turn_of(agreed.expected.mean)
        if turn is None:
            return None
        whole = np.eye(3)
        whole[: len(turn), : len(turn)] = turn
        return self.places.frame.grid.directions @ whole

    def _sees_nothing(self, candidate: Candidate) -> bool:
        if self.look is not None:
            return candidate.trust < _NOTHING
        return candidate.seen.confidence < _NOTHING_COARSE

    def _looked_again(self, candidates, agreed: Agreement, doubted, looked) -> bool:
        """Whether there are candidates that were none. looked: index to where it was looked for, (D,)."""
        frame, wanted = self.places.frame, []
        for index in doubted:
            mean = agreed.expected.mean[index]
            near = self.found.stage.sigma_mm / 2
            been = any(np.linalg.norm(mean - other) < near for other in looked.get(index, ()))
            if not been and np.isfinite(mean).all() and self._is_inside(frame.to_lps(mean)):
                wanted.append(index)
                looked.setdefault(index, []).append(mean)
        if not wanted:
            return False
        turn, shown = self._turn(agreed), self._shown(wanted, agreed.expected)
        for index, found in zip(wanted, shown):
            if found is not None:
                # What was seen askew counts no more.
                kept = [
                    replace(each, log=each.log - _ASKEW_LOG) if _is_askew(each, turn) else each
                    for each in candidates[index]
                ]
                candidates[index] = [*kept, found]
        return any(found is not None for found in shown)

    def _is_inside(self, position_lps) -> bool:
        return bool(self.found.grid.contains(position_lps))

    def _shown(self, wanted, said) -> list:
        """A Candidate for each landmark of `wanted` that is seen where the others have it, else None."""
        if self.look is None:
            heatmaps = [self._coarse(index) for index in wanted]
            presences, stages = [1.0] * len(wanted), [self.found.stage] * len(wanted)
        else:
            at = [(index, self.places.frame.to_lps(said.mean[index])) for index in wanted]
            crops = self.look.at(at, said.mean) if at else []
            heatmaps, presences = [c.heatmap for c in crops], [c.presence for c in crops]
            stages = [c.stage for c in crops]
        return [
            self._candidate(index, *each, (said.mean[index], said.covariance[index]))
            for index, *each in zip(wanted, heatmaps, presences, stages)
        ]

    def _coarse(self, index: int) -> Image:
        grid = self.found.grid
        return Image(self.found.heatmaps[index], grid.ijk_to_lps, grid.unit)

    def _candidate(self, index: int, heatmap: Image, presence: float, stage, said) -> Candidate:
        peak, share = self._peak(heatmap, said)
        if peak is None or presence < _IS_SEEN or share < _IS_SHOWN:
            return None
        seen = seen_at(self.names[index], heatmap, peak, float(self.found.presences[index]), stage)
        seen = replace(seen, confidence=seen.confidence * seen.presence)
        if not self._is_inside(seen.position_lps):
            return None
        if square_of(self.places.of(seen), said) > self.places.frame.gate:
            return None
        height = 1.0 if self.look is None else self._height(index, seen.position_lps)
        log = float(np.log(height * share * max(presence, 1e-6)))
        return Candidate(seen, log, presence if self.look else seen.confidence, is_new=True)

    def _height(self, index: int, position_lps) -> float:
        """Of the coarse heatmap there, over its peak; no lower than a peak may be."""
        heatmap = self.found.heatmaps[index]
        voxel = np.rint(self.found.grid.to_ijk(position_lps)[::-1]).astype(int)
        voxel = np.clip(voxel, 0, np.array(heatmap.shape) - 1)
        return height_of(heatmap, voxel, float(heatmap.max()))

    def _peak(self, heatmap: Image, said) -> tuple:
        """(position (k, j, i), its height over the highest) of the peak that fits what the others say;
        None where there is nothing within the gate."""
        square = _squares(heatmap, self.places.frame, said)
        fits = np.where(square < self.places.frame.gate, heatmap.array, 0.0)
        fits = fits * np.exp(-0.5 * np.minimum(square, 100.0))
        voxel = np.unravel_index(np.argmax(fits), fits.shape)
        highest = float(heatmap.array.max())
        if not fits[voxel] > 0 or highest <= 0:
            return None, 0.0
        voxel = uphill(heatmap.array, voxel)
        return decode_peak(heatmap.array, voxel), float(heatmap.array[voxel]) / highest

    def _told(self, index: int, options, agreed: Agreement, given):
        which, said = agreed.chosen[index], agreed.expected
        chosen = options[which]
        if said is None or index in given or not chosen.seen.is_there:
            return chosen.seen
        if said.square[index] > self.places.frame.gate:
            placed = None
            is_lost = self._sees_nothing(chosen) or self._is_beyond(index, said)
            if (given or is_lost) and self._lies_well(said):
                placed = self._placed(index, said)
            return marked(chosen, DOUBTED) if placed is None else placed
        if which == 0:
            return chosen.seen
        return marked(chosen, SEEN_AGAIN if chosen.is_new else OTHER_PEAK)

    def _is_beyond(self, index: int, said) -> bool:
        gate, known = self.places.frame.gate, said.square[np.isfinite(said.square)]
        if self.look is not None or not said.square[index] > _BEYOND * gate:
            return False
        return bool(np.median(known) <= gate)

    def _lies_well(self, said) -> bool:
        """Landmarks may agree on a pose in which no case lies; with one that a person has placed at an
        odd place, too."""
        if self.prior is None:
            return True
        limit = self.prior.limit if np.isfinite(self.prior.limit) else _UNUSUAL
        return not self.prior.implausibility(said.mean) > limit

    def _placed(self, index: int, said):
        """A Seen that shows what the others say, and nothing else; None outside the image."""
        frame, grid, stage = self.places.frame, self.found.grid, self.found.stage
        position = frame.to_lps(said.mean[index])
        if not self._is_inside(position):
            return None
        spacing = grid.spacing_mm[: frame.dimension]
        covariance = said.covariance[index] + np.diag((spacing / 2) ** 2)
        reach = _DRAWN * np.sqrt(np.diag(covariance)) / spacing
        index_ijk = said.mean[index] / spacing
        first, last = np.zeros(3, int), np.array(grid.size_ijk) - 1
        first[: len(spacing)] = np.maximum(np.floor(index_ijk - reach), 0)
        last[: len(spacing)] = np.minimum(np.ceil(index_ijk + reach), last[: len(spacing)])
        part = grid.cropped(first.tolist(), (last - first + 1).tolist())
        empty = Image(np.zeros(part.size_ijk[::-1], np.float32), part.ijk_to_lps, part.unit)
        values = np.exp(-0.5 * _squares(empty, frame, (said.mean[index], covariance)))
        values *= gaussian_mass(stage.sigma_mm, stage.spacing_mm) / values.sum()
        shown = replace(empty, array=values.astype(np.float32))
        peak, presence = part.to_ijk(position)[::-1], float(self.found.presences[index])
        seen = seen_at(self.names[index], shown, peak, presence, stage)
        return replace(seen, confidence=seen.confidence * presence, look=BY_SHAPE)


def _not_there(candidate: Candidate) -> Candidate:
    return replace(candidate, seen=replace(candidate.seen, presence=0.0))


def _is_askew(candidate: Candidate, directions) -> bool:
    """Whether it was seen in a crop that is turned by much against these axes (3, 3)."""
    if directions is None:
        return False
    between = candidate.seen.heatmap.grid.directions.T @ directions
    return (np.trace(between) - 1) / 2 < _LEAST_COSINE


def _squares(image: Image, frame, said) -> np.ndarray:
    """(K, J, I): the Mahalanobis distance squared of every voxel from what the others say."""
    d, spacing = len(said[0]), frame.grid.spacing_mm
    matrix = np.linalg.inv(frame.grid.ijk_to_lps) @ image.ijk_to_lps
    return squares_of(image.array.shape, spacing[:d, None] * matrix[:d], *said)
