"""The command that makes cases of annotated images and configurations of points without images."""

from __future__ import annotations

import argparse
from pathlib import Path

from landmark_heatmap.errors import printable

from ..planning.config import TrainConfig
from ..warping.warp import How, warp_cases


def add_commands(commands) -> None:
    """commands: the subparsers of landmark-train."""
    parser = commands.add_parser(
        "warp",
        help="make cases to train on: annotated images, warped so that their landmarks lie as in points"
        " without images",
    )
    parser.add_argument(
        "--data",
        action="extend",
        nargs="+",
        required=True,
        metavar="DATASET",
        help="the annotated volumes",
    )
    parser.add_argument(
        "--to",
        action="extend",
        nargs="+",
        required=True,
        type=Path,
        metavar="POINTS",
        help="points without images: .fcsv, .mrk.json or .csv files, a file each, or folders of them",
    )
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="a new folder")
    parser.add_argument("--cases", required=True, type=int, metavar="N", help="how many to make")
    parser.add_argument(
        "--mixtures",
        type=float,
        default=How.mixtures,
        metavar="SHARE",
        help="the share of cases that mix two configurations (default: %(default)s)",
    )
    parser.add_argument(
        "--jitter",
        type=float,
        default=How.jitter_mm,
        metavar="MM",
        help="a small random move of each landmark, its standard deviation (default: %(default)s)",
    )
    parser.add_argument(
        "--around",
        action="extend",
        nargs="+",
        default=[],
        metavar="DATASET",
        help="annotated volumes whose surroundings are put around those that have none (a head around a"
        " brain)",
    )
    parser.add_argument(
        "--around-share",
        type=float,
        default=How.around_share,
        metavar="SHARE",
        help="the share of cases that get surroundings (default: %(default)s)",
    )
    parser.add_argument(
        "--cut",
        type=float,
        default=0.0,
        metavar="MM",
        help="each side of the images is moved in by up to so much",
    )
    parser.add_argument(
        "--air", type=float, default=0.0, metavar="MM", help="or out by up to so much"
    )
    parser.add_argument(
        "--spacing", type=float, metavar="MM", help="of the new images (default: the volume's own)"
    )
    parser.add_argument(
        "--off",
        type=float,
        default=How.off_mm,
        metavar="MM",
        help="a point that lies further from where the others say is put there (default: %(default)s)",
    )
    parser.add_argument(
        "--looks",
        metavar="FILE",
        help="a JSON file with settings of a training: grey values are changed as it would change them",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the seed of all chance")
    parser.set_defaults(command=_warp)


def _warp(options: argparse.Namespace) -> int:
    how = How(
        cases=options.cases,
        mixtures=options.mixtures,
        jitter_mm=options.jitter,
        around=tuple(options.around),
        around_share=options.around_share,
        cut_mm=options.cut,
        air_mm=options.air,
        spacing_mm=options.spacing,
        off_mm=options.off,
        looks=TrainConfig.read(options.looks) if options.looks else None,
        seed=options.seed,
    )
    warp_cases(
        options.data,
        options.to,
        options.output,
        how,
        lambda text: print(printable(text, lines=True)),
    )
    return 0
