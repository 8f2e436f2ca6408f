"""The report's figures: accuracy, consistency of the channels, calibration; each a part of the page."""

from __future__ import annotations

from landmark_heatmap.judging.calibration import LEVELS, TOLD_LEVEL
from landmark_heatmap.judging.consistency import CHANNEL_FIGURES, FIGURES
from landmark_heatmap.judging.evaluation import Outcome

from . import charts, page

# What the figures of consistency are called, and what is perfect.
_CALLED = {
    "peak_ratio": "Height of the peak (ratio)",
    "peak_cv": "Variation of heights (CV)",
    "smallest_peak_ratio": "Lowest peak of an image (ratio)",
    "spread_ratio": "Spread (ratio)",
    "spread_cv": "Variation of spreads (CV)",
    "anisotropy_error": "Error of the shape, |log ΣΣ₀⁻¹|",
    "second_mode_share": "Channels with a second mode (share)",
}
OUTCOMES = {
    Outcome.COMPARED: "located",
    Outcome.MISSED: "missed",
    Outcome.FALSE: "false",
    Outcome.AGREED_ABSENT: "rightly absent",
}


def accuracy(report) -> str:
    evaluations = [judgement.evaluation for judgement in report.judgements]
    parts = [
        '<div class="side">',
        page.picture(
            charts.cumulative_errors(evaluations, report.labels),
            "How many points lie within each distance, with 95 % bands.",
        ),
        page.picture(
            charts.landmark_errors(evaluations, report.labels),
            "Strokes are points, dots their means with 95 % intervals.",
        ),
        "</div>",
    ]
    parts.append(_landmark_table(evaluations[0]))
    for evaluation, label in zip(evaluations[1:], report.labels[1:]):
        parts.append(page.details(f"The same for {label}", _landmark_table(evaluation)))
    return page.section("Accuracy", *parts)


def _landmark_table(evaluation) -> str:
    thresholds = list(evaluation.overall.success_rates)
    unit = evaluation.unit
    header = ["Landmark", f"Mean error, {unit}", f"Median, {unit}", f"SD, {unit}"]
    header += [f"≤ {threshold:g} {unit}, %" for threshold in thresholds]
    header += list(OUTCOMES.values())
    rows = [
        [
            summary.name,
            page.told(summary.mean_mm),
            page.told(summary.median_mm),
            page.number(summary.std_mm),
            *(page.percent(summary.success_rates[t].value) for t in thresholds),
            *(summary.counts[outcome] for outcome in OUTCOMES),
        ]
        for summary in (*evaluation.landmarks, evaluation.overall)
    ]
    return page.table(header, rows, last_is_all=True)


def consistency(report, channels: str) -> str:
    header = ["Over the channels of an image, mean over cases", "perfect", *report.labels]
    told = [judgement.consistency for judgement in report.judgements]
    rows = [
        [_CALLED[name], f"{perfect:g}", *(page.told(each.figures[name]) for each in told)]
        for name, perfect in FIGURES.items()
    ]
    if any(each.swapped.value is not None for each in told):
        swapped = (page.told_percent(each.swapped) for each in told)
        rows.append(["Left and right swapped, %", "0", *swapped])
    if any(each.implausible.value is not None for each in told):
        implausible = (page.told_percent(each.implausible) for each in told)
        rows.append(["Implausible configurations, %", "0", *implausible])
    return page.section(
        "Consistency of the channels",
        page.paragraph(
            "Each heatmap that is shown against a Gaussian of its width, drawn at its point. A ratio of"
            " one is a perfect height or spread; no variation means that all channels of an image are"
            " alike. How sure the model is, the next section tells: heatmaps that are all alike would"
            " not.",
            "quiet",
        ),
        page.table(header, rows),
        channels,
        *(
            page.details(f"Each landmark of {label}", _channel_table(each))
            for each, label in zip(told, report.labels)
        ),
    )


def _channel_table(consistency) -> str:
    header = ["Landmark", *(_CALLED[name] for name in CHANNEL_FIGURES)]
    rows = [
        [name, *(page.told(figures[key]) for key in CHANNEL_FIGURES)]
        for name, figures in consistency.landmarks.items()
    ]
    return page.table(header, rows)


def calibration(report) -> str:
    told = [judgement.calibration for judgement in report.judgements]
    rows = [
        [f"References in the region of {100 * level:g} %, %", f"{100 * level:g}"]
        + [page.told_percent(each.coverage[level]) for each in told]
        for level in LEVELS
    ]
    level = f"{100 * TOLD_LEVEL:g} %"
    by_chance = [f"{page.percent(e.scatter)} ({page.percent(e.chance_scatter)})" for e in told]
    rows += [
        [
            f"Scatter of that over the landmarks at {level} (by chance alone), points",
            "0",
            *by_chance,
        ],
        [
            f"Size of the {level} regions over that of regions that know nothing of the image",
            "< 1",
            *(page.number(each.size_ratio) for each in told),
        ],
        ["Errors within what was told, %", "as told", *(page.told_percent(e.within) for e in told)],
        ["Rank correlation of expected and actual error", "1"]
        + [page.told(each.correlation) for each in told],
    ]
    return page.section(
        "Does it know how wrong it is?",
        page.paragraph(
            "The region of 90 % is the one inside the outer contour that the panel shows: in nine of"
            " ten cases an expert would click inside it. Where fewer references lie inside, the model"
            " is too sure; where more do, it knows more than it says.",
            "quiet",
        ),
        page.table(["Calibration", "ideal", *report.labels], rows),
        page.picture(
            charts.calibration_chart(told, report.labels, report.model.evaluation.unit),
            "Left: on the line the model is as sure as it may be, below it too sure. Right: a network"
            " that knows when it is wrong rises from left to right.",
        ),
        *(
            page.details(f"Each landmark of {label}", _covered(each))
            for each, label in zip(told, report.labels)
        ),
    )


def _covered(calibration) -> str:
    header = ["Landmark", f"References in the region of {100 * TOLD_LEVEL:g} %, %"]
    return page.table(
        header, [[name, page.percent(share)] for name, share in calibration.landmarks.items()]
    )
