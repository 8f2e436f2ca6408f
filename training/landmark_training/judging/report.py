"""The report: one HTML page about a model, or about two on the same cases."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.files import real_path, replacing, write_json
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.judging.bootstrap import INTERVAL_PERCENT
from landmark_heatmap.judging.evaluation import Outcome
from landmark_heatmap.model.description import COARSE, FINE

from ..data.cases import label_of
from . import charts, page
from .comparison import Comparison, compare
from .judge import Judgement
from .pictures import MOST_CHANNELS, Applied, case_picture, channels_picture
from .report_figures import OUTCOMES, accuracy, calibration, consistency
from .runs import RunFolder

PAGE_NAME, FIGURES_NAME = "report.html", "evaluation.json"
_WORST = 6


@dataclass(frozen=True, eq=False)
class Report:
    """What a page is made from. judgements: of the model, and perhaps of the one that it is compared
    with, on the same `cases`. run: the folder that the model was trained in, or None. device: as the
    Predictor takes it.
    """

    judgements: tuple
    cases: tuple
    run: RunFolder = None
    device: str = "auto"

    @property
    def model(self) -> Judgement:
        return self.judgements[0]

    @property
    def labels(self) -> tuple:
        return labels_of(self.judgements)

    @property
    def warnings(self) -> list:
        """What makes the figures doubtful, and of which model."""
        return [
            *self.judgements[0].notes,
            *(
                f"{label}: {warning}"
                for judgement, label in zip(self.judgements, self.labels)
                for warning in judgement.warnings
            ),
        ]

    @cached_property
    def comparison(self) -> Comparison:
        """None for one model."""
        if len(self.judgements) < 2:
            return None
        new, old = (judgement.evaluation for judgement in self.judgements)
        return compare(new, old, self.labels, new.resamples, new.seed)


def labels_of(judgements) -> tuple:
    """Names that tell the models apart: those they have, or those of their folders or files."""
    paths = [real_path(judgement.path) for judgement in judgements]
    for names in (
        [judgement.description.name for judgement in judgements],
        [path.parent.name for path in paths],
        [path.stem for path in paths],
    ):
        if len(set(names)) == len(names) and all(names):
            return tuple(names)
    return ("the new model", "the old model")[: len(judgements)]


def write_report(report: Report, folder) -> Path:
    """Write report.html and evaluation.json into the folder; returns the page's path."""
    folder = Path(folder)
    document = report.model.to_json()
    comparison = report.comparison
    if comparison is not None:
        document["against"] = report.judgements[1].to_json()
        document["comparison"] = comparison.to_json()
    write_json(folder / FIGURES_NAME, document)
    text = page.page(f"{report.labels[0]}: report", _parts(report, comparison))
    with replacing(folder / PAGE_NAME) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return folder / PAGE_NAME


def _parts(report: Report, comparison: Comparison):
    yield _head(report)
    yield _cards(report)
    if comparison is not None:
        yield page.section(
            "",
            page.paragraph(comparison.sentence),
            page.picture(charts.paired_errors(comparison), "Of the points that both locate."),
            kind=f"verdict {comparison.verdict.value}",
        )
    if report.warnings:
        yield page.section("", *map(page.paragraph, report.warnings), kind="warning")
    yield accuracy(report)
    best, worst = _pictured(report)
    yield consistency(report, best)
    yield calibration(report)
    yield page.section("The worst cases", *worst)
    yield _training(report)
    yield _method(report)


def _head(report: Report) -> str:
    description, count = report.model.description, len(report.cases)
    told = f"Judged on {count} case{'s' if count != 1 else ''}"
    told += f" with {len(description.landmarks)} landmarks"
    if len(report.labels) > 1:
        told += f"; compared with {report.labels[1]}"
    return f"<h1>{page.escape(report.labels[0])}</h1>" + page.paragraph(told, "quiet")


