"""The charts of a report, as PNG."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator, NullFormatter

from landmark_heatmap.judging.bootstrap import Figure, ratio, resampled
from landmark_heatmap.judging.calibration import LEVELS
from landmark_heatmap.judging.consistency import FIGURES
from landmark_heatmap.judging.evaluation import Evaluation, Outcome
from landmark_heatmap.pictures.drawing import (
    FAINT,
    GREEN,
    INK,
    MODEL_COLOURS,
    PURPLE,
    SKY,
    legend,
    new_figure,
    plain,
    png,
)

from .comparison import Comparison

_ERROR_CURVES = {"mre_mm": "mean", "median_mm": "median"}
_WRONG_CURVES = {"missed": "missed", "false": "false"}
# Of the errors, how many the cumulative curve shows, in percent; the rest is a long tail.
_SHOWN_PERCENT = 98
# Above this ratio of the largest to a typical error, a linear scale would show one of them only.
_FAR = 12
_SHORT = 8
# A logarithmic scale has no zero.
_LEAST_MM = 1e-3


def learning_curves(progress, kept_epoch=None, unit="mm") -> bytes:
    """progress: the rows of progress.csv. kept_epoch: at which the model is kept, or None."""
    panels = [("loss", {"loss": "loss"}, "linear")]
    panels.append((f"error on the held-out cases, {unit}", _ERROR_CURVES, "log"))
    consistency = {name: name.replace("_", " ") for name in FIGURES}
    panels.append(("consistency on the held-out cases", consistency, "linear"))
    panels.append(("wrong points on the held-out cases", _WRONG_CURVES, "linear"))
    panels = [
        (title, {k: v for k, v in curves.items() if _anything(progress, k)}, scale)
        for title, curves, scale in panels
    ]
    panels = [panel for panel in panels if panel[1]]
    figure = new_figure(8.8, 2.5)
    for axes, (title, curves, scale) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels
    ):
        plain(axes, title, "epoch")
        axes.set_yscale(scale)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        for colour, (key, label) in zip((*MODEL_COLOURS, GREEN, PURPLE, SKY, INK), curves.items()):
            _curve(axes, progress, key, colour, label)
        if kept_epoch:
            axes.axvline(kept_epoch, color=INK, linewidth=0.8, linestyle=":")
        if len(curves) > 1:
            legend(axes)
        if scale == "log":
            _plain_numbers(axes.yaxis)
    return png(figure)


def error_curve(progress, unit="mm") -> bytes:
    """The mean error on the held-out cases alone, small enough for a panel."""
    figure = new_figure(3.6, 1.4)
    axes = plain(figure.subplots(), f"error on the held-out cases, {unit}")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _curve(axes, progress, "mre_mm", MODEL_COLOURS[0], "mean")
    for line in axes.lines:
        line.set(marker="o", markersize=2.5)  # of a single epoch there is no line
    _plain_numbers(axes.yaxis)
    return png(figure)


def _anything(progress, key: str) -> bool:
    """Whether there is a curve to draw: numbers, and not all zero."""
    return any(isinstance(row.get(key), float) and row[key] != 0 for row in progress)


def _curve(axes, progress, key, colour, label) -> None:
    """One line a stage: the epochs of a second stage count on."""
    stages, before = {}, 0.0
    for row in progress:
        stages.setdefault(row.get("stage"), []).append(row)
    for rows in stages.values():
        known = [row for row in rows if isinstance(row.get(key), float)]
        x = [before + row["epoch"] for row in known]
        axes.plot(x, [row[key] for row in known], color=colour, linewidth=1.5, label=label)
        label = None
        before += rows[-1]["epoch"]


def _plain_numbers(axis) -> None:
    """No powers of ten along a logarithmic axis."""
    low, high = axis.get_view_interval()
    axis.set_major_formatter(_plain)
    # Over a short range the decades alone would leave nothing to read.
    axis.set_minor_formatter(_plain if high / low < _SHORT else NullFormatter())


def _legend_above(axes) -> None:
    """Where the title would stand: it hides nothing."""
    legend(axes, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2)


def _plain(value, _) -> str:
    return f"{value:g}"


def cumulative_errors(evaluations, labels) -> bytes:
    """The share of points within each distance, with 95 % bands; missed points never come in."""
    pooled = np.concatenate([_errors(evaluation) for evaluation in evaluations])
    largest = float(np.percentile(pooled, _SHOWN_PERCENT)) if len(pooled) else 1.0
    typical = min((float(np.median(e)) for e in map(_errors, evaluations) if len(e)), default=1.0)
    unit = evaluations[0].unit
    distances, scale = np.linspace(0, max(largest, 1e-3), 120), unit
    if largest > _FAR * typical > 0:
        distances, scale = np.geomspace(typical / 4, largest, 120), f"{unit} (log scale)"
    figure = new_figure(4.3, 3.0)
    title = "Cumulative error" if len(labels) == 1 else ""
    axes = plain(figure.subplots(), title, scale, "share of points within, %")
    for evaluation, label, colour in zip(evaluations, labels, MODEL_COLOURS):
        shares = _shares_within(evaluation, distances)
        axes.plot(distances, [100 * (s.value or 0) for s in shares], color=colour, label=label)
        if shares[0].interval is not None:
            low, high = 100 * np.array([share.interval for share in shares]).T
            axes.fill_between(distances, low, high, color=colour, alpha=0.15, linewidth=0)
    if distances[0] > 0:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(_plain)
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(distances[0], distances[-1])
    axes.set_ylim(0, 102)
    if len(labels) > 1:
        _legend_above(axes)
    return png(figure)


def _errors(evaluation: Evaluation) -> np.ndarray:
    return np.array([e for case in evaluation.cases for e in case.errors_mm.values()])


def _shares_within(evaluation: Evaluation, distances) -> list:
    """A Figure for each distance: the share of the points that could be found within it."""
    errors, findable = [], []
    for case in evaluation.cases:
        outcomes = list(case.outcomes.values())
        count = outcomes.count(Outcome.COMPARED) + outcomes.count(Outcome.MISSED)
        if count:
            findable.append(count)
            errors.append(np.array(list(case.errors_mm.values())))
    weights = resampled(len(findable), evaluation.resamples, evaluation.seed)
    return [
        ratio(np.array([(e <= distance).sum() for e in errors]), np.array(findable), weights)
        for distance in distances
    ]


def landmark_errors(evaluations, labels) -> bytes:
    """For each landmark its errors, and their mean with its interval."""
    names = [summary.name for summary in evaluations[0].landmarks]
    figure = new_figure(4.5, max(3.0, 0.19 * len(names) + 0.7))
    title = "Errors of each landmark" if len(labels) == 1 else ""
    axes = plain(figure.subplots(), title, f"{evaluations[0].unit} (log scale)", grid="x")
    offsets = (0.0,) if len(evaluations) == 1 else (-0.17, 0.17)
    for evaluation, label, colour, offset in zip(evaluations, labels, MODEL_COLOURS, offsets):
        means = {summary.name: summary.mean_mm for summary in evaluation.landmarks}
        for row, name in enumerate(names):
            errors = [c.errors_mm[name] for c in evaluation.cases if name in c.errors_mm]
            if errors:
                _errors_line(axes, row + offset, errors, means[name], colour)
        axes.plot([], [], "o", color=colour, markersize=4, label=label)
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    _plain_numbers(axes.xaxis)
    if len(labels) > 1:
        _legend_above(axes)
    return png(figure)


def _errors_line(axes, y: float, errors, mean: Figure, colour: str) -> None:
    errors = np.maximum(errors, _LEAST_MM)
    axes.plot(errors, [y] * len(errors), "|", color=colour, alpha=0.3, markersize=5)
    if mean.interval is not None:
        axes.plot(np.maximum(mean.interval, _LEAST_MM), [y, y], color=colour, linewidth=1.6)
    axes.plot(max(mean.value, _LEAST_MM), y, "o", color=colour, markersize=4)


def calibration_chart(calibrations, labels, unit: str) -> bytes:
    """Coverage of the regions, and expected against actual error."""
    figure = new_figure(8.8, 3.0)
    left, right = figure.subplots(1, 2)
    plain(left, "Coverage of the regions", "region of, %", "references within, %")
    left.plot([0, 100], [0, 100], color=FAINT, linewidth=1.2)
    plain(right, "Expected and actual error", f"expected, {unit}", f"error, {unit} (log scale)")
    for calibration, label, colour in zip(calibrations, labels, MODEL_COLOURS):
        values = [calibration.coverage[level].value for level in LEVELS]
        if None in values:
            continue
        x = 100 * np.array(LEVELS)
        left.plot(x, 100 * np.array(values), "o-", color=colour, markersize=4, label=label)
        for at, level in zip(x, LEVELS):
            interval = calibration.coverage[level].interval
            if interval is not None:
                left.plot([at, at], 100 * np.array(interval), color=colour, linewidth=1.6)
        points = [point for case in calibration.points for point in case]
        right.plot(
            [point.expected_mm for point in points],
            [max(point.error_mm, _LEAST_MM) for point in points],
            ".",
            color=colour,
            alpha=0.45,
            markersize=4,
            markeredgewidth=0,
        )
    left.set_xlim(0, 102)
    left.set_ylim(-1, 102)
    right.set_yscale("log")
    _plain_numbers(right.yaxis)
    if len(labels) > 1:
        legend(left, loc="upper left")
    return png(figure)


def paired_errors(comparison: Comparison) -> bytes:
    """Each case's mean error with both models, joined; ordered by what has changed."""
    pairs = sorted(comparison.case_errors_mm.values(), key=lambda pair: pair[0] - pair[1])
    figure = new_figure(8.8, 2.4)
    title = "Mean error of each case, the most improved first"
    axes = plain(figure.subplots(), title, "", comparison.unit, grid="y")
    for x, (new, old) in enumerate(pairs):
        axes.plot([x, x], [new, old], color=FAINT, linewidth=2, zorder=1)
    for index, (label, colour) in enumerate(zip(comparison.names, MODEL_COLOURS)):
        values = [pair[index] for pair in pairs]
        axes.plot(
            range(len(pairs)), values, "o", color=colour, markersize=4.5, label=label, clip_on=False
        )
    axes.set_xticks([])
    axes.set_ylim(bottom=0)
    legend(axes, ncols=2)
    return png(figure)


def _short(name: str) -> str:
    return name if len(name) <= 26 else name[:12] + "…" + name[-13:]
