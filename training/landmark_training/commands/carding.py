"""The command that gives a model its card."""

from __future__ import annotations

import argparse
from pathlib import Path

from landmark_heatmap.errors import printable
from landmark_heatmap.model.shipped import model_path


def add_commands(commands) -> None:
    """commands: the subparsers of landmark-train."""
    parser = commands.add_parser(
        "card",
        help="write a model with a card into a new file: what it is for, how far off it is, what it was"
        " trained on; the old file stays as it is",
    )
    parser.add_argument("model", help="a model file, or the name of one that comes along")
    parser.add_argument(
        "card", type=Path, metavar="CARD.json", help="as told in training/FORMATS.md"
    )
    parser.add_argument("output", type=Path, metavar="NEW", help="the new model file")
    parser.add_argument(
        "--half",
        action="store_true",
        help="the weights in half precision: a file of half the size, for models that are given away",
    )
    parser.set_defaults(command=_card)


def _card(options: argparse.Namespace) -> int:
    from ..carding import write_carded

    for line in write_carded(model_path(options.model), options.card, options.output, options.half):
        print(printable(line))
    return 0