def _cards(report: Report) -> str:
    """The figures that one looks for first; below each, what the other model has."""

    def entry(label, figure_of, percent=False):
        told = page.told_percent if percent else page.told
        texts = [told(figure_of(judgement)) for judgement in report.judgements]
        other = f"{report.labels[1]}: {texts[1][0]}" if len(texts) > 1 else ""
        return label, *texts[0], other

    threshold, unit = _first_threshold(report), report.model.evaluation.unit
    wrong = [
        sum(judgement.evaluation.overall.counts[o] for o in (Outcome.MISSED, Outcome.FALSE))
        for judgement in report.judgements
    ]
    told = f"{report.labels[1]}: {wrong[1]}" if len(wrong) > 1 else ""
    return page.cards(
        [
            entry(f"Mean error, {unit}", lambda j: j.evaluation.overall.mean_mm),
            entry(f"Median error, {unit}", lambda j: j.evaluation.overall.median_mm),
            entry(
                f"Within {threshold:g} {unit}, %",
                lambda j: j.evaluation.overall.success_rates[threshold],
                percent=True,
            ),
            ("Points missed or false", str(wrong[0]), "", told),
            entry("Variation of heights", lambda j: j.consistency.figures["peak_cv"]),
            entry("Variation of spreads", lambda j: j.consistency.figures["spread_cv"]),
        ]
    )


def _first_threshold(report: Report) -> float:
    """The one that is quoted most."""
    return next(iter(report.model.evaluation.overall.success_rates))


