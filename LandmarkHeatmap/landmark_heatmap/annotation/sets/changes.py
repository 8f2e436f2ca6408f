"""A landmark set that is in use, changed: what was annotated by it must stay readable."""

from __future__ import annotations

from dataclasses import replace

from ...errors import AnnotationError
from ..landmarks import Landmark, LandmarkSet


def with_added(landmarks: LandmarkSet, new) -> LandmarkSet:
    """The set with further Landmarks at its end. One that was retired is taken up again by its name.

    Raises AnnotationError for a name that is taken.
    """
    new, retired = list(new), {mark.name: mark for mark in landmarks.retired}
    for number, mark in enumerate(new):
        if mark.name in retired:
            old = retired.pop(mark.name)
            new[number] = replace(old, definition=mark.definition or old.definition)
    return replace(
        landmarks, landmarks=(*landmarks.landmarks, *new), retired=tuple(retired.values())
    )


def with_renamed(landmarks: LandmarkSet, name: str, now: str) -> LandmarkSet:
    """The set with a landmark under another name. One that it had before can be given back to it.

    Raises AnnotationError for a landmark that is not there and for a name that is taken.
    """
    landmarks.index(name)
    if landmarks.names_ever.get(now, name) != name:
        raise AnnotationError(f"'{name}' cannot become '{now}': another landmark is, or was, that.")

    def as_now(mark: Landmark) -> Landmark:
        if mark.name != name:
            return mark
        formerly = tuple(each for each in (*mark.formerly, name) if each != now)
        return replace(mark, name=now, formerly=formerly)

    return _with_names(landmarks, lambda each: now if each == name else each, as_now)


def with_retired(landmarks: LandmarkSet, name: str) -> LandmarkSet:
    """The set without a landmark, which it remembers. Raises AnnotationError for one that is not there,
    or that is the last."""
    mark = landmarks.landmarks[landmarks.index(name)]
    kept = tuple(each for each in landmarks.landmarks if each is not mark)
    rest = _without(landmarks, name)
    return replace(rest, landmarks=kept, retired=(*landmarks.retired, mark))


def _without(landmarks: LandmarkSet, name: str) -> LandmarkSet:
    """Without what is said of a landmark that has yet to go itself."""
    return replace(
        landmarks,
        mirror_pairs=tuple(pair for pair in landmarks.mirror_pairs if name not in pair),
        midline=tuple(each for each in landmarks.midline if each != name),
        measurements=tuple(each for each in landmarks.measurements if name not in each.names),
        skeleton=tuple(line for line in landmarks.skeleton if name not in line),
    )


def _with_names(landmarks: LandmarkSet, named, marked) -> LandmarkSet:
    """named: from a name to that of now. marked: from a Landmark to that of now."""
    return LandmarkSet(
        tuple(map(marked, landmarks.landmarks)),
        tuple(tuple(map(named, pair)) for pair in landmarks.mirror_pairs),
        landmarks.name,
        tuple(map(named, landmarks.midline)),
        tuple(each.renamed(named) for each in landmarks.measurements),
        tuple(tuple(map(named, line)) for line in landmarks.skeleton),
        landmarks.retired,
    )
