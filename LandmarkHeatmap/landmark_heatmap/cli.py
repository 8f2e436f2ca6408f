"""landmark-heatmap: detection and evaluation from the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .annotation.formats import WRITTEN
from .command_line import NOTHING_DONE, Parser, add_thresholds, add_version, run_command
from .errors import LandmarkHeatmapError, printable
from .files import write_json

_MODEL = (
    "the model file, or the name of one that comes along: synthetic_hip, mouse_skull, brain_afids; or a"
    " dataset folder, whose cases are registered to the images"
)


def main(arguments=None) -> int:
    """Run the command line.

    Returns the exit code: 0; 1 if some images could not be done, no landmark was found in any,
    nothing was there to compare or a dataset has faults; 2 for input that cannot be used, or files
    that cannot be written; 130 for Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    return run_command("landmark-heatmap", options.command, options)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="landmark-heatmap", description="Detect anatomical landmarks, and judge how well."
    )
    add_version(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    detect = commands.add_parser("detect", help="detect the landmarks of images")
    detect.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGE",
        help="image files, and folders of which all images are taken, those in sub-folders too",
    )
    detect.add_argument("--model", required=True, help=_MODEL)
    detect.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="DIR",
        help="a folder for the results, below which they lie as the images do",
    )
    detect.add_argument(
        "--spacing",
        type=float,
        metavar="MM",
        help="the size of a pixel, as for the import of what the model was trained on (default: what the"
        " files state; photographs state none)",
    )
    detect.add_argument("--heatmaps", action="store_true", help="write the heatmaps as NRRD too")
    detect.add_argument("--device", default="auto", help="auto, cpu or cuda")
    detect.add_argument(
        "--overwrite",
        action="store_true",
        help="replace what is there already; without it, only results of this model may be there,"
        " which are not made again",
    )
    detect.add_argument(
        "--format",
        choices=WRITTEN,
        help="write all results for other programs, too, into a folder of that name in DIR",
    )
    detect.set_defaults(command=_detect)
    evaluate = commands.add_parser(
        "evaluate", help="compare predicted with reference annotations, in mm"
    )
    evaluate.add_argument("predictions", type=Path, help="an annotation file, or a folder of them")
    evaluate.add_argument("references", type=Path, help="the same, with the true positions")
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")
    add_thresholds(evaluate)
    evaluate.add_argument(
        "--overwrite", action="store_true", help="replace the JSON file if it is there already"
    )
    evaluate.set_defaults(command=_evaluate)
    _add_convert(commands)
    describe = commands.add_parser("describe", help="print what a model file says of itself")
    describe.add_argument("model", help=_MODEL)
    describe.add_argument(
        "--markdown", action="store_true", help="its card as a document; without it, all as JSON"
    )
    describe.set_defaults(command=_describe)
    dataset = commands.add_parser("dataset", help="look after a dataset folder")
    actions = dataset.add_subparsers(required=True, metavar="ACTION")
    check = actions.add_parser(
        "check", help="tell every fault of a dataset, by file and reason; nothing is changed"
    )
    check.add_argument("folder", type=Path, metavar="DIR", help="the dataset")
    check.set_defaults(command=_check_dataset)
    _add_landmarks(actions)
    return parser


def _add_landmarks(actions) -> None:
    landmarks = actions.add_parser(
        "landmarks",
        help="show the landmarks of a dataset, or add, rename and retire some; old cases stay valid",
    )
    landmarks.add_argument("folder", type=Path, metavar="DIR", help="the dataset")
    landmarks.add_argument(
        "--add", action="append", default=[], metavar="NAME", help="'NAME' or 'NAME; DEFINITION'"
    )
    landmarks.add_argument(
        "--rename",
        action="append",
        nargs=2,
        default=[],
        metavar=("NAME", "NEW_NAME"),
        help="older cases and models keep the name that they have",
    )
    landmarks.add_argument(
        "--retire",
        action="append",
        default=[],
        metavar="NAME",
        help="not annotated any more; older cases keep their points",
    )
    landmarks.set_defaults(command=_change_landmarks)


