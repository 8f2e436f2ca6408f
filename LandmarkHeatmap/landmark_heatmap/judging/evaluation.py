"""Comparing predicted with reference annotations: how far off in mm, how often, how sure.

What counts as what, for every landmark of every case:

    reference         prediction     outcome
    a position        a position     compared: the distance in mm is its radial error
    a position        none           missed: a failure in every success rate, no part of any mean
    absent            a position     false
    absent            none           agreed absent
    not judged        anything       not in the reference: neither right nor wrong

A reference point that a network put and nobody judged is no reference: it counts as not judged.
Intervals are percentiles of a bootstrap over cases (bootstrap.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from ..annotation.landmarks import Annotation, PointState
from ..annotation.names import told_near
from ..errors import AnnotationError, LandmarkHeatmapError
from ..images.geometry import MM, PX
from ..lengths import fitting_thresholds, number
from .bootstrap import INTERVAL_PERCENT, Figure, median, ratio, resampled

ALL = "All"


class Outcome(str, Enum):
    """How one landmark of one case came out."""

    COMPARED = "compared"
    MISSED = "missed"
    FALSE = "false"
    AGREED_ABSENT = "agreed_absent"
    NOT_IN_REFERENCE = "not_in_reference"


@dataclass(frozen=True)
class Summary:
    """The figures of one landmark, or of all of them.

    counts: Outcome to the number of points. mean_mm (MRE), median_mm, std_mm (sample standard
    deviation, None below two points): of the radial errors of the compared points. success_rates:
    threshold in mm to the share, 0 to 1, of compared and missed points that are within it.
    """

    name: str
    counts: dict
    mean_mm: Figure
    median_mm: Figure
    std_mm: float
    success_rates: dict

    def to_json(self) -> dict:
        return {
            "name": self.name,
            "counts": {outcome.value: count for outcome, count in self.counts.items()},
            "mean_radial_error_mm": self.mean_mm.to_json(),
            "median_radial_error_mm": self.median_mm.to_json(),
            "std_radial_error_mm": self.std_mm,
            "success_detection_rates": [
                {"threshold_mm": threshold, **figure.to_json()}
                for threshold, figure in self.success_rates.items()
            ],
        }


@dataclass(frozen=True)
class CaseResult:
    """One case: name to Outcome for every landmark, name to mm for those that were compared."""

    name: str
    outcomes: dict
    errors_mm: dict

    def to_json(self) -> dict:
        return {
            "name": self.name,
            "points": {
                name: {"outcome": outcome.value, "radial_error_mm": self.errors_mm.get(name)}
                for name, outcome in self.outcomes.items()
            },
        }


@dataclass(frozen=True)
class Evaluation:
    """All that came out of a comparison.

    landmarks: a Summary each, in order. overall: the Summary of all points together. cases: a
    CaseResult each. without_prediction: names of cases all of whose points count as missed.
    ignored: names of predictions that have no reference; they are in no figure. unit: of all
    lengths, 'mm' or 'px'. drawn: what the bootstrap drew, cases or groups of cases.
    """

    landmarks: tuple
    overall: Summary
    cases: tuple
    without_prediction: tuple
    ignored: tuple
    resamples: int
    seed: int
    unit: str = MM
    drawn: str = "cases"

    @property
    def compared(self) -> int:
        """How many points there were to compare; without any, nothing was evaluated."""
        return self.overall.counts[Outcome.COMPARED]

    def __repr__(self) -> str:
        mean = self.overall.mean_mm
        told = (
            "no point compared" if mean.value is None else f"MRE {number(mean.value)} {self.unit}"
        )
        if mean.interval is not None:
            told += " ({} to {})".format(*(number(x, like=mean.value) for x in mean.interval))
        return f"Evaluation(cases: {len(self.cases)}, landmarks: {len(self.landmarks)}, {told})"

    def __str__(self) -> str:
        """The table, as the command line prints it."""
        from .evaluation_table import format_table

        return format_table(self)

    def to_json(self) -> dict:
        return {
            "units": self.unit,
            "interval": {
                "percent": INTERVAL_PERCENT,
                "method": f"percentile bootstrap over {self.drawn}",
                "resamples": self.resamples,
                "seed": self.seed,
            },
            "definitions": {
                "radial_error_mm": "distance between prediction and reference",
                "success_detection_rates": "share of compared and missed points whose radial error"
                " is at most the threshold; missed points are failures",
            },
            "cases_without_prediction": list(self.without_prediction),
            "ignored_predictions": list(self.ignored),
            "overall": self.overall.to_json(),
            "landmarks": [summary.to_json() for summary in self.landmarks],
            "cases": [case.to_json() for case in self.cases],
        }


def evaluate(
    cases,
    thresholds_mm=None,
    resamples: int = 2000,
    seed: int = 0,
    names=None,
    groups=None,
) -> Evaluation:
    """Compare predictions with references.

    cases: (case name, predicted Annotation, reference Annotation) each, as pairing.pair_annotations
    gives them; the prediction is None where there is none (all is missed), the reference is None
    where there is none (the prediction is ignored). thresholds_mm: of the success rates; by default
    such as fit the size of what the references mark. names: the landmarks to report, in order; by
    default all that occur, references first. resamples: of the bootstrap, drawn with `seed`. groups:
    case name to its patient, if several cases may be of one: patients are drawn then, not cases.
    Raises LandmarkHeatmapError for thresholds that are none, AnnotationError for a case that comes
    twice or if there is no reference.
    """
    judged = [case for case in cases if case[2] is not None]
    _check_cases(judged)
    if thresholds_mm is None:
        thresholds_mm = thresholds_for([reference for _, _, reference in judged])
    thresholds_mm = _checked_thresholds(thresholds_mm)
    names = _all_names(judged) if names is None else tuple(names)
    results = tuple(_case_result(*case, names) for case in judged)
    columns = [[name] for name in names]
    *landmarks, overall = (
        _summary(label, results, column, thresholds_mm, resamples, seed, groups)
        for label, column in zip((*names, ALL), (*columns, names))
    )
    return Evaluation(
        tuple(landmarks),
        overall,
        results,
        tuple(name for name, predicted, _ in judged if predicted is None),
        tuple(name for name, _, reference in cases if reference is None),
        resamples,
        seed,
        _unit_of(judged),
        _drawn(results, groups),
    )


def _drawn(results, groups) -> str:
    """What the bootstrap draws, in words."""
    count = len({groups[result.name] for result in results}) if groups else len(results)
    return "cases" if count == len(results) else f"{count} group{'s' * (count != 1)} of cases"


def _unit_of(cases) -> str:
    """px if any of a case's two says so: Slicer has no word for it, and drops it when it saves.

    Raises AnnotationError if some cases are in px, and others in mm.
    """
    units = {}
    for name, *both in cases:
        unit = PX if any(a is not None and a.unit == PX for a in both) else MM
        units.setdefault(unit, name)
    if len(units) > 1:
        raise AnnotationError(
            f"The case '{units[PX]}' is in px, and '{units[MM]}' in mm: evaluate them separately."
        )
    return units.popitem()[0]


def thresholds_for(references) -> tuple:
    """Thresholds that fit what reference annotations mark: clinical ones, or round numbers.

    It is the size of the references alone that decides, so two models are judged by the same ones.
    """
    extents = []
    for annotation in references:
        positions = annotation.positions_lps(annotation.names)
        positions = positions[np.isfinite(positions).all(1)]
        if len(positions) > 1:
            extents.append(float(np.linalg.norm(np.ptp(positions, axis=0))))
    return fitting_thresholds(float(np.median(extents)) if extents else None)


def _checked_thresholds(thresholds_mm) -> tuple:
    thresholds = tuple(float(threshold) for threshold in thresholds_mm)
    for threshold in thresholds:
        if not (np.isfinite(threshold) and threshold > 0):
            raise LandmarkHeatmapError(
                f"A threshold has to be a number of mm above 0, got {threshold:g}."
            )
    return thresholds


def _check_cases(cases) -> None:
    if not cases:
        raise AnnotationError("There is no reference to compare with.")
    seen = set()
    for name, _, _ in cases:
        if name in seen:
            raise AnnotationError(f"The case '{name}' comes twice.")
        seen.add(name)


def _all_names(cases) -> tuple:
    """The landmark names of all references, then those of predictions, as they first occur."""
    names = {}
    references, predictions = [case[2] for case in cases], [case[1] for case in cases]
    for annotation in (*references, *predictions):
        names.update(dict.fromkeys(() if annotation is None else annotation.names))
    return tuple(names)


def _case_result(case: str, predicted, reference: Annotation, names) -> CaseResult:
    predicted = Annotation() if predicted is None else predicted
    outcomes, errors_mm = {}, {}
    for name in names:
        found, state = predicted.position_lps(name), reference.state(name)
        if state is PointState.PLACED:
            outcomes[name] = Outcome.MISSED if found is None else Outcome.COMPARED
            if found is not None:
                errors_mm[name] = float(np.linalg.norm(found - reference.position_lps(name)))
        elif state is PointState.ABSENT:
            outcomes[name] = Outcome.AGREED_ABSENT if found is None else Outcome.FALSE
        else:
            outcomes[name] = Outcome.NOT_IN_REFERENCE
    return CaseResult(case, outcomes, errors_mm)


def _summary(label, results, names, thresholds_mm, resamples, seed, groups) -> Summary:
    """The figures of the landmarks `names`, pooled."""
    counts = dict.fromkeys(Outcome, 0)
    for result in results:
        for name in names:
            counts[result.outcomes[name]] += 1
    # A case takes part with its errors, and with how many points it has that could be found.
    errors = [
        np.array([result.errors_mm[name] for name in names if name in result.errors_mm])
        for result in results
    ]
    findable = np.array(
        [
            sum(result.outcomes[name] in (Outcome.COMPARED, Outcome.MISSED) for name in names)
            for result in results
        ]
    )
    pooled = np.concatenate(errors)
    with_errors = [index for index, each in enumerate(errors) if len(each)]
    located = [errors[index] for index in with_errors]

    def drawn(indices):
        own = groups and [groups[results[index].name] for index in indices]
        return resampled(len(indices), resamples, seed, own)

    weights = drawn(with_errors)
    sums, sizes = np.array([e.sum() for e in located]), np.array([len(e) for e in located])
    judged = np.flatnonzero(findable)
    judged_weights = drawn(judged)
    success_rates = {}
    for threshold in thresholds_mm:
        hits = np.array([np.count_nonzero(errors[case] <= threshold) for case in judged])
        success_rates[threshold] = ratio(hits, findable[judged], judged_weights)
    return Summary(
        label,
        counts,
        ratio(sums, sizes, weights),
        median(located, weights),
        float(np.std(pooled, ddof=1)) if len(pooled) > 1 else None,
        success_rates,
    )


def near_names(pairs) -> list:
    """Sentences about landmarks of the references that predictions call only nearly so.

    pairs: as `pair_annotations` gives them.
    """
    predicted, wanted = {}, {}
    for _, prediction, reference in pairs:
        predicted.update(dict.fromkeys(() if prediction is None else prediction.names))
        wanted.update(dict.fromkeys(() if reference is None else reference.names))
    found = [name for name in predicted if name not in wanted]
    return told_near([name for name in wanted if name not in predicted], found)
