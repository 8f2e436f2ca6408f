"""An evaluation as a table that a person reads."""

from __future__ import annotations

from ..lengths import length
from .bootstrap import INTERVAL_PERCENT
from .evaluation import Evaluation, Outcome, Summary


def format_table(evaluation: Evaluation) -> str:
    """The evaluation as plain text: a line for each landmark, one for all, and what the words mean."""
    unit, thresholds = evaluation.unit, list(evaluation.overall.success_rates)
    header = ["landmark", f"MRE {unit}", "95 % interval", f"median {unit}", f"SD {unit}"]
    header += [f"<= {threshold:g} {unit}" for threshold in thresholds]
    header += ["compared", "missed", "false", "absent", "no ref."]
    summaries = (*evaluation.landmarks, evaluation.overall)
    # One number of decimals for all, so that a column can be looked down.
    like = min((s.mean_mm.value for s in summaries if s.mean_mm.value), default=None)
    rows = [_row(summary, like) for summary in summaries]
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    lines = [_line(header, widths), "-" * (sum(widths) + 2 * len(widths) - 2)]
    lines += [_line(row, widths) for row in rows[:-1]]
    lines += [lines[1], _line(rows[-1], widths), "", *_explanation(evaluation)]
    return "\n".join(lines)


def _row(summary: Summary, like: float) -> list:
    """like: a length whose digits all of them get."""
    interval = summary.mean_mm.interval
    cells = [summary.name, length(summary.mean_mm.value, like)]
    limits = None if interval is None else [length(limit, like) for limit in interval]
    cells.append("-" if limits is None else " to ".join(limits))
    cells += [length(value, like) for value in (summary.median_mm.value, summary.std_mm)]
    cells += [_percent(figure.value) for figure in summary.success_rates.values()]
    return cells + [str(summary.counts[outcome]) for outcome in Outcome]


def _kind(evaluation: Evaluation) -> str:
    return "cases" if evaluation.drawn == "cases" else "groups"


def _percent(share) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _line(cells, widths) -> str:
    first, *rest = (
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths))
    )
    return "  ".join([first, *rest])


def _explanation(evaluation: Evaluation) -> list:
    overall = evaluation.overall
    lines = [
        f"Cases: {len(evaluation.cases)}. MRE: mean radial error, in {evaluation.unit}, of the"
        " compared points."
    ]
    for threshold, figure in overall.success_rates.items():
        if figure.interval is not None:
            low, high = map(_percent, figure.interval)
            lines.append(
                f"Within {threshold:g} {evaluation.unit}: {_percent(figure.value)} ({low} to {high})."
            )
    lines += [
        "Success rates count missed points as failures. false: found where the reference says",
        "absent; absent: so the reference says, and nothing was found; no ref.: not judged in the",
        "reference, in no other figure.",
    ]
    if overall.mean_mm.interval is None:
        lines.append(f"Fewer than two {_kind(evaluation)}: no intervals.")
    else:
        lines.append(
            f"Intervals: {INTERVAL_PERCENT} %, bootstrap over {evaluation.drawn},"
            f" {evaluation.resamples} resamples, seed {evaluation.seed}."
        )
    if evaluation.without_prediction:
        lines.append(
            f"Without a prediction (all missed): {', '.join(evaluation.without_prediction)}."
        )
    if evaluation.ignored:
        lines.append(f"Predictions without a reference, ignored: {', '.join(evaluation.ignored)}.")
    return lines
