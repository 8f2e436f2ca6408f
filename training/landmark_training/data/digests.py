"""What a case was, in digests: so that a run that goes on notices what has changed, and names it."""

from __future__ import annotations

import hashlib

import numpy as np

from landmark_heatmap.annotation.landmarks import Annotation, PointState
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.identity import placed_id

from .cases import Case

# Of a digest, as many hexadecimal digits; of changes, as many are named.
_DIGITS, _MOST_NAMED = 16, 20
# Closer than this many mm is the same place: the last digit may differ from one machine to another.
_DECIMALS = 6


def case_digest(case: Case, image: Image, label: Annotation) -> dict:
    """Of the voxels and where they lie, of every landmark that the label judges, and which of them
    were corrected."""
    return {
        "image": placed_id(image),
        "landmarks": {
            name: [label.state(name).value, _of_point(label, name)] for name in label.names
        },
        "corrected": sorted(name for name in case.corrected if name in label.names),
    }


def _of_point(label: Annotation, name: str) -> str:
    if label.state(name) is not PointState.PLACED:
        return ""
    place = np.round(np.array(label.position_lps(name), float), _DECIMALS) + 0.0
    return hashlib.sha256(place.tobytes()).hexdigest()[:_DIGITS]


def changes(before: dict, now: dict) -> list:
    """What is different, a sentence each. before, now: of each case's name its digest."""
    told = [f"case '{name}' is gone" for name in before if name not in now]
    told += [f"case '{name}' is new" for name in now if name not in before]
    for name in before:
        if name in now:
            told += [f"case '{name}': {what}" for what in _changes_of(before[name], now[name])]
    if len(told) > _MOST_NAMED:
        told[_MOST_NAMED:] = [f"and {len(told) - _MOST_NAMED} more"]
    return told


def _changes_of(before: dict, now: dict):
    if before["image"] != now["image"]:
        yield "it has another image"
    old, new = before["landmarks"], now["landmarks"]
    for name in {**old, **new}:
        if name not in new:
            yield f"landmark '{name}' is no longer judged"
        elif name not in old:
            yield f"landmark '{name}' is judged now, {new[name][0]}"
        elif old[name][0] != new[name][0]:
            yield f"landmark '{name}' is {new[name][0]}, it was {old[name][0]}"
        elif old[name] != new[name]:
            yield f"landmark '{name}' moved"
    for name in sorted(set(before["corrected"]) ^ set(now["corrected"])):
        if name in old and name in new:
            is_now = name in now["corrected"]
            yield f"landmark '{name}' counts as corrected {'now' if is_now else 'no longer'}"