def _add_convert(commands) -> None:
    convert = commands.add_parser("convert", help="write annotations for other programs")
    convert.add_argument(
        "inputs",
        nargs="+",
        type=Path,
        metavar="INPUT",
        help="annotation files (.mrk.json, .fcsv, .csv), folders of them, or datasets",
    )
    convert.add_argument("--to", required=True, choices=WRITTEN, help="the format")
    convert.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="PATH",
        help="a new file for tps and csv, a folder for fcsv and mrk.json",
    )
    convert.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="the images, needed for tps and csv in 2D (default: those beside the annotations)",
    )
    convert.add_argument(
        "--system", choices=("LPS", "RAS"), default="LPS", help="of positions in mm (default: LPS)"
    )
    convert.set_defaults(command=_convert)


def _convert(options) -> int:
    from .dataset.convert import convert, find_items

    items = find_items(options.inputs, options.images)
    for sentence in convert(items, options.to, options.output, options.system):
        print(sentence)
    return 0


def _detect(options) -> int:
    from .detection.batch import detect
    from .registering.models import load, model_path

    failures = detect(
        options.images,
        model_path(options.model),
        options.output,
        options.heatmaps,
        options.overwrite,
        options.device,
        options.format,
        spacing_mm=options.spacing,
        load=load,
    )
    return NOTHING_DONE if failures else 0


def _check_free(target: Path, overwrite: bool) -> None:
    """That `target` can be written without taking anything from the user that was not offered."""
    if target.exists() and not overwrite:
        raise LandmarkHeatmapError(
            f"'{target}' is there already. Choose another place, or add --overwrite."
        )


def _evaluate(options) -> int:
    from .annotation.not_marked import told_readings
    from .judging.evaluation import evaluate, near_names
    from .judging.evaluation_table import format_table
    from .judging.pairing import pair_annotations

    if options.json:
        _check_free(options.json, options.overwrite)
    pairs = pair_annotations(options.predictions, options.references)
    evaluation = evaluate(pairs, thresholds_mm=options.thresholds)
    print(printable(format_table(evaluation), lines=True))
    for whose, which in (("Predictions", 1), ("References", 2)):
        read_as = told_readings(pair[which] for pair in pairs if pair[which])
        if read_as:
            print(f"{whose}: {read_as}")
    for sentence in near_names(pairs):
        print(printable(f"Names that do not agree: {sentence}."))
    if options.json:
        write_json(options.json, evaluation.to_json())
    if not evaluation.compared:
        print("Nothing was compared: no landmark has both positions.", file=sys.stderr)
    return 0 if evaluation.compared else NOTHING_DONE


def _describe(options) -> int:
    import json

    from .model.cards.card_text import markdown
    from .registering.models import describe, model_path

    description = describe(model_path(options.model))
    if options.markdown:
        text = markdown(description)
    else:
        text = json.dumps(description.to_json(), indent=1, ensure_ascii=False)
    print(printable(text, lines=True))
    return 0


def _check_dataset(options) -> int:
    from .dataset.check import check_dataset

    faults = check_dataset(options.folder)
    for fault in faults:
        print(printable(f"{fault.path}: {fault.reason}"))
    print(f"{len(faults)} faults." if faults else f"{printable(options.folder)}: no faults.")
    return 1 if faults else 0


def _change_landmarks(options) -> int:
    from .annotation.sets.draft import LandmarkSetDraft
    from .dataset.folder import read_landmark_set
    from .dataset.landmark_changes import change_landmarks

    before = read_landmark_set(options.folder)
    draft = LandmarkSetDraft(before, is_in_use=True)
    for name, now in options.rename:
        draft.rename(before.index(name), now)
    draft.remove([before.index(name) for name in options.retire])
    draft.add_lines("\n".join(options.add))
    landmarks = draft.to_set()
    for sentence in change_landmarks(options.folder, landmarks).sentences():
        print(printable(sentence))
    for mark in read_landmark_set(options.folder).landmarks:
        formerly = f" (formerly {', '.join(mark.formerly)})" if mark.formerly else ""
        text = f": {mark.definition}" if mark.definition else ""
        print(printable(f"{mark.name}{formerly}{text}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
