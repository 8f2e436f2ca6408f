"""The form of a model's belief, chosen and calibrated on cases that were held out of its training.

The network is applied to each of them once, as in detection. What it says, and where the reference is,
decides by likelihood and by the error of the positions; and then tells how often the regions that are
claimed hold the reference (landmark_heatmap/model/belief_form.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from landmark_heatmap.annotation.doubt import BY_SHAPE
from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.detection.belief import (
    core_of,
    density_at,
    narrow_mm,
    near,
    position_of,
    wide_mm,
)
from landmark_heatmap.detection.joint import believed, score, words
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.images.geometry import Grid, apply_affine, in_pixels
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.model.belief_form import (
    POOLED_CASES,
    BeliefForm,
    HeldOut,
    uncalibrated,
)

from ..data.cases import label_of
from ..progress import each

_POWERS = (0.4, 0.65, 1.0, 1.6, 2.5, 4.0, 6.5, 10.0)
_JOINTS = (0.5, 1.0)
# Of the stage's sigma.
_SPREADS = (0.15, 0.3, 0.6, 1.0, 1.5, 2.2, 3.3, 5.0)
_TAILS = (0.01, 0.03, 0.1, 0.2, 0.35)
# Of the network's probabilities, in all, before the peak is looked for; the first unless another is
# better by more than chance.
_PEAK_POWERS = (2.0, 1.0, 4.0, 8.0)
# Points by which power and weight are chosen; all of them by which spreads and tails are.
_MOST_POINTS = 400
_FEWEST_CASES = 3
_LEAST_DENSITY = 1e-12


@dataclass(frozen=True, eq=False)
class Applied:
    """One held-out case. seen: a Seen each. references: (L, 3), LPS, NaN where there is none, or where
    the landmark was not seen by the last stage. grid: of the coarse stage."""

    seen: tuple
    references: np.ndarray
    grid: Grid

    def placed(self) -> list:
        """Indices of the landmarks that tell something."""
        return np.flatnonzero(np.isfinite(self.references).all(1)).tolist()


def calibrated(model, cases, device: str = "auto") -> BeliefForm:
    """The form for a Model, by cases (data.Case) that it was not trained on; None without any."""
    predictor = Predictor(model, device)
    applied = [_applied(predictor, case) for case in each(list(cases), "calibrating")]
    applied = [case for case in applied if case.placed()]
    return form_of(applied, model.joint) if applied else None


def _applied(predictor: Predictor, case) -> Applied:
    image = read_image(case.image_path)
    label = label_of(case.annotation, image.grid)
    sized = in_pixels(image)
    seen, grid = predictor.seen(sized)
    names, is_last = predictor.description.landmarks.names, predictor.is_last(seen)
    motion = sized.ijk_to_lps @ np.linalg.inv(image.ijk_to_lps)
    references = np.full((len(names), 3), np.nan)
    for index, (name, found) in enumerate(zip(names, seen)):
        # What the others have placed says nothing of the network.
        is_told = found.is_there and is_last[index] and found.look != BY_SHAPE
        if is_told and label.state(name) is PointState.PLACED:
            references[index] = apply_affine(motion, label.position_lps(name))
    return Applied(tuple(map(near, seen)), references, grid)


def form_of(applied, shape) -> BeliefForm:
    """applied: an Applied for each case. shape: a JointShape, or None."""
    sigma_mm = min(found.stage.sigma_mm for case in applied for found in case.seen)
    form = _chosen(applied, shape, uncalibrated(len(applied[0].seen), sigma_mm), sigma_mm)
    said = [words(case.seen, form, shape, case.grid) for case in applied]
    form = _sharpest(applied, form, said)
    table = _densities(applied, form, said, sigma_mm)
    return _with_scores(applied, _with_scatter(form, table, sigma_mm), said, table, sigma_mm)


def _chosen(applied, shape, start: BeliefForm, sigma_mm: float) -> BeliefForm:
    """The power by likelihood; the others' word where it brings the positions nearer."""
    alone = _likeliest(applied, None, start, 0.0, sigma_mm)
    best, before = alone, _errors(applied, alone, None)
    for weight in _JOINTS if shape is not None else ():
        form = _likeliest(applied, shape, start, weight, sigma_mm)
        errors = _errors(applied, form, shape)
        if _is_better(errors, before):
            best, before = form, errors
    return best


def _likeliest(applied, shape, start: BeliefForm, weight: float, sigma_mm: float) -> BeliefForm:
    forms = []
    for power in _POWERS:
        form = replace(start, power=power, joint=weight, peak_power=_PEAK_POWERS[0])
        said = [words(case.seen, form, shape, case.grid) for case in applied]
        table = _densities(applied, form, said, sigma_mm, _MOST_POINTS)
        forms.append((_logs(table).mean(0).max(), _with_scatter(form, table, sigma_mm)))
    return max(forms, key=lambda each: each[0])[1]


