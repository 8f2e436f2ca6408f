"""Points that are not where a model sees them that has not seen the case."""

from __future__ import annotations

import numpy as np

from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.lengths import length

from ..data.cases import label_of
from ..judging.judge import known_to
from .finding import EXCHANGED, FRAME, OFF, UNUSABLE, Finding

# A point is off if it is so many times farther than the model says of its share of all; without
# calibration, than it expects on average.
_TIMES_WITHIN, _TIMES_EXPECTED = 2.5, 5.0
# Exchanged points lie so much nearer to each other's places.
_NEARER = 0.5
# With more points off than this the case is in another frame, or the model does not know its kind.
_MOST_OFF, _FEWEST = 0.5, 3


def find_by_model(model_path, looked, device: str = "auto", progress=None) -> tuple:
    """(Findings, sentences about what cannot be told). looked: of gather.py."""
    predictor = Predictor(model_path, device)
    trained, chosen, notes = known_to(model_path, predictor.description)
    new = [each for each in looked if not (each.ids | {each.case.name}) & (trained | chosen)]
    if len(new) < len(looked):
        notes.append(
            f"The model has seen {len(looked) - len(new)} of the {len(looked)} cases: of these it says"
            " nothing."
        )
    findings = []
    for each in (progress or iter)(new):
        try:
            prediction = predictor.predict(read_image(each.case.image_path))
        except LandmarkHeatmapError as error:
            findings.append(Finding(UNUSABLE, str(error), each.case.name))
            continue
        findings += compare(each.case.name, label_of(each.case.annotation, each.grid), prediction)
    return findings, notes


def compare(case: str, label, prediction) -> list:
    """The Findings of one case. label: its Annotation. prediction: the model's Prediction of it."""
    seen = [
        point
        for point in prediction.points
        if not point.is_absent and label.position_lps(point.name) is not None
    ]
    if not seen:
        return []
    names, unit = [point.name for point in seen], prediction.grid.unit
    placed = label.positions_lps(names)
    found = np.array([point.position_lps for point in seen])
    claimed = np.array([_claimed(point) for point in seen])
    apart = np.linalg.norm(placed[:, None] - found, axis=-1)
    over = np.diag(apart) / claimed
    off = np.flatnonzero(over > 1)
    if len(off) >= _FEWEST and len(off) > _MOST_OFF * len(seen):
        return [_all_off(case, placed - found, off, len(seen), unit)]
    findings, told = [], set()
    for i in off:
        for j in off[off > i]:
            before, after = apart[i, i] + apart[j, j], apart[i, j] + apart[j, i]
            if {i, j} & told or after > _NEARER * before:
                continue
            told |= {i, j}
            reason = (
                f"'{names[i]}' and '{names[j]}' are exchanged: if they change places, their distances"
                f" from where the model sees them fall from {length(before)} to {length(after)} {unit}."
            )
            pair, size = (names[i], names[j]), float(np.linalg.norm(placed[i] - placed[j]))
            findings.append(Finding(EXCHANGED, reason, case, pair, size, unit, before - after))
    for i in (i for i in off if i not in told):
        doubt = seen[i].doubt.told(unit) if seen[i].doubt else "no doubt stated"
        away = float(apart[i, i])
        reason = f"The model sees it {length(away)} {unit} away ({doubt})."
        findings.append(Finding(OFF, reason, case, (names[i],), away, unit, float(over[i])))
    return findings


def _claimed(point) -> float:
    """How far off a right point may be, by what the model says."""
    if point.doubt is None:
        return np.inf
    times = _TIMES_WITHIN if point.doubt.is_calibrated else _TIMES_EXPECTED
    return max(times * point.doubt.shown_mm, 1e-9)


def _all_off(case, apart, off, count, unit) -> Finding:
    shift = np.median(apart, axis=0)
    rest = np.median(np.linalg.norm(apart - shift, axis=-1))
    size = float(np.median(np.linalg.norm(apart, axis=-1)))
    told = f"The model sees {len(off)} of its {count} points elsewhere"
    if rest < _NEARER * size:
        by = " ".join(f"{each:.2f}" for each in shift)
        told += f", all by about the same: LPS {by} {unit}"
    return Finding(FRAME, f"{told}.", case, (), size, unit, size)
