"""The command that calibrates a model on cases that it has not seen."""

from __future__ import annotations

import argparse
from pathlib import Path

from landmark_heatmap.model.shipped import model_path


def add_commands(commands) -> None:
    """commands: the subparsers of landmark-train."""
    parser = commands.add_parser(
        "calibrate",
        help="find out, on cases that a model has not seen, how far off it is when it says how sure it"
        " is; fit does this by itself where cases are held out",
    )
    parser.add_argument("--model", required=True, help="a model file, or the name of one")
    parser.add_argument(
        "--data",
        required=True,
        action="extend",
        nargs="+",
        metavar="DATASET",
        help="folders of cases that the model was not trained on",
    )
    parser.add_argument(
        "--output", required=True, type=Path, metavar="MODEL", help="the new model file"
    )
    parser.add_argument(
        "--shape",
        action="extend",
        nargs="+",
        default=[],
        metavar="DATASET",
        help="learn from these cases, too, how the landmarks lie to each other: for a model of a version"
        " that did not, those that it was trained on",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.set_defaults(command=_calibrate)


def _calibrate(options: argparse.Namespace) -> int:
    from ..recalibrate import write_calibrated

    for line in write_calibrated(
        model_path(options.model), options.data, options.output, options.device, options.shape
    ):
        print(line)
    return 0
