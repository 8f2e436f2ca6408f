"""The landmarks of registered cases as one shape: which of them breaks it, and what follows a drag.

From three cases on they say how the landmarks lie to each other. With that, what was registered is
answered as what a network saw is (detection/sight.py): the same joint choice, doubts and proposals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..detection.agreement import Candidate, Frame, Places
from ..detection.locate import Found
from ..detection.sight import Sight
from ..images.geometry import Grid
from ..model.belief_form import BeliefForm
from ..model.joint_shape import JointShape, fit_joint_shape


def shape_of(ready) -> JointShape:
    """Of the cases of an atlas, each Ready; None where they are too few, or know too few landmarks."""
    lying = [each.subject.coarse.from_lps(each.subject.positions_lps) for each in ready]
    return fit_joint_shape(np.array(lying))


def sight_of(seens, grid: Grid, form: BeliefForm, shape: JointShape) -> Sight:
    """What was registered, as if it was seen: a Seen for each landmark. grid: of the image's coarse view.

    There is no heatmap of the whole image in which a landmark could be looked for once more.
    """
    names = tuple(each.name for each in seens)
    presences = np.array([each.presence for each in seens])
    nothing = np.broadcast_to(np.float32(0), (len(seens), *grid.size_ijk[::-1]))
    found = Found(nothing, presences, grid, seens[0].stage)
    places = None if shape is None else Places(Frame(shape, form, grid))
    return Sight(names, found, tuple((Candidate(each),) for each in seens), places)


@dataclass(frozen=True, eq=False)
class Answering:
    """Stands for a Predictor where proposals are made of a Sight (detection/proposals.py)."""

    belief: BeliefForm
    joint: JointShape
    stages: tuple

    @property
    def model(self):
        return self

    @property
    def description(self):
        return self

    def answered(self, sight: Sight, given=None, absent=()) -> tuple:
        return sight.answered(given, absent)

    def is_last(self, seen) -> list:
        return [each is not None for each in seen]