def _pictured(report: Report) -> tuple:
    """(all channels of one case, [the worst cases]) as HTML. The cases are detected once more, for
    nothing but numbers was kept; one is in memory at a time."""
    predictors = [Predictor(judgement.path, report.device) for judgement in report.judgements]
    ranked = _ranked(report.model.evaluation)
    if not ranked:
        return "", [page.paragraph("No case has a point that was located and can be compared.")]
    cases = {case.name: case for case in report.cases}
    middle = ranked[len(ranked) // 2][0]
    channels, worst = "", []
    for name, landmark, error_mm in ranked[:_WORST]:
        worst.append(_worst_case(cases[name], landmark, error_mm, predictors[0], report))
    image = read_image(cases[middle].image_path)
    applied = [
        applied_to(image, predictor, label) for predictor, label in zip(predictors, report.labels)
    ]
    caption = (
        f"All channels of {middle}, a case of middling error. Above the whole image, below the"
        " heatmap alone, the dashed ring where a perfect one has half its height; inside the two"
        " lines an expert would click in 50 and in 90 of 100 cases. The same colour is the same height"
        " everywhere."
    )
    if report.model.description.dimension == 3:
        caption += " Seen from the front, through along the line of sight."
    if len(report.model.description.landmarks) > MOST_CHANNELS:
        caption += f" The first {MOST_CHANNELS} landmarks."
    intensity = report.model.description.intensity
    channels = page.picture(channels_picture(image, intensity, applied), caption)
    legend = page.paragraph(
        "The cases with the largest single errors: the cross is the reference, the ring the"
        " prediction. "
        + (
            "Left the whole image with all landmarks, right around the worst one."
            if report.model.description.dimension == 2
            else "Seen from above, from the front and from the side, around the worst landmark."
        ),
        "quiet",
    )
    return channels, [legend, '<div class="cases">', *worst, "</div>"]


def _ranked(evaluation) -> list:
    """(case, its worst landmark, error in mm), the largest error first."""
    worst = [
        (case.name, *max(case.errors_mm.items(), key=lambda item: item[1]))
        for case in evaluation.cases
        if case.errors_mm
    ]
    return sorted(worst, key=lambda entry: -entry[2])


def applied_to(image, predictor: Predictor, label: str) -> Applied:
    return Applied(label, predictor.predict(image))


def _worst_case(case, landmark: str, error_mm: float, predictor: Predictor, report) -> str:
    image = read_image(case.image_path)
    reference = label_of(case.annotation, image.grid)
    applied = applied_to(image, predictor, report.labels[0])
    png = case_picture(image, predictor.description.intensity, applied, reference, landmark)
    result = next(r for r in report.model.evaluation.cases if r.name == case.name)
    mean, unit = float(np.mean(list(result.errors_mm.values()))), report.model.evaluation.unit
    told = f"{case.name}: landmark {landmark} is {page.number(error_mm)} {unit} off"
    told += f"; mean of the case {page.number(mean)} {unit}"
    for outcome in (Outcome.MISSED, Outcome.FALSE):
        names = [name for name, each in result.outcomes.items() if each is outcome]
        told += f"; {OUTCOMES[outcome]}: {', '.join(names)}" if names else ""
    return page.picture(png, told + ".")


def _training(report: Report) -> str:
    description, run = report.model.description, report.run
    record = description.training
    config = dict(run.config if run is not None else record.get("config", {}))
    stages = "; ".join(
        f"{stage.role} {stage.network.dimension}D, voxels of"
        f" {' x '.join(f'{s:.3g}' for s in stage.spacing_mm)} {description.unit},"
        f" sigma {stage.sigma_mm:.3g} {description.unit},"
        f" {stage.network.head} head, features {', '.join(map(str, stage.network.features))}"
        for stage in description.stages
    )
    started_from = record.get("started_from")
    facts = page.facts(
        [
            ("Model", f"{description.name}, version {description.version}"),
            ("SHA-256", report.model.model.sha256),
            ("Made", description.created),
            ("With", record.get("software")),
            ("Licence", description.licence),
            ("Data", ", ".join(record.get("data", ()))),
            ("Cases", _case_counts(record, run)),
            (
                "Started from",
                started_from and f"{started_from['name']}, {started_from['sha256'][:12]}",
            ),
            ("Network", stages),
            ("Losses", ", ".join(f"{k} × {v:g}" for k, v in config.get("losses", {}).items())),
            ("What came of it", " ".join(_summary(record)) or None),
        ]
    )
    parts = [facts]
    if run is not None and run.progress:
        parts.append(
            page.picture(
                charts.learning_curves(
                    run.progress, _kept_at(record, run.progress), report.model.evaluation.unit
                ),
                "Learning curves; the dotted line is the epoch at which the model is kept.",
            )
        )
    if config:
        settings = [(key, _setting(value)) for key, value in config.items()]
        parts.append(page.details("All settings", page.facts(settings)))
    return page.section("Training", *parts)


def _outcome(record: dict) -> dict:
    """What the model file says of its run; nothing in one of an earlier version."""
    outcome = record.get("outcome")
    return outcome if isinstance(outcome, dict) else {}


def _summary(record: dict) -> list:
    """Which epoch is kept, what was done of what was planned: sentences."""
    summary = _outcome(record).get("summary")
    return [str(line) for line in summary] if isinstance(summary, list) else []


def _kept_at(record: dict, progress):
    """The epoch that is kept, as the curves count: those of the fine stage after the coarse ones."""
    kept = _outcome(record).get("kept")
    try:
        before = (
            [r["epoch"] for r in progress if r["stage"] == COARSE] if kept["stage"] == FINE else []
        )
        return max(before, default=0) + kept["epoch"]
    except (KeyError, TypeError):
        return None


def _case_counts(record: dict, run: RunFolder):
    if run is not None:
        return (
            f"{len(run.training_cases)} to train on, {len(run.validation_cases)} to judge by while"
            " training"
        )
    return record.get("cases")


def _setting(value) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _method(report: Report) -> str:
    evaluation = report.model.evaluation
    return page.section(
        "How this was computed",
        page.paragraph(
            f"The error is the distance in {evaluation.unit} between prediction and reference."
            " Success rates count missed points as failures; false points are those found where the"
            " reference says absent. Points that nobody judged are in no figure. Intervals hold"
            f" {INTERVAL_PERCENT} %: percentiles of {evaluation.resamples} bootstrap resamples of"
            f" the {len(evaluation.cases)} cases, seed {evaluation.seed}. Small numbers behind a"
            " figure are its interval.",
            "quiet",
        ),
        page.paragraph(
            "Height: maximum of the heatmap over that of its target. Spread: root of its second"
            " moment within three sigma over the target's. CV: standard deviation over the channels"
            " of an image, over their mean. Second mode: a maximum beyond three sigma above 0.3 of"
            " the highest. Ellipses: from the heatmap's second moments around its point.",
            "quiet",
        ),
    )
