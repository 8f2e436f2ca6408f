"""The commands that judge models: evaluate, report, channels."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from landmark_heatmap.command_line import NOTHING_DONE, add_thresholds
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.files import read_text
from landmark_heatmap.model.model_file import read_description
from landmark_heatmap.model.shipped import model_path

from ..judging.page import told, told_percent


def add_commands(commands) -> None:
    """commands: the subparsers of landmark-train."""
    evaluate = commands.add_parser(
        "evaluate", help="judge a model on cases, or compare it with another on the same cases"
    )
    evaluate.add_argument("--model", required=True, help=_MODEL)
    evaluate.add_argument("--against", metavar="OTHER", help="the same of what to compare it with")
    evaluate.add_argument(
        "--data", required=True, action="extend", nargs="+", metavar="DATASET", help=_DATA
    )
    evaluate.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="DIR",
        help="a new folder for page and figures",
    )
    _add_options(evaluate)
    evaluate.set_defaults(command=_evaluate)
    report = commands.add_parser(
        "report", help="a page about a run: how it was trained, and how good it is"
    )
    report.add_argument("run", type=Path, metavar="RUN", help="the folder that fit wrote")
    report.add_argument(
        "--data",
        action="extend",
        nargs="+",
        metavar="DATASET",
        help="judge on all cases of these folders; by default on those that the run held out",
    )
    _add_options(report)
    report.set_defaults(command=_report)
    channels = commands.add_parser(
        "channels", help="a picture of all heatmaps of one image, of one model or of two"
    )
    channels.add_argument("--model", required=True, help=_MODEL)
    channels.add_argument("--against", metavar="OTHER", help="the same of a second model")
    channels.add_argument("--image", required=True, type=Path, help="an image file")
    channels.add_argument(
        "--output", required=True, type=Path, metavar="PNG", help="a file for the picture"
    )
    channels.add_argument(
        "--labels",
        action="extend",
        nargs="+",
        metavar="TEXT",
        help="what the models are called in the picture",
    )
    channels.add_argument("--device", default="auto", help="auto, cpu or cuda")
    channels.set_defaults(command=_channels)


_MODEL = "a model file, or the name of one that comes along"
_DATA = "exported dataset folders, or folders of images with .mrk.json files of the same name"


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cases",
        action="extend",
        nargs="+",
        metavar="NAME",
        help="only these cases; or a text file with a name on each line",
    )
    add_thresholds(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")


def _evaluate(options) -> int:
    from ..judging.judge import choose_cases
    from ..judging.report import Report, write_report
    from ..outputs import new_folder

    cases = choose_cases(options.data, _wanted(options.cases))
    models = _models(options)
    for model in models:
        read_description(model)  # the second is told of before the first was judged
    folder = new_folder(options.output)
    report = Report(_judged(models, cases, options), tuple(cases), None, options.device)
    _tell(report)
    print(f"\nThe page: {write_report(report, folder)}")
    return _code(report)


def _models(options) -> list:
    """The files of --model and --against, either of which may be the name of a shipped model."""
    return [model_path(model) for model in (options.model, options.against) if model is not None]


def _report(options) -> int:
    from ..judging.judge import choose_cases, held_out_cases
    from ..judging.report import Report, write_report
    from ..judging.runs import read_run

    run = read_run(options.run)
    if options.data:
        cases = choose_cases(options.data, _wanted(options.cases))
    else:
        cases = held_out_cases(run, _wanted(options.cases))
    report = Report(_judged([run.model_path], cases, options), tuple(cases), run, options.device)
    _tell(report)
    print(f"\nThe page: {write_report(report, options.run)}")
    return _code(report)


def _code(report) -> int:
    """The exit code: a page about nothing is no success."""
    empty = [j.model.name for j in report.judgements if not j.evaluation.compared]
    for name in empty:
        print(
            f"Nothing was compared: '{name}' finds none of the landmarks that these cases have.",
            file=sys.stderr,
        )
    return NOTHING_DONE if empty else 0


def _judged(models, cases, options) -> tuple:
    from tqdm import tqdm

    from ..judging.judge import How, judge

    how = How(options.thresholds and tuple(options.thresholds), options.device)

    def progress(cases):
        return tqdm(cases, unit="case", leave=False)

    return tuple(judge(path, cases, how, progress) for path in models)


def _tell(report) -> None:
    """The short table, the comparison and the warnings."""
    rows = [["", *report.labels]]
    overall = [judgement.evaluation.overall for judgement in report.judgements]
    unit = report.model.evaluation.unit
    rows.append([f"mean error, {unit}", *(_text(each.mean_mm) for each in overall)])
    rows.append([f"median error, {unit}", *(_text(each.median_mm) for each in overall)])
    for threshold in overall[0].success_rates:
        shares = (_text(each.success_rates[threshold], told_percent) for each in overall)
        rows.append([f"within {threshold:g} {unit}, %", *shares])
    for outcome in ("missed", "false"):
        counts = [{o.value: n for o, n in each.counts.items()} for each in overall]
        rows.append([f"points {outcome}", *(str(count[outcome]) for count in counts)])
    for name in ("peak_cv", "spread_cv", "second_mode_share"):
        figures = [judgement.consistency.figures[name] for judgement in report.judgements]
        rows.append([name.replace("_", " "), *map(_text, figures)])
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        first, *rest = (cell.ljust(width) for cell, width in zip(row, widths))
        print("   ".join([first, *rest]).rstrip())
    comparison = report.comparison
    if comparison is not None:
        print(f"\n{comparison.sentence}")
    for warning in report.warnings:
        print(f"\nNote: {warning}")


def _text(figure, texts_of=told) -> str:
    value, interval = texts_of(figure)
    return f"{value} ({interval})" if interval else value


def _wanted(cases):
    """Names, from the command line or from a file with one on each line."""
    if cases is None or len(cases) != 1 or not Path(cases[0]).is_file():
        return cases
    lines = read_text(cases[0], DatasetError).splitlines()
    return [line.strip() for line in lines if line.strip()]


def _channels(options) -> int:
    from landmark_heatmap.detection.predict import Predictor
    from landmark_heatmap.files import replacing
    from landmark_heatmap.images.imageio import read_image

    from ..judging.pictures import channels_picture
    from ..judging.report import applied_to

    if options.output.exists() or options.output.suffix.lower() != ".png":
        raise DatasetError(f"'{options.output}' has to be a new file whose name ends in .png.")
    image = read_image(options.image)
    paths = _models(options)
    predictors = [Predictor(path, options.device) for path in paths]
    labels = options.labels or [each.description.name for each in predictors]
    if len(labels) != len(paths):
        raise DatasetError(f"{len(labels)} labels for {len(paths)} models.")
    applied = [applied_to(image, each, label) for each, label in zip(predictors, labels)]
    picture = channels_picture(image, predictors[0].description.intensity, applied)
    with replacing(options.output) as temporary:
        temporary.write_bytes(picture)
    print(f"The picture: {options.output}")
    return 0