def _sharpest(applied, form: BeliefForm, said) -> BeliefForm:
    best, before = form, _errors_of(applied, form, said)
    for power in _PEAK_POWERS[1:]:
        other = replace(form, peak_power=power)
        errors = _errors_of(applied, other, said)
        if _is_better(errors, before):
            best, before = other, errors
    return best


@dataclass(frozen=True, eq=False)
class _Densities:
    """At each reference, (N, S): per mm to the power of the dimension, of what is near and of the tail,
    for each of _SPREADS. landmarks, cases: (N,) of which it is."""

    near: np.ndarray
    tail: np.ndarray
    landmarks: np.ndarray
    cases: np.ndarray


def _densities(applied, form: BeliefForm, said, sigma_mm: float, most: int = None) -> _Densities:
    rows = [(number, landmark) for number, case in enumerate(applied) for landmark in case.placed()]
    if most is not None:
        rows = rows[:: -(-len(rows) // most)]
    close, tail = [], []
    for number, landmark in rows:
        case, word = applied[number], said[number][landmark]
        core = core_of(case.seen[landmark], form, word)
        at, spreads = case.references[landmark], [share * sigma_mm for share in _SPREADS]
        close.append([density_at(core, at, narrow_mm(core, spread)) for spread in spreads])
        tail.append([density_at(core, at, wide_mm(core, spread)) for spread in spreads])
    numbers, landmarks = np.array(rows).T
    return _Densities(np.array(close), np.array(tail), landmarks, numbers)


# Spread, as an index of _SPREADS, and tail: what the labels of a landmark may be like.
_SCATTERS = tuple(product(range(len(_SPREADS)), _TAILS))


def _logs(table: _Densities) -> np.ndarray:
    """(N, S) log likelihoods, for each of _SCATTERS."""
    density = np.stack(
        [(1 - tail) * table.near[:, s] + tail * table.tail[:, s] for s, tail in _SCATTERS], axis=1
    )
    return np.log(np.maximum(density, _LEAST_DENSITY))


def _with_scatter(form: BeliefForm, table: _Densities, sigma_mm: float, without=None) -> BeliefForm:
    """With spread and tail of each landmark: the likeliest by its own cases and, where they are few, by
    all landmarks'. without: a case that is left out."""
    logs = _logs(table)
    counts = np.ones(len(logs), bool) if without is None else table.cases != without
    if not counts.any():
        counts[:] = True
    pooled = POOLED_CASES * logs[counts].mean(0)
    chosen = [
        _SCATTERS[np.argmax(pooled + logs[counts & (table.landmarks == landmark)].sum(0))]
        for landmark in range(len(form.spreads_mm))
    ]
    spreads = [sigma_mm * _SPREADS[spread] for spread, _ in chosen]
    return replace(form, spreads_mm=np.array(spreads), tails=np.array([t for _, t in chosen]))


def _errors(applied, form: BeliefForm, shape) -> np.ndarray:
    said = [words(case.seen, form, shape, case.grid) for case in applied]
    return _errors_of(applied, form, said)


def _errors_of(applied, form: BeliefForm, said) -> np.ndarray:
    """(N,) the mean error of each case, mm."""
    return np.array(
        [
            np.mean([_error(case, landmark, form, own[landmark]) for landmark in case.placed()])
            for case, own in zip(applied, said)
        ]
    )


def _error(case: Applied, landmark: int, form: BeliefForm, word) -> float:
    core = core_of(case.seen[landmark], form, word)
    return float(np.linalg.norm(position_of(core, form) - case.references[landmark]))


def _is_better(errors, before) -> bool:
    """By more than a standard error, over the cases."""
    if len(errors) < _FEWEST_CASES:
        return False
    gain = before - errors
    return float(gain.mean()) > float(gain.std(ddof=1)) / len(gain) ** 0.5


def _with_scores(applied, form: BeliefForm, said, table: _Densities, sigma_mm: float) -> BeliefForm:
    """What the belief says of each held-out case, made with spreads that do not know that case."""
    shape = len(applied), len(form.spreads_mm)
    contents, shares, errors, expected = (np.full(shape, np.nan) for _ in range(4))
    for number, case in enumerate(applied):
        blind = _with_scatter(form, table, sigma_mm, without=number)
        for landmark in case.placed():
            found = believed(case.seen[landmark], landmark, blind, said[number][landmark])
            told = score(found, case.references[landmark])
            contents[number, landmark], shares[number, landmark], errors[number, landmark] = told
            expected[number, landmark] = found.expected_mm
    scale = float(np.nansum(errors) / max(np.nansum(expected), 1e-12))
    held_out = HeldOut(contents, shares, errors)
    return replace(form, error_scale=float(np.clip(scale, 0.01, 100)), held_out=held_out)
