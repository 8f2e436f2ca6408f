"""What would move if a person's landmarks are right: the joint answer with them, and without."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..errors import PredictionError
from ..images.geometry import Image, apply_affine, in_pixels
from ..model.belief_form import BeliefForm
from .joint import positions, told, uncalibrated_of, words
from .prediction import LandmarkPrediction, moved_point
from .sight import Sight

# What moves by less, in sigmas of the last stage, is not worth a question.
_LEAST_SIGMAS = 1.0
_MOST_ANSWERS = 4


@dataclass(frozen=True, eq=False)
class Proposal:
    """point: the landmark as it would be. distance_mm: by how much it would move."""

    point: LandmarkPrediction
    distance_mm: float

    def __repr__(self) -> str:
        return f"Proposal({self.point.name}, {self.distance_mm:.3g} mm)"


@dataclass(frozen=True, eq=False)
class _Answer:
    """The Seens, with the form and the words that make positions (L, 3) of them."""

    seen: tuple
    form: BeliefForm
    said: list
    positions: np.ndarray


@dataclass(frozen=True, eq=False)
class Kept:
    """What a Predictor keeps of an image. image: as it is placed, whatever its voxels count for."""

    predictor: object
    sight: Sight
    image: Image
    _answers: dict = field(default_factory=dict)

    def proposals(self, given, new=None, absent=()) -> tuple:
        """A Proposal for each landmark that would move, the farthest first.

        given: name to position_lps (3,) of landmarks that a person has placed or confirmed. new: names
        of those that have only now been; the answer is compared to that without them. By default all
        are. Landmarks that are given never move. absent: names of those that a person has said are not in
        the image. Raises PredictionError for names that the model does not have.
        """
        self._check_names({*given, *absent}, "The model has no landmark")
        self._check_names(set(new or ()), "There is no position for", set(given))
        gone = frozenset(map(self.sight.names.index, set(absent) - set(given)))
        sized, sight = in_pixels(self.image), self.sight
        motion = sized.ijk_to_lps @ np.linalg.inv(self.image.ijk_to_lps)
        known = {
            sight.names.index(name): apply_affine(motion, position)
            for name, position in given.items()
        }
        fresh = {sight.names.index(name) for name in (given if new is None else new)}
        before = self._answer({i: at for i, at in known.items() if i not in fresh}, gone)
        after = self._answer(known, gone)
        distances = np.linalg.norm(after.positions - before.positions, axis=1)
        least = _LEAST_SIGMAS * self.predictor.description.stages[-1].sigma_mm
        moving = [
            index
            for index in np.argsort(-distances)
            if distances[index] > least and index not in known and after.seen[index].is_there
        ]
        points = self._points(after, moving)
        return tuple(Proposal(points[index], float(distances[index])) for index in moving)

    def _check_names(self, names, text: str, known=None) -> None:
        strange = sorted(names - (set(self.sight.names) if known is None else known))
        if strange:
            raise PredictionError(f"{text} '{strange[0]}'.")

    def _answer(self, given, absent) -> _Answer:
        """What was asked last is mostly what the next is compared with."""
        key = absent, tuple((index, *map(float, at)) for index, at in sorted(given.items()))
        if key not in self._answers:
            model, grid = self.predictor.model, self.sight.found.grid
            given = self.sight.heeded(given, absent)
            seen = self.predictor.answered(self.sight, given, absent)
            form = model.belief or uncalibrated_of(seen)
            said = words(seen, form, model.joint, grid, given)
            while len(self._answers) >= _MOST_ANSWERS:
                self._answers.pop(next(iter(self._answers)))
            self._answers[key] = _Answer(seen, form, said, positions(seen, form, said))
        return self._answers[key]

    def _points(self, answer: _Answer, moving) -> tuple:
        """A LandmarkPrediction of those that move, where the image is; None of the others."""
        predictor = self.predictor
        seen = [each if index in moving else None for index, each in enumerate(answer.seen)]
        points = told(seen, answer.form, answer.said, predictor.is_last(seen))
        sized = in_pixels(self.image)
        return tuple(
            each and moved_point(each, self.image.ijk_to_lps, sized.ijk_to_lps) for each in points
        )
