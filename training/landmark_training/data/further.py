"""Which landmarks a run goes on with that starts from a model, where its data have others than that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet, PointState
from landmark_heatmap.annotation.names import told_near
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.model.description import ModelDescription

from .cases import landmark_set_of, stated_set
from .names import cases_of_names


@dataclass(frozen=True)
class Continued:
    """landmarks: those that the new model knows: the old one's as they are called now, less the retired
    ones, and then the new ones. before: of each its channel in the old model, None for a new one."""

    landmarks: LandmarkSet
    before: tuple

    @property
    def new(self) -> tuple:
        return tuple(n for n, channel in zip(self.landmarks.names, self.before) if channel is None)

    def described(self, model: ModelDescription) -> ModelDescription:
        """The old model's description, as if it had known these landmarks."""
        count = len(self.landmarks)
        stages = tuple(
            replace(stage, network=replace(stage.network, landmarks=count))
            for stage in model.stages
        )
        return replace(model, landmarks=self.landmarks, stages=stages)


def continued(model: LandmarkSet, data, cases, labels, say) -> Continued:
    """What a run on these cases makes of the landmarks of the model that it starts from.

    What the datasets among `data` say is renamed or retired is so for the model, too. A landmark that
    is placed and new to the model is added. Raises DatasetError for one that looks like a slip of the
    pen, or if nothing of the model is left.
    """
    stated = [each for each in map(stated_set, map(Path, data)) if each is not None]
    ever = {name: now for each in stated for name, now in each.names_ever.items()}
    kept = [(mark, ever.get(mark.name, mark.name)) for mark in model.landmarks]
    marks = [_renamed(mark, now) for mark, now in kept if now is not None]
    before = [channel for channel, (_mark, now) in enumerate(kept) if now is not None]
    if not marks:
        raise DatasetError(
            "Every landmark of the model to start from is retired; train a new model."
        )
    names = {mark.name for mark in marks}
    known = landmark_set_of(data, cases)
    new = _placed_beside(names, known, cases, labels, {n for each in stated for n in each.names})
    _tell(kept, new, say)
    marks += [mark for mark in known.landmarks if mark.name in new]
    before += [None] * len(new)
    named = {mark.name: now for mark, now in kept}
    return Continued(_with_sides(model, known, tuple(marks), named, new), tuple(before))


def _renamed(mark: Landmark, now: str) -> Landmark:
    if mark.name == now:
        return mark
    return replace(mark, name=now, formerly=(*mark.formerly, mark.name))


def _placed_beside(names: set, known: LandmarkSet, cases, labels, stated: set) -> list:
    """The names of landmarks that are placed and not among `names`, in the order of the data."""
    of_case = {}
    for case, label in zip(cases, labels):
        for name in label.names:
            if label.state(name) is PointState.PLACED and name not in names:
                of_case.setdefault(name, case.name)
    # A dataset's set says what is meant; a name that only a file has may be misspelt.
    with_names = cases_of_names(cases)
    for name in (name for name in of_case if name not in stated):
        # Two names that one case has are two landmarks.
        apart = (n for n in names if not set(with_names.get(n, ())) & set(with_names[name]))
        for told in told_near([name], apart):
            raise DatasetError(
                f"The model to start from does not know '{name}' (in the case '{of_case[name]}'). {told}."
                " Correct the name, or train a new model."
            )
    return [name for name in known.names if name in of_case]


def _tell(kept, new, say) -> None:
    for mark, now in kept:
        if now is None:
            say(f"{mark.name} is retired; the new model does not look for it.")
        elif now != mark.name:
            say(f"What the model calls '{mark.name}' is called '{now}' now.")
    if new:
        say(
            f"New to the model: {', '.join(new)}; it begins to look for them by what its features tell in"
            " these cases, and keeps what it knows of the others."
        )


def _with_sides(model: LandmarkSet, known: LandmarkSet, marks, named: dict, new) -> LandmarkSet:
    """The set with left and right: the model's, and what the data say of the new ones."""
    there = {mark.name for mark in marks}
    pairs = [tuple(named[name] for name in pair) for pair in model.mirror_pairs]
    pairs = [pair for pair in pairs if set(pair) <= there]
    midline = [named[name] for name in model.midline if named[name] in there]
    taken = {name for pair in pairs for name in pair} | set(midline)
    for pair in known.mirror_pairs:
        if set(pair) & set(new) and set(pair) <= there and not taken & set(pair):
            pairs.append(pair)
    paired = {name for pair in pairs for name in pair}
    midline += [name for name in known.midline if name in new and name not in paired]
    measurements = [each.renamed(lambda name: named.get(name, name)) for each in model.measurements]
    skeleton = [[named.get(name, name) for name in line] for line in model.skeleton]
    landmarks = LandmarkSet(marks, tuple(pairs), model.name, tuple(midline))
    return landmarks.with_definitions(
        {
            "measurements": [each.to_json() for each in measurements if set(each.names) <= there],
            "skeleton": [line for line in skeleton if set(line) <= there],
        }
    )
