"""landmark-heatmap: detection and evaluation from the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .command_line import Parser, add_version, run_command
from .errors import LandmarkHeatmapError, printable
from .files import write_json

_DEFAULT_THRESHOLDS_MM = (2.0, 2.5, 3.0, 4.0)
_MODEL = "the model file, or the name of one that comes along: synthetic_hip"


def main(arguments=None) -> int:
    """Run the command line.

    Returns the exit code: 0; 1 if some images could not be done, or a dataset has faults; 2 for
    input that cannot be used, or files that cannot be written; 130 for Ctrl-C.
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
    detect.add_argument("--output", required=True, type=Path, metavar="DIR")
    detect.add_argument("--heatmaps", action="store_true", help="write the heatmaps as NRRD too")
    detect.add_argument("--device", default="auto", help="auto, cpu or cuda")
    detect.add_argument(
        "--overwrite",
        action="store_true",
        help="replace what is there already; without it, only results of this model may be there,"
        " which are not made again",
    )
    detect.set_defaults(command=_detect)
    evaluate = commands.add_parser(
        "evaluate", help="compare predicted with reference annotations, in mm"
    )
    evaluate.add_argument("predictions", type=Path, help="an annotation file, or a folder of them")
    evaluate.add_argument("references", type=Path, help="the same, with the true positions")
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")
    evaluate.add_argument(
        "--thresholds",
        nargs="+",
        type=float,
        default=_DEFAULT_THRESHOLDS_MM,
        metavar="MM",
        help="success detection rates at these distances (default: 2 2.5 3 4)",
    )
    evaluate.add_argument(
        "--overwrite", action="store_true", help="replace the JSON file if it is there already"
    )
    evaluate.set_defaults(command=_evaluate)
    describe = commands.add_parser("describe", help="print what a model file says of itself")
    describe.add_argument("model", help=_MODEL)
    describe.set_defaults(command=_describe)
    dataset = commands.add_parser("dataset", help="look after a dataset folder")
    check = dataset.add_subparsers(required=True, metavar="ACTION").add_parser(
        "check", help="tell every fault of a dataset, by file and reason; nothing is changed"
    )
    check.add_argument("folder", type=Path, metavar="DIR")
    check.set_defaults(command=_check_dataset)
    return parser


def _detect(options) -> int:
    from .detection.batch import detect
    from .model.shipped import model_path

    failures = detect(
        options.images,
        model_path(options.model),
        options.output,
        options.heatmaps,
        options.overwrite,
        options.device,
    )
    return 1 if failures else 0


def _check_free(target: Path, overwrite: bool) -> None:
    """That `target` can be written without taking anything from the user that was not offered."""
    if target.exists() and not overwrite:
        raise LandmarkHeatmapError(
            f"'{target}' is there already. Choose another place, or add --overwrite."
        )


def _evaluate(options) -> int:
    from .judging.evaluation import evaluate
    from .judging.evaluation_table import format_table
    from .judging.pairing import pair_annotations

    if options.json:
        _check_free(options.json, options.overwrite)
    pairs = pair_annotations(options.predictions, options.references)
    evaluation = evaluate(pairs, thresholds_mm=tuple(options.thresholds))
    print(printable(format_table(evaluation), lines=True))
    if options.json:
        write_json(options.json, evaluation.to_json())
    return 0


def _describe(options) -> int:
    import json

    from .model.model_file import read_description
    from .model.shipped import model_path

    document = read_description(model_path(options.model)).to_json()
    print(printable(json.dumps(document, indent=1, ensure_ascii=False), lines=True))
    return 0


def _check_dataset(options) -> int:
    from .dataset.check import check_dataset

    faults = check_dataset(options.folder)
    for fault in faults:
        print(printable(f"{fault.path}: {fault.reason}"))
    print(f"{len(faults)} faults." if faults else f"{printable(options.folder)}: no faults.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
